/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "rpc/config-tree.h"

/* LVM's configuration text: our own text of a tree gives the same text. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfigNode) tree = NULL;
  g_autoptr (ReeveConfigNode) again = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GString) same = g_string_new (NULL);

  tree = reeve_config_node_parse ((const char *) data, size, &error);
  g_assert_true ((tree == NULL) == (error != NULL));
  if (tree == NULL)
    return 0;

  reeve_config_node_print (tree, REEVE_CONFIG_STYLE_EXACT, text);
  again = reeve_config_node_parse (text->str, text->len, &error);
  g_assert_no_error (error);
  reeve_config_node_print (again, REEVE_CONFIG_STYLE_EXACT, same);
  g_assert_cmpstr (text->str, ==, same->str);
  return 0;
}
