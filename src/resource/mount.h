/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"
#include "resource/pool.h"
#include "resource/tree.h"

G_BEGIN_DECLS

/**
 * ReeveResourceMount:
 *
 * A tree as a file system, by FUSE. The kernel judges by the nodes' owners and
 * modes before it asks; what it asks is judged by the nodes once more. Nothing
 * is cached by the kernel but what it has as names.
 *
 * The mount goes with the process, however that ends: the program `fusermount3`
 * waits for its end and unmounts then. Nothing that the loop's thread does may
 * look below the mount point, as it would wait for itself.
 *
 * Thread: loop.
 */
typedef struct _ReeveResourceMount ReeveResourceMount;

/**
 * ReeveResourceMountPoint:
 *
 * A place where the kernel has mounted, and that nobody serves yet.
 */
typedef struct _ReeveResourceMountPoint ReeveResourceMountPoint;

/**
 * reeve_resource_mount_point_new:
 * @name: of the daemon, for `mount` and `df`
 * @path: of the mount point, which is made if it is not there. What a process
 *   that is dead left mounted there is unmounted
 *
 * Runs `fusermount3` and waits for it, which may take a while.
 *
 * Thread: any.
 * Errors: as of reeve_resource_mount_new().
 */
ReeveResourceMountPoint *reeve_resource_mount_point_new (const char *name,
                                                         const char *path,
                                                         GError **error);
/** Unmounts, and waits for that. Thread: any. */
void reeve_resource_mount_point_free (ReeveResourceMountPoint *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveResourceMountPoint,
                               reeve_resource_mount_point_free)

/** Serves @point (transfer full). As reeve_resource_mount_new(), at once. */
ReeveResourceMount *reeve_resource_mount_new_at (ReeveLoop *loop,
                                                 ReeveResourceTree *tree,
                                                 ReeveResourceMountPoint *point,
                                                 GError **error);

/**
 * reeve_resource_mount_new:
 * @tree: (transfer none): as long as the mount
 * @name: of the daemon, for `mount` and `df`
 * @path: of the mount point, which is made if it is not there. What a process
 *   that is dead left mounted there is unmounted
 *
 * Of root's daemon all users may use it, else its own user alone. Runs
 * `fusermount3`, so that it may take a while; not while the loop runs.
 *
 * Errors: %REEVE_ERROR_NO_SUPPORT if this was built without libfuse3, or the
 * kernel or `fusermount3` do not do it; %REEVE_ERROR_SYSTEM
 *
 * Returns: (transfer full)
 */
ReeveResourceMount *reeve_resource_mount_new (ReeveLoop *loop,
                                              ReeveResourceTree *tree,
                                              const char *name,
                                              const char *path,
                                              GError **error);

/** Unmounts. Who waits in a call gets `ENODEV`, who has files open keeps them
 * and finds that nobody is there. */
void reeve_resource_mount_free (ReeveResourceMount *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveResourceMount, reeve_resource_mount_free)

/**
 * reeve_resource_mount_tell_inotify:
 * @pool: (transfer none): outlives the mount; takes one of its threads at a
 * time
 *
 * The kernel tells those who watch a file by inotify of what clients do through
 * the mount, and cannot be told by a daemon of what that does. From now on, a
 * thread repeats each change of a node, as a change of its time, by its name in
 * the mount. Changes that come within some milliseconds are one. Names that
 * come and go are not told.
 *
 * Before the mount's first request is served.
 */
void reeve_resource_mount_tell_inotify (ReeveResourceMount *self,
                                        ReeveResourcePool *pool);

/* How many files are open, and how many calls wait for an answer. */
unsigned reeve_resource_mount_count_open (const ReeveResourceMount *self);
unsigned reeve_resource_mount_count_waiting (const ReeveResourceMount *self);

G_END_DECLS
