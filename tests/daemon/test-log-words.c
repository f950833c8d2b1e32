/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log-limit.h"
#include "daemon/log-private.h"
#include "daemon/log-words.h"
#include "daemon/log.h"
#include "log-fixture.h"
#include "rpc/error.h"

#include <string.h>

/* The source of this file is `daemon.test-log-words`. */

typedef struct {
  const char *name;
  const char *words[4];
  const char *expected; /* letters of the messages that the file gets */
} WordsCase;

static const WordsCase words_cases[] = {
  { "nothing-said", { NULL }, "NWE" },
  { "no-level-is-dbg", { "" }, "DINWE" },
  { "level", { "warn" }, "WE" },
  { "level-in-capitals", { "ANY:ANY:ERR" }, "E" },
  { "emer", { "emer" }, "" },
  { "off", { "off" }, "" },
  { "level-first", { "err:file:test-log-words" }, "E" },
  { "destination-first", { "file,test-log-words,err" }, "E" },
  { "source-first", { "test-log-words err file" }, "E" },
  { "source-alone", { "test-log-words" }, "DINWE" },
  { "another-source", { "other:file:off" }, "NWE" },
  { "another-destination", { "console:off" }, "NWE" },
  { "destination-and-level", { "file:dbg" }, "DINWE" },
  { "one-source-at-one-destination", { "off", "test-log:file:info" }, "INWE" },
  { "source-comes-back", { "off", "test-log:warn" }, "WE" },
  { "destination-comes-back", { "off", "file:err" }, "E" },
  { "all-goes-before-what-was", { "test-log:file:off", "any:info" }, "INWE" },
  { "destination-goes-before-source", { "test-log:off", "file:err" }, "E" },
  { "other-destination-stays", { "file:err", "console:dbg" }, "E" },
};

static const char *const bad_words[] = {
  "dbg:err",       "console:file",       "daemon:rpc",          "a/b",
  "syslog:dbg",    "PATTERN:console:%m", "PATTERN:none:x",      "pattern",
  "FACILITY:none", "FACILITY",           "FACILITY:local7:dbg",
};

static void
set_up (LogFixture *self, gconstpointer data)
{
  log_fixture_set_up (self, "4:stderr ");
}

static void
tear_down (LogFixture *self, gconstpointer data)
{
  reeve_log_clear_rules ();
  log_fixture_tear_down (self);
}

static void
test_words (LogFixture *self, gconstpointer data)
{
  const WordsCase *row = data;

  for (size_t i = 0; row->words[i] != NULL; i++)
    g_assert_true (reeve_log_set_words (row->words[i], NULL));
  g_debug ("D");
  g_info ("I");
  g_message ("N");
  g_warning ("W");
  g_critical ("E");
  for (const char *letter = "DINWE"; *letter != '\0'; letter++) {
    const char line[] = { 's', ':', ' ', *letter, '\0' };

    g_assert_cmpuint (log_fixture_count_lines (self, line), ==,
                      strchr (row->expected, *letter) != NULL ? 1 : 0);
  }
}

static void
note_row (const ReeveLogThresholds *row, gpointer data)
{
  g_string_append_printf (data, "%s %s %s %s %d\n", row->source, row->levels[0],
                          row->levels[1], row->levels[2], row->is_limited);
}

static void
test_rows (LogFixture *self, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new (NULL);

  g_assert_true (reeve_log_set_words ("rpc.server:file:emer", NULL));
  g_assert_true (reeve_log_set_words ("machine:off", NULL));
  g_assert_true (reeve_log_set_words ("qmp:info", NULL));
  g_assert_true (reeve_log_limit_source ("qmp", FALSE, NULL));
  reeve_log_foreach_threshold (note_row, text);
  g_assert_cmpstr (text->str, ==,
                   "any ERR OFF WARN 1\n"
                   "machine OFF OFF OFF 1\n"
                   "qmp INFO OFF INFO 0\n"
                   "rpc.server ERR OFF EMER 1\n");
}

