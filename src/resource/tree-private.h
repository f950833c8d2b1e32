/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/tree.h"

G_BEGIN_DECLS

/* As reeve_resource_tree_resolve(); appends to @names where it led, without
 * links. */
int reeve_resource_tree_walk (ReeveResourceTree *self,
                              const char *path,
                              const ReeveResourceCaller *caller,
                              gboolean follow,
                              GPtrArray *names,
                              ReeveResourceNode **node);

/* (transfer full) (nullable): what stands at @names. */
ReeveResourceNode *
reeve_resource_tree_look_up (ReeveResourceTree *self, GPtrArray *names);

/* (transfer full) (nullable): the first provider of what stands at @names that
 * can do something. @rest: (out): the path of that in it. */
ReeveResourceNode *reeve_resource_tree_find_provider (
    ReeveResourceTree *self,
    GPtrArray *names,
    gboolean (*can_do) (const ReeveResourceOps *ops),
    char **rest);

G_END_DECLS
