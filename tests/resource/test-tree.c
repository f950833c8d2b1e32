/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/tree.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY REEVE_RESOURCE_ATTACH_DIRECTORY

/* A provider has one file, and the directories that lead to it; its name is
 * what the file's node has for data. */
typedef struct {
  const char *name;
  const char *path;
} Provider;

static Provider one = { "one", "x/y" };
static Provider two = { "two", "only-in-two" };

static ReeveResourceNode *
provider_find (ReeveResourceNode *node, const char *rest, gpointer data)
{
  const Provider *self = data;

  if (g_str_equal (rest, self->path) || g_str_equal (rest, "both"))
    return reeve_resource_node_new (0644, NULL, (gpointer) self->name, NULL);
  if (g_str_has_prefix (self->path, rest) && self->path[strlen (rest)] == '/')
    return reeve_resource_node_new (S_IFDIR | 0755, NULL, (gpointer) self->name,
                                    NULL);
  return NULL;
}

static void
provider_list (ReeveResourceNode *node,
               const char *rest,
               ReeveResourceListing *listing,
               gpointer data)
{
  const Provider *self = data;
  g_auto (GStrv) parts = g_strsplit (self->path, "/", 2);

  if (*rest == '\0') {
    reeve_resource_listing_add (listing, "both", S_IFREG);
    reeve_resource_listing_add (listing, "no/name", S_IFREG);
    reeve_resource_listing_add (listing, "..", S_IFDIR);
    reeve_resource_listing_add (listing, parts[0],
                                parts[1] == NULL ? S_IFREG : S_IFDIR);
  } else if (g_str_equal (rest, parts[0])) {
    reeve_resource_listing_add (listing, parts[1], S_IFREG);
  }
}

static const ReeveResourceOps provider_ops = {
  .find = provider_find,
  .list = provider_list,
};

static uint64_t
attach (ReeveResourceTree *tree,
        const char *path,
        ReeveResourceAttachFlags flags,
        Provider *provider)
{
  uint64_t id = 0;
  mode_t mode = (flags & DIRECTORY) != 0 ? S_IFDIR | 0755 : 0644;
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_node_new (mode, &provider_ops, provider, NULL);

  g_assert_cmpint (reeve_resource_tree_attach (tree, path, flags, node, &id),
                   ==, 0);
  return id;
}

static void
attach_link (ReeveResourceTree *tree, const char *path, const char *target)
{
  g_autoptr (ReeveResourceNode) node = reeve_resource_node_new_symlink (target);

  g_assert_cmpint (reeve_resource_tree_attach (tree, path, 0, node, NULL), ==,
                   0);
}

/* That @path leads to a file of @expected. */
static void
check (ReeveResourceTree *tree, const char *path, const char *expected)
{
  g_autoptr (ReeveResourceNode) node = NULL;

  g_assert_cmpint (reeve_resource_tree_resolve (tree, path, NULL, TRUE, &node),
                   ==, 0);
  g_assert_cmpstr (reeve_resource_node_get_data (node), ==, expected);
}

static void
check_fails (ReeveResourceTree *tree, const char *path, int result)
{
  g_autoptr (ReeveResourceNode) node = NULL;

  g_assert_cmpint (reeve_resource_tree_resolve (tree, path, NULL, TRUE, &node),
                   ==, result);
  g_assert_null (node);
}

/* @expected: names with a space behind each, a slash behind directories and an
 * @ behind links. */
static void
check_list (ReeveResourceTree *tree, const char *path, const char *expected)
{
  g_autoptr (GPtrArray) entries = NULL;
  g_autoptr (GString) names = g_string_new (NULL);

  g_assert_cmpint (reeve_resource_tree_list (tree, path, NULL, &entries), ==,
                   0);
  for (unsigned i = 0; i < entries->len; i++) {
    const ReeveResourceEntry *entry = entries->pdata[i];

    g_string_append_printf (names, "%s%s ", entry->name,
                            S_ISDIR (entry->type)   ? "/"
                            : S_ISLNK (entry->type) ? "@"
                                                    : "");
  }
  g_assert_cmpstr (names->str, ==, expected);
}

