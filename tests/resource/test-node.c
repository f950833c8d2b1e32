/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/node.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static const ReeveResourceCaller root = { 0, 0, NULL, 0 };
static const gid_t groups[] = { 7, 200 };

/* A node of user 100 and group 200. */
static ReeveResourceNode *
new_node (mode_t mode)
{
  ReeveResourceNode *node = reeve_resource_node_new (mode, NULL, NULL, NULL);

  g_assert_cmpint (reeve_resource_node_chown (node, &root, 100, 200, 1), ==, 0);
  return node;
}

typedef struct {
  const char *name;
  mode_t mode;
  ReeveResourceCaller caller;
  int want;
  int result;
} AccessCase;

static const AccessCase access_cases[] = {
  { "owner-reads", 0600, { 100, 1, NULL, 0 }, R_OK | W_OK, 0 },
  { "owner-by-owners-bits-alone", 0066, { 100, 200, NULL, 0 }, R_OK, EACCES },
  { "group-reads", 0640, { 1, 200, NULL, 0 }, R_OK, 0 },
  { "further-group-reads", 0640, { 1, 1, groups, 2 }, R_OK, 0 },
  { "further-group-writes-not", 0640, { 1, 1, groups, 2 }, W_OK, EACCES },
  { "group-by-groups-bits-alone", 0606, { 1, 200, NULL, 0 }, R_OK, EACCES },
  { "other-reads-not", 0640, { 1, 1, groups, 1 }, R_OK, EACCES },
  { "other-reads", 0644, { 1, 1, NULL, 0 }, R_OK, 0 },
  { "root-reads-and-writes", 0000, { 0, 0, NULL, 0 }, R_OK | W_OK, 0 },
  { "root-executes-no-plain-file", 0666, { 0, 0, NULL, 0 }, X_OK, EACCES },
  { "root-enters-any-directory", S_IFDIR, { 0, 0, NULL, 0 }, X_OK, 0 },
};

static void
test_access (gconstpointer data)
{
  const AccessCase *c = data;
  g_autoptr (ReeveResourceNode) node = new_node (c->mode);

  g_assert_cmpint (reeve_resource_node_check_access (node, &c->caller, c->want),
                   ==, c->result);
}

static gboolean
only_reads (ReeveResourceNode *node,
            const ReeveResourceCaller *caller,
            int want,
            gpointer data)
{
  g_assert_true (caller->uid == 0 || caller->is_foreign);
  return want == R_OK;
}

static void
test_guard (void)
{
  g_autoptr (ReeveResourceNode) node = new_node (0600);
  const ReeveResourceCaller other = { 1, 1, NULL, 0 };

  reeve_resource_node_set_guard (node, only_reads, NULL);
  g_assert_cmpint (reeve_resource_node_check_access (node, &root, R_OK), ==, 0);
  g_assert_cmpint (reeve_resource_node_check_access (node, &root, W_OK), ==,
                   EACCES);
  /* It is not asked about whom the mode keeps out. */
  g_assert_cmpint (reeve_resource_node_check_access (node, &other, R_OK), ==,
                   EACCES);
}

static void
test_guard_judges_foreigners (void)
{
  g_autoptr (ReeveResourceNode) node = new_node (0600);
  const ReeveResourceCaller foreigner = { .uid = 1,
                                          .gid = 1,
                                          .is_foreign = TRUE };

  /* By the mode, where nobody knows better. */
  g_assert_cmpint (reeve_resource_node_check_access (node, &foreigner, R_OK),
                   ==, EACCES);
  reeve_resource_node_set_guard (node, only_reads, NULL);
  g_assert_cmpint (reeve_resource_node_check_access (node, &foreigner, R_OK),
                   ==, 0);
  g_assert_cmpint (reeve_resource_node_check_access (node, &foreigner, W_OK),
                   ==, EACCES);
}

static void
test_chmod (void)
{
  g_autoptr (ReeveResourceNode) node = new_node (S_IFDIR | 0755);
  const ReeveResourceAttr *attr = reeve_resource_node_get_attr (node);
  const ReeveResourceCaller other = { 1, 200, NULL, 0 };
  const ReeveResourceCaller owner = { 100, 1, NULL, 0 };
  int64_t mtime_us = attr->mtime_us;

  g_assert_cmpint (reeve_resource_node_chmod (node, &other, 0777, 5), ==,
                   EPERM);
  g_assert_cmpint (attr->mode, ==, S_IFDIR | 0755);
  g_assert_cmpint (reeve_resource_node_chmod (node, &owner, S_IFREG | 0700, 6),
                   ==, 0);
  g_assert_cmpint (attr->mode, ==, S_IFDIR | 0700);
  g_assert_cmpint (attr->ctime_us, ==, 6);
  g_assert_cmpint (attr->mtime_us, ==, mtime_us);
}

