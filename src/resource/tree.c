/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/tree.h"

#include <errno.h>

#define MAX_LINKS 40

/* A component of a name that something stands at or below. */
typedef struct _Place Place;
struct _Place {
  Place *parent;
  char *name;
  GHashTable *children; /* (element-type utf8 Place) (owned) */
  GPtrArray *attached;  /* (element-type Attached) (owned): best first */
};

typedef struct {
  uint64_t id;
  ReeveResourceAttachFlags flags;
  ReeveResourceNode *node; /* (owned) */
  Place *place;
} Attached;

struct _ReeveResourceTree {
  Place *root;
  uint64_t last_id;
  GHashTable *attached; /* (element-type guint64 Attached): by id */
};

static void
attached_free (gpointer data)
{
  Attached *self = data;

  reeve_resource_node_unref (self->node);
  g_free (self);
}

static void
place_free (gpointer data)
{
  Place *self = data;

  g_hash_table_unref (self->children);
  g_ptr_array_unref (self->attached);
  g_free (self->name);
  g_free (self);
}

static Place *
place_new (Place *parent, const char *name)
{
  Place *self = g_new0 (Place, 1);

  self->parent = parent;
  self->name = g_strdup (name);
  self->children =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, place_free);
  self->attached = g_ptr_array_new_with_free_func (attached_free);
  return self;
}

ReeveResourceTree *
reeve_resource_tree_new (void)
{
  ReeveResourceTree *self = g_new0 (ReeveResourceTree, 1);

  self->root = place_new (NULL, "");
  self->attached = g_hash_table_new (g_int64_hash, g_int64_equal);
  return self;
}

void
reeve_resource_tree_free (ReeveResourceTree *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->attached);
  place_free (self->root);
  g_free (self);
}

/* Appends the components of @path to @names; an absolute one starts anew. */
static void
add_path (GPtrArray *names, const char *path)
{
  g_auto (GStrv) parts = g_strsplit (path, "/", -1);

  if (*path == '/')
    g_ptr_array_set_size (names, 0);

  for (size_t i = 0; parts[i] != NULL; i++) {
    if (*parts[i] == '\0' || g_str_equal (parts[i], "."))
      continue;
    if (!g_str_equal (parts[i], ".."))
      g_ptr_array_add (names, g_steal_pointer (&parts[i]));
    else if (names->len > 0)
      g_ptr_array_set_size (names, (int) names->len - 1);
    if (parts[i] == NULL)
      parts[i] = g_strdup ("");
  }
}

static char *
join_from (GPtrArray *names, size_t first)
{
  GString *rest = g_string_new (NULL);

  for (size_t i = first; i < names->len; i++) {
    if (i > first)
      g_string_append_c (rest, '/');
    g_string_append (rest, g_ptr_array_index (names, i));
  }
  return g_string_free (rest, FALSE);
}

static int
rank (ReeveResourceAttachFlags flags)
{
  if ((flags & REEVE_RESOURCE_ATTACH_BEFORE) != 0)
    return 0;
  return (flags & REEVE_RESOURCE_ATTACH_AFTER) != 0 ? 2 : 1;
}

uint64_t
reeve_resource_tree_attach (ReeveResourceTree *self,
                            const char *path,
                            ReeveResourceAttachFlags flags,
                            ReeveResourceNode *node)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  Attached *attached = g_new0 (Attached, 1);
  Place *place = self->root;
  size_t at = 0;

  add_path (names, path);
  for (size_t i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    Place *child = g_hash_table_lookup (place->children, name);

    if (child == NULL) {
      child = place_new (place, name);
      g_hash_table_insert (place->children, child->name, child);
    }
    place = child;
  }

  attached->id = ++self->last_id;
  attached->flags = flags;
  attached->node = reeve_resource_node_ref (node);
  attached->place = place;
  while (at < place->attached->len &&
         rank (((Attached *) g_ptr_array_index (place->attached, at))->flags) <
             rank (flags))
    at++;
  g_ptr_array_insert (place->attached, (int) at, attached);
  g_hash_table_insert (self->attached, &attached->id, attached);
  return attached->id;
}

int
reeve_resource_tree_detach (ReeveResourceTree *self, uint64_t id)
{
  Attached *attached = g_hash_table_lookup (self->attached, &id);
  Place *place = NULL;

  if (attached == NULL)
    return ENOENT;

  place = attached->place;
  g_hash_table_remove (self->attached, &id);
  g_ptr_array_remove (place->attached, attached);

  while (place->parent != NULL && place->attached->len == 0 &&
         g_hash_table_size (place->children) == 0) {
    Place *parent = place->parent;

    g_hash_table_remove (parent->children, place->name);
    place = parent;
  }
  return 0;
}

/* The target of the link that is the best of @place, if it is one. */
static const char *
place_get_target (const Place *place)
{
  const Attached *first = NULL;

  if (place->attached->len == 0)
    return NULL;
  first = g_ptr_array_index (place->attached, 0);
  return reeve_resource_node_get_target (first->node);
}

/* Asks the candidates at @place and, unless one hides them, above it. */
static int
choose (Place *place,
        GPtrArray *names,
        size_t depth,
        ReeveResourceNode **node,
        char **rest)
{
  gboolean implied =
      depth == names->len &&
      (place->parent == NULL || g_hash_table_size (place->children) > 0);
  int result = ENOENT;

  for (gboolean hidden = FALSE; place != NULL && !hidden; depth--) {
    g_autofree char *left = join_from (names, depth);

    for (size_t i = 0; i < place->attached->len; i++) {
      const Attached *attached = g_ptr_array_index (place->attached, i);

      hidden |= (attached->flags & REEVE_RESOURCE_ATTACH_OPAQUE) != 0;
      if (*left != '\0' &&
          (attached->flags & REEVE_RESOURCE_ATTACH_DIRECTORY) == 0) {
        result = ENOTDIR;
      } else if (reeve_resource_node_has (attached->node, left)) {
        *node = reeve_resource_node_ref (attached->node);
        *rest = g_steal_pointer (&left);
        return 0;
      }
    }
    place = place->parent;
  }

  if (!implied)
    return result;
  *rest = g_strdup ("");
  return 0;
}

int
reeve_resource_tree_resolve (ReeveResourceTree *self,
                             const char *path,
                             gboolean follow,
                             ReeveResourceNode **node,
                             char **rest)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  Place *place = self->root;
  size_t depth = 0;
  int n_links = 0;

  *node = NULL;
  *rest = NULL;
  add_path (names, path);

  while (depth < names->len) {
    Place *child =
        g_hash_table_lookup (place->children, g_ptr_array_index (names, depth));
    const char *target = NULL;
    g_autofree char *after = NULL;

    if (child == NULL)
      break;
    place = child;
    depth++;
    target = place_get_target (place);
    if (target == NULL || (depth == names->len && !follow))
      continue;

    if (++n_links > MAX_LINKS)
      return ELOOP;
    after = join_from (names, depth);
    g_ptr_array_set_size (names, (int) depth - 1);
    add_path (names, target);
    add_path (names, after);
    place = self->root;
    depth = 0;
  }
  return choose (place, names, depth, node, rest);
}
