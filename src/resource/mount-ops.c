/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/mount-private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What tells the type of a node, for those who ask for attributes. */
#define TYPE_NAME "user.type"

/* ----------------------------------------------------------- attributes --- */

static void
op_lookup (fuse_req_t req, fuse_ino_t parent, const char *name)
{
  ReeveResourceMount *mount = fuse_req_userdata (req);
  struct fuse_entry_param entry = { 0 };
  ReeveMountInode *inode = NULL;
  int result = reeve_mount_look_up (
      mount, req, reeve_mount_get_inode (mount, parent), name, &inode);

  if (result != 0) {
    fuse_reply_err (req, result);
    return;
  }
  entry.ino = inode->number;
  reeve_mount_fill_stat (inode, &entry.attr);
  /* The look-up was interrupted: the kernel does not know what it found. */
  if (fuse_reply_entry (req, &entry) == -ENOENT)
    reeve_mount_forget (mount, inode->number, 1);
}

static void
op_forget (fuse_req_t req, fuse_ino_t number, uint64_t n_lookups)
{
  reeve_mount_forget (fuse_req_userdata (req), number, n_lookups);
  fuse_reply_none (req);
}

static void
op_forget_multi (fuse_req_t req, size_t n_forgets, struct fuse_forget_data *all)
{
  for (size_t i = 0; i < n_forgets; i++)
    reeve_mount_forget (fuse_req_userdata (req), all[i].ino, all[i].nlookup);
  fuse_reply_none (req);
}

static void
reply_attr (fuse_req_t req, const ReeveMountInode *inode)
{
  struct stat st;

  reeve_mount_fill_stat (inode, &st);
  fuse_reply_attr (req, &st, 0);
}

static void
op_getattr (fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
  reply_attr (req, reeve_mount_get_inode (fuse_req_userdata (req), number));
}

static int64_t
to_us (const struct timespec *time)
{
  return (int64_t) time->tv_sec * G_USEC_PER_SEC + time->tv_nsec / 1000;
}

static int
set_times (ReeveResourceNode *node,
           const ReeveResourceCaller *caller,
           const struct stat *st,
           int what,
           int64_t now_us)
{
  int64_t atime_us = -1;
  int64_t mtime_us = -1;

  if ((what & FUSE_SET_ATTR_ATIME_NOW) != 0)
    atime_us = now_us;
  else if ((what & FUSE_SET_ATTR_ATIME) != 0)
    atime_us = to_us (&st->st_atim);
  if ((what & FUSE_SET_ATTR_MTIME_NOW) != 0)
    mtime_us = now_us;
  else if ((what & FUSE_SET_ATTR_MTIME) != 0)
    mtime_us = to_us (&st->st_mtim);
  return reeve_resource_node_set_times (node, caller, atime_us, mtime_us,
                                        now_us);
}

