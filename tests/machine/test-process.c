/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/process.h"

#include "event/fd.h"
#include "event/process-stat.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static int
make_file (void)
{
  g_autofree char *path = NULL;
  int fd = g_file_open_tmp ("reeve-process-XXXXXX", &path, NULL);

  g_assert_cmpint (fd, >=, 0);
  unlink (path);
  return fd;
}

static char *
read_file (int fd)
{
  char text[4096];
  ssize_t size = pread (fd, text, sizeof text, 0);

  return g_strndup (text, (gsize) MAX (size, 0));
}

typedef struct {
  GMainContext *context;
  unsigned n_calls;
  int status;
} Ended;

static void
on_ended (ReeveLoop *loop, int watch, pid_t pid, int status, gpointer data)
{
  Ended *ended = data;

  ended->n_calls++;
  ended->status = status;
}

/* Ends its session, if @signum is not 0, and waits; returns the status. */
static int
kill_and_wait (ReeveProcess *process, int signum)
{
  g_autoptr (ReeveLoop) loop = reeve_loop_new (NULL);
  Ended ended = { 0 };

  g_assert_cmpint (reeve_process_watch (process, loop, on_ended, &ended), >=,
                   0);
  if (signum != 0)
    kill (-reeve_process_get_pid (process), signum);
  while (ended.n_calls == 0)
    g_main_context_iteration (reeve_loop_get_context (loop), TRUE);
  return ended.status;
}

static int
wait_for_end (ReeveProcess *process)
{
  return kill_and_wait (process, 0);
}

static ReeveProcess *
spawn_shell (const char *script, int log_fd, int pid_fd)
{
  const char *argv[] = { "/bin/sh", "-c", script, "reeve-mark", NULL };
  ReeveProcessPlan plan = {
    .argv = argv,
    .log_fd = log_fd,
    .pid_fd = pid_fd,
  };
  g_autoptr (GError) error = NULL;
  ReeveProcess *process = reeve_process_spawn (&plan, &error);

  g_assert_no_error (error);
  return process;
}

static void
test_output_goes_to_the_log (void)
{
  REEVE_AUTOFD int log_fd = make_file ();
  REEVE_AUTOFD int pid_fd = make_file ();
  g_autoptr (ReeveProcess) process = spawn_shell (
      "echo out; echo err >&2; read x || echo eof; pwd; umask; exit 7", log_fd,
      pid_fd);
  g_autofree char *text = NULL;
  g_autofree char *pid_text = NULL;
  int status = wait_for_end (process);

  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 7);
  text = read_file (log_fd);
  g_assert_cmpstr (text, ==, "out\nerr\neof\n/\n0077\n");
  pid_text = read_file (pid_fd);
  g_assert_cmpint (atoi (pid_text), ==, reeve_process_get_pid (process));
  g_assert_false (reeve_process_is_alive (process));
}

/* Raising its own is what everybody may. */
static void
test_has_an_oom_score_of_its_own (void)
{
  static const char path[] = "/proc/self/oom_score_adj";
  REEVE_AUTOFD int log_fd = make_file ();
  REEVE_AUTOFD int own = open (path, O_WRONLY | O_CLOEXEC);
  g_autofree char *before = NULL;
  g_autofree char *during = NULL;
  g_autofree char *text = NULL;
  g_autoptr (ReeveProcess) process = NULL;

  g_assert_true (g_file_get_contents (path, &before, NULL, NULL));
  if (strcmp (before, "0\n") != 0) {
    g_test_skip ("the test itself has a score that it may not undo");
    return;
  }
  g_assert_cmpint (write (own, "321", 3), ==, 3);
  process = spawn_shell ("cat /proc/self/oom_score_adj", log_fd, -1);
  g_assert_true (g_file_get_contents (path, &during, NULL, NULL));
  g_assert_cmpstr (during, ==, "321\n");
  g_assert_cmpint (write (own, "0", 1), ==, 1);
  wait_for_end (process);
  text = read_file (log_fd);
  g_assert_cmpstr (text, ==, "0\n");
}

