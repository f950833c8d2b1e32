/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/loop.h"
#include "event/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

/* What the callbacks of a test share. */
typedef struct {
  ReeveLoop *loop;
  int fds[2]; /* a pipe: [0] is read */
  int other_fds[2];
  int watch;
  int other_watch;
  int n_calls;
  int n_other_calls;
  int n_freed;
  gboolean is_in_callback;
  gboolean was_freed_inside;
  GString *trace;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->loop = reeve_loop_new (NULL);
  g_assert_nonnull (self->loop);
  self->trace = g_string_new (NULL);
  g_assert_true (g_unix_open_pipe (self->fds, FD_CLOEXEC, NULL));
  g_assert_true (g_unix_open_pipe (self->other_fds, FD_CLOEXEC, NULL));
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_loop_unref (self->loop);
  for (int i = 0; i < 2; i++) {
    reeve_fd_clear (&self->fds[i]);
    reeve_fd_clear (&self->other_fds[i]);
  }
  g_string_free (self->trace, TRUE);
}

/* One turn that does not wait. */
static void
turn (Fixture *self)
{
  g_main_context_iteration (reeve_loop_get_context (self->loop), FALSE);
}

/* Turns until *@value is @expected. */
static void
turn_until (Fixture *self, const int *value, int expected)
{
  while (*value != expected)
    g_main_context_iteration (reeve_loop_get_context (self->loop), TRUE);
}

static void
make_readable (const int *fds)
{
  g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
}

static void
drain (int fd)
{
  char byte;

  g_assert_cmpint (read (fd, &byte, 1), ==, 1);
}

static void
count_free (gpointer data)
{
  Fixture *self = data;

  self->n_freed++;
  if (self->is_in_callback)
    self->was_freed_inside = TRUE;
  /* With a lock held this would not return. */
  reeve_loop_remove (self->loop, G_MAXINT);
}

static void
count_handle (ReeveLoop *loop,
              int watch,
              int fd,
              ReeveEvents events,
              gpointer data)
{
  Fixture *self = data;

  self->n_calls++;
  if (events & REEVE_EVENT_READABLE)
    drain (fd);
}

static void
count_other_handle (ReeveLoop *loop,
                    int watch,
                    int fd,
                    ReeveEvents events,
                    gpointer data)
{
  Fixture *self = data;

  self->n_other_calls++;
  if (events & REEVE_EVENT_READABLE)
    drain (fd);
}

static void
test_handle_calls (Fixture *self, gconstpointer data)
{
  self->watch =
      reeve_loop_add_handle (self->loop, self->fds[0], REEVE_EVENT_READABLE,
                             count_handle, self, count_free);
  g_assert_cmpint (self->watch, >, 0);
  turn (self);
  g_assert_cmpint (self->n_calls, ==, 0);

  make_readable (self->fds);
  turn_until (self, &self->n_calls, 1);
  g_assert_true (reeve_loop_remove (self->loop, self->watch));
  g_assert_false (reeve_loop_remove (self->loop, self->watch));
  turn_until (self, &self->n_freed, 1);
}

static void
test_handle_refuses_bad_fd (Fixture *self, gconstpointer data)
{
  g_assert_cmpint (reeve_loop_add_handle (self->loop, -1, REEVE_EVENT_READABLE,
                                          count_handle, self, count_free),
                   ==, -1);
  g_assert_cmpint (errno, ==, EBADF);
  g_assert_cmpint (reeve_loop_add_handle (self->loop, 19999,
                                          REEVE_EVENT_READABLE, count_handle,
                                          self, count_free),
                   ==, -1);
  g_assert_cmpint (errno, ==, EBADF);
  g_assert_cmpint (self->n_freed, ==, 0);
}

static void
remove_itself (ReeveLoop *loop,
               int watch,
               int fd,
               ReeveEvents events,
               gpointer data)
{
  Fixture *self = data;

  self->is_in_callback = TRUE;
  self->n_calls++;
  g_assert_true (reeve_loop_remove (loop, watch));
  /* A nested turn must not free us either. */
  turn (self);
  self->is_in_callback = FALSE;
}

