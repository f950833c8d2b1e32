/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/peer.h"
#include "rpc/error.h"
#include "stock-daemon.h"

#include <pthread.h>
#include <sys/stat.h>

/* Our client and a stock lvmpolld, whose jobs are done by a script, which ends
 * when nobody reads what it says. */

#define TIMEOUT_MS 30000
#define N_THREADS 8
#define N_REQUESTS 50

static const char script[] = "#!/bin/sh\n"
                             "echo working\n"
                             "case \"$*\" in\n"
                             "*/five*) exit 5 ;;\n"
                             "*/killed*) kill -9 $$ ;;\n"
                             "*) while echo more; do sleep 0.1; done ;;\n"
                             "esac\n";

typedef struct {
  StockDaemon daemon;
  ReevePeer *peer; /* (nullable): the program is missing */
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autofree char *socket = NULL, *pid_file = NULL, *worker = NULL;
  g_autoptr (GError) error = NULL;

  self->peer = NULL;
  if (!stock_daemon_init (&self->daemon, "lvmpolld"))
    return;

  socket = stock_daemon_path (&self->daemon, "socket");
  pid_file = stock_daemon_path (&self->daemon, "pid");
  worker = stock_daemon_path (&self->daemon, "worker");
  g_assert_true (g_file_set_contents (worker, script, -1, NULL));
  g_assert_no_errno (chmod (worker, 0700));
  stock_daemon_start (&self->daemon, (const char *const[]){
                                         "lvmpolld", "-f", "-s", socket, "-p",
                                         pid_file, "-B", worker, NULL });
  self->peer = reeve_peer_open_text (self->daemon.stream, "lvmpolld", 1,
                                     TIMEOUT_MS, NULL, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  if (self->peer == NULL)
    return;
  reeve_peer_unref (self->peer);
  stock_daemon_clear (&self->daemon);
}

static void
test_hello (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  if (self->peer == NULL)
    return;
  g_assert_null (reeve_peer_open_text (self->daemon.stream, "lvmlockd", 1,
                                       TIMEOUT_MS, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT);
}

static void
test_dump (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfigNode) answer = NULL;

  if (self->peer == NULL)
    return;
  answer = reeve_peer_ask_text (self->peer, TIMEOUT_MS, &error, "dump", NULL);
  g_assert_no_error (error);
  g_assert_nonnull (reeve_config_node_find (answer, "poll"));
  g_assert_nonnull (reeve_config_node_find (answer, "abort"));
}

static void
test_refused (Fixture *self, gconstpointer data)
{
  static const struct {
    const char *request;
    const char *wrong;
  } rows[] = {
    { "zorp", "request not implemented" },
    { "progress_info", "request requires lvid set" },
    { "pvmove", "request requires interval set" },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows) && self->peer != NULL; i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (reeve_peer_ask_text (self->peer, TIMEOUT_MS, &error,
                                        rows[i].request, NULL));
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED);
    g_assert_cmpstr (error->message, ==, rows[i].wrong);
  }
}

static ReeveConfigNode *
ask_progress (Fixture *self, const char *lvid)
{
  g_autoptr (GError) error = NULL;
  ReeveConfigNode *answer = reeve_peer_ask_text (
      self->peer, TIMEOUT_MS, &error, "progress_info", "lvid = %s", lvid, NULL);

  g_assert_no_error (error);
  return answer;
}

static void
start_job (Fixture *self, const char *lvname)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfigNode) answer = reeve_peer_ask_text (
      self->peer, TIMEOUT_MS, &error, "pvmove", "lvid = %s", lvname,
      "lvname = %s", lvname, "vgname = %s", "vg", "interval = %s", "1",
      "sysdir = %s", NULL, "handle_missing_pvs = %d", 1, NULL);

  g_assert_no_error (error);
  g_assert_cmpstr (reeve_config_node_find_string (answer, "response", ""), ==,
                   "OK");
}

/* (transfer full): what the daemon says when the job is over. */
static ReeveConfigNode *
wait_for_job (Fixture *self, const char *lvid)
{
  for (;;) {
    ReeveConfigNode *answer = ask_progress (self, lvid);

    if (!g_str_equal (reeve_config_node_find_string (answer, "response", ""),
                      "in_progress"))
      return answer;
    reeve_config_node_free (answer);
    g_usleep (20000);
  }
}

static void
check_end (Fixture *self, const char *lvid, const char *reason, int value)
{
  g_autoptr (ReeveConfigNode) answer = NULL;

  start_job (self, lvid);
  answer = wait_for_job (self, lvid);
  g_assert_cmpstr (reeve_config_node_find_string (answer, "response", ""), ==,
                   "finished");
  g_assert_cmpstr (reeve_config_node_find_string (answer, "reason", ""), ==,
                   reason);
  g_assert_cmpint (reeve_config_node_find_int (answer, "value", -1), ==, value);
}

static void
test_jobs (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveConfigNode) none = NULL, slow = NULL, dump = NULL;

  if (self->peer == NULL)
    return;
  check_end (self, "five", "retcode", 5);
  check_end (self, "killed", "signal", 9);
  none = ask_progress (self, "five");
  g_assert_cmpstr (reeve_config_node_find_string (none, "response", ""), ==,
                   "not_found");
  start_job (self, "slow");
  slow = ask_progress (self, "slow");
  g_assert_cmpstr (reeve_config_node_find_string (slow, "response", ""), ==,
                   "in_progress");
  dump = reeve_peer_ask_text (self->peer, TIMEOUT_MS, NULL, "dump", NULL);
  g_assert_cmpstr (reeve_config_node_find_string (dump, "poll/slow/lvname", ""),
                   ==, "vg/slow");
}

static void *
ask_often (void *data)
{
  for (int i = 0; i < N_REQUESTS; i++) {
    g_autoptr (GError) error = NULL;
    gboolean is_hello = i % 2 == 0;
    g_autoptr (ReeveConfigNode) answer =
        is_hello
            ? reeve_peer_ask_text (data, TIMEOUT_MS, &error, "hello", NULL)
            : reeve_peer_ask_text (data, TIMEOUT_MS, &error, "progress_info",
                                   "lvid = %s", "none", NULL);

    g_assert_no_error (error);
    g_assert_cmpstr (reeve_config_node_find_string (answer, "response", ""), ==,
                     is_hello ? "OK" : "not_found");
  }
  return NULL;
}

static void
test_many_threads (Fixture *self, gconstpointer data)
{
  pthread_t threads[N_THREADS];

  if (self->peer == NULL)
    return;
  for (int i = 0; i < N_THREADS; i++)
    pthread_create (&threads[i], NULL, ask_often, self->peer);
  for (int i = 0; i < N_THREADS; i++)
    pthread_join (threads[i], NULL);
}

#define ADD(name, function)                                                    \
  g_test_add ("/client/peer-lvmpolld/" name, Fixture, NULL, set_up, function,  \
              tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("other-protocol-is-refused", test_hello);
  ADD ("dump", test_dump);
  ADD ("refusals-have-its-reasons", test_refused);
  ADD ("jobs-and-their-ends", test_jobs);
  ADD ("many-threads-on-one-socket", test_many_threads);
  return g_test_run ();
}
