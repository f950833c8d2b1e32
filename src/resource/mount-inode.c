/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/mount-private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void
inode_free (gpointer data)
{
  ReeveMountInode *self = data;

  reeve_resource_watch_free (self->watch);
  reeve_resource_node_unref (self->node);
  g_free (self->path);
  g_free (self);
}

/* (transfer none): a new one of @path. */
static ReeveMountInode *
add_inode (ReeveResourceMount *self, const char *path, ReeveResourceNode *node)
{
  ReeveMountInode *inode = g_new0 (ReeveMountInode, 1);

  inode->number = ++self->last_number;
  inode->path = g_strdup (path);
  inode->node = reeve_resource_node_ref (node);
  g_hash_table_insert (self->inodes, &inode->number, inode);
  g_hash_table_replace (self->by_path, inode->path, inode);
  if (self->teller != NULL)
    reeve_mount_tell_of (self->teller, inode);
  return inode;
}

void
reeve_mount_inodes_init (ReeveResourceMount *self)
{
  g_autoptr (ReeveResourceNode) root = NULL;
  int result;

  G_STATIC_ASSERT (FUSE_ROOT_ID == 1);
  self->inodes =
      g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, inode_free);
  self->by_path = g_hash_table_new (g_str_hash, g_str_equal);
  /* A tree always has a root. */
  result = reeve_resource_tree_resolve (self->tree, "/", NULL, FALSE, &root);
  g_assert (result == 0);
  add_inode (self, "", root);
}

void
reeve_mount_inodes_clear (ReeveResourceMount *self)
{
  g_clear_pointer (&self->by_path, g_hash_table_unref);
  g_clear_pointer (&self->inodes, g_hash_table_unref);
}

ReeveMountInode *
reeve_mount_get_inode (ReeveResourceMount *self, uint64_t number)
{
  return g_hash_table_lookup (self->inodes, &number);
}

/* Who asks is found out where it matters, as that takes a file of /proc. */
static gboolean
is_visible (ReeveResourceNode *node, fuse_req_t req)
{
  g_auto (ReeveMountCaller) caller = { 0 };

  if (!reeve_resource_node_can_hide (node))
    return TRUE;
  reeve_mount_caller_init (&caller, req);
  return reeve_resource_node_is_visible (node, &caller.caller);
}

int
reeve_mount_look_up (ReeveResourceMount *self,
                     fuse_req_t req,
                     const ReeveMountInode *parent,
                     const char *name,
                     ReeveMountInode **inode)
{
  g_autofree char *path = g_strdup_printf ("%s/%s", parent->path, name);
  g_autoptr (ReeveResourceNode) node = NULL;
  int result =
      reeve_resource_tree_resolve (self->tree, path, NULL, FALSE, &node);

  if (result == 0 && !is_visible (node, req))
    result = ENOENT;
  if (result != 0)
    return result;

  *inode = g_hash_table_lookup (self->by_path, path);
  if (*inode == NULL || (*inode)->node != node)
    *inode = add_inode (self, path, node);
  (*inode)->n_lookups++;
  return 0;
}

void
reeve_mount_forget (ReeveResourceMount *self,
                    uint64_t number,
                    uint64_t n_lookups)
{
  ReeveMountInode *inode = reeve_mount_get_inode (self, number);

  if (inode == NULL || number == FUSE_ROOT_ID)
    return;
  inode->n_lookups -= MIN (inode->n_lookups, n_lookups);
  if (inode->n_lookups > 0)
    return;
  if (g_hash_table_lookup (self->by_path, inode->path) == inode)
    g_hash_table_remove (self->by_path, inode->path);
  g_hash_table_remove (self->inodes, &inode->number);
}

uint64_t
reeve_mount_find_number (ReeveResourceMount *self,
                         const ReeveMountInode *parent,
                         const char *name)
{
  g_autofree char *path = g_strdup_printf ("%s/%s", parent->path, name);
  const ReeveMountInode *inode = g_hash_table_lookup (self->by_path, path);

  return inode == NULL ? 0 : inode->number;
}

char *
reeve_mount_dup_path (ReeveResourceMount *self,
                      uint64_t parent,
                      const char *name)
{
  return g_strdup_printf ("%s/%s", reeve_mount_get_inode (self, parent)->path,
                          name);
}

void
reeve_mount_move_inodes (ReeveResourceMount *self,
                         const char *path,
                         const char *to)
{
  size_t length = strlen (path);
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->inodes);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    ReeveMountInode *inode = value;
    char *moved = NULL;

    if (strncmp (inode->path, path, length) != 0 ||
        (inode->path[length] != '\0' && inode->path[length] != '/'))
      continue;
    moved = g_strconcat (to, inode->path + length, NULL);
    if (g_hash_table_lookup (self->by_path, inode->path) == inode) {
      g_hash_table_remove (self->by_path, inode->path);
      g_hash_table_replace (self->by_path, moved, inode);
    }
    g_free (inode->path);
    inode->path = moved;
  }
}

static struct timespec
to_timespec (int64_t time_us)
{
  const struct timespec time = {
    .tv_sec = time_us / G_USEC_PER_SEC,
    .tv_nsec = (time_us % G_USEC_PER_SEC) * 1000,
  };

  return time;
}

void
reeve_mount_fill_stat (const ReeveMountInode *inode, struct stat *st)
{
  const ReeveResourceAttr *attr = reeve_resource_node_get_attr (inode->node);

  *st = (struct stat){ 0 };
  st->st_ino = inode->number;
  st->st_mode = attr->mode;
  st->st_nlink = S_ISDIR (attr->mode) ? 2 : 1;
  st->st_uid = attr->uid;
  st->st_gid = attr->gid;
  st->st_size = (off_t) reeve_resource_node_get_size (inode->node);
  st->st_blocks = (st->st_size + 511) / 512;
  st->st_blksize = 4096;
  st->st_atim = to_timespec (attr->atime_us);
  st->st_mtim = to_timespec (attr->mtime_us);
  st->st_ctim = to_timespec (attr->ctime_us);
}
