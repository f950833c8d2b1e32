/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log-output.h"
#include "event/fd.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
  char *folder; /* (owned) */
  char *path;   /* (owned): in it */
} Fixture;

typedef struct {
  const char *name;
  const char *text;
  int code; /* that refuses it; 0: none */
} ParseCase;

static const ParseCase parse_cases[] = {
  { "nothing", "", 0 },
  { "stderr", "1:stderr", 0 },
  { "syslog", "2:syslog:name", 0 },
  { "journald", "3:journald", 0 },
  { "several", "1:stderr 2:syslog:name 3:journald", 0 },
  { "word", "stderr", REEVE_ERROR_INVALID_ARG },
  { "level-0", "0:stderr", REEVE_ERROR_INVALID_ARG },
  { "level-5", "5:stderr", REEVE_ERROR_INVALID_ARG },
  { "level-11", "11:stderr", REEVE_ERROR_INVALID_ARG },
  { "no-level", ":stderr", REEVE_ERROR_INVALID_ARG },
  { "no-kind", "1:", REEVE_ERROR_INVALID_ARG },
  { "unknown-kind", "1:printer", REEVE_ERROR_INVALID_ARG },
  { "stderr-with-more", "1:stderr:x", REEVE_ERROR_INVALID_ARG },
  { "file-without-path", "1:file", REEVE_ERROR_INVALID_ARG },
  { "file-with-empty-path", "1:file:", REEVE_ERROR_INVALID_ARG },
  { "relative-path", "1:file:x", REEVE_ERROR_INVALID_ARG },
  { "syslog-without-name", "1:syslog", REEVE_ERROR_INVALID_ARG },
  { "folder-is-missing", "1:file:/nonexistent/x", REEVE_ERROR_SYSTEM },
  { "second-is-wrong", "1:stderr 1:printer", REEVE_ERROR_INVALID_ARG },
};

static void
set_up (Fixture *self, gconstpointer data)
{
  self->folder = g_dir_make_tmp ("reeve-log-XXXXXX", NULL);
  self->path = g_build_filename (self->folder, "log", NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_unlink (self->path);
  g_rmdir (self->folder);
  g_free (self->path);
  g_free (self->folder);
}

/* (transfer full): an output of a level to the fixture's path. */
static GPtrArray *
open_path (Fixture *self, int level, GError **error)
{
  g_autofree char *text = g_strdup_printf ("%d:file:%s", level, self->path);

  return reeve_log_outputs_parse (text, error);
}

static void
write_text (GPtrArray *outputs, GLogLevelFlags level, const char *text)
{
  const ReeveLogMessage message = {
    .level = level,
    .level_name = "name",
    .source = "source",
    .text = text,
  };

  reeve_log_outputs_write (outputs, &message);
}

static void
test_parse (gconstpointer data)
{
  const ParseCase *row = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) outputs = reeve_log_outputs_parse (row->text, &error);

  if (row->code != 0) {
    g_assert_error (error, REEVE_ERROR, row->code);
    g_assert_null (outputs);
  } else {
    g_autofree char *text = NULL;

    g_assert_no_error (error);
    text = reeve_log_outputs_format (outputs);
    g_assert_cmpstr (text, ==, row->text);
  }
}

static void
test_file (Fixture *self, gconstpointer data)
{
  g_autoptr (GPtrArray) outputs = open_path (self, 3, NULL);
  g_autoptr (GPtrArray) again = open_path (self, 3, NULL);
  g_autofree char *content = NULL;
  struct stat file;

  write_text (outputs, G_LOG_LEVEL_MESSAGE, "not severe");
  write_text (outputs, G_LOG_LEVEL_WARNING, "first");
  write_text (again, G_LOG_LEVEL_CRITICAL, "second\n2026-01-01 forged");
  g_assert_true (g_file_get_contents (self->path, &content, NULL, NULL));
  g_assert_null (strstr (content, "not severe"));
  g_assert_nonnull (strstr (content, " name: source: first\n"));
  g_assert_nonnull (
      strstr (content, " name: source: second 2026-01-01 forged\n"));
  g_assert_cmpint (stat (self->path, &file), ==, 0);
  g_assert_cmpint (file.st_mode & 07777, ==, 0600);
}

static void
test_pipe_without_reader (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (mkfifo (self->path, 0600), ==, 0);
  g_assert_null (open_path (self, 1, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
}

/* Reads what there is. */
static GString *
drain (int fd)
{
  GString *text = g_string_new (NULL);
  char part[4096];
  ssize_t n_read;

  while ((n_read = read (fd, part, sizeof part)) > 0)
    g_string_append_len (text, part, n_read);
  return text;
}

static void
test_pipe_that_is_full (Fixture *self, gconstpointer data)
{
  enum { N_MESSAGES = 10000 };
  g_autoptr (GPtrArray) outputs = NULL;
  g_autoptr (GString) before = NULL;
  g_autoptr (GString) after = NULL;
  REEVE_AUTOFD int reader = -1;
  REEVE_AUTOFD int silence = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  REEVE_AUTOFD int stderr_copy = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  gint64 start_us;

  g_assert_cmpint (mkfifo (self->path, 0600), ==, 0);
  reader = open (self->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  outputs = open_path (self, 1, NULL);

  /* What it cannot take goes to standard error. */
  dup2 (silence, STDERR_FILENO);
  start_us = g_get_monotonic_time ();
  for (int i = 0; i < N_MESSAGES; i++)
    write_text (outputs, G_LOG_LEVEL_WARNING, "a message of no interest");
  dup2 (stderr_copy, STDERR_FILENO);
  /* One wait of 10 ms, not one for each. */
  g_assert_cmpint (g_get_monotonic_time () - start_us, <, 5 * G_USEC_PER_SEC);

  before = drain (reader);
  g_assert_null (strstr (before->str, "could not be written"));
  write_text (outputs, G_LOG_LEVEL_WARNING, "there is room");
  after = drain (reader);
  g_assert_nonnull (strstr (after->str, "messages could not be written\n"));
  g_assert_nonnull (strstr (after->str, "there is room\n"));
}

static void
test_long_text (Fixture *self, gconstpointer data)
{
  g_autoptr (GPtrArray) outputs = open_path (self, 1, NULL);
  g_autofree char *text = g_strnfill (1000000, 'x');
  g_autofree char *content = NULL;
  gsize size;

  write_text (outputs, G_LOG_LEVEL_WARNING, text);
  g_assert_true (g_file_get_contents (self->path, &content, &size, NULL));
  g_assert_cmpuint (size, >, 16384);
  g_assert_cmpuint (size, <, 17000);
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *path;
    void (*test) (Fixture *self, gconstpointer data);
  } tests[] = {
    { "/daemon/log-output/file/takes-what-is-severe", test_file },
    { "/daemon/log-output/file/pipe-without-reader", test_pipe_without_reader },
    { "/daemon/log-output/file/pipe-that-is-full", test_pipe_that_is_full },
    { "/daemon/log-output/file/long-text-is-cut", test_long_text },
  };

  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (parse_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/daemon/log-output/parse/", parse_cases[i].name, NULL);

    g_test_add_data_func (path, &parse_cases[i], test_parse);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  return g_test_run ();
}
