/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/spool-watch.h"

#include "../log-capture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct {
  ReeveLoop *loop;
  ReeveSpoolWatch *watch;
  char *path;
  int fd; /* writes the spool */
  unsigned n_told;
} Fixture;

static void
on_told (gpointer data)
{
  Fixture *self = data;

  self->n_told++;
}

static void
set_up (Fixture *self, gconstpointer data)
{
  self->fd = g_file_open_tmp ("reeve-spool-XXXXXX", &self->path, NULL);
  g_assert_cmpint (self->fd, >=, 0);
  self->loop = reeve_loop_new (NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_spool_watch_free (self->watch);
  reeve_loop_unref (self->loop);
  close (self->fd);
  g_assert_cmpint (g_unlink (self->path), ==, 0);
  g_free (self->path);
}

static void
turn (Fixture *self)
{
  g_main_context_iteration (reeve_loop_get_context (self->loop), FALSE);
}

/* Turns the loop until it was told, for at most ten seconds. */
static void
wait_until_told (Fixture *self)
{
  gint64 end_us = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;

  while (self->n_told == 0 && g_get_monotonic_time () < end_us)
    turn (self);
  g_assert_cmpuint (self->n_told, >, 0);
}

static void
turn_for_ms (Fixture *self, int ms)
{
  gint64 end_us = g_get_monotonic_time () + ms * 1000;

  while (g_get_monotonic_time () < end_us)
    turn (self);
}

static void
print (Fixture *self)
{
  g_assert_cmpint (write (self->fd, "x", 1), ==, 1);
}

static void
test_tells_of_growth (Fixture *self, gconstpointer data)
{
  unsigned id;

  self->watch = reeve_spool_watch_new (self->loop);
  id = reeve_spool_watch_add (self->watch, self->path, on_told, self);
  turn_for_ms (self, 5);
  g_assert_cmpuint (self->n_told, ==, 0);
  print (self);
  wait_until_told (self);

  reeve_spool_watch_remove (self->watch, id);
  self->n_told = 0;
  print (self);
  turn_for_ms (self, 5);
  g_assert_cmpuint (self->n_told, ==, 0);
}

/* However often the guest prints. */
static void
test_tells_each_two_ms_at_most (Fixture *self, gconstpointer data)
{
  gint64 start_us = g_get_monotonic_time ();
  gint64 end_us = start_us + 50000;
  unsigned n_printed = 0;

  self->watch = reeve_spool_watch_new (self->loop);
  reeve_spool_watch_add (self->watch, self->path, on_told, self);
  for (; g_get_monotonic_time () < end_us; n_printed++) {
    print (self);
    turn (self);
  }
  wait_until_told (self);
  g_assert_cmpuint (self->n_told, <=,
                    (g_get_monotonic_time () - start_us) / 2000 + 1);
  g_assert_cmpuint (self->n_told, <, n_printed);
}

static void
test_file_that_is_not_there (Fixture *self, gconstpointer data)
{
  unsigned id;

  self->watch = reeve_spool_watch_new (self->loop);
  id = reeve_spool_watch_add (self->watch, "/nonexistent", on_told, self);
  turn_for_ms (self, 5);
  g_assert_cmpuint (self->n_told, ==, 0);
  reeve_spool_watch_remove (self->watch, id);
}

/* The host's inotify instances can be used up by others: here, descriptors. */
static void
test_host_without_inotify (Fixture *self, gconstpointer data)
{
  const struct rlimit none = { 0, 4096 };
  const struct rlimit some = { 1024, 4096 };

  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  self->watch = reeve_spool_watch_new (self->loop);
  log_capture_take ("warning *inotify*");
  log_capture_assert_empty ();
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &some), ==, 0);

  reeve_spool_watch_add (self->watch, self->path, on_told, self);
  print (self);
  wait_until_told (self);
}

#define ADD(name, func)                                                        \
  g_test_add ("/machine/spool-watch/" name, Fixture, NULL, set_up, func,       \
              tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  log_capture_begin ();
  ADD ("tells-of-growth", test_tells_of_growth);
  ADD ("tells-each-two-ms-at-most", test_tells_each_two_ms_at_most);
  ADD ("file-that-is-not-there", test_file_that_is_not_there);
  ADD ("host-without-inotify", test_host_without_inotify);
  return g_test_run ();
}
