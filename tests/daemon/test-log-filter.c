/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log-filter.h"
#include "rpc/error.h"

typedef struct {
  const char *name;
  const char *filters;
  const char *source;
  GLogLevelFlags level; /* that a message of the source must have */
} MatchCase;

typedef struct {
  const char *name;
  const char *text;
} TextCase;

#define COMMON G_LOG_LEVEL_MESSAGE

static const MatchCase match_cases[] = {
  { "none", "", "rpc.server", COMMON },
  { "folder", "1:rpc", "rpc.server", G_LOG_LEVEL_DEBUG },
  { "file", "1:rpc.server", "rpc.server-client", G_LOG_LEVEL_DEBUG },
  { "middle", "2:server", "rpc.server-client", G_LOG_LEVEL_INFO },
  { "other-folder", "1:rpc", "machine.qmp", COMMON },
  { "fewer", "4:machine", "machine.qmp", G_LOG_LEVEL_CRITICAL },
  { "first-counts", "3:rpc.server 1:rpc", "rpc.server", G_LOG_LEVEL_WARNING },
  { "second", "3:rpc.server 1:rpc", "rpc.dispatch", G_LOG_LEVEL_DEBUG },
  { "domain", "1:GLib", "GLib", G_LOG_LEVEL_DEBUG },
  { "star", "1:*", "rpc.server", G_LOG_LEVEL_DEBUG },
  { "star-within", "1:rpc*client", "rpc.server-client", G_LOG_LEVEL_DEBUG },
};

static const TextCase refusal_cases[] = {
  { "word", "rpc" },
  { "no-match", "1:" },
  { "no-level", ":rpc" },
  { "level-0", "0:rpc" },
  { "level-5", "5:rpc" },
  { "two-digits", "11:rpc" },
  { "second-is-wrong", "1:rpc x:machine" },
};

static const TextCase format_cases[] = {
  { "empty", "" },
  { "one", "1:rpc" },
  { "two", "1:rpc 3:machine.qmp" },
};

static const TextCase source_cases[] = {
  { "../src/rpc/server-client.c", "rpc.server-client" },
  { "/usr/src/reeve/src/daemon/log.c", "daemon.log" },
  { "../daemon.c", "daemon" },
  { "daemon.c", "daemon" },
  { "/daemon.c", "daemon" },
};

static void
test_match (gconstpointer data)
{
  const MatchCase *row = data;
  g_autoptr (GPtrArray) filters = reeve_log_filters_parse (row->filters, NULL);

  g_assert_nonnull (filters);
  g_assert_cmpint (
      reeve_log_filters_get_level (filters, row->source, row->source, COMMON),
      ==, row->level);
  g_assert_cmpint (reeve_log_filters_get_widest (filters, COMMON), >=,
                   row->level);
}

static void
test_refusal (gconstpointer data)
{
  const TextCase *row = data;
  g_autoptr (GError) error = NULL;

  g_assert_null (reeve_log_filters_parse (row->text, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
}

static void
test_refuses_too_many (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  for (int i = 0; i < 65; i++)
    g_string_append_printf (text, "1:f%d ", i);
  g_assert_null (reeve_log_filters_parse (text->str, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
}

static void
test_format (gconstpointer data)
{
  const TextCase *row = data;
  g_autoptr (GPtrArray) filters = reeve_log_filters_parse (row->text, NULL);
  g_autofree char *text = reeve_log_filters_format (filters);

  g_assert_cmpstr (text, ==, row->text);
}

static void
test_source (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (source_cases); i++) {
    g_autofree char *source = reeve_log_source_from_path (source_cases[i].name);

    g_assert_cmpstr (source, ==, source_cases[i].text);
  }
}

static void
add (const char *group, const char *name, gconstpointer row, GTestDataFunc func)
{
  g_autofree char *path =
      g_strdup_printf ("/daemon/log-filter/%s/%s", group, name);

  g_test_add_data_func (path, row, func);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (match_cases); i++)
    add ("match", match_cases[i].name, &match_cases[i], test_match);
  for (size_t i = 0; i < G_N_ELEMENTS (refusal_cases); i++)
    add ("refuses", refusal_cases[i].name, &refusal_cases[i], test_refusal);
  for (size_t i = 0; i < G_N_ELEMENTS (format_cases); i++)
    add ("format", format_cases[i].name, &format_cases[i], test_format);
  g_test_add_func ("/daemon/log-filter/refuses/too-many",
                   test_refuses_too_many);
  g_test_add_func ("/daemon/log-filter/source", test_source);
  return g_test_run ();
}