static void
test_handle_removes_itself (Fixture *self, gconstpointer data)
{
  reeve_loop_add_handle (self->loop, self->fds[0], REEVE_EVENT_READABLE,
                         remove_itself, self, count_free);
  make_readable (self->fds);
  turn_until (self, &self->n_freed, 1);
  turn (self);
  g_assert_cmpint (self->n_calls, ==, 1);
  g_assert_false (self->was_freed_inside);
}

static void
remove_other (ReeveLoop *loop,
              int watch,
              int fd,
              ReeveEvents events,
              gpointer data)
{
  Fixture *self = data;

  drain (fd);
  self->n_calls++;
  reeve_loop_remove (loop,
                     watch == self->watch ? self->other_watch : self->watch);
}

static void
test_handle_removes_ready_one (Fixture *self, gconstpointer data)
{
  self->watch =
      reeve_loop_add_handle (self->loop, self->fds[0], REEVE_EVENT_READABLE,
                             remove_other, self, count_free);
  self->other_watch = reeve_loop_add_handle (self->loop, self->other_fds[0],
                                             REEVE_EVENT_READABLE, remove_other,
                                             self, count_free);
  make_readable (self->fds);
  make_readable (self->other_fds);
  turn_until (self, &self->n_freed, 1);
  turn (self);
  g_assert_cmpint (self->n_calls, ==, 1);
}

static void
test_handle_two_on_one_fd (Fixture *self, gconstpointer data)
{
  self->watch = reeve_loop_add_handle (
      self->loop, self->fds[1], REEVE_EVENT_WRITABLE, count_handle, self, NULL);
  self->other_watch =
      reeve_loop_add_handle (self->loop, self->fds[1], REEVE_EVENT_WRITABLE,
                             count_other_handle, self, NULL);
  turn (self);
  g_assert_cmpint (self->n_calls, >, 0);
  g_assert_cmpint (self->n_other_calls, ==, self->n_calls);

  reeve_loop_remove (self->loop, self->watch);
  self->n_calls = self->n_other_calls = 0;
  turn (self);
  g_assert_cmpint (self->n_calls, ==, 0);
  g_assert_cmpint (self->n_other_calls, >, 0);
}

static void
test_handle_reused_fd_number (Fixture *self, gconstpointer data)
{
  int number = self->fds[0];

  self->watch = reeve_loop_add_handle (self->loop, number, REEVE_EVENT_READABLE,
                                       count_handle, self, count_free);
  close (number);
  g_assert_cmpint (dup3 (self->other_fds[0], number, O_CLOEXEC), ==, number);
  self->other_watch =
      reeve_loop_add_handle (self->loop, number, REEVE_EVENT_READABLE,
                             count_other_handle, self, count_free);
  g_assert_cmpint (self->other_watch, >, 0);

  make_readable (self->other_fds);
  turn_until (self, &self->n_other_calls, 1);
  g_assert_cmpint (self->n_calls, ==, 0);

  /* The stale watch goes without harm to the live one. */
  g_assert_true (reeve_loop_remove (self->loop, self->watch));
  make_readable (self->other_fds);
  turn_until (self, &self->n_other_calls, 2);
  g_assert_cmpint (self->n_freed, ==, 1);
}

static void
replace_file (ReeveLoop *loop,
              int watch,
              int fd,
              ReeveEvents events,
              gpointer data)
{
  Fixture *self = data;

  self->n_calls++;
  reeve_loop_remove (loop, watch);
  close (fd);
  g_assert_cmpint (dup3 (self->other_fds[0], fd, O_CLOEXEC), ==, fd);
  self->other_watch = reeve_loop_add_handle (
      loop, fd, REEVE_EVENT_READABLE, count_other_handle, self, count_free);
}

static void
test_handle_reuse_in_callback (Fixture *self, gconstpointer data)
{
  reeve_loop_add_handle (self->loop, self->fds[0], REEVE_EVENT_READABLE,
                         replace_file, self, count_free);
  make_readable (self->fds);
  turn_until (self, &self->n_calls, 1);
  turn (self);
  g_assert_cmpint (self->n_other_calls, ==, 0);
  make_readable (self->other_fds);
  turn_until (self, &self->n_other_calls, 1);
}