static void
test_inherits_what_is_named_alone (void)
{
  REEVE_AUTOFD int log_fd = make_file ();
  REEVE_AUTOFD int one = make_file ();
  REEVE_AUTOFD int other = make_file ();
  REEVE_AUTOFD int stray = dup2 (log_fd, 50);
  const char *argv[] = {
    "/bin/sh", "-c",
    "echo a >&3; echo b >&4; for f in /proc/$$/fd/*; do echo ${f##*/}; done",
    NULL
  };
  /* crosswise, and onto numbers that are in use here */
  ReeveProcessFd fds[] = { { other, 3 }, { one, 4 } };
  ReeveProcessPlan plan = {
    .argv = argv,
    .log_fd = log_fd,
    .pid_fd = -1,
    .fds = fds,
    .n_fds = G_N_ELEMENTS (fds),
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveProcess) process = reeve_process_spawn (&plan, &error);
  g_autofree char *text = NULL;
  g_autofree char *one_text = NULL;
  g_autofree char *other_text = NULL;

  g_assert_no_error (error);
  g_assert_cmpint (stray, >=, 0);
  wait_for_end (process);
  one_text = read_file (one);
  other_text = read_file (other);
  g_assert_cmpstr (one_text, ==, "b\n");
  g_assert_cmpstr (other_text, ==, "a\n");
  text = read_file (log_fd);
  g_assert_true (g_str_has_prefix (text, "0\n1\n2\n3\n4\n"));
  /* the shell's own look at the directory is one */
  g_assert_null (strstr (text, "\n50\n"));
}

