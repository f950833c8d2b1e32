/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/tree.h"

#include "scratch.h"

#include <errno.h>
#include <sys/stat.h>

/*
 * The tree has a directory "d" in which one may make things, with a file "f", a
 * directory "dir" with "x" in it, and a link "link" to that; "closed", a place
 * of the same kind in which root alone may; "other", another one; and "fixed".
 */

static const ReeveResourceCaller root = { 0, 0, NULL, 0 };
static const ReeveResourceCaller user = { 1000, 1000, NULL, 0 };

typedef enum { MAKE_FILE, MAKE_DIR, REMOVE, REMOVE_DIR, RENAME } What;

typedef struct {
  const char *name;
  What what;
  const char *path;
  const char *to;
  int result;
} Case;

static const Case cases[] = {
  { "make/file", MAKE_FILE, "/d/new", NULL, 0 },
  { "make/directory", MAKE_DIR, "/d/new/", NULL, 0 },
  { "make/deeper", MAKE_FILE, "/d/dir/new", NULL, 0 },
  { "make/through-a-link", MAKE_FILE, "/d/link/new", NULL, 0 },
  { "make/by-dots", MAKE_FILE, "/d/dir/../new", NULL, 0 },
  { "make/what-is-there", MAKE_FILE, "/d/f", NULL, EEXIST },
  { "make/directory-that-is-there", MAKE_DIR, "/d/dir", NULL, EEXIST },
  { "make/where-nothing-is", MAKE_FILE, "/d/none/new", NULL, ENOENT },
  { "make/below-a-file", MAKE_FILE, "/d/f/new", NULL, ENOTDIR },
  { "make/without-permission", MAKE_FILE, "/closed/new", NULL, EACCES },
  { "make/where-the-daemon-alone-does", MAKE_FILE, "/fixed/new", NULL, EPERM },
  { "make/as-the-provider-says", MAKE_FILE, "/d/full", NULL, ENOSPC },
  { "make/dots", MAKE_DIR, "/d/..", NULL, EBUSY },
  { "make/root", MAKE_DIR, "/", NULL, EBUSY },
  { "remove/file", REMOVE, "/d/f", NULL, 0 },
  { "remove/link", REMOVE, "/d/link", NULL, 0 },
  { "remove/directory", REMOVE_DIR, "/d/empty", NULL, 0 },
  { "remove/directory-that-is-not-empty", REMOVE_DIR, "/d/dir", NULL,
    ENOTEMPTY },
  { "remove/directory-as-a-file", REMOVE, "/d/empty", NULL, EISDIR },
  { "remove/file-as-a-directory", REMOVE_DIR, "/d/f", NULL, ENOTDIR },
  { "remove/nothing", REMOVE, "/d/none", NULL, ENOENT },
  { "remove/without-permission", REMOVE, "/closed/f", NULL, EACCES },
  { "remove/what-the-daemon-attached", REMOVE_DIR, "/fixed/sub", NULL, EPERM },
  { "remove/a-provider", REMOVE_DIR, "/other", NULL, EACCES },
  { "rename/file", RENAME, "/d/f", "/d/g", 0 },
  { "rename/to-itself", RENAME, "/d/f", "/d/f", 0 },
  { "rename/over-a-file", RENAME, "/d/dir/x", "/d/f", 0 },
  { "rename/directory", RENAME, "/d/dir", "/d/other", 0 },
  { "rename/over-a-directory", RENAME, "/d/dir", "/d/empty", EEXIST },
  { "rename/file-over-a-directory", RENAME, "/d/f", "/d/dir", EISDIR },
  { "rename/directory-over-a-file", RENAME, "/d/dir", "/d/f", ENOTDIR },
  { "rename/below-itself", RENAME, "/d/dir", "/d/dir/new", EINVAL },
  { "rename/to-another-provider", RENAME, "/d/f", "/other/f", EXDEV },
  { "rename/nothing", RENAME, "/d/none", "/d/new", ENOENT },
  { "rename/without-permission", RENAME, "/d/f", "/closed/new", EACCES },
};

