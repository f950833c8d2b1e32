/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/json-scan.h"

#include <string.h>

/* One row: what is read, how much of it is one message (0: not all of it is
 * there), or whether it is none. */
typedef struct {
  const char *name;
  const char *text;
  size_t size;
  gboolean is_bad;
} ScanCase;

static const ScanCase scan_cases[] = {
  { "object", "{}", 2, FALSE },
  { "array", "[]", 2, FALSE },
  { "white-space-in-front", " \n\t{}", 5, FALSE },
  { "white-space-behind-is-left", "{} \n", 2, FALSE },
  { "adjacent", "{}{}", 2, FALSE },
  { "adjacent-with-garbage", "[1]x", 3, FALSE },
  { "nested", "{\"a\":[{\"b\":[]}]}", 16, FALSE },
  { "bracket-in-string", "[\"]\"]", 5, FALSE },
  { "quote-in-string", "[\"\\\"]\"]", 7, FALSE },
  { "backslash-at-the-end", "[\"\\\\\"]", 6, FALSE },
  { "backslashes-then-quote", "[\"\\\\\\\"]\"]", 9, FALSE },
  { "high-bytes-in-string", "[\"\xc3\xa9\xff\"]", 7, FALSE },
  { "unfinished-object", "{\"a\":1", 0, FALSE },
  { "unfinished-string", "[\"]", 0, FALSE },
  { "unfinished-escape", "[\"\\", 0, FALSE },
  { "nothing-but-space", " \r\n", 0, FALSE },
  { "nothing", "", 0, FALSE },
  { "word", "true", 0, TRUE },
  { "number", "1", 0, TRUE },
  { "string", "\"a\"", 0, TRUE },
  { "closed-first", "]", 0, TRUE },
  { "other-bracket", "[}", 0, TRUE },
  { "other-bracket-deep", "{\"a\":[[]}", 0, TRUE },
  { "control-in-string", "[\"a\nb\"]", 0, TRUE },
  { "comment", "[/* */]", 0, TRUE },
  { "single-quote", "['a']", 0, TRUE },
  { "high-byte-outside", "[\xc3\xa9]", 0, TRUE },
};

static void
check (const ScanCase *row, ReeveJsonScanned scanned, size_t offset)
{
  if (row->is_bad) {
    g_assert_cmpint (scanned, ==, REEVE_JSON_SCAN_BAD);
  } else if (row->size == 0) {
    g_assert_cmpint (scanned, ==, REEVE_JSON_SCAN_MORE);
  } else {
    g_assert_cmpint (scanned, ==, REEVE_JSON_SCAN_DONE);
    g_assert_cmpuint (offset, ==, row->size);
  }
}

/* Split at each byte, and byte by byte, it is the same as in one piece. */
static void
test_scan (gconstpointer data)
{
  const ScanCase *row = data;
  const uint8_t *text = (const uint8_t *) row->text;
  size_t size = strlen (row->text);
  ReeveJsonScan each = { 0 };
  ReeveJsonScanned scanned = REEVE_JSON_SCAN_MORE;

  for (size_t split = 0; split <= size; split++) {
    ReeveJsonScan scan = { 0 };

    scanned = reeve_json_scan (&scan, text, split);
    if (scanned == REEVE_JSON_SCAN_MORE)
      scanned = reeve_json_scan (&scan, text, size);
    check (row, scanned, scan.offset);
  }

  scanned = REEVE_JSON_SCAN_MORE;
  for (size_t end = 0; end <= size && scanned == REEVE_JSON_SCAN_MORE; end++)
    scanned = reeve_json_scan (&each, text, end);
  check (row, scanned, each.offset);
}

/* The last byte of the array of @depth levels, and of an object in it. */
static void
test_depth (void)
{
  for (unsigned depth = REEVE_JSON_MAX_DEPTH - 1;
       depth <= REEVE_JSON_MAX_DEPTH + 1; depth++) {
    g_autoptr (GString) text = g_string_new (NULL);
    ReeveJsonScan scan = { 0 };
    ReeveJsonScanned scanned;

    for (unsigned i = 0; i < depth; i++)
      g_string_append_c (text, '[');
    for (unsigned i = 0; i < depth; i++)
      g_string_append_c (text, ']');
    scanned = reeve_json_scan (&scan, (const uint8_t *) text->str, text->len);
    g_assert_cmpint (scanned, ==,
                     depth <= REEVE_JSON_MAX_DEPTH ? REEVE_JSON_SCAN_DONE
                                                   : REEVE_JSON_SCAN_BAD);
  }
}

/* One row: what a cursor finds, as "key=value" with a blank behind each, and
 * "!" where it sees that the text is wrong. */
typedef struct {
  const char *name;
  const char *text;
  const char *found;
} CursorCase;

static const CursorCase cursor_cases[] = {
  { "object", "{\"a\":1,\"b\":[2,3]}", "a=1 b=[2,3] " },
  { "space", " { \"a\" : \"x\" , \"b\" : null } ", "a=\"x\" b=null " },
  { "array", "[1, \"]\", {\"c\":[]}]", "=1 =\"]\" ={\"c\":[]} " },
  { "empty", "{}", "" },
  { "empty-array", " [ ] ", "" },
  { "escape-in-key", "{\"a\\\"b\":1}", "a\\\"b=1 " },
  { "no-colon", "{\"a\" 1}", "!" },
  { "no-comma", "[1 2]", "=1 !" },
  { "comma-at-the-end", "[1,]", "=1 !" },
  { "comma-at-the-begin", "{,\"a\":1}", "!" },
  { "key-without-quotes", "{a:1}", "!" },
  { "key-without-value", "{\"a\":}", "!" },
  { "no-container", "12", "!" },
};

static void
test_cursor (gconstpointer data)
{
  const CursorCase *row = data;
  g_autoptr (GString) found = g_string_new (NULL);
  ReeveJsonSpan key, value;
  ReeveJsonCursor cursor;

  reeve_json_cursor_init (&cursor,
                          (ReeveJsonSpan){ row->text, strlen (row->text) });
  while (reeve_json_cursor_next (&cursor, &key, &value))
    g_string_append_printf (found, "%.*s=%.*s ", (int) key.size,
                            key.text == NULL ? "" : key.text, (int) value.size,
                            value.text);
  if (cursor.is_bad)
    g_string_append_c (found, '!');
  g_assert_cmpstr (found->str, ==, row->found);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (scan_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/rpc/json-scan/end/%s", scan_cases[i].name);

    g_test_add_data_func (path, &scan_cases[i], test_scan);
  }
  g_test_add_func ("/rpc/json-scan/end/no-deeper-than-the-limit", test_depth);
  for (size_t i = 0; i < G_N_ELEMENTS (cursor_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/rpc/json-scan/members/%s", cursor_cases[i].name);

    g_test_add_data_func (path, &cursor_cases[i], test_cursor);
  }

  return g_test_run ();
}
