/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/loop.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <unistd.h>

/* reeve_loop_run() beside GLib's own sources. */

typedef struct {
  ReeveLoop *loop;
  int fds[2]; /* a pipe: [0] is read */
  int n_calls;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->loop = reeve_loop_new (NULL);
  g_assert_nonnull (self->loop);
  g_assert_true (g_unix_open_pipe (self->fds, FD_CLOEXEC, NULL));
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_loop_unref (self->loop);
  for (int i = 0; i < 2; i++)
    reeve_fd_clear (&self->fds[i]);
}

static gboolean
quit (gpointer data)
{
  Fixture *self = data;

  self->n_calls++;
  reeve_loop_quit (self->loop);
  return G_SOURCE_REMOVE;
}

static gboolean
quit_for_file (int fd, GIOCondition condition, gpointer data)
{
  return quit (data);
}

static void
attach (Fixture *self, GSource *source, GSourceFunc func)
{
  g_source_set_callback (source, func, self, NULL);
  g_source_attach (source, reeve_loop_get_context (self->loop));
  g_source_unref (source);
}

/* The loop waits by then, or will. */
static gpointer
attach_from_thread (gpointer data)
{
  g_usleep (20000);
  attach (data, g_idle_source_new (), quit);
  return NULL;
}

static void
test_source_from_thread (Fixture *self, gconstpointer data)
{
  GThread *thread = g_thread_new ("attach", attach_from_thread, self);

  reeve_loop_run (self->loop);
  g_thread_join (thread);
  g_assert_cmpint (self->n_calls, ==, 1);
}

static void
test_timeout_source (Fixture *self, gconstpointer data)
{
  attach (self, g_timeout_source_new (10), quit);
  reeve_loop_run (self->loop);
  g_assert_cmpint (self->n_calls, ==, 1);
}

static void
attach_file (ReeveLoop *loop, gpointer data)
{
  Fixture *self = data;

  attach (self, g_unix_fd_source_new (self->fds[0], G_IO_IN),
          G_SOURCE_FUNC (quit_for_file));
}

static gpointer
write_from_thread (gpointer data)
{
  Fixture *self = data;

  g_usleep (20000);
  g_assert_cmpint (write (self->fds[1], "", 1), ==, 1);
  return NULL;
}

/* It comes, and goes, while the loop runs. */
static void
test_source_with_file (Fixture *self, gconstpointer data)
{
  for (int i = 1; i <= 2; i++) {
    char byte;
    GThread *thread = g_thread_new ("write", write_from_thread, self);

    reeve_loop_invoke (self->loop, attach_file, self);
    reeve_loop_run (self->loop);
    g_thread_join (thread);
    g_assert_cmpint (self->n_calls, ==, i);
    g_assert_cmpint (read (self->fds[0], &byte, 1), ==, 1);
    test_timeout_source (&(Fixture){ .loop = self->loop }, NULL);
  }
}

static void
count (ReeveLoop *loop, int watch, int fd, ReeveEvents events, gpointer data)
{
  Fixture *self = data;
  char byte;

  g_assert_cmpint (read (fd, &byte, 1), ==, 1);
  if (++self->n_calls == 3)
    reeve_loop_quit (loop);
  else
    g_assert_cmpint (write (self->fds[1], "", 1), ==, 1);
}

/* One in whose context there was a file already, so that GLib polls. */
static void
test_context_with_file (Fixture *self, gconstpointer data)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GSource) source = g_unix_fd_source_new (self->fds[1], G_IO_ERR);
  ReeveLoop *loop;

  g_source_set_callback (source, G_SOURCE_FUNC (quit_for_file), self, NULL);
  g_source_attach (source, context);
  loop = reeve_loop_new (context);
  reeve_loop_add_handle (loop, self->fds[0], REEVE_EVENT_READABLE, count, self,
                         NULL);
  g_assert_cmpint (write (self->fds[1], "", 1), ==, 1);
  reeve_loop_run (loop);
  g_assert_cmpint (self->n_calls, ==, 3);
  g_source_destroy (source);
  reeve_loop_unref (loop);
}

#define ADD(path, func)                                                        \
  g_test_add ("/event/loop-run/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("source-from-thread", test_source_from_thread);
  ADD ("timeout-source", test_timeout_source);
  ADD ("source-with-file", test_source_with_file);
  ADD ("context-with-file", test_context_with_file);

  return g_test_run ();
}