static void
quit_on_handle (ReeveLoop *loop,
                int watch,
                int fd,
                ReeveEvents events,
                gpointer data)
{
  ((Fixture *) data)->n_calls++;
  reeve_loop_quit (loop);
}

static gpointer
update_from_thread (gpointer data)
{
  Fixture *self = data;

  reeve_loop_update_handle (self->loop, self->watch, REEVE_EVENT_WRITABLE);
  return NULL;
}

static void
test_handle_update_from_thread (Fixture *self, gconstpointer data)
{
  pthread_t thread;

  self->watch = reeve_loop_add_handle (
      self->loop, self->fds[1], REEVE_EVENT_NONE, quit_on_handle, self, NULL);
  turn (self);
  g_assert_cmpint (self->n_calls, ==, 0);
  pthread_create (&thread, NULL, (void *(*) (void *) ) update_from_thread,
                  self);
  reeve_loop_run (self->loop);
  pthread_join (thread, NULL);
  g_assert_cmpint (self->n_calls, ==, 1);
}

static void
test_handle_hangup (Fixture *self, gconstpointer data)
{
  self->watch = reeve_loop_add_handle (
      self->loop, self->fds[0], REEVE_EVENT_NONE, quit_on_handle, self, NULL);
  reeve_fd_clear (&self->fds[1]);
  reeve_loop_run (self->loop);
  g_assert_cmpint (self->n_calls, ==, 1);
}

static void
test_handle_ten_thousand (Fixture *self, gconstpointer data)
{
  enum { N_WATCHES = 10000 };
  g_autofree int *fds = g_new (int, N_WATCHES);

  for (int i = 0; i < N_WATCHES; i++) {
    fds[i] = eventfd (0, EFD_CLOEXEC);
    if (fds[i] < 0) {
      while (i-- > 0)
        close (fds[i]);
      g_test_skip ("the process may not open ten thousand files");
      return;
    }
    g_assert_cmpint (reeve_loop_add_handle (self->loop, fds[i],
                                            REEVE_EVENT_READABLE,
                                            quit_on_handle, self, count_free),
                     >, 0);
  }

  for (int i = 0; i < N_WATCHES; i += 1000) {
    g_assert_cmpint (eventfd_write (fds[i], 1), ==, 0);
    reeve_loop_run (self->loop);
    g_assert_cmpint (eventfd_read (fds[i], &(eventfd_t){ 0 }), ==, 0);
  }
  g_assert_cmpint (self->n_calls, ==, 10);

  for (int i = 0; i < N_WATCHES; i++)
    close (fds[i]);
}

static void
count_timeout (ReeveLoop *loop, int watch, gpointer data)
{
  ((Fixture *) data)->n_calls++;
}

static void
trace_timeout (ReeveLoop *loop, int watch, gpointer data)
{
  Fixture *self = data;

  g_string_append_c (self->trace, watch == self->watch ? 'a' : 'b');
  self->n_calls++;
  reeve_loop_remove (loop, watch);
}

static void
test_timeout_order (Fixture *self, gconstpointer data)
{
  self->watch =
      reeve_loop_add_timeout (self->loop, 20, trace_timeout, self, count_free);
  self->other_watch =
      reeve_loop_add_timeout (self->loop, 1, trace_timeout, self, count_free);
  turn_until (self, &self->n_freed, 2);
  g_assert_cmpstr (self->trace->str, ==, "ba");
}

static void
test_timeout_repeats (Fixture *self, gconstpointer data)
{
  self->watch =
      reeve_loop_add_timeout (self->loop, 1, count_timeout, self, count_free);
  turn_until (self, &self->n_calls, 3);
  reeve_loop_update_timeout (self->loop, self->watch, -1);
  g_usleep (5000);
  turn (self);
  g_assert_cmpint (self->n_calls, ==, 3);
  reeve_loop_update_timeout (self->loop, self->watch, 1);
  turn_until (self, &self->n_calls, 4);
}

