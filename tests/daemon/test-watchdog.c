/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/watchdog.h"

#include "../log-capture.h"
#include "event/fd.h"

#include <glib/gstdio.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define WATCHDOG_US 20000 /* so there is one each 10 ms */
#define OVERDUE_MS 60

typedef struct {
  ReeveLoop *loop;
  ReeveServer *servers[2];
  char *path;
  int fd; /* of the supervisor */
  ReeveNotify *notify;
  ReeveWatchdog *watchdog;
  ReeveJob job;
  atomic_bool may_end;
  atomic_bool has_ended;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  const ReeveServerLimits limits = { .workers = { 1, 1, 1, 1, 1 } };
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  self->loop = reeve_loop_new (NULL);
  self->servers[0] = reeve_server_new ("test", self->loop, &limits);
  self->path = g_dir_make_tmp ("reeve-watchdog-XXXXXX", NULL);
  self->fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  g_snprintf (address.sun_path, sizeof address.sun_path, "%s/notify",
              self->path);
  g_assert_cmpint (
      bind (self->fd, (const struct sockaddr *) &address, sizeof address), ==,
      0);
  g_setenv ("NOTIFY_SOCKET", address.sun_path, TRUE);
  g_setenv ("WATCHDOG_USEC", G_STRINGIFY (WATCHDOG_US), TRUE);
  self->notify = reeve_notify_new_from_environment ();
  g_assert_null (g_getenv ("NOTIFY_SOCKET"));
  g_assert_cmpuint (reeve_notify_get_watchdog (self->notify), ==, WATCHDOG_US);
  self->watchdog =
      reeve_watchdog_new (self->loop, self->notify, self->servers, OVERDUE_MS);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_autofree char *socket_path = g_build_filename (self->path, "notify", NULL);

  reeve_watchdog_free (self->watchdog);
  reeve_server_stop (self->servers[0]);
  reeve_server_unref (self->servers[0]);
  reeve_notify_free (self->notify);
  reeve_fd_clear (&self->fd);
  g_assert_cmpint (g_unlink (socket_path), ==, 0);
  g_assert_cmpint (g_rmdir (self->path), ==, 0);
  g_free (self->path);
  reeve_loop_unref (self->loop);
}

/* How many datagrams are there that say @text. */
static unsigned
count (Fixture *self, const char *text)
{
  unsigned n_found = 0;
  char bytes[256];
  ssize_t size;

  while ((size = recv (self->fd, bytes, sizeof bytes - 1, 0)) >= 0) {
    bytes[size] = '\0';
    n_found += g_str_equal (bytes, text);
  }

  return n_found;
}

static void
quit (ReeveLoop *loop, int watch, gpointer data)
{
  reeve_loop_remove (loop, watch);
  reeve_loop_quit (loop);
}

static void
turn_for (Fixture *self, int interval_ms)
{
  reeve_loop_add_timeout (self->loop, interval_ms, quit, NULL, NULL);
  reeve_loop_run (self->loop);
}

/* Turns until one more has come. */
static void
wait_for_one (Fixture *self)
{
  for (int i = 0; i < 2000; i++) {
    turn_for (self, 5);
    if (count (self, "WATCHDOG=1") > 0)
      return;
  }
  g_assert_not_reached ();
}

static void
test_turns (Fixture *self, gconstpointer data)
{
  wait_for_one (self);
  wait_for_one (self);
}

static void
block (ReeveLoop *loop, int watch, gpointer data)
{
  Fixture *self = data;

  reeve_loop_remove (loop, watch);
  count (self, "WATCHDOG=1");
  g_usleep (10 * WATCHDOG_US);
  g_assert_cmpuint (count (self, "WATCHDOG=1"), ==, 0);
  reeve_loop_quit (loop);
}

static void
test_loop_that_is_stuck (Fixture *self, gconstpointer data)
{
  reeve_loop_add_timeout (self->loop, 30, block, self, NULL);
  reeve_loop_run (self->loop);
  wait_for_one (self);
}

static void
run_job (ReeveJob *job)
{
  Fixture *self = (Fixture *) ((char *) job - offsetof (Fixture, job));

  while (!atomic_load (&self->may_end))
    g_usleep (1000);
  atomic_store (&self->has_ended, TRUE);
}

static void
push_job (Fixture *self)
{
  GQueue jobs = G_QUEUE_INIT;

  self->job.link.data = &self->job;
  self->job.run = run_job;
  self->job.name = "endless";
  g_queue_push_tail_link (&jobs, &self->job.link);
  reeve_job_pool_push (reeve_server_get_pool (self->servers[0]), &jobs);
}

static void
test_job_that_is_overdue (Fixture *self, gconstpointer data)
{
  push_job (self);
  turn_for (self, 4 * OVERDUE_MS);
  count (self, "");
  turn_for (self, 5 * WATCHDOG_US / 1000);
  g_assert_cmpuint (count (self, "WATCHDOG=1"), ==, 0);
  /* It is named once. */
  log_capture_take ("warning *“test”*busy with “endless” for 0 seconds*");
  log_capture_assert_empty ();

  atomic_store (&self->may_end, TRUE);
  wait_for_one (self);
  g_assert_true (atomic_load (&self->has_ended));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  log_capture_begin ();
#define TEST(name, func)                                                       \
  g_test_add ("/daemon/watchdog/" name, Fixture, NULL, set_up, func, tear_down)
  TEST ("is-fed-while-the-loop-turns", test_turns);
  TEST ("is-not-fed-by-a-loop-that-is-stuck", test_loop_that_is_stuck);
  TEST ("is-not-fed-while-a-job-is-overdue", test_job_that_is_overdue);
  return g_test_run ();
}
