/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/error.h"
#include "rpc/json-parse.h"
#include "rpc/json-print.h"
#include "rpc/json-scan.h"

#include <string.h>

/* One row: a text, and what is printed of what was understood, or NULL
 * for what is refused. */
typedef struct {
  const char *name;
  const char *text;
  const char *printed; /* (nullable) */
} ParseCase;

static const ParseCase parse_cases[] = {
  { "words", "[true,false,null]", "[true,false,null]" },
  { "scalar", " 7 ", "7" },
  { "nested", "{\"a\":{\"b\":[{},[]]}}", "{\"a\":{\"b\":[{},[]]}}" },
  { "largest-signed", "9223372036854775807", "9223372036854775807" },
  { "smallest-signed", "-9223372036854775808", "-9223372036854775808" },
  { "beyond-is-digits", "18446744073709551615", "\"18446744073709551615\"" },
  { "minus-zero", "-0", "0" },
  { "reals", "[1.5,-2.25e2,1E-2]", "[1.5,-225.0,0.01]" },
  { "escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
  { "code-point", "\"\\u00e9\"", "\"\xc3\xa9\"" },
  { "pair", "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
  { "controls", "\"\\u0001\\u001F\\u007f\"", "\"\\u0001\\u001f\\u007f\"" },
  { "utf-8", "\"\xc3\xa9\"", "\"\xc3\xa9\"" },
  { "space-everywhere", " { \"a\" : [ 1 , 2 ] } \r\n", "{\"a\":[1,2]}" },
  { "nothing", "", NULL },
  { "space-alone", " ", NULL },
  { "two-values", "1 2", NULL },
  { "comma-at-the-end", "[1,]", NULL },
  { "comma-in-object", "{\"a\":1,}", NULL },
  { "comma-alone", "[,]", NULL },
  { "no-comma", "[1 2]", NULL },
  { "no-colon", "{\"a\" 1}", NULL },
  { "member-twice", "{\"a\":1,\"a\":1}", NULL },
  { "member-twice-by-escape", "{\"a\":1,\"\\u0061\":1}", NULL },
  { "leading-zero", "01", NULL },
  { "plus", "+1", NULL },
  { "point-alone", "1.", NULL },
  { "no-digit-in-front", ".5", NULL },
  { "exponent-alone", "1e", NULL },
  { "minus-alone", "-", NULL },
  { "hexadecimal", "0x10", NULL },
  { "too-large", "1e400", NULL },
  { "not-a-number", "NaN", NULL },
  { "word-cut", "tru", NULL },
  { "word-with-more", "truex", NULL },
  { "comment", "[1 /* */]", NULL },
  { "single-quotes", "'a'", NULL },
  { "string-not-ended", "\"a", NULL },
  { "escape-not-ended", "\"\\", NULL },
  { "no-such-escape", "\"\\x\"", NULL },
  { "nul", "\"\\u0000\"", NULL },
  { "three-digits", "\"\\u123\"", NULL },
  { "high-surrogate-alone", "\"\\ud83d\"", NULL },
  { "high-surrogate-and-text", "\"\\ud83dabc\"", NULL },
  { "low-surrogate-alone", "\"\\ude00\"", NULL },
  { "two-high-surrogates", "\"\\ud83d\\ud83d\"", NULL },
  { "newline-in-string", "\"a\nb\"", NULL },
  { "no-utf-8", "\"\xff\"", NULL },
  { "utf-8-too-long", "\"\xc0\x80\"", NULL },
  { "not-closed", "[1", NULL },
  { "closed-by-the-other", "[1}", NULL },
  { "closed-twice", "[1]]", NULL },
  { "byte-order-mark", "\xef\xbb\xbf[]", NULL },
};

static void
test_parse (gconstpointer data)
{
  const ParseCase *row = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node =
      reeve_json_parse (row->text, strlen (row->text), &error);
  g_autoptr (GString) printed = g_string_new (NULL);

  if (row->printed == NULL) {
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_RPC);
    g_assert_null (node);
    return;
  }

  g_assert_no_error (error);
  reeve_json_print (node, printed);
  g_assert_cmpstr (printed->str, ==, row->printed);
}

/* Each beginning of a good text is refused, and none is read past its end. */
static void
test_cut (void)
{
  static const char text[] =
      "{\"a\":[1.5e3,true,\"\\ud83d\\ude00\\n\",{\"b\":null}],\"c\":-12}";

  for (size_t size = 0; size < sizeof text - 1; size++) {
    g_autofree char *piece = g_memdup2 (text, MAX (size, 1));
    g_autoptr (GError) error = NULL;
    g_autoptr (JsonNode) node = reeve_json_parse (piece, size, &error);

    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_RPC);
    g_assert_null (node);
  }
}

