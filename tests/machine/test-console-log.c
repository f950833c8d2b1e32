/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/console-log.h"

#include "../log-capture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  char *root;
  char *path;
  char *mark_path;
  uint64_t position; /* of the text that was written */
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->root = g_dir_make_tmp ("reeve-console-log-XXXXXX", NULL);
  g_assert_nonnull (self->root);
  /* a directory that the log has to make */
  self->path = g_build_filename (self->root, "web", "serial0.log", NULL);
  self->mark_path = g_build_filename (self->root, "mark", NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_autofree char *dir = g_path_get_dirname (self->path);
  g_autoptr (GDir) entries = g_dir_open (dir, 0, NULL);
  const char *name;

  while (entries != NULL && (name = g_dir_read_name (entries)) != NULL) {
    g_autofree char *path = g_build_filename (dir, name, NULL);

    g_assert_cmpint (g_unlink (path), ==, 0);
  }
  (void) g_rmdir (dir);
  (void) g_unlink (self->mark_path);
  g_assert_cmpint (g_rmdir (self->root), ==, 0);
  g_free (self->root);
  g_free (self->path);
  g_free (self->mark_path);
}

static void
write_text (Fixture *self, ReeveConsoleLog *log, const char *text)
{
  reeve_console_log_append (log, self->position, (const uint8_t *) text,
                            strlen (text));
  self->position += strlen (text);
}

/* @n: 0: the newest file */
static char *
read_file (Fixture *self, unsigned n)
{
  g_autofree char *path =
      n == 0 ? g_strdup (self->path) : g_strdup_printf ("%s.%u", self->path, n);
  char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? text
                                                       : g_strdup ("(none)");
}

#define assert_file(self, n, expected)                                         \
  G_STMT_START                                                                 \
  {                                                                            \
    g_autofree char *text_ = read_file (self, n);                              \
    g_assert_cmpstr (text_, ==, expected);                                     \
  }                                                                            \
  G_STMT_END

static void
test_rotates_by_size (Fixture *self, gconstpointer data)
{
  ReeveConsoleLog log;

  reeve_console_log_init (&log, self->path, self->mark_path, 10, 2);
  write_text (self, &log, "aaaa\n");
  write_text (self, &log, "bbbb\n");
  assert_file (self, 0, "aaaa\nbbbb\n");
  assert_file (self, 1, "(none)");
  write_text (self, &log, "c");
  assert_file (self, 0, "c");
  assert_file (self, 1, "aaaa\nbbbb\n");
  write_text (self, &log, "0123456789");
  write_text (self, &log, "dd");
  assert_file (self, 0, "dd");
  assert_file (self, 1, "0123456789");
  assert_file (self, 2, "c");
  assert_file (self, 3, "(none)");
  reeve_console_log_clear (&log);
}

static void
test_keeps_no_old_file (Fixture *self, gconstpointer data)
{
  ReeveConsoleLog log;

  reeve_console_log_init (&log, self->path, self->mark_path, 4, 0);
  write_text (self, &log, "aaaa");
  write_text (self, &log, "bb");
  assert_file (self, 0, "bb");
  assert_file (self, 1, "(none)");
  reeve_console_log_clear (&log);
}

static void
test_writes_nothing_without_a_size (Fixture *self, gconstpointer data)
{
  ReeveConsoleLog log;

  reeve_console_log_init (&log, self->path, self->mark_path, 0, 2);
  write_text (self, &log, "aaaa");
  assert_file (self, 0, "(none)");
  reeve_console_log_clear (&log);
}

static uint64_t
find_anew (Fixture *self)
{
  ReeveConsoleLog log;
  uint64_t position;

  reeve_console_log_init (&log, self->path, self->mark_path, 10, 2);
  position = reeve_console_log_find_position (&log);
  reeve_console_log_clear (&log);
  return position;
}

