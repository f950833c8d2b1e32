/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scratch.h"

#include "resource/property.h"
#include "resource/request.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* What it has, by path. */
typedef struct {
  GHashTable *nodes; /* (element-type utf8 ReeveResourceNode) (owned) */
} Scratch;

static void
show_text (ReeveResourceRequest *request, gpointer data)
{
  reeve_resource_request_show_text (request,
                                    g_strdup (((GString *) data)->str));
}

static void
set_text (ReeveResourceRequest *request, const char *text, gpointer data)
{
  g_string_printf (data, "%s\n", text);
  reeve_resource_request_take (request);
}

static void
free_text (gpointer data)
{
  g_string_free (data, TRUE);
}

static ReeveResourceNode *
make_node (mode_t mode, const char *target)
{
  static const ReeveResourceTextFuncs funcs = { show_text, set_text };

  if (S_ISDIR (mode))
    return reeve_resource_node_new_directory (mode);
  if (S_ISLNK (mode))
    return reeve_resource_node_new_symlink (target);
  return reeve_resource_property_new (mode, &funcs, g_string_new (NULL),
                                      free_text);
}

static ReeveResourceNode *
find (ReeveResourceNode *node, const char *rest, gpointer data)
{
  ReeveResourceNode *found =
      g_hash_table_lookup (((Scratch *) data)->nodes, rest);

  return found == NULL ? NULL : reeve_resource_node_ref (found);
}

/* (nullable): the name of @path in @folder. */
static const char *
get_name (const char *path, const char *folder)
{
  size_t length = strlen (folder);
  const char *name = path;

  if (length > 0) {
    if (strncmp (path, folder, length) != 0 || path[length] != '/')
      return NULL;
    name += length + 1;
  }
  return strchr (name, '/') == NULL ? name : NULL;
}

static void
list (ReeveResourceNode *node,
      const char *rest,
      ReeveResourceListing *listing,
      gpointer data)
{
  GHashTableIter iter;
  gpointer path, found;

  g_hash_table_iter_init (&iter, ((Scratch *) data)->nodes);
  while (g_hash_table_iter_next (&iter, &path, &found)) {
    const char *name = get_name (path, rest);

    if (name != NULL)
      reeve_resource_listing_add (listing, name,
                                  reeve_resource_node_get_attr (found)->mode);
  }
}

static int
make (ReeveResourceNode *node,
      const char *rest,
      mode_t mode,
      const char *target,
      const ReeveResourceCaller *caller,
      gpointer data)
{
  static const ReeveResourceCaller root = { 0, 0, NULL, 0 };
  const char *slash = strrchr (rest, '/');
  ReeveResourceNode *made = NULL;

  if (g_str_has_prefix (slash == NULL ? rest : slash + 1, "full"))
    return ENOSPC;
  made = make_node (mode, target);
  reeve_resource_node_chown (made, &root, caller->uid, caller->gid,
                             g_get_real_time ());
  g_hash_table_insert (((Scratch *) data)->nodes, g_strdup (rest), made);
  return 0;
}

static int
remove_one (ReeveResourceNode *node, const char *rest, gpointer data)
{
  const Scratch *self = data;
  GHashTableIter iter;
  gpointer path;

  g_hash_table_iter_init (&iter, self->nodes);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    if (get_name (path, rest) != NULL)
      return ENOTEMPTY;
  g_hash_table_remove (self->nodes, rest);
  return 0;
}

static int
rename_one (ReeveResourceNode *node,
            const char *rest,
            const char *to,
            gpointer data)
{
  const Scratch *self = data;
  size_t length = strlen (rest);
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer path;

  g_hash_table_iter_init (&iter, self->nodes);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    if (strncmp (path, rest, length) == 0 &&
        (((char *) path)[length] == '\0' || ((char *) path)[length] == '/'))
      g_ptr_array_add (paths, g_strdup (path));
  for (unsigned i = 0; i < paths->len; i++) {
    const char *old = paths->pdata[i];
    ReeveResourceNode *moved =
        reeve_resource_node_ref (g_hash_table_lookup (self->nodes, old));

    g_hash_table_remove (self->nodes, old);
    g_hash_table_insert (self->nodes, g_strconcat (to, old + length, NULL),
                         moved);
  }
  return 0;
}

static void
scratch_free (gpointer data)
{
  Scratch *self = data;

  g_hash_table_unref (self->nodes);
  g_free (self);
}

ReeveResourceNode *
scratch_new (mode_t mode)
{
  static const ReeveResourceOps ops = {
    .find = find,
    .list = list,
    .make = make,
    .remove = remove_one,
    .rename = rename_one,
  };
  Scratch *self = g_new0 (Scratch, 1);

  self->nodes =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                             (GDestroyNotify) reeve_resource_node_unref);
  return reeve_resource_node_new (S_IFDIR | mode, &ops, self, scratch_free);
}
