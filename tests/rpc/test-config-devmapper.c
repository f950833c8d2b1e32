/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/config-tree.h"

#include <libdevmapper.h>
#include <string.h>

/*
 * The same verdict as libdevmapper's on generated texts, and the same tree:
 * what ours prints is, to libdevmapper, the same as the text that ours read.
 */

#define N_TEXTS 100000
#define MAX_PIECES 14

/* What texts are put together from. No number is followed by an exponent or by
 * hexadecimal digits: libdevmapper takes them for a key, and converts them with
 * the number all the same. */
static const char *const pieces[] = {
  "a",         "b",       "key",      "a/b",     "/a",         "@t",
  "x",         "1",       "42",       "-7",      "+5",         "007",
  "08",        "-",       "1.5",      ".5",      "5.",         "=",
  "=",         "=",       "=",        " = ",     "{",          "}",
  "{",         "}",       "[",        "]",       "[",          "]",
  ",",         ",",       " ",        " ",       " ",          "\n",
  "\t",        "#c\n",    "\"s\"",    "'s'",     "\"a\\\"b\"", "\"\"",
  "''",        "\"a b\"", "'a\"b'",   "foo,bar", ";",          "!k",
  "\"a\\\\\"", "a=1\n",   "b{c=2}",   "l=[1,2]", "s=\"v\"",    "\r\n",
  "\\",        "true",    "\xC3\xA9", "\"",      "/",
};

/* Whether ours says no for a reason that libdevmapper does not know, see
 * config-tree.h. */
static gboolean
may_differ (const GError *why)
{
  static const char *const reasons[] = { "that is no number",
                                         "the string does not end",
                                         "the key is empty", NULL };

  for (size_t i = 0; reasons[i] != NULL; i++)
    if (g_str_has_suffix (why->message, reasons[i]))
      return TRUE;

  return FALSE;
}

static char *
make_text (GRand *random)
{
  GString *text = g_string_new (NULL);
  int n_pieces = g_rand_int_range (random, 1, MAX_PIECES);

  for (int i = 0; i < n_pieces; i++)
    g_string_append (
        text, pieces[g_rand_int_range (random, 0, G_N_ELEMENTS (pieces))]);
  return g_string_free (text, FALSE);
}

static int
append_line (const char *line, void *data)
{
  g_string_append (data, line);
  g_string_append_c (data, '\n');
  return 1;
}

/* (nullable): what libdevmapper makes of a text. */
static char *
print_theirs (const char *text)
{
  struct dm_config_tree *tree = dm_config_create ();
  g_autoptr (GString) printed = g_string_new (NULL);
  gboolean is_good =
      dm_config_parse_without_dup_node_check (tree, text, text + strlen (text));

  if (is_good)
    for (const struct dm_config_node *node = tree->root; node != NULL;
         node = node->sib)
      dm_config_write_one_node (node, append_line, printed);
  dm_config_destroy (tree);
  return is_good ? g_string_free (g_steal_pointer (&printed), FALSE) : NULL;
}

static void
log_nothing (int level, const char *file, int line, const char *format, ...)
{
}

static void
compare (const char *text, unsigned *n_taken, unsigned *n_differ)
{
  g_autofree char *theirs = print_theirs (text);
  g_autoptr (GError) why = NULL;
  g_autoptr (ReeveConfigNode) tree =
      reeve_config_node_parse (text, strlen (text), &why);
  g_autoptr (GString) ours = NULL;
  g_autofree char *again = NULL;

  if (tree == NULL && theirs != NULL && may_differ (why)) {
    (*n_differ)++;
    return;
  }
  if ((tree == NULL) != (theirs == NULL))
    g_error ("“%s”: ours says %s, theirs %s", text, tree == NULL ? "no" : "yes",
             theirs == NULL ? "no" : theirs);
  if (tree == NULL)
    return;

  ours = g_string_new (NULL);
  reeve_config_node_print (tree, REEVE_CONFIG_STYLE_STOCK, ours);
  again = print_theirs (ours->str);
  g_assert_cmpstr (again, ==, theirs);
  (*n_taken)++;
}

static void
test_random (void)
{
  g_autoptr (GRand) random =
      g_rand_new_with_seed ((guint32) g_test_rand_int_range (0, G_MAXINT32));
  unsigned n_taken = 0, n_differ = 0;

  for (unsigned i = 0; i < N_TEXTS; i++) {
    g_autofree char *text = make_text (random);

    compare (text, &n_taken, &n_differ);
  }
  g_test_message ("%u texts taken by both, %u by libdevmapper alone", n_taken,
                  n_differ);
  g_assert_cmpuint (n_taken, >, N_TEXTS / 100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dm_log_init (log_nothing);
  g_test_add_func ("/rpc/config-tree/same-as-libdevmapper", test_random);
  return g_test_run ();
}
