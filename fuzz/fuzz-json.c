/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "fuzz/types.h"
#include "rpc/wire-json.h"

/* JSON: two bytes choose a type of a program, the rest is the text of a value
 * of it. What is taken has a text that gives the same value, and is on the
 * other wire what it is on this one. */
/* (nullable): the value that the text stands for. It stands in an array, as
 * json-glib loses memory over text behind a value that stands alone. */
static JsonNode *
parse (JsonParser *parser, const uint8_t *data, size_t size)
{
  g_autofree char *text =
      g_strdup_printf ("[%.*s]", (int) size, (const char *) data);
  JsonNode *root = NULL;

  if (g_utf8_validate ((const char *) data, (gssize) size, NULL) &&
      json_parser_load_from_data (parser, text, -1, NULL))
    root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_ARRAY (root) ||
      json_array_get_length (json_node_get_array (root)) != 1)
    return NULL;
  return json_array_get_element (json_node_get_array (root), 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (JsonNode) text = NULL;
  g_autoptr (GError) error = NULL;
  JsonNode *node = size < 2 ? NULL : parse (parser, data + 2, size - 2);
  const ReeveType *type;
  gpointer value, again;

  if (node == NULL)
    return 0;

  type = fuzz_choose_type (data[0] * 256u + data[1]);
  value = reeve_type_new (type);
  if (reeve_json_decode (type, node, value, &error)) {
    again = reeve_type_new (type);
    fuzz_check_xdr (type, value);
    text = reeve_json_encode (type, value);
    reeve_json_decode (type, text, again, &error);
    g_assert_no_error (error);
    g_assert_true (reeve_type_equal (type, value, again));
    reeve_type_free (type, again);
  }
  reeve_type_free (type, value);
  return 0;
}
