/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/tree-private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What clients make and remove, where a provider lets them. */

/* A name that is to be made or removed: its path without links, and who has the
 * names there. */
typedef struct {
  GPtrArray *names;            /* (element-type utf8) (owned) */
  ReeveResourceNode *found;    /* (owned) (nullable): what is there */
  ReeveResourceNode *provider; /* (owned): that the operation is asked of */
  char *rest;                  /* (owned): the path in the provider */
} Spot;

static void
spot_clear (Spot *self)
{
  g_clear_pointer (&self->names, g_ptr_array_unref);
  g_clear_pointer (&self->found, reeve_resource_node_unref);
  g_clear_pointer (&self->provider, reeve_resource_node_unref);
  g_clear_pointer (&self->rest, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Spot, spot_clear)

typedef gboolean (*CanDo) (const ReeveResourceOps *ops);

static gboolean
can_make (const ReeveResourceOps *ops)
{
  return ops->make != NULL;
}

static gboolean
can_remove (const ReeveResourceOps *ops)
{
  return ops->remove != NULL;
}

static gboolean
can_rename (const ReeveResourceOps *ops)
{
  return ops->rename != NULL;
}

/* Splits @path into the names on the way, and the last one. */
static int
split (const char *path, char **folder, char **name)
{
  const char *end = path + strlen (path);
  const char *begin;

  while (end > path && end[-1] == '/')
    end--;
  begin = end;
  while (begin > path && begin[-1] != '/')
    begin--;
  *folder = g_strndup (path, (gsize) (begin - path));
  *name = g_strndup (begin, (gsize) (end - begin));
  if (strlen (*name) > REEVE_RESOURCE_NAME_MAX)
    return ENAMETOOLONG;
  /* The root, or what is named by where it stands. */
  return reeve_resource_name_is_valid (*name) ? 0 : EBUSY;
}

static int
spot_init (Spot *self,
           ReeveResourceTree *tree,
           const char *path,
           const ReeveResourceCaller *caller,
           CanDo can_do)
{
  g_autofree char *folder = NULL;
  g_autofree char *name = NULL;
  g_autoptr (ReeveResourceNode) parent = NULL;
  int result = split (path, &folder, &name);

  self->names = g_ptr_array_new_with_free_func (g_free);
  if (result == 0)
    result = reeve_resource_tree_walk (tree, folder, caller, TRUE, self->names,
                                       &parent);
  if (result == 0 && !reeve_resource_node_is_directory (parent))
    result = ENOTDIR;
  if (result == 0 && self->names->len >= REEVE_RESOURCE_DEPTH_MAX)
    result = ENAMETOOLONG;
  if (result == 0)
    result = reeve_resource_node_check_access (parent, caller, W_OK | X_OK);
  if (result != 0)
    return result;

  g_ptr_array_add (self->names, g_steal_pointer (&name));
  self->found = reeve_resource_tree_look_up (tree, self->names);
  self->provider = reeve_resource_tree_find_provider (tree, self->names, can_do,
                                                      &self->rest);
  return self->provider == NULL ? EPERM : 0;
}

static const ReeveResourceOps *
get_ops (const Spot *self)
{
  return reeve_resource_node_get_ops (self->provider);
}

static gpointer
get_data (const Spot *self)
{
  return reeve_resource_node_get_data (self->provider);
}

int
reeve_resource_tree_make (ReeveResourceTree *self,
                          const char *path,
                          mode_t mode,
                          const char *target,
                          const ReeveResourceCaller *caller)
{
  g_auto (Spot) spot = { 0 };
  int result = spot_init (&spot, self, path, caller, can_make);

  if (spot.found != NULL)
    return EEXIST;
  if (result != 0)
    return result;
  return get_ops (&spot)->make (spot.provider, spot.rest, mode, target, caller,
                                get_data (&spot));
}

int
reeve_resource_tree_remove (ReeveResourceTree *self,
                            const char *path,
                            gboolean is_directory,
                            const ReeveResourceCaller *caller)
{
  g_auto (Spot) spot = { 0 };
  int result = spot_init (&spot, self, path, caller, can_remove);

  if (result != 0)
    return result;
  if (spot.found == NULL)
    return ENOENT;
  if (reeve_resource_node_is_directory (spot.found) != is_directory)
    return is_directory ? ENOTDIR : EISDIR;
  return get_ops (&spot)->remove (spot.provider, spot.rest, get_data (&spot));
}

/* What is there must be such that @from may take its place. */
static int
check_place (const Spot *to, const Spot *from)
{
  gboolean is_directory = reeve_resource_node_is_directory (from->found);

  if (to->found == NULL)
    return 0;
  if (reeve_resource_node_is_directory (to->found))
    return is_directory ? EEXIST : EISDIR;
  return is_directory ? ENOTDIR : 0;
}

static gboolean
is_below (const char *path, const char *folder)
{
  size_t length = strlen (folder);

  return strncmp (path, folder, length) == 0 && path[length] == '/';
}

int
reeve_resource_tree_rename (ReeveResourceTree *self,
                            const char *path,
                            const char *to,
                            const ReeveResourceCaller *caller)
{
  g_auto (Spot) from = { 0 };
  g_auto (Spot) target = { 0 };
  int result = spot_init (&from, self, path, caller, can_rename);

  if (result == 0)
    result = spot_init (&target, self, to, caller, can_rename);
  if (result == 0 && from.found == NULL)
    result = ENOENT;
  if (result == 0 && from.provider != target.provider)
    result = EXDEV;
  if (result == 0 && is_below (target.rest, from.rest))
    result = EINVAL;
  if (result != 0 || g_str_equal (from.rest, target.rest))
    return result;
  result = check_place (&target, &from);
  if (result != 0)
    return result;
  return get_ops (&from)->rename (from.provider, from.rest, target.rest,
                                  get_data (&from));
}