static void
test_timeout_missed_are_not_made_up (Fixture *self, gconstpointer data)
{
  self->watch =
      reeve_loop_add_timeout (self->loop, 2, count_timeout, self, NULL);
  g_usleep (20000);
  turn (self);
  g_assert_cmpint (self->n_calls, ==, 1);
}

static void
test_timeout_disabled (Fixture *self, gconstpointer data)
{
  self->watch =
      reeve_loop_add_timeout (self->loop, -1, count_timeout, self, count_free);
  turn (self);
  g_assert_cmpint (self->n_calls, ==, 0);
  g_assert_true (reeve_loop_remove (self->loop, self->watch));
  turn_until (self, &self->n_freed, 1);
}

static void
test_timeout_zero_is_each_turn (Fixture *self, gconstpointer data)
{
  reeve_loop_add_timeout (self->loop, 0, count_timeout, self, NULL);
  reeve_loop_add_handle (self->loop, self->fds[0], REEVE_EVENT_READABLE,
                         count_other_handle, self, NULL);
  make_readable (self->fds);
  turn_until (self, &self->n_calls, 3);
  /* It does not starve what stands beside it. */
  g_assert_cmpint (self->n_other_calls, ==, 1);
}

static void
trace_pulse (ReeveLoop *loop,
             int watch,
             int code,
             intptr_t value,
             gpointer data)
{
  Fixture *self = data;

  g_string_append_printf (self->trace, "%d=%d ", code, (int) value);
  self->n_calls++;
}

static void
test_pulse_coalesces (Fixture *self, gconstpointer data)
{
  self->watch =
      reeve_loop_add_pulse (self->loop, trace_pulse, self, count_free);
  reeve_loop_send_pulse (self->loop, self->watch, 7, 1);
  reeve_loop_send_pulse (self->loop, self->watch, 3, 1);
  reeve_loop_send_pulse (self->loop, self->watch, 7, 2);
  turn_until (self, &self->n_calls, 2);
  g_assert_cmpstr (self->trace->str, ==, "7=2 3=1 ");
  reeve_loop_send_pulse (self->loop, self->watch, 7, 3);
  turn_until (self, &self->n_calls, 3);
  reeve_loop_remove (self->loop, self->watch);
  reeve_loop_send_pulse (self->loop, self->watch, 7, 4);
  turn_until (self, &self->n_freed, 1);
  g_assert_cmpint (self->n_calls, ==, 3);
}

static void
sum_pulse (ReeveLoop *loop, int watch, int code, intptr_t value, gpointer data)
{
  Fixture *self = data;

  self->n_calls++;
  if (value == 1000)
    reeve_loop_quit (loop);
}

static void *
send_pulses (void *data)
{
  Fixture *self = data;

  for (int i = 1; i <= 1000; i++)
    reeve_loop_send_pulse (self->loop, self->watch, 0, i);
  return NULL;
}

static void
test_pulse_from_thread (Fixture *self, gconstpointer data)
{
  pthread_t thread;

  self->watch = reeve_loop_add_pulse (self->loop, sum_pulse, self, NULL);
  pthread_create (&thread, NULL, send_pulses, self);
  reeve_loop_run (self->loop);
  pthread_join (thread, NULL);
  g_assert_cmpint (self->n_calls, <=, 1000);
  g_assert_cmpint (self->n_calls, >, 0);
}

static void
trace_invocation (ReeveLoop *loop, gpointer data)
{
  Fixture *self = data;

  g_assert_true (reeve_loop_is_current (loop));
  self->n_calls++;
  if (self->n_calls == 3000)
    reeve_loop_quit (loop);
}

static void *
invoke_from_thread (void *data)
{
  Fixture *self = data;

  g_assert_false (reeve_loop_is_current (self->loop));
  for (int i = 0; i < 1000; i++)
    reeve_loop_invoke (self->loop, trace_invocation, self);
  return NULL;
}

static void
test_invoke_from_threads (Fixture *self, gconstpointer data)
{
  pthread_t threads[3];

  for (int i = 0; i < 3; i++)
    pthread_create (&threads[i], NULL, invoke_from_thread, self);
  reeve_loop_run (self->loop);
  for (int i = 0; i < 3; i++)
    pthread_join (threads[i], NULL);
  g_assert_cmpint (self->n_calls, ==, 3000);
}

