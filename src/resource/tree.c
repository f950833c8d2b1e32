/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/tree.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS 40

/* A component of a name that something stands at or below. */
typedef struct _Place Place;
struct _Place {
  Place *parent;
  char *name;
  GHashTable *children;       /* (element-type utf8 Place) (owned) */
  GPtrArray *attached;        /* (element-type Attached) (owned): best first */
  ReeveResourceNode *implied; /* (owned) (nullable): of one without attached */
};

struct _ReeveResourceListing {
  GHashTable *names; /* (element-type utf8 ReeveResourceEntry) (owned) */
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
  reeve_resource_node_unref (self->implied);
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

gboolean
reeve_resource_name_is_valid (const char *name)
{
  return *name != '\0' && !g_str_equal (name, ".") &&
         !g_str_equal (name, "..") && strchr (name, '/') == NULL &&
         strlen (name) <= REEVE_RESOURCE_NAME_MAX;
}

/* Appends the components of @path to @names; an absolute one starts anew. */
static int
add_path (GPtrArray *names, const char *path)
{
  if (strlen (path) > REEVE_RESOURCE_PATH_MAX)
    return ENAMETOOLONG;
  if (*path == '/')
    g_ptr_array_set_size (names, 0);

  while (*path != '\0') {
    size_t length = strcspn (path, "/");
    g_autofree char *name = g_strndup (path, length);

    path += length + strspn (path + length, "/");
    if (length == 0 || g_str_equal (name, "."))
      continue;
    if (g_str_equal (name, "..")) {
      g_ptr_array_set_size (names, MAX ((int) names->len - 1, 0));
      continue;
    }
    if (length > REEVE_RESOURCE_NAME_MAX ||
        names->len >= REEVE_RESOURCE_DEPTH_MAX)
      return ENAMETOOLONG;
    g_ptr_array_add (names, g_steal_pointer (&name));
  }
  return 0;
}

static char *
join (GPtrArray *names, size_t first, size_t end)
{
  GString *rest = g_string_new (NULL);

  for (size_t i = first; i < end; i++) {
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

/* The place of @names, which is made if it is not there. */
static Place *
make_place (ReeveResourceTree *self, GPtrArray *names)
{
  Place *place = self->root;

  for (unsigned i = 0; i < names->len; i++) {
    const char *name = names->pdata[i];
    Place *child = g_hash_table_lookup (place->children, name);

    if (child == NULL) {
      child = place_new (place, name);
      g_hash_table_insert (place->children, child->name, child);
    }
    place = child;
  }
  return place;
}

int
reeve_resource_tree_attach (ReeveResourceTree *self,
                            const char *path,
                            ReeveResourceAttachFlags flags,
                            ReeveResourceNode *node,
                            uint64_t *id)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  Attached *attached = NULL;
  Place *place = NULL;
  unsigned at = 0;
  int result = add_path (names, path);

  if (result != 0)
    return result;

  place = make_place (self, names);
  attached = g_new0 (Attached, 1);
  attached->id = ++self->last_id;
  attached->flags = flags;
  attached->node = reeve_resource_node_ref (node);
  attached->place = place;
  while (at < place->attached->len &&
         rank (((Attached *) place->attached->pdata[at])->flags) < rank (flags))
    at++;
  g_ptr_array_insert (place->attached, (int) at, attached);
  g_hash_table_insert (self->attached, &attached->id, attached);
  if (id != NULL)
    *id = attached->id;
  return 0;
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

/* ------------------------------------------------------------- looking --- */

/* The deepest place on the way to @names[@n_names], and how deep it is. */
static Place *
find_place (ReeveResourceTree *self,
            GPtrArray *names,
            size_t n_names,
            size_t *depth)
{
  Place *place = self->root;

  for (*depth = 0; *depth < n_names; (*depth)++) {
    Place *child = g_hash_table_lookup (place->children, names->pdata[*depth]);

    if (child == NULL)
      break;
    place = child;
  }
  return place;
}

/* (transfer full) (nullable): @left of what is attached. */
static ReeveResourceNode *
ask (const Attached *attached, const char *left)
{
  const ReeveResourceOps *ops = reeve_resource_node_get_ops (attached->node);

  if (*left == '\0')
    return reeve_resource_node_ref (attached->node);
  if ((attached->flags & REEVE_RESOURCE_ATTACH_DIRECTORY) == 0 || ops == NULL ||
      ops->find == NULL)
    return NULL;
  return ops->find (attached->node, left,
                    reeve_resource_node_get_data (attached->node));
}

/* (transfer full) (nullable): of a place that leads to others. */
static ReeveResourceNode *
get_implied (Place *place)
{
  if (place->parent != NULL && g_hash_table_size (place->children) == 0)
    return NULL;
  if (place->implied == NULL)
    place->implied = reeve_resource_node_new_directory (0755);
  return reeve_resource_node_ref (place->implied);
}

/* (transfer full) (nullable): what the first @n_names lead to: the candidates
 * at the deepest place are asked and, unless one hides them, those above. */
static ReeveResourceNode *
look_up (ReeveResourceTree *self, GPtrArray *names, size_t n_names)
{
  size_t depth = 0;
  Place *deepest = find_place (self, names, n_names, &depth);
  size_t left_depth = depth;
  gboolean hidden = FALSE;

  for (Place *place = deepest; place != NULL && !hidden;
       place = place->parent, left_depth--) {
    g_autofree char *left = join (names, left_depth, n_names);

    for (unsigned i = 0; i < place->attached->len; i++) {
      const Attached *attached = place->attached->pdata[i];
      ReeveResourceNode *node = ask (attached, left);

      if (node != NULL)
        return node;
      hidden |= (attached->flags & REEVE_RESOURCE_ATTACH_OPAQUE) != 0;
    }
  }
  return depth == n_names ? get_implied (deepest) : NULL;
}

/* Replaces the link at @names[@depth - 1] by its @target. */
static int
follow_link (GPtrArray *names, size_t depth, const char *target)
{
  g_autofree char *after = join (names, depth, names->len);
  int result;

  g_ptr_array_set_size (names, (int) depth - 1);
  result = add_path (names, target);
  return result != 0 ? result : add_path (names, after);
}

/* Whether @caller may go through the directory @node. */
static int
check_step (ReeveResourceNode *node, const ReeveResourceCaller *caller)
{
  if (!reeve_resource_node_is_directory (node))
    return ENOTDIR;
  return caller == NULL ? 0
                        : reeve_resource_node_check_access (node, caller, X_OK);
}

/* As reeve_resource_tree_resolve(); leaves in @names where it led. */
static int
resolve (ReeveResourceTree *self,
         GPtrArray *names,
         const ReeveResourceCaller *caller,
         gboolean follow,
         ReeveResourceNode **out)
{
  int n_links = 0;
  size_t depth = 0;

  for (;;) {
    g_autoptr (ReeveResourceNode) node = look_up (self, names, depth);
    const char *target = NULL;
    int result;

    if (node == NULL)
      return ENOENT;
    target = reeve_resource_node_get_target (node);
    if (target != NULL && (follow || depth < names->len)) {
      if (++n_links > MAX_LINKS)
        return ELOOP;
      result = follow_link (names, depth, target);
      if (result != 0)
        return result;
      depth = 0;
      continue;
    }
    if (depth == names->len) {
      *out = g_steal_pointer (&node);
      return 0;
    }
    result = check_step (node, caller);
    if (result != 0)
      return result;
    depth++;
  }
}

int
reeve_resource_tree_resolve (ReeveResourceTree *self,
                             const char *path,
                             const ReeveResourceCaller *caller,
                             gboolean follow,
                             ReeveResourceNode **node)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  int result = add_path (names, path);

  *node = NULL;
  return result != 0 ? result : resolve (self, names, caller, follow, node);
}

/* ------------------------------------------------------------- listing --- */

static void
entry_free (gpointer data)
{
  ReeveResourceEntry *self = data;

  g_free (self->name);
  g_free (self);
}

void
reeve_resource_listing_add (ReeveResourceListing *self,
                            const char *name,
                            mode_t type)
{
  ReeveResourceEntry *entry = NULL;

  if (!reeve_resource_name_is_valid (name) ||
      g_hash_table_contains (self->names, name))
    return;

  entry = g_new0 (ReeveResourceEntry, 1);
  entry->name = g_strdup (name);
  entry->type = type & S_IFMT;
  g_hash_table_insert (self->names, entry->name, entry);
}

/* In the order in which a look-up asks, so that the types are those of what it
 * finds. */
static void
list_attached (ReeveResourceListing *listing,
               ReeveResourceTree *self,
               GPtrArray *names)
{
  size_t depth = 0;
  gboolean hidden = FALSE;

  for (Place *place = find_place (self, names, names->len, &depth);
       place != NULL && !hidden; place = place->parent, depth--) {
    g_autofree char *left = join (names, depth, names->len);

    for (unsigned i = 0; i < place->attached->len; i++) {
      const Attached *attached = place->attached->pdata[i];
      const ReeveResourceOps *ops =
          reeve_resource_node_get_ops (attached->node);

      hidden |= (attached->flags & REEVE_RESOURCE_ATTACH_OPAQUE) != 0;
      if ((attached->flags & REEVE_RESOURCE_ATTACH_DIRECTORY) != 0 &&
          ops != NULL && ops->list != NULL)
        ops->list (attached->node, left, listing,
                   reeve_resource_node_get_data (attached->node));
    }
  }
}

static void
list_children (ReeveResourceListing *listing,
               ReeveResourceTree *self,
               GPtrArray *names)
{
  size_t depth = 0;
  Place *place = find_place (self, names, names->len, &depth);
  GHashTableIter iter;
  gpointer value;

  if (depth < names->len)
    return;
  g_hash_table_iter_init (&iter, place->children);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const Place *child = value;
    mode_t type = S_IFDIR;

    if (child->attached->len > 0) {
      const Attached *first = child->attached->pdata[0];

      type = reeve_resource_node_get_attr (first->node)->mode;
    }
    reeve_resource_listing_add (listing, child->name, type);
  }
}

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const ReeveResourceEntry *const *left = a;
  const ReeveResourceEntry *const *right = b;