static void
test_longest_prefix (void)
{
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  g_autoptr (ReeveResourceNode) file =
      reeve_resource_node_new (0644, NULL, (gpointer) "file", NULL);
  g_autoptr (ReeveResourceNode) root = NULL;

  attach (tree, "/d", DIRECTORY, &one);
  attach (tree, "/d/sub", DIRECTORY, &two);
  reeve_resource_tree_attach (tree, "/name", 0, file, NULL);

  check (tree, "/d/x/y", "one");
  check (tree, "//d/./sub/../sub/both", "two");
  check (tree, "/../d/both", "one");
  check (tree, "/name", "file");
  check_fails (tree, "/d/sub/none", ENOENT);
  check_fails (tree, "/d2", ENOENT);
  check_fails (tree, "/name/x/y", ENOTDIR);
  check_fails (tree, "/d/x/y/z", ENOTDIR);
  g_assert_cmpint (reeve_resource_tree_resolve (tree, "/", NULL, TRUE, &root),
                   ==, 0);
  g_assert_true (reeve_resource_node_is_directory (root));
}

static void
test_union_and_order (void)
{
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  Provider three = { "three", "deep/er" };
  uint64_t id = 0;

  attach (tree, "/d", DIRECTORY, &one);
  id = attach (tree, "/d", DIRECTORY | REEVE_RESOURCE_ATTACH_AFTER, &two);
  check (tree, "/d/both", "one");
  check (tree, "/d/only-in-two", "two");
  check_list (tree, "/d", "both only-in-two x/ ");

  attach (tree, "/d", DIRECTORY | REEVE_RESOURCE_ATTACH_BEFORE, &three);
  attach (tree, "/d", DIRECTORY, &one);
  check (tree, "/d/both", "three");
  check (tree, "/d/x/y", "one");

  g_assert_cmpint (reeve_resource_tree_detach (tree, id), ==, 0);
  g_assert_cmpint (reeve_resource_tree_detach (tree, id), ==, ENOENT);
  check_fails (tree, "/d/only-in-two", ENOENT);
  check_list (tree, "/d", "both deep/ x/ ");
}

static void
test_opaque (void)
{
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  Provider outer = { "outer", "sub/deep" };
  uint64_t id = 0;

  attach (tree, "/d", DIRECTORY, &outer);
  id = attach (tree, "/d/sub", DIRECTORY, &two);
  check (tree, "/d/sub/deep", "outer");
  check_list (tree, "/d/sub", "both deep only-in-two ");

  reeve_resource_tree_detach (tree, id);
  attach (tree, "/d/sub", DIRECTORY | REEVE_RESOURCE_ATTACH_OPAQUE, &two);
  check_fails (tree, "/d/sub/deep", ENOENT);
  check_list (tree, "/d/sub", "both only-in-two ");
}

static void
test_links (void)
{
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  g_autoptr (ReeveResourceNode) link = NULL;

  attach (tree, "/d/real", DIRECTORY, &one);
  attach_link (tree, "/d/cur", "real");
  attach_link (tree, "/abs", "/d/cur");
  attach_link (tree, "/loop", "loop");
  attach_link (tree, "/gone", "nowhere");

  check (tree, "/d/cur/x/y", "one");
  check (tree, "/abs/both", "one");
  check_list (tree, "/abs", "both x/ ");
  check_list (tree, "/", "abs@ d/ gone@ loop@ ");
  check_fails (tree, "/loop", ELOOP);
  check_fails (tree, "/gone", ENOENT);
  g_assert_cmpint (
      reeve_resource_tree_resolve (tree, "/abs", NULL, FALSE, &link), ==, 0);
  g_assert_cmpstr (reeve_resource_node_get_target (link), ==, "/d/cur");
}

