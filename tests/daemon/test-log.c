/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log-limit.h"
#include "daemon/log.h"
#include "event/debug.h"
#include "log-fixture.h"
#include "rpc/error.h"

#include <glib/gstdio.h>
#include <string.h>

/* The source of this file is `daemon.test-log`. */

typedef struct {
  const char *name;
  GLogLevelFlags level;
  const char *filters;
  const char *expected; /* letters of the messages that are written */
} LevelCase;

static const LevelCase level_cases[] = {
  { "common-level", G_LOG_LEVEL_MESSAGE, "", "NWE" },
  { "everything", G_LOG_LEVEL_DEBUG, "", "DINWE" },
  { "errors", G_LOG_LEVEL_CRITICAL, "", "E" },
  { "filter-wants-more", G_LOG_LEVEL_WARNING, "1:test-log", "DINWE" },
  { "filter-wants-less", G_LOG_LEVEL_DEBUG, "3:daemon.test", "WE" },
  { "filter-of-another-source", G_LOG_LEVEL_MESSAGE, "1:rpc", "NWE" },
  { "filter-of-the-domain", G_LOG_LEVEL_MESSAGE, "1:reeve", "DINWE" },
};

static void
set_up (LogFixture *self, gconstpointer data)
{
  log_fixture_set_up (self, "");
}

static void
tear_down (LogFixture *self, gconstpointer data)
{
  log_fixture_tear_down (self);
}

static void
test_levels (LogFixture *self, gconstpointer data)
{
  static const char *const lines[] = {
    "debug: daemon.test-log: D",  "info: daemon.test-log: I",
    "notice: daemon.test-log: N", "warning: daemon.test-log: W",
    "error: daemon.test-log: E",
  };
  const LevelCase *row = data;

  reeve_log_set_level (row->level);
  g_assert_true (reeve_log_set_filters (row->filters, NULL));
  g_debug ("D");
  g_info ("I");
  g_message ("N");
  g_warning ("W");
  g_critical ("E");
  for (size_t i = 0; i < G_N_ELEMENTS (lines); i++) {
    char letter = lines[i][strlen (lines[i]) - 1];

    g_assert_cmpuint (log_fixture_count_lines (self, lines[i]), ==,
                      strchr (row->expected, letter) != NULL ? 1 : 0);
  }
}

static gboolean
note_use (gboolean *is_used)
{
  *is_used = TRUE;
  return TRUE;
}

static void
test_debug_costs_nothing (LogFixture *self, gconstpointer data)
{
  gboolean is_used = FALSE;

  REEVE_DEBUG ("%d", note_use (&is_used));
  g_assert_false (is_used);
  g_assert_true (reeve_log_set_filters ("1:rpc", NULL));
  REEVE_DEBUG ("%d", note_use (&is_used));
  g_assert_true (is_used);
}