static void
test_chown (void)
{
  g_autoptr (ReeveResourceNode) node = new_node (S_ISUID | 0755);
  const ReeveResourceAttr *attr = reeve_resource_node_get_attr (node);
  const ReeveResourceCaller owner = { 100, 200, groups, 2 };
  const gid_t same = (gid_t) -1;

  g_assert_cmpint (reeve_resource_node_chown (node, &owner, 1, same, 2), ==,
                   EPERM);
  g_assert_cmpint (reeve_resource_node_chown (node, &owner, (uid_t) -1, 8, 2),
                   ==, EPERM);
  g_assert_cmpint (attr->gid, ==, 200);
  g_assert_cmpint (reeve_resource_node_chown (node, &owner, (uid_t) -1, 7, 2),
                   ==, 0);
  g_assert_cmpint (attr->uid, ==, 100);
  g_assert_cmpint (attr->gid, ==, 7);
  g_assert_cmpint (attr->mode & S_ISUID, ==, 0);
}

static void
count (gpointer data)
{
  (*(int *) data)++;
}

static void
test_frees_data_once (void)
{
  int n_freed = 0;
  ReeveResourceNode *node =
      reeve_resource_node_new (0644, NULL, &n_freed, count);

  reeve_resource_node_unref (reeve_resource_node_ref (node));
  g_assert_cmpint (n_freed, ==, 0);
  reeve_resource_node_unref (node);
  g_assert_cmpint (n_freed, ==, 1);
}

static void
test_times (void)
{
  g_autoptr (ReeveResourceNode) node = new_node (0644);
  const ReeveResourceAttr *attr = reeve_resource_node_get_attr (node);
  const ReeveResourceCaller other = { 1, 200, NULL, 0 };

  reeve_resource_node_note_change (node, 10);
  reeve_resource_node_note_read (node, 11);
  g_assert_cmpint (attr->mtime_us, ==, 10);
  g_assert_cmpint (attr->ctime_us, ==, 10);
  g_assert_cmpint (attr->atime_us, ==, 11);
  g_assert_cmpint (reeve_resource_node_set_times (node, &root, -1, 0, 12), ==,
                   0);
  g_assert_cmpint (attr->atime_us, ==, 11);
  g_assert_cmpint (attr->mtime_us, ==, 0);
  g_assert_cmpint (attr->ctime_us, ==, 12);
  g_assert_cmpint (reeve_resource_node_set_times (node, &other, 1, 1, 13), ==,
                   EPERM);
}

typedef struct {
  ReeveResourceWatch *first;
  ReeveResourceWatch *second;
  int n_calls;
} Watched;

/* Frees both watches: the second one's function must not come any more. */
static void
free_both (ReeveResourceNode *node, gpointer data)
{
  Watched *self = data;

  self->n_calls++;
  g_clear_pointer (&self->first, reeve_resource_watch_free);
  g_clear_pointer (&self->second, reeve_resource_watch_free);
}

static void
test_watches (void)
{
  ReeveResourceNode *node = new_node (0644);
  Watched watched = { NULL, NULL, 0 };

  reeve_resource_node_notify (node);
  g_assert_cmpuint (reeve_resource_node_get_version (node), ==, 1);
  watched.first = reeve_resource_watch_new (node, free_both, &watched);
  watched.second = reeve_resource_watch_new (node, free_both, &watched);
  reeve_resource_node_notify (node);
  reeve_resource_node_notify (node);
  g_assert_cmpint (watched.n_calls, ==, 1);

  /* A watch keeps its node. */
  watched.first = reeve_resource_watch_new (node, free_both, &watched);
  reeve_resource_node_unref (node);
  reeve_resource_node_notify (node);
  g_assert_cmpint (watched.n_calls, ==, 2);
}

static void
test_defaults (void)
{
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_node_new (0644, NULL, NULL, NULL);

  g_assert_true (S_ISREG (reeve_resource_node_get_attr (node)->mode));
  g_assert_false (reeve_resource_node_is_directory (node));
  g_assert_cmpint (reeve_resource_node_get_size (node), ==, 0);
  g_assert_cmpint (reeve_resource_node_truncate (node, 0), ==, 0);
  g_assert_null (reeve_resource_node_get_target (node));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (access_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/resource/node/access/%s", access_cases[i].name);

    g_test_add_data_func (path, &access_cases[i], test_access);
  }
  g_test_add_func ("/resource/node/guard", test_guard);
  g_test_add_func ("/resource/node/guard-judges-foreigners",
                   test_guard_judges_foreigners);
  g_test_add_func ("/resource/node/chmod", test_chmod);
  g_test_add_func ("/resource/node/chown", test_chown);
  g_test_add_func ("/resource/node/frees-data-once", test_frees_data_once);
  g_test_add_func ("/resource/node/times", test_times);
  g_test_add_func ("/resource/node/watches", test_watches);
  g_test_add_func ("/resource/node/defaults", test_defaults);
  return g_test_run ();
}