static void
test_filters_and_outputs_say_it (LogFixture *self, gconstpointer data)
{
  g_autofree char *expected =
      g_strdup_printf ("4:stderr 3:file:%s", self->path);
  g_autofree char *outputs = NULL;
  g_autofree char *filters = NULL;
  unsigned n;

  g_assert_true (reeve_log_set_words ("file:warn", NULL));
  g_assert_true (reeve_log_set_words ("qmp:dbg", NULL));
  g_assert_true (reeve_log_set_words ("qmp:info", NULL));
  g_assert_true (reeve_log_set_words ("rpc:file:err", NULL));
  outputs = reeve_log_dup_outputs (&n);
  filters = reeve_log_dup_filters (&n);
  g_assert_cmpstr (outputs, ==, expected);
  g_assert_cmpstr (filters, ==, "2:qmp");
}

static void
test_refusal_changes_nothing (LogFixture *self, gconstpointer data)
{
  for (size_t i = 0; i < G_N_ELEMENTS (bad_words); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_false (reeve_log_set_words (bad_words[i], &error));
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
  }
  g_info ("I");
  g_message ("N");
  g_assert_cmpuint (log_fixture_count_lines (self, "s: "), ==, 1);
}

static void
test_rules_have_an_end (LogFixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  unsigned n = 0;

  while (n < 1000) {
    g_autofree char *words = g_strdup_printf ("source%u:file:dbg", n);

    if (!reeve_log_set_words (words, &error))
      break;
    n++;
  }
  g_assert_cmpuint (n, ==, 256);
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT);
  /* What is said again, and what is said of all, takes no more room. */
  g_assert_true (reeve_log_set_words ("source7:file:err", NULL));
  g_assert_true (reeve_log_set_words ("any:info", NULL));
  g_assert_true (reeve_log_set_words ("other:file:err", NULL));
}

static void
test_limit_of_one_source (LogFixture *self, gconstpointer data)
{
  g_assert_true (reeve_log_limit_source ("ANY", FALSE, NULL));
  g_assert_true (reeve_log_set_words ("console:off", NULL));
  for (unsigned i = 0; i < REEVE_LOG_LIMIT_BURST + 10; i++)
    g_message ("again");
  g_assert_cmpuint (log_fixture_count_lines (self, "again"), ==,
                    REEVE_LOG_LIMIT_BURST + 10);

  g_assert_true (reeve_log_limit_source ("test-log", TRUE, NULL));
  for (unsigned i = 0; i < REEVE_LOG_LIMIT_BURST + 10; i++)
    g_message ("anew");
  g_assert_cmpuint (log_fixture_count_lines (self, "anew"), ==,
                    REEVE_LOG_LIMIT_BURST);
  g_assert_false (reeve_log_limit_source ("a/b", TRUE, NULL));
}

static void
test_closed_files (LogFixture *self, gconstpointer data)
{
  g_assert_true (reeve_log_set_words ("console:off", NULL));
  g_message ("before");
  reeve_log_close_files ();
  reeve_log_close_files ();
  g_message ("closed");
  g_assert_true (reeve_log_set_words ("file:dbg", NULL));
  g_message ("closed");
  g_assert_true (reeve_log_reopen (NULL));
  g_message ("behind");
  g_assert_cmpuint (log_fixture_count_lines (self, "before"), ==, 1);
  g_assert_cmpuint (log_fixture_count_lines (self, "closed"), ==, 0);
  g_assert_cmpuint (log_fixture_count_lines (self, "behind"), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (0);
  reeve_log_init (G_LOG_LEVEL_MESSAGE);

#define ADD(name, func)                                                        \
  g_test_add ("/daemon/log-words/" name, LogFixture, NULL, set_up, func,       \
              tear_down)
  for (size_t i = 0; i < G_N_ELEMENTS (words_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/daemon/log-words/set/", words_cases[i].name, NULL);

    g_test_add (path, LogFixture, &words_cases[i], set_up, test_words,
                tear_down);
  }
  ADD ("rows", test_rows);
  ADD ("filters-and-outputs-say-it", test_filters_and_outputs_say_it);
  ADD ("refusal-changes-nothing", test_refusal_changes_nothing);
  ADD ("rules-have-an-end", test_rules_have_an_end);
  ADD ("limit-of-one-source", test_limit_of_one_source);
  ADD ("closed-files", test_closed_files);
#undef ADD
  return g_test_run ();
}
