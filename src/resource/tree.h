/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/node.h"

G_BEGIN_DECLS

/* Of a path: bytes, components. Of a name: bytes. */
#define REEVE_RESOURCE_PATH_MAX 4095
#define REEVE_RESOURCE_DEPTH_MAX 64
#define REEVE_RESOURCE_NAME_MAX 255

/**
 * ReeveResourceTree:
 *
 * Names and the nodes that serve them. A path is matched by whole components,
 * the longest attached prefix first; "/a/../b" and "//b" are "/b".
 *
 * Thread: owner, as its nodes.
 */
typedef struct _ReeveResourceTree ReeveResourceTree;

/**
 * ReeveResourceAttachFlags:
 * @REEVE_RESOURCE_ATTACH_DIRECTORY: serves what is below the name, too, by the
 *   node's `find` and `list`
 * @REEVE_RESOURCE_ATTACH_BEFORE: stays in front of others of the same name that
 *   do not ask for this
 * @REEVE_RESOURCE_ATTACH_AFTER: stays behind others that do not ask for this
 * @REEVE_RESOURCE_ATTACH_OPAQUE: hides the providers of shorter prefixes
 *
 * Of equals the newest is in front. Several directories of one name are one
 * union: what the first does not have is looked for in the next.
 */
typedef enum {
  REEVE_RESOURCE_ATTACH_DEFAULT = 0,
  REEVE_RESOURCE_ATTACH_DIRECTORY = 1 << 0,
  REEVE_RESOURCE_ATTACH_BEFORE = 1 << 1,
  REEVE_RESOURCE_ATTACH_AFTER = 1 << 2,
  REEVE_RESOURCE_ATTACH_OPAQUE = 1 << 3,
} ReeveResourceAttachFlags;

ReeveResourceTree *reeve_resource_tree_new (void);
void reeve_resource_tree_free (ReeveResourceTree *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveResourceTree, reeve_resource_tree_free)

/**
 * reeve_resource_tree_attach:
 * @path: where; directories on the way need not be there
 * @node: (transfer none): the tree takes a reference
 * @id: (out) (optional): above 0, for reeve_resource_tree_detach()
 *
 * Returns: 0; `ENAMETOOLONG` over one of the limits above
 */
int reeve_resource_tree_attach (ReeveResourceTree *self,
                                const char *path,
                                ReeveResourceAttachFlags flags,
                                ReeveResourceNode *node,
                                uint64_t *id);

/** Takes one name away; who holds the node keeps it. Returns: 0 or `ENOENT`. */
int reeve_resource_tree_detach (ReeveResourceTree *self, uint64_t id);

/**
 * reeve_resource_tree_resolve:
 * @caller: (nullable): who has to be let through each directory on the way, and
 *   for whom what he may not know of is not there
 * @follow: whether a link at the path's end is followed; others always are
 * @node: (out) (transfer full)
 *
 * Returns: 0, `ENOENT`, `ENOTDIR` below what is no directory, `ELOOP` after 40
 * links, `ENAMETOOLONG`, `EACCES`
 */
int reeve_resource_tree_resolve (ReeveResourceTree *self,
                                 const char *path,
                                 const ReeveResourceCaller *caller,
                                 gboolean follow,
                                 ReeveResourceNode **node);

/* A name in a directory, and the type that its mode has. */
typedef struct {
  char *name; /* (owned) */
  mode_t type;
} ReeveResourceEntry;

/**
 * reeve_resource_tree_list:
 * @path: of a directory; links on the way are followed
 * @caller: (nullable): who has to be let through each directory on the way, and
 *   be allowed to read this one
 * @entries: (out) (transfer full) (element-type ReeveResourceEntry): sorted by
 *   name, each once
 *
 * The names of this moment. Returns: 0; as reeve_resource_tree_resolve()
 */
int reeve_resource_tree_list (ReeveResourceTree *self,
                              const char *path,
                              const ReeveResourceCaller *caller,
                              GPtrArray **entries);

/**
 * reeve_resource_tree_list_after:
 * @after: (nullable): a name; those behind it are listed
 * @max_entries: that many are enough
 * @more: (out): whether others may be behind them
 *
 * A page of the names, which costs as much as it has; but where a provider
 * makes names of its own, there is one page with all of them. Who goes on
 * behind the last name that he has sees what is there all the time exactly
 * once, whatever comes and goes.
 *
 * Returns: 0; as reeve_resource_tree_resolve()
 */
int reeve_resource_tree_list_after (ReeveResourceTree *self,
                                    const char *path,
                                    const ReeveResourceCaller *caller,
                                    const char *after,
                                    unsigned max_entries,
                                    GPtrArray **entries,
                                    gboolean *more);

/**
 * reeve_resource_tree_make:
 * @mode: `S_IFREG`, `S_IFDIR` or `S_IFLNK`, and permissions
 * @target: (nullable): of a link
 * @caller: has to be let write in the directory
 *
 * Has the provider of a directory make something in it; the first that makes
 * any, in the order in which they are asked for what is there.
 *
 * Returns: 0; as reeve_resource_tree_resolve(); `EEXIST`; `EPERM` where no
 * provider does it; or what that says
 */
int reeve_resource_tree_make (ReeveResourceTree *self,
                              const char *path,
                              mode_t mode,
                              const char *target,
                              const ReeveResourceCaller *caller);
/** The same of what is there: a directory (`ENOTDIR`), or none (`EISDIR`). */
int reeve_resource_tree_remove (ReeveResourceTree *self,
                                const char *path,
                                gboolean is_directory,
                                const ReeveResourceCaller *caller);
/**
 * reeve_resource_tree_rename:
 *
 * A file takes the place of another one that is there.
 *
 * Returns: as reeve_resource_tree_make(); `EXDEV` from the names of one
 * provider to those of another one, `EINVAL` to below itself
 */
int reeve_resource_tree_rename (ReeveResourceTree *self,
                                const char *path,
                                const char *to,
                                const ReeveResourceCaller *caller);

/**
 * reeve_resource_listing_add:
 * @type: `S_IFREG`, `S_IFDIR` or `S_IFLNK`
 *
 * For `list` of a provider. A name that cannot be one (it is empty, "." or
 * "..", has a slash or is too long) is left out.
 */
void reeve_resource_listing_add (ReeveResourceListing *self,
                                 const char *name,
                                 mode_t type);

/** (nullable): for whom the list is; %NULL: all of it is wanted. */
const ReeveResourceCaller *
reeve_resource_listing_get_caller (const ReeveResourceListing *self);

/**
 * reeve_resource_tree_is_guarded:
 *
 * Whether what @path leads to, or the deepest there is on the way to it that
 * @caller may know of, has rules of its own (reeve_resource_node_set_guard()).
 */
gboolean reeve_resource_tree_is_guarded (ReeveResourceTree *self,
                                         const char *path,
                                         const ReeveResourceCaller *caller);

/** Whether @name can stand in a path. */
gboolean reeve_resource_name_is_valid (const char *name);

G_END_DECLS
