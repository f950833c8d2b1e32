/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/file-watch.h"

#include <glib/gstdio.h>
#include <stdatomic.h>
#include <unistd.h>

/* Watches DIR/a and DIR/below/it/b, of which nothing is there at first. */
typedef struct {
  char *folder;
  char *a;
  char *below;
  char *b;
  ReeveFileWatch *watch;
  atomic_uint n_calls;
} Fixture;

static void
count (gpointer data)
{
  Fixture *self = data;

  atomic_fetch_add (&self->n_calls, 1);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  self->folder = g_dir_make_tmp ("reeve-watch-XXXXXX", NULL);
  self->a = g_build_filename (self->folder, "a", NULL);
  self->below = g_build_filename (self->folder, "below", "it", NULL);
  self->b = g_build_filename (self->below, "b", NULL);
  self->watch = reeve_file_watch_new (
      (const char *const[]){ self->a, self->b, NULL }, count, self, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_autofree char *command = g_strdup_printf ("rm -r '%s'", self->folder);

  reeve_file_watch_free (self->watch);
  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  g_free (self->folder);
  g_free (self->a);
  g_free (self->below);
  g_free (self->b);
}

static void
write_file (const char *path, const char *text)
{
  g_assert_true (g_file_set_contents_full (
      path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

/* Until there were more than @n_before calls; returns how many. */
static unsigned
wait_for_call (Fixture *self, unsigned n_before)
{
  gint64 end_us = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  while (atomic_load (&self->n_calls) <= n_before) {
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
    g_usleep (1000);
  }
  return atomic_load (&self->n_calls);
}

static void
test_tells (Fixture *self, gconstpointer data)
{
  unsigned n_calls;

  write_file (self->a, "1");
  n_calls = wait_for_call (self, 0);
  write_file (self->a, "22"); /* in place */
  n_calls = wait_for_call (self, n_calls);
  g_assert_true (g_file_set_contents (self->a, "333", -1, NULL)); /* renamed */
  n_calls = wait_for_call (self, n_calls);
  g_chmod (self->a, 0400);
  n_calls = wait_for_call (self, n_calls);
  g_unlink (self->a);
  wait_for_call (self, n_calls);
}

static void
test_new_folder (Fixture *self, gconstpointer data)
{
  unsigned n_calls;

  g_mkdir_with_parents (self->below, 0700);
  write_file (self->b, "1");
  n_calls = wait_for_call (self, 0);
  write_file (self->b, "22");
  wait_for_call (self, n_calls);
}

/* Another file's change is none; that it is not told takes time to see. */
static void
test_other_file (Fixture *self, gconstpointer data)
{
  g_autofree char *other = g_build_filename (self->folder, "other", NULL);

  write_file (other, "1");
  g_usleep (250 * 1000);
  g_assert_cmpuint (atomic_load (&self->n_calls), ==, 0);
  write_file (self->a, "1");
  wait_for_call (self, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func)                                                        \
  g_test_add ("/daemon/file-watch/" name, Fixture, NULL, set_up, func,         \
              tear_down)
  ADD ("tells", test_tells);
  ADD ("new-folder", test_new_folder);
  ADD ("other-file", test_other_file);
#undef ADD
  return g_test_run ();
}
