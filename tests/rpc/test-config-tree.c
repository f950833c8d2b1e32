/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/config-tree.h"
#include "rpc/error.h"

#include <string.h>

/* A text, and the text that is made of its tree; NULL: it is refused. */
typedef struct {
  const char *text;
  const char *printed;
} TextCase;

static const TextCase text_cases[] = {
  /* scalars */
  { "a = 1", "a=1\n" },
  { "a=1 b=2", "a=1\nb=2\n" },
  { "a=1b=2", "a=1\nb=2\n" },
  { "a=1;b=2", "a=1\n\";b\"=2\n" },
  { "a=+5 b=007", "a=5\nb=7\n" },
  { "a=9223372036854775807", "a=9223372036854775807\n" },
  { "a=-9223372036854775808", "a=-9223372036854775808\n" },
  { "a=.5 b=5. c=.", "a=0.500000\nb=5.000000\nc=0.000000\n" },
  { "a=16777217.0", "a=16777216.000000\n" },
  { "a='x' b=x", "a=\"x\"\nb=\"x\"\n" },
  { "a=\"a\\\"b\"", "a=\"a\\\"b\"\n" },
  { "a=\"a\\\\b\"", "a=\"a\\\\b\"\n" },
  { "a=\"a\\nb\"", "a=\"a\\\\nb\"\n" },
  { "a='a\\\\b'", "a=\"a\\\\\\\\b\"\n" },
  { "a='it\"s'", "a=\"it\\\"s\"\n" },
  { "a=\"\xFF\n\t\xC3\xA9\"", "a=\"\xFF\n\t\xC3\xA9\"\n" },
  { "a=\"\"", "a=\"\"\n" },
  { "a=foo bar=1", "a=\"foo\"\nbar=1\n" },
  { "a=foo#bar", "a=\"foo\"\n" },
  { "a=foo,bar", "a=\"foo,bar\"\n" },
  { "a=foo]", "a=\"foo]\"\n" },
  { "a=foo\"bar\"", "a=\"foo\\\"bar\\\"\"\n" },
  { "a=/dev/x b=@tag c=true", "a=\"/dev/x\"\nb=\"@tag\"\nc=\"true\"\n" },
  /* keys */
  { "@tag { a=1 }", "@tag {\n\ta=1\n}\n" },
  { "a[0]=1", "\"a[0]\"=1\n" },
  { "1=2 -a=1 .a=1", "1=2\n-a=1\n.a=1\n" },
  { "!a=1", "\"!a\"=1\n" },
  { "\"a b\"=1 'c=d'=2", "\"a b\"=1\n\"c=d\"=2\n" },
  { "a/b/c=1", "a {\n\tb {\n\t\tc=1\n\t}\n}\n" },
  { "\"a/b\"=1", "a {\n\tb=1\n}\n" },
  { "/a=1 //b//c=1", "a=1\nb {\n\tc=1\n}\n" },
  { "a/b=1 a/c=2", "a {\n\tb=1\n}\na {\n\tc=2\n}\n" },
  { "a=1 a=2", "a=1\na=2\n" },
  /* lists */
  { "a=[] b=[ ]", "a=[]\nb=[]\n" },
  { "a=[1]", "a=1\n" },
  { "a=[1,2,]", "a=[1,2]\n" },
  { "a=[\"x\" \"y\"]", "a=[\"x\",\"y\"]\n" },
  { "a=[\"x\",1,2.5]", "a=[\"x\",1,2.500000]\n" },
  { "a=[ x , y ]", "a=[\"x\",\"y\"]\n" },
  /* sections, comments, blanks */
  { "a{}b { }", "a {\n}\nb {\n}\n" },
  { "a{b{c=1}}e=1", "a {\n\tb {\n\t\tc=1\n\t}\n}\ne=1\n" },
  { "#x\na#y\n=#z\n[#1\n1#2\n,#3\n2#4\n]#5", "a=[1,2]\n" },
  { "a=1\r\nb=2\r\n\v\f", "a=1\nb=2\n" },
  /* what is refused */
  { "", NULL },
  { " \n", NULL },
  { "# a=1", NULL },
  { "a 1", NULL },
  { "a=", NULL },
  { "a=\nb=1", NULL },
  { "=1", NULL },
  { "a==1", NULL },
  { "a=0x10", NULL },
  { "a=9223372036854775808", NULL },
  { "a=1e5", NULL },
  { "a=1abc", NULL },
  { "a=1.2.3", NULL },
  { "a=\"", NULL },
  { "a='a\\'b'", NULL },
  { "a=\"x\" \"y\"", NULL },
  { "a=foo{bar", NULL },
  { "a=[,1]", NULL },
  { "a=[1,,2]", NULL },
  { "a=[1 2]", NULL },
  { "a=[[1]]", NULL },
  { "a=[x]", NULL },
  { "a=[1", NULL },
  { "a=]", NULL },
  { "a=[1]2", NULL },
  { "a={}", NULL },
  { "a { b=1", NULL },
  { "a }", NULL },
  { "a{b=1}=2", NULL },
  { "{a=1}", NULL },
  { "\"\"=1", NULL },
  { "[a]=1", NULL },
  { "a#b=1", NULL },
  /* what LVM's parser takes, and we do not */
  { "a=-", NULL },
  { "a=08", NULL },
  { "a=\"x", NULL },
  { "a/=1", NULL },
  { "/=1", NULL },
  { "\xEF\xBB\xBF"
    "a=1",
    NULL },
};

static char *
print (const ReeveConfigNode *tree, ReeveConfigStyle style)
{
  GString *text = g_string_new (NULL);

  reeve_config_node_print (tree, style, text);
  return g_string_free (text, FALSE);
}