static void
test_a_program_that_cannot_be_run (void)
{
  const char *argv[] = { "/nonexistent/qemu", NULL };
  REEVE_AUTOFD int log_fd = make_file ();
  ReeveProcessPlan plan = { .argv = argv, .log_fd = log_fd, .pid_fd = -1 };
  g_autoptr (GError) error = NULL;

  g_assert_null (reeve_process_spawn (&plan, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
  g_assert_nonnull (strstr (error->message, "/nonexistent/qemu"));
  g_assert_nonnull (strstr (error->message, g_strerror (ENOENT)));
  /* and leaves no child behind */
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
}

static void
test_has_a_session_of_its_own (void)
{
  REEVE_AUTOFD int log_fd = make_file ();
  g_autoptr (ReeveProcess) process = spawn_shell ("exec sleep 60", log_fd, -1);
  pid_t pid = reeve_process_get_pid (process);

  g_assert_cmpint (getsid (pid), ==, pid);
  g_assert_true (reeve_process_is_alive (process));
  g_assert_true (reeve_process_signal (process, SIGKILL));
  g_assert_cmpint (WTERMSIG (wait_for_end (process)), ==, SIGKILL);
  g_assert_false (reeve_process_signal (process, SIGKILL));
}

static void
test_usage_of_ourselves (void)
{
  g_autoptr (ReeveProcess) process =
      reeve_process_attach (getpid (), 0, NULL, NULL);
  ReeveProcessUsage usage;

  g_assert_nonnull (process);
  g_assert_true (reeve_process_get_usage (process, &usage));
  g_assert_cmpuint (usage.resident_kib, >, 0);
}

static void
test_a_stopped_one_is_seen (void)
{
  REEVE_AUTOFD int log_fd = make_file ();
  g_autoptr (ReeveProcess) process = spawn_shell ("exec sleep 60", log_fd, -1);
  siginfo_t info;

  g_assert_false (reeve_process_is_stopped (process));
  reeve_process_signal (process, SIGSTOP);
  waitid (P_PID, (id_t) reeve_process_get_pid (process), &info,
          WSTOPPED | WNOWAIT);
  g_assert_true (reeve_process_is_stopped (process));
  reeve_process_signal (process, SIGKILL);
  wait_for_end (process);
}

static void
test_attach_checks_who_it_is (void)
{
  REEVE_AUTOFD int log_fd = make_file ();
  g_autoptr (ReeveProcess) process = spawn_shell ("sleep 60; exit", log_fd, -1);
  pid_t pid = reeve_process_get_pid (process);
  uint64_t ticks = reeve_process_get_start_ticks (process);
  g_autoptr (ReeveProcess) by_ticks =
      reeve_process_attach (pid, ticks, NULL, NULL);
  g_autoptr (ReeveProcess) by_word =
      reeve_process_attach (pid, 0, "reeve-mark", NULL);
  ReeveProcessUsage usage;

  g_assert_cmpuint (ticks, !=, 0);
  g_assert_nonnull (by_ticks);
  g_assert_nonnull (by_word);
  g_assert_cmpuint (reeve_process_get_start_ticks (by_word), ==, ticks);
  g_assert_null (reeve_process_attach (pid, ticks + 1, NULL, NULL));
  g_assert_null (reeve_process_attach (pid, ticks, "reeve", NULL));
  g_assert_null (reeve_process_attach (0, 0, NULL, NULL));
  g_assert_true (reeve_process_get_usage (by_ticks, &usage));

  kill (-pid, SIGKILL);
  wait_for_end (process);
  g_assert_null (reeve_process_attach (pid, ticks, NULL, NULL));
  g_assert_false (reeve_process_get_usage (by_ticks, &usage));
}

/* The parent ends, the process does not: as after a restart of the daemon. */
static void
test_an_orphan_is_watched (void)
{
  REEVE_AUTOFD int log_fd = make_file ();
  REEVE_AUTOFD int pid_fd = make_file ();
  g_autoptr (ReeveProcess) process = NULL;
  g_autofree char *text = NULL;
  pid_t holder = fork ();

  if (holder == 0) {
    spawn_shell ("sleep 60; exit", log_fd, pid_fd);
    raise (SIGKILL);
  }
  waitpid (holder, NULL, 0);
  text = read_file (pid_fd);
  process = reeve_process_attach (atoi (text), 0, "reeve-mark", NULL);
  g_assert_nonnull (process);
  g_assert_cmpint (kill_and_wait (process, SIGKILL), ==, -1);
}

typedef struct {
  const char *name;
  const char *text;
  gboolean is_good;
} StatCase;

#define TAIL " 1 2 3 4 5 6 7 8 9 10 100 200 13 14 15 16 17 18 4711 20 21 22"

static const StatCase stat_cases[] = {
  { "plain", "1 (sh) S" TAIL "\n", TRUE },
  { "name-with-blanks-and-parentheses", "1 (a) R (b) S" TAIL "\n", TRUE },
  { "empty", "", FALSE },
  { "short", "1 (sh) S 1 2", FALSE },
  { "no-parenthesis", "1 sh S", FALSE },
};

static void
test_stat (gconstpointer data)
{
  const StatCase *row = data;
  ReeveProcessStat stat;

  g_assert_cmpint (reeve_process_stat_parse (row->text, &stat), ==,
                   row->is_good);
  if (!row->is_good)
    return;
  g_assert_cmpint (stat.state, ==, 'S');
  g_assert_cmpuint (stat.start_ticks, ==, 4711);
  g_assert_cmpuint (stat.user_ns, ==,
                    100 * UINT64_C (1000000000) /
                        (uint64_t) sysconf (_SC_CLK_TCK));
}

#define ADD(name, func) g_test_add_func ("/machine/process/" name, func)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("has-an-oom-score-of-its-own", test_has_an_oom_score_of_its_own);
  ADD ("output-goes-to-the-log", test_output_goes_to_the_log);
  ADD ("inherits-what-is-named-alone", test_inherits_what_is_named_alone);
  ADD ("a-program-that-cannot-be-run", test_a_program_that_cannot_be_run);
  ADD ("has-a-session-of-its-own", test_has_a_session_of_its_own);
  ADD ("usage-of-ourselves", test_usage_of_ourselves);
  ADD ("a-stopped-one-is-seen", test_a_stopped_one_is_seen);
  ADD ("attach-checks-who-it-is", test_attach_checks_who_it_is);
  ADD ("an-orphan-is-watched", test_an_orphan_is_watched);
  for (size_t i = 0; i < G_N_ELEMENTS (stat_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/machine/process/stat/", stat_cases[i].name, NULL);

    g_test_add_data_func (path, &stat_cases[i], test_stat);
  }
  return g_test_run ();
}