static void
test_bounds (void)
{
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  g_autoptr (ReeveResourceNode) node = reeve_resource_node_new_directory (0755);
  g_autofree char *name = g_strnfill (REEVE_RESOURCE_NAME_MAX, 'n');
  g_autofree char *long_name = g_strnfill (REEVE_RESOURCE_NAME_MAX + 1, 'n');
  g_autofree char *slashes = g_strnfill (REEVE_RESOURCE_PATH_MAX, '/');
  g_autofree char *long_slashes = g_strnfill (REEVE_RESOURCE_PATH_MAX + 1, '/');
  GString *deep = g_string_new (NULL);

  for (int i = 0; i < REEVE_RESOURCE_DEPTH_MAX; i++)
    g_string_append (deep, "/d");
  g_assert_cmpint (reeve_resource_tree_attach (tree, name, 0, node, NULL), ==,
                   0);
  g_assert_cmpint (reeve_resource_tree_attach (tree, long_name, 0, node, NULL),
                   ==, ENAMETOOLONG);
  g_assert_cmpint (reeve_resource_tree_attach (tree, deep->str, 0, node, NULL),
                   ==, 0);
  check (tree, slashes, NULL);
  check (tree, deep->str, NULL);
  check_fails (tree, long_slashes, ENAMETOOLONG);
  g_string_append (deep, "/d");
  check_fails (tree, deep->str, ENAMETOOLONG);
  /* A link cannot lead around them. */
  attach_link (tree, "/far", deep->str);
  check_fails (tree, "/far", ENAMETOOLONG);
  g_string_free (deep, TRUE);
}

static void
test_walk_asks_directories (void)
{
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  g_autoptr (ReeveResourceNode) node = reeve_resource_node_new_directory (0710);
  g_autoptr (ReeveResourceNode) found = NULL;
  g_autoptr (GPtrArray) entries = NULL;
  const ReeveResourceCaller group = { 1, getegid (), NULL, 0 };
  const ReeveResourceCaller other = { 1, getegid () + 1, NULL, 0 };

  reeve_resource_tree_attach (tree, "/d", 0, node, NULL);
  attach (tree, "/d/f", 0, &one);
  g_assert_cmpint (
      reeve_resource_tree_resolve (tree, "/d/f", &group, TRUE, &found), ==, 0);
  g_assert_cmpint (reeve_resource_tree_list (tree, "/d", &group, &entries), ==,
                   EACCES);
  g_clear_pointer (&found, reeve_resource_node_unref);
  g_assert_cmpint (
      reeve_resource_tree_resolve (tree, "/d/f", &other, TRUE, &found), ==,
      EACCES);
}

static gboolean
is_root (ReeveResourceNode *node,
         const ReeveResourceCaller *caller,
         gpointer data)
{
  return caller->uid == 0;
}

static void
test_hidden_names (void)
{
  static const char *const below[] = { "/d/hidden", "/d/hidden/x",
                                       "/d/hidden/none", "/d/none" };
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  g_autoptr (ReeveResourceNode) hidden =
      reeve_resource_node_new_directory (0755);
  g_autoptr (ReeveResourceNode) found = NULL;
  const ReeveResourceCaller root = { 0 };
  const ReeveResourceCaller other = { .uid = 1, .gid = 1 };
  g_autoptr (GPtrArray) all = NULL;
  g_autoptr (GPtrArray) some = NULL;

  reeve_resource_node_set_sight (hidden, is_root, NULL);
  reeve_resource_tree_attach (tree, "/d/hidden", 0, hidden, NULL);
  attach (tree, "/d/hidden/x", 0, &one);
  attach (tree, "/d/seen", 0, &one);
  for (size_t i = 0; i < G_N_ELEMENTS (below); i++) {
    g_autoptr (ReeveResourceNode) node = NULL;

    g_assert_cmpint (
        reeve_resource_tree_resolve (tree, below[i], &other, TRUE, &node), ==,
        ENOENT);
  }
  g_assert_cmpint (
      reeve_resource_tree_resolve (tree, "/d/hidden/x", &root, TRUE, &found),
      ==, 0);

  reeve_resource_tree_list (tree, "/d", &root, &all);
  reeve_resource_tree_list (tree, "/d", &other, &some);
  g_assert_cmpuint (all->len, ==, 2);
  g_assert_cmpuint (some->len, ==, 1);
  g_assert_cmpstr (((ReeveResourceEntry *) some->pdata[0])->name, ==, "seen");

  /* What is above it has no rules, and is what there is for the other. */
  g_assert_true (reeve_resource_tree_is_guarded (tree, "/d/hidden", &root));
  g_assert_false (reeve_resource_tree_is_guarded (tree, "/d/hidden", &other));
  g_assert_false (reeve_resource_tree_is_guarded (tree, "/d/seen", &root));
}