static void
test_text (gconstpointer data)
{
  const TextCase *row = data;
  g_autoptr (GError) error = NULL;
  /* The end is where it is said to be. */
  g_autofree char *exact = g_memdup2 (row->text, strlen (row->text) + 1);
  g_autoptr (ReeveConfigNode) tree =
      reeve_config_node_parse (exact, strlen (exact), &error);
  g_autofree char *printed = NULL;

  if (row->printed == NULL) {
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX);
    g_assert_true (g_str_has_prefix (error->message, "line "));
    return;
  }

  g_assert_no_error (error);
  printed = print (tree, REEVE_CONFIG_STYLE_STOCK);
  g_assert_cmpstr (printed, ==, row->printed);
}

static void
test_place (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (reeve_config_node_parse ("a=1\nb {\n  c==2\n}\n", 17, &error));
  g_assert_true (g_str_has_prefix (error->message, "line 3, column 5: "));
}

static void
test_nul (void)
{
  static const char text[] = "a=1\0b=2";
  g_autoptr (ReeveConfigNode) tree =
      reeve_config_node_parse (text, sizeof text, NULL);
  g_autofree char *printed = print (tree, REEVE_CONFIG_STYLE_STOCK);

  g_assert_cmpstr (printed, ==, "a=1\n");
}

static void
test_depth (void)
{
  for (unsigned depth = REEVE_CONFIG_MAX_DEPTH; depth <= 100000;
       depth = depth == 100000 ? depth + 1 : 100000) {
    g_autoptr (GString) text = g_string_new (NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (ReeveConfigNode) tree = NULL;

    for (unsigned i = 0; i < depth; i++)
      g_string_append (text, "a{");
    for (unsigned i = 0; i < depth; i++)
      g_string_append (text, "}");
    tree = reeve_config_node_parse (text->str, text->len, &error);
    if (depth == REEVE_CONFIG_MAX_DEPTH)
      g_assert_no_error (error);
    else
      g_assert_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT);
  }
}

static void
test_exact (void)
{
  static const double values[] = { 0.1, -2.5, 1e300, 1e-300, 16777217, 3 };
  g_autoptr (ReeveConfigNode) tree = reeve_config_node_new ();
  g_autoptr (ReeveConfigNode) again = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  const ReeveConfigValue *found;
  ReeveConfigNode *list;
  size_t n_found;

  list = reeve_config_node_add_section (tree, "list");
  for (size_t i = 0; i < G_N_ELEMENTS (values); i++)
    reeve_config_node_append_float (list, values[i]);
  text = print (tree, REEVE_CONFIG_STYLE_EXACT);
  again = reeve_config_node_parse (text, strlen (text), &error);
  g_assert_no_error (error);
  found = reeve_config_node_get_values (reeve_config_node_find (again, "list"),
                                        &n_found);
  g_assert_cmpuint (n_found, ==, G_N_ELEMENTS (values));
  for (size_t i = 0; i < n_found; i++) {
    g_assert_cmpint (found[i].kind, ==, REEVE_CONFIG_FLOAT);
    g_assert_cmpfloat (found[i].u.f, ==, values[i]);
  }
}

/* What each look-up gives, with the fallbacks "d", 9 and TRUE. */
typedef struct {
  const char *path;
  const char *string;
  int64_t number;
  gboolean is_true;
} FindCase;

static const char find_text[] =
    "i=5 z=0 s=\"text\" e=\"\" f=1.5 l=[] ss=[\"x\",\"y\"] ii=[6,7] n=no Y=YES "
    "sec{a=1} sec{b=2} d=1 d=2 p{q{r=8}}";

static const FindCase find_cases[] = {
  { "i", "d", 5, TRUE },      { "z", "d", 0, FALSE },
  { "s", "text", 9, TRUE },   { "e", "", 9, TRUE },
  { "f", "d", 9, TRUE },      { "l", "d", 9, TRUE },
  { "ss", "x", 9, TRUE },     { "ii", "d", 6, TRUE },
  { "n", "no", 9, FALSE },    { "Y", "YES", 9, TRUE },
  { "sec", "d", 9, TRUE },    { "sec/a", "d", 1, TRUE },
  { "sec/b", "d", 9, TRUE },  { "d", "d", 1, TRUE },
  { "p/q/r", "d", 8, TRUE },  { "//p//q/r", "d", 8, TRUE },
  { "p/q/R", "d", 9, TRUE },  { "i/x", "d", 9, TRUE },
  { "absent", "d", 9, TRUE },
};

static void
test_find (void)
{
  g_autoptr (ReeveConfigNode) tree =
      reeve_config_node_parse (find_text, strlen (find_text), NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (find_cases); i++) {
    const FindCase *row = &find_cases[i];

    g_test_message ("%s", row->path);
    g_assert_cmpstr (reeve_config_node_find_string (tree, row->path, "d"), ==,
                     row->string);
    g_assert_cmpint (reeve_config_node_find_int (tree, row->path, 9), ==,
                     row->number);
    g_assert_cmpint (reeve_config_node_find_bool (tree, row->path, TRUE), ==,
                     row->is_true);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (text_cases); i++) {
    g_autofree char *path = g_strdup_printf (
        "/rpc/config-tree/%s/%u",
        text_cases[i].printed == NULL ? "refuses" : "takes", i);

    g_test_add_data_func (path, &text_cases[i], test_text);
  }
  g_test_add_func ("/rpc/config-tree/error-names-the-place", test_place);
  g_test_add_func ("/rpc/config-tree/nul-ends-the-text", test_nul);
  g_test_add_func ("/rpc/config-tree/depth-is-bounded", test_depth);
  g_test_add_func ("/rpc/config-tree/exact-numbers-come-back", test_exact);
  g_test_add_func ("/rpc/config-tree/find", test_find);
  return g_test_run ();
}