  return strcmp ((*left)->name, (*right)->name);
}

static GPtrArray *
sort_entries (ReeveResourceListing *listing)
{
  GPtrArray *entries =
      g_ptr_array_new_full (g_hash_table_size (listing->names), entry_free);
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, listing->names);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    g_hash_table_iter_steal (&iter);
    g_ptr_array_add (entries, value);
  }
  g_ptr_array_sort (entries, compare_entries);
  return entries;
}

int
reeve_resource_tree_list (ReeveResourceTree *self,
                          const char *path,
                          const ReeveResourceCaller *caller,
                          GPtrArray **entries)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) table =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, entry_free);
  g_autoptr (ReeveResourceNode) node = NULL;
  ReeveResourceListing listing = { table };
  int result = add_path (names, path);

  if (result == 0)
    result = resolve (self, names, caller, TRUE, &node);
  if (result == 0 && !reeve_resource_node_is_directory (node))
    result = ENOTDIR;
  if (result == 0 && caller != NULL)
    result = reeve_resource_node_check_access (node, caller, R_OK);
  if (result != 0)
    return result;

  list_children (&listing, self, names);
  list_attached (&listing, self, names);
  *entries = sort_entries (&listing);
  return 0;
}

unsigned
reeve_resource_entries_after (GPtrArray *entries, const char *name)
{
  unsigned low = 0;
  unsigned high = entries->len;

  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    const ReeveResourceEntry *entry = entries->pdata[middle];

    if (strcmp (entry->name, name) <= 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}