/* Pieces of a list that changes between them: what is there all the time is
 * seen exactly once. */
static void
test_list_in_pieces (gconstpointer data)
{
  gboolean has_provider = GPOINTER_TO_INT (data);
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  g_autoptr (GHashTable) seen =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  uint64_t ids[2000];
  g_autofree char *last = NULL;
  gboolean more = TRUE;

  if (has_provider)
    attach (tree, "/d", REEVE_RESOURCE_ATTACH_DIRECTORY, &one);
  for (int i = 0; i < 1000; i++) {
    g_autofree char *path = g_strdup_printf ("/d/%03d", i);

    ids[i] = attach (tree, path, 0, &one);
  }
  for (int piece = 0; more; piece++) {
    g_autoptr (GPtrArray) entries = NULL;
    g_autofree char *path = g_strdup_printf ("/d/%03d-new", piece % 1000);

    g_assert_cmpint (reeve_resource_tree_list_after (tree, "/d", NULL, last, 7,
                                                     &entries, &more),
                     ==, 0);
    /* A provider's names come all at once. */
    g_assert_true (has_provider ? !more : entries->len <= 7);
    more |= entries->len > 7;
    for (unsigned i = 0; i < MIN (7, entries->len); i++) {
      const ReeveResourceEntry *entry = entries->pdata[i];

      g_assert_true (g_hash_table_add (seen, g_strdup (entry->name)));
      g_free (last);
      last = g_strdup (entry->name);
    }
    /* Each odd one goes at some time. */
    if (piece < 500)
      reeve_resource_tree_detach (tree, ids[(piece * 7 % 500) * 2 + 1]);
    attach (tree, path, 0, &one);
  }
  for (int i = 0; i < 1000; i += 2) {
    g_autofree char *name = g_strdup_printf ("%03d", i);

    g_assert_true (g_hash_table_contains (seen, name));
  }
  g_assert_true (g_hash_table_contains (seen, "both") == has_provider);
}

static void
test_ten_thousand (void)
{
  g_autoptr (ReeveResourceTree) tree = reeve_resource_tree_new ();
  g_autofree uint64_t *ids = g_new0 (uint64_t, 10000);

  for (int i = 0; i < 10000; i++) {
    g_autofree char *path = g_strdup_printf ("/m/%d/state", i);

    ids[i] = attach (tree, path, 0, i % 3 == 0 ? &one : &two);
  }
  for (int i = 0; i < 10000; i += 2)
    g_assert_cmpint (reeve_resource_tree_detach (tree, ids[i]), ==, 0);
  for (int i = 0; i < 10000; i++) {
    g_autofree char *path = g_strdup_printf ("/m/%d/state", i);
    g_autoptr (ReeveResourceNode) node = NULL;

    if (i % 2 == 0) {
      check_fails (tree, path, ENOENT);
      continue;
    }
    g_assert_cmpint (
        reeve_resource_tree_resolve (tree, path, NULL, TRUE, &node), ==, 0);
    g_assert_true (reeve_resource_node_get_data (node) ==
                   (i % 3 == 0 ? &one : &two));
  }
  for (int i = 1; i < 10000; i += 2)
    g_assert_cmpint (reeve_resource_tree_detach (tree, ids[i]), ==, 0);
  check_fails (tree, "/m", ENOENT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/resource/tree/longest-prefix", test_longest_prefix);
  g_test_add_func ("/resource/tree/union-and-order", test_union_and_order);
  g_test_add_func ("/resource/tree/opaque", test_opaque);
  g_test_add_func ("/resource/tree/links", test_links);
  g_test_add_func ("/resource/tree/bounds", test_bounds);
  g_test_add_func ("/resource/tree/walk-asks-directories",
                   test_walk_asks_directories);
  g_test_add_func ("/resource/tree/hidden-names", test_hidden_names);
  g_test_add_data_func ("/resource/tree/list-in-pieces/of-names",
                        GINT_TO_POINTER (FALSE), test_list_in_pieces);
  g_test_add_data_func ("/resource/tree/list-in-pieces/with-a-provider",
                        GINT_TO_POINTER (TRUE), test_list_in_pieces);
  g_test_add_func ("/resource/tree/ten-thousand", test_ten_thousand);
  return g_test_run ();
}
