/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/tree.h"

#include <errno.h>
#include <sys/stat.h>

#define DIRECTORY REEVE_RESOURCE_ATTACH_DIRECTORY

/* A provider's data is its name, and the one path that it serves. */
typedef struct {
  const char *name;
  const char *path;
} Provider;

static gboolean
provider_has (ReeveResourceNode *node, const char *rest, gpointer data)
{
  return g_str_equal (rest, ((Provider *) data)->path) ||
         g_str_equal (rest, "both");
}

static const ReeveResourceOps provider_ops = { provider_has };

static uint64_t
attach (ReeveResourceTree *tree,
        const char *path,
        ReeveResourceAttachFlags flags,
        Provider *provider,
        ReeveResourceNode **out)
{
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_node_new (S_IFDIR | 0755, &provider_ops, provider, NULL);

  *out = node;
  return reeve_resource_tree_attach (tree, path, flags, node);
}

static void
attach_link (ReeveResourceTree *tree, const char *path, const char *target)
{
  g_autoptr (ReeveResourceNode) node = reeve_resource_node_new_symlink (target);

  reeve_resource_tree_attach (tree, path, 0, node);
}

static void
check (ReeveResourceTree *tree,
       const char *path,
       int result,
       ReeveResourceNode *expected,
       const char *expected_rest)
{
  g_autoptr (ReeveResourceNode) node = NULL;
  g_autofree char *rest = NULL;

  g_assert_cmpint (reeve_resource_tree_resolve (tree, path, TRUE, &node, &rest),
                   ==, result);
  g_assert_true (node == expected);
  g_assert_cmpstr (rest, ==, expected_rest);
}

static Provider one = { "one", "x/y" };
static Provider two = { "two", "only-in-two" };

static void
test_longest_prefix (void)
{
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  ReeveResourceNode *a = NULL;
  ReeveResourceNode *b = NULL;
  ReeveResourceNode *file = NULL;

  attach (tree, "/d", DIRECTORY, &one, &a);
  attach (tree, "/d/sub", DIRECTORY, &two, &b);
  attach (tree, "/name", 0, &one, &file);

  check (tree, "/d/x/y", 0, a, "x/y");
  check (tree, "//d/./sub/../sub/both", 0, b, "both");
  check (tree, "/d/sub/none", ENOENT, NULL, NULL);
  check (tree, "/d2", ENOENT, NULL, NULL);
  check (tree, "/name", 0, file, "");
  check (tree, "/name/x/y", ENOTDIR, NULL, NULL);
  check (tree, "/", 0, NULL, "");
}

static void
test_union_and_order (void)
{
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  ReeveResourceNode *a = NULL;
  ReeveResourceNode *b = NULL;
  ReeveResourceNode *c = NULL;
  uint64_t id = 0;

  attach (tree, "/d", DIRECTORY, &one, &a);
  id = attach (tree, "/d", DIRECTORY | REEVE_RESOURCE_ATTACH_AFTER, &two, &b);
  check (tree, "/d/both", 0, a, "both");
  check (tree, "/d/only-in-two", 0, b, "only-in-two");

  attach (tree, "/d", DIRECTORY | REEVE_RESOURCE_ATTACH_BEFORE, &two, &c);
  attach (tree, "/d", DIRECTORY, &one, &a);
  check (tree, "/d/both", 0, c, "both");
  check (tree, "/d/x/y", 0, a, "x/y");

  g_assert_cmpint (reeve_resource_tree_detach (tree, id), ==, 0);
  g_assert_cmpint (reeve_resource_tree_detach (tree, id), ==, ENOENT);
}

static void
test_opaque (void)
{
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  Provider outer = { "outer", "sub/deep" };
  ReeveResourceNode *a = NULL;
  ReeveResourceNode *b = NULL;
  uint64_t id = 0;

  attach (tree, "/d", DIRECTORY, &outer, &a);
  id = attach (tree, "/d/sub", DIRECTORY, &two, &b);
  check (tree, "/d/sub/deep", 0, a, "sub/deep");

  reeve_resource_tree_detach (tree, id);
  attach (tree, "/d/sub", DIRECTORY | REEVE_RESOURCE_ATTACH_OPAQUE, &two, &b);
  check (tree, "/d/sub/deep", ENOENT, NULL, NULL);
}

static void
test_links (void)
{
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  g_autoptr (ReeveResourceNode) link = NULL;
  g_autofree char *rest = NULL;
  ReeveResourceNode *a = NULL;

  attach (tree, "/d/real", DIRECTORY, &one, &a);
  attach_link (tree, "/d/cur", "real");
  attach_link (tree, "/abs", "/d/cur");
  attach_link (tree, "/loop", "loop");
  attach_link (tree, "/gone", "nowhere");

  check (tree, "/d/cur/x/y", 0, a, "x/y");
  check (tree, "/abs/both", 0, a, "both");
  check (tree, "/loop", ELOOP, NULL, NULL);
  check (tree, "/gone", ENOENT, NULL, NULL);
  g_assert_cmpint (
      reeve_resource_tree_resolve (tree, "/abs", FALSE, &link, &rest), ==, 0);
  g_assert_cmpstr (reeve_resource_node_get_target (link), ==, "/d/cur");
}

static void
test_ten_thousand (void)
{
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  g_autofree uint64_t *ids = g_new0 (uint64_t, 10000);
  g_autofree ReeveResourceNode **nodes = g_new0 (ReeveResourceNode *, 10000);

  for (int i = 0; i < 10000; i++) {
    g_autofree char *path = g_strdup_printf ("/m/%d/state", i);

    ids[i] = attach (tree, path, 0, &one, &nodes[i]);
  }
  for (int i = 0; i < 10000; i += 2)
    g_assert_cmpint (reeve_resource_tree_detach (tree, ids[i]), ==, 0);
  for (int i = 0; i < 10000; i++) {
    g_autofree char *path = g_strdup_printf ("/m/%d/state", i);

    if (i % 2 == 0)
      check (tree, path, ENOENT, NULL, NULL);
    else
      check (tree, path, 0, nodes[i], "");
  }
  for (int i = 1; i < 10000; i += 2)
    g_assert_cmpint (reeve_resource_tree_detach (tree, ids[i]), ==, 0);
  check (tree, "/m", ENOENT, NULL, NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/resource/tree/longest-prefix", test_longest_prefix);
  g_test_add_func ("/resource/tree/union-and-order", test_union_and_order);
  g_test_add_func ("/resource/tree/opaque", test_opaque);
  g_test_add_func ("/resource/tree/links", test_links);
  g_test_add_func ("/resource/tree/ten-thousand", test_ten_thousand);
  return g_test_run ();
}