static void
take_signal (ReeveLoop *loop, int watch, int signum, gpointer data)
{
  Fixture *self = data;

  g_assert_cmpint (signum, ==, SIGUSR1);
  self->n_calls++;
  reeve_loop_remove (loop, watch);
}

static void
test_signal (Fixture *self, gconstpointer data)
{
  g_assert_cmpint (
      reeve_loop_add_signal (self->loop, SIGSEGV, take_signal, self, NULL), ==,
      -1);
  reeve_loop_add_signal (self->loop, SIGUSR1, take_signal, self, count_free);
  raise (SIGUSR1);
  turn_until (self, &self->n_calls, 1);
  turn_until (self, &self->n_freed, 1);
}

typedef struct {
  const char *name;
  int exit_code;
  int signal;
} ChildCase;

static const ChildCase child_cases[] = {
  { "/event/loop/child/exits", 0, 0 },
  { "/event/loop/child/exits-with-code", 42, 0 },
  { "/event/loop/child/is-killed", 0, SIGKILL },
};

static void
take_child (ReeveLoop *loop, int watch, pid_t pid, int status, gpointer data)
{
  Fixture *self = data;

  self->n_other_calls = status;
  self->n_calls++;
}

static void
test_child (Fixture *self, gconstpointer data)
{
  const ChildCase *child = data;
  pid_t pid = fork ();

  if (pid == 0) {
    if (child->signal != 0)
      pause ();
    _exit (child->exit_code);
  }

  g_assert_cmpint (
      reeve_loop_add_child (self->loop, pid, take_child, self, count_free), >,
      0);
  if (child->signal != 0)
    kill (pid, child->signal);
  turn_until (self, &self->n_freed, 1);
  g_assert_cmpint (self->n_calls, ==, 1);
  if (child->signal != 0) {
    g_assert_true (WIFSIGNALED (self->n_other_calls));
    g_assert_cmpint (WTERMSIG (self->n_other_calls), ==, child->signal);
  } else {
    g_assert_true (WIFEXITED (self->n_other_calls));
    g_assert_cmpint (WEXITSTATUS (self->n_other_calls), ==, child->exit_code);
  }
}

/* A grandchild whose parent is gone is nobody's to wait for here. */
static void
test_child_foreign (Fixture *self, gconstpointer data)
{
  pid_t grandchild;
  pid_t pid = fork ();

  if (pid == 0) {
    grandchild = fork ();
    if (grandchild == 0) {
      pause ();
      _exit (0);
    }
    if (write (self->fds[1], &grandchild, sizeof grandchild) < 0)
      _exit (1);
    _exit (0);
  }
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  g_assert_cmpint (read (self->fds[0], &grandchild, sizeof grandchild), ==,
                   sizeof grandchild);

  g_assert_cmpint (reeve_loop_add_child (self->loop, grandchild, take_child,
                                         self, count_free),
                   >, 0);
  kill (grandchild, SIGKILL);
  turn_until (self, &self->n_freed, 1);
  g_assert_cmpint (self->n_calls, ==, 1);
  g_assert_cmpint (self->n_other_calls, ==, -1);
}

static void
test_child_unknown (Fixture *self, gconstpointer data)
{
  pid_t pid = fork ();

  if (pid == 0)
    _exit (0);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  g_assert_cmpint (
      reeve_loop_add_child (self->loop, pid, take_child, self, count_free), ==,
      -1);
  g_assert_cmpint (errno, ==, ESRCH);
}

static void
test_quit_before_run (Fixture *self, gconstpointer data)
{
  reeve_loop_quit (self->loop);
  reeve_loop_run (self->loop);
  g_assert_cmpint (self->n_calls, ==, 0);
}

static void
test_free_frees_what_is_left (Fixture *self, gconstpointer data)
{
  reeve_loop_add_handle (self->loop, self->fds[0], REEVE_EVENT_READABLE,
                         count_handle, self, count_free);
  reeve_loop_add_timeout (self->loop, 1000, count_timeout, self, count_free);
  reeve_loop_add_pulse (self->loop, trace_pulse, self, count_free);
  reeve_loop_unref (self->loop);
  g_assert_cmpint (self->n_freed, ==, 3);
  self->loop = NULL;
}