static void
test_refusal_changes_nothing (LogFixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) filter_error = NULL;
  g_autofree char *outputs = NULL;
  g_autofree char *filters = NULL;
  unsigned n;

  g_assert_true (reeve_log_set_filters ("1:rpc 3:machine", NULL));
  g_assert_false (reeve_log_set_outputs ("1:stderr 7:stderr", &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
  g_assert_false (reeve_log_set_filters ("2:rpc bad", &filter_error));
  g_assert_error (filter_error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);

  outputs = reeve_log_dup_outputs (&n);
  g_assert_cmpstr (outputs, ==, self->outputs);
  g_assert_cmpuint (n, ==, 1);
  filters = reeve_log_dup_filters (&n);
  g_assert_cmpstr (filters, ==, "1:rpc 3:machine");
  g_assert_cmpuint (n, ==, 2);
  g_warning ("still there");
  g_assert_cmpuint (log_fixture_count_lines (self, "still there"), ==, 1);
}

static void
test_empty_is_the_default (LogFixture *self, gconstpointer data)
{
  g_autofree char *outputs = NULL;
  g_autofree char *filters = NULL;
  unsigned n;

  g_assert_true (reeve_log_set_defaults (self->outputs, "2:qmp", NULL));
  g_assert_true (reeve_log_set_outputs ("4:stderr", NULL));
  g_assert_true (reeve_log_set_filters ("4:rpc", NULL));
  g_assert_true (reeve_log_set_outputs ("", NULL));
  g_assert_true (reeve_log_set_filters (NULL, NULL));
  outputs = reeve_log_dup_outputs (&n);
  g_assert_cmpstr (outputs, ==, self->outputs);
  filters = reeve_log_dup_filters (&n);
  g_assert_cmpstr (filters, ==, "2:qmp");
}

static void
test_moved_file_is_opened_anew (LogFixture *self, gconstpointer data)
{
  g_autofree char *moved = g_strconcat (self->path, ".1", NULL);

  g_warning ("before");
  g_assert_cmpint (g_rename (self->path, moved), ==, 0);
  g_assert_true (reeve_log_reopen (NULL));
  g_warning ("after");
  g_assert_cmpuint (log_fixture_count_lines (self, "before"), ==, 0);
  g_assert_cmpuint (log_fixture_count_lines (self, "after"), ==, 1);
  g_unlink (moved);
}

/* A place that says too much is cut short, and another one is not. */
static void
test_flood (LogFixture *self, gconstpointer data)
{
  for (int i = 0; i < 2 * REEVE_LOG_LIMIT_BURST; i++)
    g_warning ("flood %d", i);
  g_warning ("dry");
  g_assert_cmpuint (log_fixture_count_lines (self, "flood"), ==,
                    REEVE_LOG_LIMIT_BURST);
  g_assert_cmpuint (log_fixture_count_lines (self, "left out"), ==, 1);
  g_assert_cmpuint (log_fixture_count_lines (self, "dry"), ==, 1);
}

/* What was asked for comes whole. */
static void
test_debug_is_not_limited (LogFixture *self, gconstpointer data)
{
  g_assert_true (reeve_log_set_filters ("1:test-log", NULL));
  for (int i = 0; i < 2 * REEVE_LOG_LIMIT_BURST; i++)
    g_debug ("detail %d", i);
  g_assert_cmpuint (log_fixture_count_lines (self, "detail"), ==,
                    2 * REEVE_LOG_LIMIT_BURST);
}

static void *
write_many (void *data)
{
  for (int i = 0; i < 1000; i++)
    g_debug ("from a thread");
  return NULL;
}

static void
test_threads (LogFixture *self, gconstpointer data)
{
  pthread_t threads[4];

  reeve_log_set_level (G_LOG_LEVEL_DEBUG);
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    pthread_create (&threads[i], NULL, write_many, NULL);
  for (int i = 0; i < 100; i++) {
    g_assert_true (reeve_log_set_outputs (self->outputs, NULL));
    g_assert_true (reeve_log_set_filters (i % 2 ? "1:log" : "2:rpc", NULL));
  }
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    pthread_join (threads[i], NULL);
  g_assert_cmpuint (log_fixture_count_lines (self, "from a thread"), ==, 4000);
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *path;
    void (*test) (LogFixture *self, gconstpointer data);
  } tests[] = {
    { "/daemon/log/debug-costs-nothing", test_debug_costs_nothing },
    { "/daemon/log/refusal-changes-nothing", test_refusal_changes_nothing },
    { "/daemon/log/empty-is-the-default", test_empty_is_the_default },
    { "/daemon/log/moved-file-is-opened-anew", test_moved_file_is_opened_anew },
    { "/daemon/log/flood", test_flood },
    { "/daemon/log/debug-is-not-limited", test_debug_is_not_limited },
    { "/daemon/log/threads", test_threads },
  };

  g_test_init (&argc, &argv, NULL);
  reeve_log_init (G_LOG_LEVEL_MESSAGE);
  for (size_t i = 0; i < G_N_ELEMENTS (level_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/daemon/log/levels/", level_cases[i].name, NULL);

    g_test_add (path, LogFixture, &level_cases[i], set_up, test_levels,
                tear_down);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, LogFixture, NULL, set_up, tests[i].test,
                tear_down);
  return g_test_run ();
}