/* Whenever a daemon is killed, the next one knows where to go on. */
static void
test_next_daemon_goes_on (Fixture *self, gconstpointer data)
{
  ReeveConsoleLog log;

  g_assert_cmpuint (find_anew (self), ==, 0);
  for (int i = 0; i < 9; i++) {
    reeve_console_log_init (&log, self->path, self->mark_path, 10, 2);
    g_assert_cmpuint (reeve_console_log_find_position (&log), ==,
                      self->position);
    write_text (self, &log, "abc");
    g_assert_cmpuint (find_anew (self), ==, self->position);
    reeve_console_log_clear (&log);
  }
}

static void
test_next_run_starts_at_zero (Fixture *self, gconstpointer data)
{
  ReeveConsoleLog log;

  reeve_console_log_init (&log, self->path, self->mark_path, 100, 2);
  write_text (self, &log, "the first run\n");
  reeve_console_log_clear (&log);
  g_assert_cmpint (g_unlink (self->mark_path), ==, 0);

  self->position = 0;
  reeve_console_log_init (&log, self->path, self->mark_path, 100, 2);
  write_text (self, &log, "the second\n");
  assert_file (self, 0, "the first run\nthe second\n");
  g_assert_cmpuint (find_anew (self), ==, self->position);
  reeve_console_log_clear (&log);
}

static void
test_killed_while_it_rotates (Fixture *self, gconstpointer data)
{
  g_autofree char *old = g_strconcat (self->path, ".1", NULL);
  ReeveConsoleLog log;

  reeve_console_log_init (&log, self->path, self->mark_path, 10, 2);
  write_text (self, &log, "abcdefgh");
  reeve_console_log_clear (&log);
  g_assert_cmpint (g_rename (self->path, old), ==, 0);
  g_assert_cmpuint (find_anew (self), ==, 8);
  g_assert_true (g_file_set_contents (self->path, "", 0, NULL));
  g_assert_cmpuint (find_anew (self), ==, 8);
}

static void
test_moved_away_by_somebody (Fixture *self, gconstpointer data)
{
  g_autofree char *moved = g_strconcat (self->path, ".moved", NULL);
  ReeveConsoleLog log;

  reeve_console_log_init (&log, self->path, self->mark_path, 100, 2);
  write_text (self, &log, "before ");
  g_assert_cmpint (g_rename (self->path, moved), ==, 0);
  write_text (self, &log, "after");
  assert_file (self, 0, "after");
  g_assert_cmpuint (find_anew (self), ==, self->position);
  reeve_console_log_clear (&log);
}

/* It is warned of once, and what comes later is written where it belongs. */
static void
test_disk_is_full (Fixture *self, gconstpointer data)
{
  g_autofree char *dir = g_path_get_dirname (self->path);
  ReeveConsoleLog log;

  g_assert_cmpint (g_mkdir (dir, 0700), ==, 0);
  g_assert_cmpint (symlink ("/dev/full", self->path), ==, 0);
  reeve_console_log_init (&log, self->path, self->mark_path, 100, 2);
  write_text (self, &log, "lost");
  write_text (self, &log, "lost, too");
  log_capture_take ("warning *is not logged*");
  log_capture_assert_empty ();

  g_assert_cmpint (g_unlink (self->path), ==, 0);
  write_text (self, &log, "kept");
  assert_file (self, 0, "kept");
  g_assert_cmpuint (find_anew (self), ==, self->position);
  reeve_console_log_clear (&log);
}

#define ADD(name, func)                                                        \
  g_test_add ("/machine/console-log/" name, Fixture, NULL, set_up, func,       \
              tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  log_capture_begin ();
  ADD ("rotates-by-size", test_rotates_by_size);
  ADD ("keeps-no-old-file", test_keeps_no_old_file);
  ADD ("writes-nothing-without-a-size", test_writes_nothing_without_a_size);
  ADD ("next-daemon-goes-on", test_next_daemon_goes_on);
  ADD ("next-run-starts-at-zero", test_next_run_starts_at_zero);
  ADD ("killed-while-it-rotates", test_killed_while_it_rotates);
  ADD ("moved-away-by-somebody", test_moved_away_by_somebody);
  ADD ("disk-is-full", test_disk_is_full);
  return g_test_run ();
}
