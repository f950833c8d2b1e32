/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "rpc/json-parse.h"
#include "rpc/json-print.h"
#include "rpc/json-scan.h"

/* The text of JSON: its end is found wherever the bytes are split, what is
 * parsed has a text that means the same, and what is parsed and a container
 * was found to end where it does. */

static ReeveJsonScanned
scan (const uint8_t *data, size_t size, size_t split, size_t *end)
{
  ReeveJsonScan state = { 0 };
  ReeveJsonScanned scanned = reeve_json_scan (&state, data, split);

  if (scanned == REEVE_JSON_SCAN_MORE)
    scanned = reeve_json_scan (&state, data, size);
  *end = state.offset;
  return scanned;
}

static unsigned
count (const uint8_t *data, size_t size)
{
  ReeveJsonSpan key, value;
  ReeveJsonCursor cursor;
  unsigned n = 0;

  reeve_json_cursor_init (&cursor,
                          (ReeveJsonSpan){ (const char *) data, size });
  while (reeve_json_cursor_next (&cursor, &key, &value))
    n++;
  g_assert_false (cursor.is_bad);
  return n;
}

static void
check_good (JsonNode *node, const uint8_t *data, size_t size, size_t end)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (JsonNode) again = NULL;

  reeve_json_print (node, text);
  again = reeve_json_parse (text->str, text->len, NULL);
  g_assert_nonnull (again);
  g_assert_true (json_node_equal (node, again));
  if (JSON_NODE_HOLDS_ARRAY (node))
    g_assert_cmpuint (count (data, size), ==,
                      json_array_get_length (json_node_get_array (node)));
  else if (JSON_NODE_HOLDS_OBJECT (node))
    g_assert_cmpuint (count (data, size), ==,
                      json_object_get_size (json_node_get_object (node)));
  else
    return;
  for (; end < size; end++)
    g_assert_true (g_ascii_isspace (data[end]));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  size_t end, other;
  ReeveJsonScanned scanned = scan (data, size, 0, &end);
  g_autoptr (JsonNode) node =
      reeve_json_parse ((const char *) data, size, NULL);

  g_assert_cmpint (scan (data, size, size / 2, &other), ==, scanned);
  g_assert_cmpuint (end, ==, other);
  if (node != NULL)
    check_good (node, data, size, end);
  return 0;
}