static void
test_depth (void)
{
  for (unsigned depth = REEVE_JSON_MAX_DEPTH; depth <= REEVE_JSON_MAX_DEPTH + 1;
       depth++) {
    g_autoptr (GString) text = g_string_new (NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (JsonNode) node = NULL;

    for (unsigned i = 0; i < depth; i++)
      g_string_append (text, "[");
    for (unsigned i = 0; i < depth; i++)
      g_string_append (text, "]");
    node = reeve_json_parse (text->str, text->len, &error);
    if (depth <= REEVE_JSON_MAX_DEPTH)
      g_assert_no_error (error);
    else
      g_assert_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT);
  }
}

static void
test_values (void)
{
  for (unsigned more = 0; more <= 1; more++) {
    g_autoptr (GString) text = g_string_new ("[0");
    g_autoptr (GError) error = NULL;
    g_autoptr (JsonNode) node = NULL;

    /* The array is a value, too. */
    for (unsigned i = 2; i < REEVE_JSON_MAX_VALUES + more; i++)
      g_string_append (text, ",0");
    g_string_append (text, "]");
    node = reeve_json_parse (text->str, text->len, &error);
    if (more == 0)
      g_assert_no_error (error);
    else
      g_assert_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT);
  }
}

/* ------------------------------------------------------ against json-glib --
 */

static JsonNode *make_random (GRand *rand, unsigned depth);

static void
fill_random (GRand *rand, JsonNode *node, unsigned depth)
{
  unsigned n = (unsigned) g_rand_int_range (rand, 0, 4);

  for (unsigned i = 0; i < n; i++) {
    JsonNode *child = make_random (rand, depth + 1);
    g_autofree char *key = g_strdup_printf ("k\"%u\xc3\xa9", i);

    if (JSON_NODE_HOLDS_ARRAY (node))
      json_array_add_element (json_node_get_array (node), child);
    else
      json_object_set_member (json_node_get_object (node), key, child);
  }
}

static char *
make_text (GRand *rand)
{
  GString *text = g_string_new (NULL);
  unsigned length = (unsigned) g_rand_int_range (rand, 0, 8);

  for (unsigned i = 0; i < length; i++)
    g_string_append_unichar (
        text, (gunichar) g_rand_int_range (
                  rand, 1, g_rand_boolean (rand) ? 0x7f : 0xd800));
  return g_string_free (text, FALSE);
}

static JsonNode *
make_random (GRand *rand, unsigned depth)
{
  JsonNode *node = json_node_alloc ();
  g_autofree char *text = NULL;

  switch (g_rand_int_range (rand, depth > 5 ? 2 : 0, 8)) {
  case 0:
    json_node_init (node, JSON_NODE_ARRAY);
    json_node_take_array (node, json_array_new ());
    fill_random (rand, node, depth);
    return node;
  case 1:
    json_node_init (node, JSON_NODE_OBJECT);
    json_node_take_object (node, json_object_new ());
    fill_random (rand, node, depth);
    return node;
  case 2:
    return json_node_init_null (node);
  case 3:
    return json_node_init_boolean (node, g_rand_boolean (rand));
  case 4:
    return json_node_init_int (
        node, (gint64) ((guint64) g_rand_int (rand) << 32 | g_rand_int (rand)));
  case 5:
    return json_node_init_double (node, g_rand_double_range (rand, -1e6, 1e6));
  default:
    text = make_text (rand);
    return json_node_init_string (node, text);
  }
}

/* What is printed, json-glib's parser and ours understand alike. */
static void
test_same (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (20260726);

  for (int i = 0; i < 2000; i++) {
    g_autoptr (JsonNode) node = json_node_new (JSON_NODE_ARRAY);
    g_autoptr (JsonNode) ours = NULL;
    g_autoptr (JsonNode) theirs = NULL;
    g_autoptr (GError) error = NULL;
    g_autoptr (GString) text = g_string_new (NULL);

    json_node_take_array (node, json_array_new ());
    fill_random (rand, node, 0);
    reeve_json_print (node, text);
    ours = reeve_json_parse (text->str, text->len, &error);
    g_assert_no_error (error);
    theirs = json_from_string (text->str, NULL);
    g_assert_true (json_node_equal (ours, theirs));
    g_assert_true (json_node_equal (ours, node));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (parse_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/rpc/json-parse/%s", parse_cases[i].name);

    g_test_add_data_func (path, &parse_cases[i], test_parse);
  }
  g_test_add_func ("/rpc/json-parse/no-beginning-of-a-text", test_cut);
  g_test_add_func ("/rpc/json-parse/no-deeper-than-the-limit", test_depth);
  g_test_add_func ("/rpc/json-parse/no-more-values-than-the-limit",
                   test_values);
  g_test_add_func ("/rpc/json-parse/as-json-glib-does", test_same);

  return g_test_run ();
}
