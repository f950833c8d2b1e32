/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/node.h"

G_BEGIN_DECLS

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
 * @REEVE_RESOURCE_ATTACH_DIRECTORY: serves what is below the name, too
 * @REEVE_RESOURCE_ATTACH_BEFORE: stays in front of others of the same name that
 *   do not ask for this
 * @REEVE_RESOURCE_ATTACH_AFTER: stays behind others that do not ask for this
 * @REEVE_RESOURCE_ATTACH_OPAQUE: hides the providers of shorter prefixes
 *
 * Of equals the newest is in front.
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
 *
 * Returns: an id above 0, for reeve_resource_tree_detach()
 */
uint64_t reeve_resource_tree_attach (ReeveResourceTree *self,
                                     const char *path,
                                     ReeveResourceAttachFlags flags,
                                     ReeveResourceNode *node);

/** Takes one name away; who holds the node keeps it. Returns: 0 or `ENOENT`. */
int reeve_resource_tree_detach (ReeveResourceTree *self, uint64_t id);

/**
 * reeve_resource_tree_resolve:
 * @follow: whether a link at the path's end is followed; others always are
 * @node: (out) (transfer full) (nullable): the first candidate that has the
 *   rest of the path; %NULL for a directory that only leads to other names
 * @rest: (out) (transfer full): what is left of the path for @node
 *
 * Returns: 0, `ENOENT`, `ENOTDIR` below a name that is no directory, `ELOOP`
 * after 40 links
 */
int reeve_resource_tree_resolve (ReeveResourceTree *self,
                                 const char *path,
                                 gboolean follow,
                                 ReeveResourceNode **node,
                                 char **rest);

G_END_DECLS