/* Removed, but with no turn of the loop since. */
static void
test_free_frees_what_was_removed (Fixture *self, gconstpointer data)
{
  int watch =
      reeve_loop_add_handle (self->loop, self->fds[0], REEVE_EVENT_READABLE,
                             count_handle, self, count_free);

  reeve_loop_remove (self->loop, watch);
  reeve_loop_unref (self->loop);
  g_assert_cmpint (self->n_freed, ==, 1);
  self->loop = NULL;
}

/* What plain GLib sources do in the same place, ours do. */
static gboolean
count_glib_handle (int fd, GIOCondition condition, gpointer data)
{
  int *n_calls = data;

  (*n_calls)++;
  drain (fd);
  return *n_calls < 3;
}

static void
three_times (ReeveLoop *loop,
             int watch,
             int fd,
             ReeveEvents events,
             gpointer data)
{
  Fixture *self = data;

  self->n_calls++;
  drain (fd);
  if (self->n_calls == 3)
    reeve_loop_remove (loop, watch);
}

static void
test_same_as_glib (Fixture *self, gconstpointer data)
{
  GMainContext *context = reeve_loop_get_context (self->loop);
  g_autoptr (GSource) source =
      g_unix_fd_source_new (self->other_fds[0], G_IO_IN);
  int n_glib_calls = 0;

  g_source_set_callback (source, G_SOURCE_FUNC (count_glib_handle),
                         &n_glib_calls, NULL);
  g_source_attach (source, context);
  reeve_loop_add_handle (self->loop, self->fds[0], REEVE_EVENT_READABLE,
                         three_times, self, NULL);
  for (int i = 0; i < 5; i++) {
    make_readable (self->fds);
    make_readable (self->other_fds);
    turn (self);
    turn (self);
  }
  g_assert_cmpint (n_glib_calls, ==, 3);
  g_assert_cmpint (self->n_calls, ==, n_glib_calls);
}

#define ADD(path, func)                                                        \
  g_test_add ("/event/loop/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("handle/calls", test_handle_calls);
  ADD ("handle/refuses-bad-fd", test_handle_refuses_bad_fd);
  ADD ("handle/removes-itself", test_handle_removes_itself);
  ADD ("handle/removes-ready-one", test_handle_removes_ready_one);
  ADD ("handle/two-on-one-fd", test_handle_two_on_one_fd);
  ADD ("handle/reused-fd-number", test_handle_reused_fd_number);
  ADD ("handle/reuse-in-callback", test_handle_reuse_in_callback);
  ADD ("handle/update-from-thread", test_handle_update_from_thread);
  ADD ("handle/hangup", test_handle_hangup);
  ADD ("handle/ten-thousand", test_handle_ten_thousand);
  ADD ("handle/same-as-glib", test_same_as_glib);
  ADD ("timeout/order", test_timeout_order);
  ADD ("timeout/repeats", test_timeout_repeats);
  ADD ("timeout/missed-are-not-made-up", test_timeout_missed_are_not_made_up);
  ADD ("timeout/disabled", test_timeout_disabled);
  ADD ("timeout/zero-is-each-turn", test_timeout_zero_is_each_turn);
  ADD ("pulse/coalesces", test_pulse_coalesces);
  ADD ("pulse/from-thread", test_pulse_from_thread);
  ADD ("invoke/from-threads", test_invoke_from_threads);
  ADD ("signal/calls", test_signal);
  for (size_t i = 0; i < G_N_ELEMENTS (child_cases); i++)
    g_test_add (child_cases[i].name, Fixture, &child_cases[i], set_up,
                test_child, tear_down);
  ADD ("child/foreign", test_child_foreign);
  ADD ("child/unknown", test_child_unknown);
  ADD ("quit/before-run", test_quit_before_run);
  ADD ("free/frees-what-is-left", test_free_frees_what_is_left);
  ADD ("free/frees-what-was-removed", test_free_frees_what_was_removed);

  return g_test_run ();
}