static int
set_attr (ReeveResourceNode *node,
          const ReeveResourceCaller *caller,
          const struct stat *st,
          int what,
          gboolean is_open)
{
  int64_t now_us = g_get_real_time ();
  int result = 0;

  if ((what & FUSE_SET_ATTR_MODE) != 0)
    result = reeve_resource_node_chmod (node, caller, st->st_mode, now_us);
  if (result == 0 && (what & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0)
    result = reeve_resource_node_chown (
        node, caller, (what & FUSE_SET_ATTR_UID) != 0 ? st->st_uid : (uid_t) -1,
        (what & FUSE_SET_ATTR_GID) != 0 ? st->st_gid : (gid_t) -1, now_us);
  if (result == 0 && (what & FUSE_SET_ATTR_SIZE) != 0) {
    if (!is_open)
      result = reeve_resource_node_check_access (node, caller, W_OK);
    if (result == 0)
      result = reeve_resource_node_truncate (node, (uint64_t) st->st_size);
  }
  if (result == 0 &&
      (what & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW |
               FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) != 0)
    result = set_times (node, caller, st, what, now_us);
  return result;
}

static void
op_setattr (fuse_req_t req,
            fuse_ino_t number,
            struct stat *st,
            int what,
            struct fuse_file_info *fi)
{
  ReeveMountInode *inode =
      reeve_mount_get_inode (fuse_req_userdata (req), number);
  g_auto (ReeveMountCaller) caller = { 0 };
  int result;

  reeve_mount_caller_init (&caller, req);
  result = set_attr (inode->node, &caller.caller, st, what, fi != NULL);
  if (result != 0)
    fuse_reply_err (req, result);
  else
    reply_attr (req, inode);
}

static void
op_readlink (fuse_req_t req, fuse_ino_t number)
{
  ReeveResourceMount *mount = fuse_req_userdata (req);
  const ReeveMountInode *inode = reeve_mount_get_inode (mount, number);
  const char *target = reeve_resource_node_get_target (inode->node);
  g_autofree char *absolute = NULL;

  if (target == NULL) {
    fuse_reply_err (req, EINVAL);
    return;
  }
  /* From the tree's root, which is below the mount point here. */
  if (*target == '/')
    absolute = g_strconcat (mount->path, target, NULL);
  fuse_reply_readlink (req, absolute != NULL ? absolute : target);
}

static const char *
get_type (ReeveResourceNode *node)
{
  const ReeveResourceOps *ops = reeve_resource_node_get_ops (node);

  if (reeve_resource_node_is_directory (node))
    return "directory";
  if (ops != NULL && ops->is_stream)
    return "stream";
  return ops != NULL && ops->get_size != NULL ? "log" : "text";
}

/* @size: 0 asks how much there is. */
static void
reply_xattr (fuse_req_t req, const char *bytes, size_t n_bytes, size_t size)
{
  if (size == 0)
    fuse_reply_xattr (req, n_bytes);
  else if (size < n_bytes)
    fuse_reply_err (req, ERANGE);
  else
    fuse_reply_buf (req, bytes, n_bytes);
}

static void
op_getxattr (fuse_req_t req, fuse_ino_t number, const char *name, size_t size)
{
  const ReeveMountInode *inode =
      reeve_mount_get_inode (fuse_req_userdata (req), number);
  const char *type = get_type (inode->node);

  if (g_str_equal (name, TYPE_NAME))
    reply_xattr (req, type, strlen (type), size);
  else
    fuse_reply_err (req, ENODATA);
}

static void
op_listxattr (fuse_req_t req, fuse_ino_t number, size_t size)
{
  reply_xattr (req, TYPE_NAME, sizeof TYPE_NAME, size);
}

static void
op_statfs (fuse_req_t req, fuse_ino_t number)
{
  const ReeveResourceMount *mount = fuse_req_userdata (req);
  const struct statvfs st = {
    .f_bsize = 4096,
    .f_frsize = 4096,
    .f_files = g_hash_table_size (mount->inodes),
    .f_namemax = REEVE_RESOURCE_NAME_MAX,
  };

  fuse_reply_statfs (req, &st);
}

/* ----------------------------------------------------------- directories -- */

/* As many names as are asked of the tree at once: a request must not keep the
 * loop from others for long. */
#define PAGE_ENTRIES 64

/* The names that were read so far, in their order. */
typedef struct {
  GPtrArray *entries; /* (element-type ReeveResourceEntry) (owned) (nullable) */
  gboolean more;      /* behind them */
  ReeveMountCaller opener; /* (owned): whose names they are */
} Directory;

static void
directory_free (Directory *self)
{
  g_clear_pointer (&self->entries, g_ptr_array_unref);
  reeve_mount_caller_clear (&self->opener);
  g_free (self);
}

static Directory *
get_directory (const struct fuse_file_info *fi)
{
  return (Directory *) (uintptr_t) fi->fh;
}

static void
op_opendir (fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
  const ReeveMountInode *inode =
      reeve_mount_get_inode (fuse_req_userdata (req), number);
  g_auto (ReeveMountCaller) caller = { 0 };
  Directory *self = NULL;
  int result;

  reeve_mount_caller_init (&caller, req);
  result = reeve_resource_node_check_access (inode->node, &caller.caller, R_OK);
  if (result != 0) {
    fuse_reply_err (req, result);
    return;
  }
  self = g_new0 (Directory, 1);
  self->opener = caller;
  caller.groups = NULL;
  fi->fh = (uintptr_t) self;
  if (fuse_reply_open (req, fi) == -ENOENT)
    directory_free (self);
}

static void
op_releasedir (fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
  directory_free (get_directory (fi));
  fuse_reply_err (req, 0);
}

/* Entry @at of a directory, whose first two are "." and ".."; NULL behind the
 * last one. */
static const char *
get_entry (ReeveResourceMount *mount,
           const ReeveMountInode *inode,
           const Directory *self,
           uint64_t at,
           struct stat *st)
{
  const ReeveResourceEntry *entry = NULL;

  st->st_ino = inode->number;
  st->st_mode = S_IFDIR;
  if (at < 2)
    return at == 0 ? "." : "..";
  if (at - 2 >= self->entries->len)
    return NULL;
  entry = self->entries->pdata[at - 2];
  st->st_mode = entry->type;
  /* It has a number once it was looked up; until then any but 0 will do. */
  st->st_ino = reeve_mount_find_number (mount, inode, entry->name);
  if (st->st_ino == 0)
    st->st_ino = G_MAXUINT32;
  return entry->name;
}

/* Reads from the begin, or on behind the last name. Returns: 0 or an errno. */
static int
read_page (Directory *self, ReeveResourceMount *mount, const char *path)
{
  g_autoptr (GPtrArray) page = NULL;
  const char *after = NULL;
  int result;

  if (self->entries != NULL && self->entries->len > 0)
    after =
        ((ReeveResourceEntry *) self->entries->pdata[self->entries->len - 1])
            ->name;
  result = reeve_resource_tree_list_after (
      mount->tree, *path == '\0' ? "/" : path, &self->opener.caller, after,
      PAGE_ENTRIES, &page, &self->more);
  if (result != 0)
    return result;
  if (self->entries == NULL)
    self->entries = g_steal_pointer (&page);
  else
    g_ptr_array_extend_and_steal (self->entries, g_steal_pointer (&page));
  return 0;
}

static void
op_readdir (fuse_req_t req,
            fuse_ino_t number,
            size_t size,
            off_t offset,
            struct fuse_file_info *fi)
{
  ReeveResourceMount *mount = fuse_req_userdata (req);
  const ReeveMountInode *inode = reeve_mount_get_inode (mount, number);
  Directory *self = get_directory (fi);
  g_autofree char *buffer = g_malloc (size);
  size_t used = 0;
  const char *name = NULL;
  struct stat st = { 0 };
  int result = 0;

  if (offset == 0)
    g_clear_pointer (&self->entries, g_ptr_array_unref);
  if (self->entries == NULL ||
      (self->more && (uint64_t) offset >= self->entries->len + 2))
    result = read_page (self, mount, inode->path);
  if (result != 0) {
    fuse_reply_err (req, result);
    return;
  }

  /* The kernel comes back for more, as long as there is anything. */
  for (uint64_t at = (uint64_t) offset;
       (name = get_entry (mount, inode, self, at, &st)) != NULL; at++) {
    size_t needed = fuse_add_direntry (req, buffer + used, size - used, name,
                                       &st, (off_t) at + 1);

    if (needed > size - used)
      break;
    used += needed;
  }
  fuse_reply_buf (req, buffer, used);
}

/* ---------------------------------------------- names made and removed --- */

static void
reply_new (fuse_req_t req,
           fuse_ino_t parent,
           const char *name,
           mode_t mode,
           const char *target)
{
  ReeveResourceMount *mount = fuse_req_userdata (req);
  g_autofree char *path = reeve_mount_dup_path (mount, parent, name);
  g_auto (ReeveMountCaller) caller = { 0 };
  int result;

  reeve_mount_caller_init (&caller, req);
  result = reeve_resource_tree_make (mount->tree, path, mode, target,
                                     &caller.caller);
  if (result != 0)
    fuse_reply_err (req, result);
  else
    op_lookup (req, parent, name);
}

static void
op_mknod (fuse_req_t req,
          fuse_ino_t parent,
          const char *name,
          mode_t mode,
          dev_t rdev)
{
  if (S_ISREG (mode))
    reply_new (req, parent, name, mode, NULL);
  else
    fuse_reply_err (req, EPERM);
}

static void
op_mkdir (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
  reply_new (req, parent, name, S_IFDIR | mode, NULL);
}

static void
op_symlink (fuse_req_t req,
            const char *target,
            fuse_ino_t parent,
            const char *name)
{
  reply_new (req, parent, name, S_IFLNK | 0777, target);
}

static void
reply_removed (fuse_req_t req,
               fuse_ino_t parent,
               const char *name,
               gboolean is_directory)
{
  ReeveResourceMount *mount = fuse_req_userdata (req);
  g_autofree char *path = reeve_mount_dup_path (mount, parent, name);
  g_auto (ReeveMountCaller) caller = { 0 };

  reeve_mount_caller_init (&caller, req);
  fuse_reply_err (req, reeve_resource_tree_remove (
                           mount->tree, path, is_directory, &caller.caller));
}

static void
op_unlink (fuse_req_t req, fuse_ino_t parent, const char *name)
{
  reply_removed (req, parent, name, FALSE);
}

static void
op_rmdir (fuse_req_t req, fuse_ino_t parent, const char *name)
{
  reply_removed (req, parent, name, TRUE);
}

static void
op_rename (fuse_req_t req,
           fuse_ino_t parent,
           const char *name,
           fuse_ino_t new_parent,
           const char *new_name,
           unsigned flags)
{
  ReeveResourceMount *mount = fuse_req_userdata (req);
  g_autofree char *path = reeve_mount_dup_path (mount, parent, name);
  g_autofree char *to = reeve_mount_dup_path (mount, new_parent, new_name);
  g_auto (ReeveMountCaller) caller = { 0 };
  int result;

  reeve_mount_caller_init (&caller, req);
  /* Neither exchanges, nor whiteouts; the kernel itself looks whether there is
   * something that must not be. */
  if ((flags & ~(unsigned) RENAME_NOREPLACE) != 0)
    result = EINVAL;
  else
    result = reeve_resource_tree_rename (mount->tree, path, to, &caller.caller);
  if (result == 0)
    reeve_mount_move_inodes (mount, path, to);
  fuse_reply_err (req, result);
}

/* Each node has one name for its provider. */
static void
op_link (fuse_req_t req,
         fuse_ino_t number,
         fuse_ino_t new_parent,
         const char *new_name)
{
  fuse_reply_err (req, EPERM);
}

const struct fuse_lowlevel_ops *
reeve_mount_get_ops (void)
{
  static struct fuse_lowlevel_ops ops = {
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .readlink = op_readlink,
    .getxattr = op_getxattr,
    .listxattr = op_listxattr,
    .statfs = op_statfs,
    .opendir = op_opendir,
    .releasedir = op_releasedir,
    .readdir = op_readdir,
    .mknod = op_mknod,
    .mkdir = op_mkdir,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .symlink = op_symlink,
    .rename = op_rename,
    .link = op_link,
  };

  reeve_mount_add_file_ops (&ops);
  return &ops;
}
