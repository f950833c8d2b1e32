/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * ReeveResourceCaller:
 * @uid: the effective user
 * @gid: the effective group
 * @groups: (array length=n_groups) (nullable): further groups
 * @n_groups: how many there are
 *
 * Who asks, whichever way the request came: by RPC or through a mount.
 */
typedef struct {
  uid_t uid;
  gid_t gid;
  const gid_t *groups;
  size_t n_groups;
} ReeveResourceCaller;

/**
 * ReeveResourceAttr:
 * @mode: type and permission bits, as in `st_mode`
 * @uid: the owner
 * @gid: the owner's group
 * @atime_us: last read, in microseconds since 1970
 * @mtime_us: last change of the content
 * @ctime_us: last change of the content or of the attributes
 */
typedef struct {
  mode_t mode;
  uid_t uid;
  gid_t gid;
  int64_t atime_us;
  int64_t mtime_us;
  int64_t ctime_us;
} ReeveResourceAttr;

/**
 * ReeveResourceNode:
 *
 * An object that can be attached to one or more names of a #ReeveResourceTree.
 *
 * Errors of this layer are numbers of errno: a mount passes them on as they
 * are, and the objects' clients know them from files.
 *
 * Thread: owner. A node and the trees it stands in belong to one thread, the
 * loop's in a daemon: answers come from memory, and what has to wait is
 * deferred there instead of holding a lock.
 */
typedef struct _ReeveResourceNode ReeveResourceNode;

/**
 * ReeveResourceOps:
 * @has: whether a directory provider serves @rest, a relative path in normal
 *   form; %NULL: it serves nothing below itself
 *
 * What a node does. Each entry may be %NULL, and a node may have none at all.
 */
typedef struct {
  gboolean (*has) (ReeveResourceNode *node, const char *rest, gpointer data);
} ReeveResourceOps;

/**
 * reeve_resource_node_new:
 * @mode: type (`S_IFREG`, `S_IFDIR`) and permission bits; no type is `S_IFREG`
 * @ops: (nullable): immutable as long as the node lives
 * @data: handed to @ops
 * @free_func: (nullable): frees @data with the node
 *
 * The owner is the daemon's own user and group, all times are now.
 */
ReeveResourceNode *reeve_resource_node_new (mode_t mode,
                                            const ReeveResourceOps *ops,
                                            gpointer data,
                                            GDestroyNotify free_func);

/**
 * reeve_resource_node_new_symlink:
 * @target: where it leads: from the tree's root if it begins with a slash, else
 *   from the directory the link stands in
 */
ReeveResourceNode *reeve_resource_node_new_symlink (const char *target);

ReeveResourceNode *reeve_resource_node_ref (ReeveResourceNode *self);
void reeve_resource_node_unref (ReeveResourceNode *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveResourceNode, reeve_resource_node_unref)

const ReeveResourceAttr *
reeve_resource_node_get_attr (const ReeveResourceNode *self);

/** Returns: (nullable): the target of a symbolic link. */
const char *reeve_resource_node_get_target (const ReeveResourceNode *self);

/** Whether the node serves @rest; "" is the node itself. */
gboolean reeve_resource_node_has (ReeveResourceNode *self, const char *rest);

/**
 * reeve_resource_node_check_access:
 * @want: of `R_OK`, `W_OK`, `X_OK`
 *
 * The rule of files: root may all, but execute only what has an x bit; the
 * owner is judged by the owner's bits alone, a member of the group by the
 * group's.
 *
 * Returns: 0 or `EACCES`
 */
int reeve_resource_node_check_access (const ReeveResourceNode *self,
                                      const ReeveResourceCaller *caller,
                                      int want);

/**
 * reeve_resource_node_chmod:
 * @mode: the new permission bits; a type in it is ignored
 *
 * Returns: 0; `EPERM` unless @caller is root or the owner
 */
int reeve_resource_node_chmod (ReeveResourceNode *self,
                               const ReeveResourceCaller *caller,
                               mode_t mode,
                               int64_t now_us);

/**
 * reeve_resource_node_chown:
 * @uid: the new owner, -1 to leave it
 * @gid: the new group, -1 to leave it
 *
 * The owner may give the node to another group of theirs, root may do all.
 * Takes the set-id bits away.
 *
 * Returns: 0 or `EPERM`
 */
int reeve_resource_node_chown (ReeveResourceNode *self,
                               const ReeveResourceCaller *caller,
                               uid_t uid,
                               gid_t gid,
                               int64_t now_us);

/** Notes that the content was read, or changed, at @now_us. */
void reeve_resource_node_note_read (ReeveResourceNode *self, int64_t now_us);
void reeve_resource_node_note_change (ReeveResourceNode *self, int64_t now_us);

G_END_DECLS
