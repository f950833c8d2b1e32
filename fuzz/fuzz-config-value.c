/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "fuzz/types.h"
#include "rpc/config-value.h"

/* Values in configuration text: two bytes choose a type of a program, the rest
 * is the text of a value of it. What is taken has a text that gives the same
 * value. */

static void
check_again (const ReeveType *type, gconstpointer value)
{
  g_autoptr (ReeveConfigNode) node = reeve_config_node_new ();
  g_autoptr (ReeveConfigNode) parsed = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  gpointer again = reeve_type_new (type);

  reeve_config_encode (type, value, node);
  reeve_config_node_print (node, REEVE_CONFIG_STYLE_EXACT, text);
  /* What has no members has no text. */
  if (text->len > 0) {
    parsed = reeve_config_node_parse (text->str, text->len, &error);
    g_assert_no_error (error);
    reeve_config_decode (type, parsed, NULL, again, &error);
    g_assert_no_error (error);
    g_assert_true (reeve_type_equal (type, value, again));
  }
  reeve_type_free (type, again);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (ReeveConfigNode) node = NULL;
  const ReeveType *type;
  gpointer value;

  if (size < 2)
    return 0;
  node = reeve_config_node_parse ((const char *) data + 2, size - 2, NULL);
  if (node == NULL)
    return 0;

  type = fuzz_choose_type (data[0] * 256u + data[1]);
  value = reeve_type_new (type);
  if (reeve_config_decode (type, node, NULL, value, NULL))
    check_again (type, value);
  reeve_type_free (type, value);
  return 0;
}
