/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "fuzz/types.h"
#include "rpc/json-parse.h"
#include "rpc/json-print.h"
#include "rpc/json-value.h"
#include "rpc/wire-json.h"

/* JSON: two bytes choose a type of a program, the rest is the text of a value
 * of it. What is taken has a text that gives the same value, and is on the
 * other wire what it is on this one. */

/* The text of a value is that of its node. */
static void
check_text (const ReeveType *type, gconstpointer value, JsonNode *node)
{
  g_autoptr (GString) direct = g_string_new (NULL);
  g_autoptr (GString) printed = g_string_new (NULL);

  reeve_json_value_print (type, value, direct);
  reeve_json_print (node, printed);
  g_assert_cmpstr (direct->str, ==, printed->str);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (JsonNode) node =
      size < 2 ? NULL
               : reeve_json_parse ((const char *) data + 2, size - 2, NULL);
  g_autoptr (JsonNode) text = NULL;
  g_autoptr (GError) error = NULL;
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
    check_text (type, value, text);
    reeve_json_decode (type, text, again, &error);
    g_assert_no_error (error);
    g_assert_true (reeve_type_equal (type, value, again));
    reeve_type_free (type, again);
  }
  reeve_type_free (type, value);
  return 0;
}
