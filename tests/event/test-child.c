/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/child.h"

#include "../log-capture.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

typedef struct {
  const char *name;
  const char *script; /* of sh */
  size_t max_output_bytes;
  const char *output;
  const char *status;
  gboolean has_exited;
  int number;
} RunCase;

static const RunCase run_cases[] = {
  { "takes-what-it-writes", "echo out; echo err >&2", 100, "out\nerr\n",
    "exit status 0", TRUE, 0 },
  { "tells-its-status", "exit 7", 100, "", "exit status 7", TRUE, 7 },
  { "tells-its-signal", "kill -TERM $$", 100, "", "killed (Terminated)", FALSE,
    SIGTERM },
  { "keeps-no-more-than-it-may",
    "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done", 5,
    "01234", "exit status 0", TRUE, 0 },
  { "keeps-nothing", "echo out", 0, "", "exit status 0", TRUE, 0 },
  { "does-not-wait-for-whom-it-left", "echo out; sleep 2 & echo $! >&2", 4,
    "out\n", "exit status 0", TRUE, 0 },
  { "has-no-input", "cat; echo end", 100, "end\n", "exit status 0", TRUE, 0 },
  { "inherits-no-file", "ls /proc/self/fd | wc -l", 100, "4\n", "exit status 0",
    TRUE, 0 },
};

typedef struct {
  const char *name;
  const char *script; /* of sh */
  const char *message;
} NameCase;

static const NameCase name_cases[] = {
  { "tells-the-log-its-status", "exit 3", "notice job: exit status 3" },
  { "tells-the-log-its-output", "echo out; kill -TERM $$",
    "notice job: killed (Terminated): out\n" },
};

typedef struct {
  ReeveLoop *loop;
  ReeveChild *child;
  int n_ends;
} Fixture;

static void
end (ReeveChild *child, int status, gpointer data)
{
  Fixture *self = data;

  self->n_ends++;
  reeve_loop_quit (self->loop);
}

static void
start (Fixture *self, const char *script, size_t max_output_bytes)
{
  const char *const argv[] = { "sh", "-c", script, NULL };
  const ReeveChildPlan plan = { .argv = argv,
                                .max_output_bytes = max_output_bytes };
  g_autoptr (GError) error = NULL;

  self->loop = reeve_loop_new (NULL);
  self->child = reeve_child_start (self->loop, &plan, end, self, &error);
  g_assert_no_error (error);
}

static void
clear (Fixture *self)
{
  reeve_child_free (self->child);
  reeve_loop_unref (self->loop);
}

static void
assert_status (Fixture *self, const char *expected)
{
  g_autofree char *status = reeve_child_dup_status (self->child);

  g_assert_cmpstr (status, ==, expected);
}

static void
test_run (gconstpointer data)
{
  const RunCase *row = data;
  Fixture fixture = { 0 };
  size_t size;
  int number = -1;

  start (&fixture, row->script, row->max_output_bytes);
  assert_status (&fixture, "running");
  g_assert_true (reeve_child_is_running (fixture.child));
  g_assert_false (reeve_child_has_exited (fixture.child, &number));
  g_assert_cmpint (number, ==, 0);
  reeve_loop_run (fixture.loop);
  g_assert_cmpint (fixture.n_ends, ==, 1);
  assert_status (&fixture, row->status);
  g_assert_false (reeve_child_is_running (fixture.child));
  g_assert_cmpint (reeve_child_has_exited (fixture.child, &number), ==,
                   row->has_exited);
  g_assert_cmpint (number, ==, row->number);
  g_assert_cmpstr (reeve_child_get_output (fixture.child, &size), ==,
                   row->output);
  g_assert_cmpuint (size, ==, strlen (row->output));
  g_assert_false (reeve_child_kill (fixture.child, SIGTERM));
  g_assert_cmpint (errno, ==, ESRCH);
  clear (&fixture);
}

/* It says that it does not mind SIGTERM before it is told to stop. */
static void
stop_when_it_speaks (ReeveLoop *loop, int watch, gpointer data)
{
  Fixture *self = data;
  size_t size;

  reeve_child_get_output (self->child, &size);
  if (size == 0)
    return;
  reeve_loop_remove (loop, watch);
  reeve_child_stop (self->child, 50);
}

static void
test_stop (void)
{
  Fixture fixture = { 0 };

  start (&fixture, "trap '' TERM; echo x; while :; do sleep 1; done", 10);
  reeve_loop_add_timeout (fixture.loop, 1, stop_when_it_speaks, &fixture, NULL);
  reeve_loop_run (fixture.loop);
  assert_status (&fixture, "killed (Killed)");
  clear (&fixture);
}

static void
quit (ReeveLoop *loop, int watch, gpointer data)
{
  if (kill (*(pid_t *) data, 0) < 0)
    reeve_loop_quit (loop);
}

static void
test_free (void)
{
  Fixture fixture = { 0 };
  pid_t pid;

  start (&fixture, "exec sleep 60", 10);
  pid = reeve_child_get_pid (fixture.child);
  reeve_child_free (g_steal_pointer (&fixture.child));
  reeve_loop_add_timeout (fixture.loop, 1, quit, &pid, NULL);
  reeve_loop_run (fixture.loop);
  /* It was waited for, too. */
  g_assert_cmpint (waitpid (pid, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (fixture.n_ends, ==, 0);
  clear (&fixture);
}

static void
test_no_program (void)
{
  const char *const argv[] = { "/nonexistent/program", NULL };
  const ReeveChildPlan plan = { .argv = argv };
  g_autoptr (ReeveLoop) loop = reeve_loop_new (NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (reeve_child_start (loop, &plan, end, NULL, &error));
  g_assert_error (error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
}

/* Nobody else is told of these ends. */
static void
test_name (gconstpointer data)
{
  const NameCase *row = data;
  const char *const argv[] = { "sh", "-c", row->script, NULL };
  const ReeveChildPlan plan = { argv, NULL, 100, "job" };
  g_autoptr (ReeveLoop) loop = reeve_loop_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveChild) child =
      reeve_child_start (loop, &plan, NULL, NULL, &error);
  pid_t pid;

  g_assert_no_error (error);
  g_assert_cmpstr (reeve_child_get_name (child), ==, "job");
  pid = reeve_child_get_pid (child);
  reeve_loop_add_timeout (loop, 1, quit, &pid, NULL);
  reeve_loop_run (loop);
  log_capture_take (row->message);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  log_capture_begin ();
  for (size_t i = 0; i < G_N_ELEMENTS (run_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/event/child/", run_cases[i].name, NULL);

    g_test_add_data_func (path, &run_cases[i], test_run);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (name_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/event/child/", name_cases[i].name, NULL);

    g_test_add_data_func (path, &name_cases[i], test_name);
  }
  g_test_add_func ("/event/child/is-killed-if-it-does-not-stop", test_stop);
  g_test_add_func ("/event/child/does-not-outlive-its-owner", test_free);
  g_test_add_func ("/event/child/refuses-what-is-no-program", test_no_program);
  return g_test_run ();
}
