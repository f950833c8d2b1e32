/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/server-client.h"

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
 * @pid: of the process; 0 where it is not known
 * @is_foreign: is no user of this host, and uid and gid are nobody's
 * @client: (nullable): whose call it is; %NULL through a mount
 *
 * Who asks, whichever way the request came: by RPC or through a mount.
 */
typedef struct {
  uid_t uid;
  gid_t gid;
  const gid_t *groups;
  size_t n_groups;
  pid_t pid;
  gboolean is_foreign;
  ReeveServerClient *client;
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
 * With no functions at all it is a null device: nothing to read, and what is
 * written is taken and thrown away.
 *
 * Errors of this layer are numbers of errno: a mount passes them on as they
 * are, and the objects' clients know them from files.
 *
 * Thread: owner. A node and the trees it stands in belong to one thread, the
 * loop's in a daemon: answers come from memory, and what has to wait keeps its
 * request instead of holding a lock.
 */
typedef struct _ReeveResourceNode ReeveResourceNode;

/* One open() of a node; see handle.h. */
typedef struct _ReeveResourceHandle ReeveResourceHandle;
/* One read, write or devctl of a handle; see request.h. */
typedef struct _ReeveResourceRequest ReeveResourceRequest;
/* What a directory has; see tree.h. */
typedef struct _ReeveResourceListing ReeveResourceListing;

/**
 * ReeveResourceOps:
 * @is_stream: cannot be positioned: reads take what comes next
 * @find: (transfer full) (nullable): of a directory that was attached with
 *   %REEVE_RESOURCE_ATTACH_DIRECTORY, the node at @rest, a relative path of at
 *   least one component in normal form. As long as a node is used, the same
 *   one is found again. What is on the way to another one is found, too
 * @list: adds the names in the directory @rest, which may be "": itself
 * @make: of such a directory, for a client: what @mode says (`S_IFREG`,
 *   `S_IFDIR`, or `S_IFLNK` to @target) at @rest, where nothing is, and where a
 *   directory is that is found. Returns: 0 or an errno
 * @remove: what is at @rest; `ENOTEMPTY` of a directory that has something
 * @rename: what is at @rest, to another path, where nothing of another type is
 *   nor a directory; both below the directory
 * @open, @close: around the use of a handle; %0 or an error, and then it is
 *   not closed
 * @read, @write, @devctl: answer the request, at once or later (request.h)
 * @poll: of the bits of poll(), those that are true for the handle now; their
 *   change is told by reeve_resource_node_notify(). %NULL: always ready
 * @get_size: of the content, if it has one that is worth telling
 * @truncate: to @size; %NULL: there is nothing to be cut off, which succeeds
 *
 * What a node does. Each entry may be %NULL, and a node may have none at all.
 */
typedef struct {
  gboolean is_stream;
  ReeveResourceNode *(*find) (ReeveResourceNode *node,
                              const char *rest,
                              gpointer data);
  void (*list) (ReeveResourceNode *node,
                const char *rest,
                ReeveResourceListing *listing,
                gpointer data);
  int (*make) (ReeveResourceNode *node,
               const char *rest,
               mode_t mode,
               const char *target,
               const ReeveResourceCaller *caller,
               gpointer data);
  int (*remove) (ReeveResourceNode *node, const char *rest, gpointer data);
  int (*rename) (ReeveResourceNode *node,
                 const char *rest,
                 const char *to,
                 gpointer data);
  int (*open) (ReeveResourceHandle *handle, gpointer data);
  void (*close) (ReeveResourceHandle *handle, gpointer data);
  void (*read) (ReeveResourceRequest *request, gpointer data);
  void (*write) (ReeveResourceRequest *request, gpointer data);
  void (*devctl) (ReeveResourceRequest *request, gpointer data);
  unsigned (*poll) (ReeveResourceHandle *handle, gpointer data);
  uint64_t (*get_size) (ReeveResourceNode *node, gpointer data);
  int (*truncate) (ReeveResourceNode *node, uint64_t size, gpointer data);
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

/** (transfer full): a directory that has what is attached below it. */
ReeveResourceNode *reeve_resource_node_new_directory (mode_t mode);

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

/** (nullable): the target of a symbolic link. */
const char *reeve_resource_node_get_target (const ReeveResourceNode *self);

gboolean reeve_resource_node_is_directory (const ReeveResourceNode *self);
/** (nullable): what was given to reeve_resource_node_new(). */
const ReeveResourceOps *
reeve_resource_node_get_ops (const ReeveResourceNode *self);
gpointer reeve_resource_node_get_data (const ReeveResourceNode *self);
/** 0 where it is not worth telling. */
uint64_t reeve_resource_node_get_size (ReeveResourceNode *self);
/** Returns: 0 or what the node says; its permission is the caller's to ask. */
int reeve_resource_node_truncate (ReeveResourceNode *self, uint64_t size);

/**
 * ReeveResourceGuard:
 * @want: of `R_OK`, `W_OK`, `X_OK`
 *
 * Returns: whether @caller may do that, whom owner and mode let through
 */
typedef gboolean (*ReeveResourceGuard) (ReeveResourceNode *node,
                                        const ReeveResourceCaller *caller,
                                        int want,
                                        gpointer data);

/** @data: as long as the node. For rules that are none of owners and modes. */
void reeve_resource_node_set_guard (ReeveResourceNode *self,
                                    ReeveResourceGuard guard,
                                    gpointer data);

/** Returns: whether @caller may know that @node is there */
typedef gboolean (*ReeveResourceSight) (ReeveResourceNode *node,
                                        const ReeveResourceCaller *caller,
                                        gpointer data);

/** @data: as long as the node. For one that is not there for everybody; who
 * lists the directory that it is in leaves it out by himself
 * (reeve_resource_listing_get_caller()). */
void reeve_resource_node_set_sight (ReeveResourceNode *self,
                                    ReeveResourceSight sight,
                                    gpointer data);
/** Whether it was given a guard or a sight. */
gboolean reeve_resource_node_is_guarded (const ReeveResourceNode *self);
/** Whether there is anybody for whom it may not be there. */
gboolean reeve_resource_node_can_hide (const ReeveResourceNode *self);
gboolean reeve_resource_node_is_visible (ReeveResourceNode *self,
                                         const ReeveResourceCaller *caller);

/**
 * reeve_resource_node_check_access:
 * @want: of `R_OK`, `W_OK`, `X_OK`
 *
 * The rule of files: root may all, but execute only what has an x bit; the
 * owner is judged by the owner's bits alone, a member of the group by the
 * group's. Then the guard is asked, if there is one. Of a caller who is no user
 * of this host, the guard alone judges.
 *
 * Returns: 0 or `EACCES`
 */
int reeve_resource_node_check_access (ReeveResourceNode *self,
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

/**
 * reeve_resource_node_set_times:
 * @atime_us, @mtime_us: -1 to leave one
 *
 * Returns: 0; `EPERM` unless @caller is root or the owner
 */
int reeve_resource_node_set_times (ReeveResourceNode *self,
                                   const ReeveResourceCaller *caller,
                                   int64_t atime_us,
                                   int64_t mtime_us,
                                   int64_t now_us);

/** Notes that the content was read, or changed, at @now_us. */
void reeve_resource_node_note_read (ReeveResourceNode *self, int64_t now_us);
void reeve_resource_node_note_change (ReeveResourceNode *self, int64_t now_us);

/**
 * reeve_resource_node_notify:
 *
 * The content is another one now: gives it a new version and time, and calls
 * who watches the node.
 */
void reeve_resource_node_notify (ReeveResourceNode *self);
/** Grows with each reeve_resource_node_notify(). */
uint64_t reeve_resource_node_get_version (const ReeveResourceNode *self);

typedef struct _ReeveResourceWatch ReeveResourceWatch;
typedef void (*ReeveResourceWatchFunc) (ReeveResourceNode *node, gpointer data);

/**
 * reeve_resource_watch_new:
 * @func: called at each reeve_resource_node_notify(); it may make and free
 *   watches, this one included
 *
 * The watch holds a reference on @node.
 */
ReeveResourceWatch *reeve_resource_watch_new (ReeveResourceNode *node,
                                              ReeveResourceWatchFunc func,
                                              gpointer data);
void reeve_resource_watch_free (ReeveResourceWatch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveResourceWatch, reeve_resource_watch_free)

G_END_DECLS