static void
attach (ReeveResourceTree *tree, const char *path, ReeveResourceNode *node)
{
  g_assert_cmpint (reeve_resource_tree_attach (
                       tree, path, REEVE_RESOURCE_ATTACH_DIRECTORY, node, NULL),
                   ==, 0);
  reeve_resource_node_unref (node);
}

static void
make (ReeveResourceTree *tree,
      const char *path,
      mode_t mode,
      const char *target)
{
  g_assert_cmpint (reeve_resource_tree_make (tree, path, mode, target, &root),
                   ==, 0);
}

static ReeveResourceTree *
tree_new (void)
{
  ReeveResourceTree *tree = reeve_resource_tree_new ();

  attach (tree, "/d", scratch_new (0777));
  attach (tree, "/closed", scratch_new (0755));
  attach (tree, "/other", scratch_new (0777));
  attach (tree, "/fixed", reeve_resource_node_new_directory (0777));
  attach (tree, "/fixed/sub", reeve_resource_node_new_directory (0777));
  make (tree, "/d/f", S_IFREG | 0644, NULL);
  make (tree, "/d/dir", S_IFDIR | 0777, NULL);
  make (tree, "/d/empty", S_IFDIR | 0777, NULL);
  make (tree, "/d/dir/x", S_IFREG | 0644, NULL);
  make (tree, "/d/link", S_IFLNK | 0777, "dir");
  make (tree, "/closed/f", S_IFREG | 0644, NULL);
  return tree;
}

static int
change (ReeveResourceTree *tree, const Case *row)
{
  switch (row->what) {
  case MAKE_FILE:
    return reeve_resource_tree_make (tree, row->path, S_IFREG | 0640, NULL,
                                     &user);
  case MAKE_DIR:
    return reeve_resource_tree_make (tree, row->path, S_IFDIR | 0750, NULL,
                                     &user);
  case RENAME:
    return reeve_resource_tree_rename (tree, row->path, row->to, &user);
  default:
    return reeve_resource_tree_remove (tree, row->path, row->what == REMOVE_DIR,
                                       &user);
  }
}

static int
resolve (ReeveResourceTree *tree, const char *path)
{
  g_autoptr (ReeveResourceNode) node = NULL;

  return reeve_resource_tree_resolve (tree, path, NULL, FALSE, &node);
}

static void
test_case (gconstpointer data)
{
  const Case *row = data;
  g_autoptr (ReeveResourceTree) tree = tree_new ();
  int before = resolve (tree, row->path);

  g_assert_cmpint (change (tree, row), ==, row->result);
  if (row->result != 0) {
    g_assert_cmpint (resolve (tree, row->path), ==, before);
    return;
  }
  if (row->what == MAKE_FILE || row->what == MAKE_DIR)
    g_assert_cmpint (resolve (tree, row->path), ==, 0);
  else if (row->to == NULL || !g_str_equal (row->to, row->path))
    g_assert_cmpint (resolve (tree, row->path), ==, ENOENT);
  if (row->to != NULL)
    g_assert_cmpint (resolve (tree, row->to), ==, 0);
}

/* What is made is the client's; what is below a directory goes with it. */
static void
test_made (void)
{
  g_autoptr (ReeveResourceTree) tree = tree_new ();
  g_autoptr (ReeveResourceNode) node = NULL;
  const ReeveResourceAttr *attr = NULL;

  g_assert_cmpint (reeve_resource_tree_make (tree, "/d/dir/mine",
                                             S_IFREG | 0640, NULL, &user),
                   ==, 0);
  g_assert_cmpint (
      reeve_resource_tree_rename (tree, "/d/dir", "/d/moved", &user), ==, 0);
  g_assert_cmpint (
      reeve_resource_tree_resolve (tree, "/d/moved/mine", NULL, FALSE, &node),
      ==, 0);
  attr = reeve_resource_node_get_attr (node);
  g_assert_cmpuint (attr->mode, ==, S_IFREG | 0640);
  g_assert_cmpuint (attr->uid, ==, user.uid);
  g_assert_cmpuint (attr->gid, ==, user.gid);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path =
        g_strconcat ("/resource/tree-edit/", cases[i].name, NULL);

    g_test_add_data_func (path, &cases[i], test_case);
  }
  g_test_add_func ("/resource/tree-edit/made/is-the-client's", test_made);
  return g_test_run ();
}
