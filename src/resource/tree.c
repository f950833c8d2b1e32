/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/tree-private.h"

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
  GTree *children;            /* (element-type utf8 Place) (owned) */
  GPtrArray *attached;        /* (element-type Attached) (owned): best first */
  ReeveResourceNode *implied; /* (owned) (nullable): of one without attached */
};

struct _ReeveResourceListing {
  GHashTable *names; /* (element-type utf8 ReeveResourceEntry) (owned) */
  const ReeveResourceCaller *caller; /* (nullable) */
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

  g_tree_unref (self->children);
  g_ptr_array_unref (self->attached);
  reeve_resource_node_unref (self->implied);
  g_free (self->name);
  g_free (self);
}

static int
compare_names (gconstpointer a, gconstpointer b, gpointer data)
{
  return strcmp (a, b);
}

static Place *
place_new (Place *parent, const char *name)
{
  Place *self = g_new0 (Place, 1);

  self->parent = parent;
  self->name = g_strdup (name);
  /* By name, so that a page of them costs what it has, and not what there is.
   */
  self->children = g_tree_new_full (compare_names, NULL, NULL, place_free);
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
    Place *child = g_tree_lookup (place->children, name);

    if (child == NULL) {
      child = place_new (place, name);
      g_tree_insert (place->children, child->name, child);
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
         g_tree_nnodes (place->children) == 0) {
    Place *parent = place->parent;

    g_tree_remove (parent->children, place->name);
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
    Place *child = g_tree_lookup (place->children, names->pdata[*depth]);

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
  if (place->parent != NULL && g_tree_nnodes (place->children) == 0)
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

    if (node == NULL ||
        (caller != NULL && !reeve_resource_node_is_visible (node, caller)))
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
reeve_resource_tree_walk (ReeveResourceTree *self,
                          const char *path,
                          const ReeveResourceCaller *caller,
                          gboolean follow,
                          GPtrArray *names,
                          ReeveResourceNode **node)
{
  int result = add_path (names, path);

  *node = NULL;
  return result != 0 ? result : resolve (self, names, caller, follow, node);
}

int
reeve_resource_tree_resolve (ReeveResourceTree *self,
                             const char *path,
                             const ReeveResourceCaller *caller,
                             gboolean follow,
                             ReeveResourceNode **node)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  return reeve_resource_tree_walk (self, path, caller, follow, names, node);
}

ReeveResourceNode *
reeve_resource_tree_look_up (ReeveResourceTree *self, GPtrArray *names)
{
  return look_up (self, names, names->len);
}

/* In the order of look_up(). */
ReeveResourceNode *
reeve_resource_tree_find_provider (
    ReeveResourceTree *self,
    GPtrArray *names,
    gboolean (*can_do) (const ReeveResourceOps *ops),
    char **rest)
{
  size_t depth = 0;
  gboolean hidden = FALSE;
  Place *place = find_place (self, names, names->len, &depth);

  for (; place != NULL && !hidden; place = place->parent, depth--)
    for (unsigned i = 0; i < place->attached->len; i++) {
      const Attached *attached = place->attached->pdata[i];
      const ReeveResourceOps *ops =
          reeve_resource_node_get_ops (attached->node);

      hidden |= (attached->flags & REEVE_RESOURCE_ATTACH_OPAQUE) != 0;
      if ((attached->flags & REEVE_RESOURCE_ATTACH_DIRECTORY) == 0 ||
          ops == NULL || depth == names->len || !can_do (ops))
        continue;
      *rest = join (names, depth, names->len);
      return reeve_resource_node_ref (attached->node);
    }
  return NULL;
}

gboolean
reeve_resource_tree_is_guarded (ReeveResourceTree *self,
                                const char *path,
                                const ReeveResourceCaller *caller)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  if (add_path (names, path) != 0)
    return FALSE;
  for (;;) {
    g_autofree char *part = join (names, 0, names->len);
    g_autoptr (ReeveResourceNode) node = NULL;
    int result = reeve_resource_tree_resolve (self, part, caller, TRUE, &node);

    if (result == 0)
      return reeve_resource_node_is_guarded (node);
    if (names->len == 0)
      return FALSE;
    g_ptr_array_set_size (names, (int) names->len - 1);
  }
}

/* ------------------------------------------------------------- listing --- */

const ReeveResourceCaller *
reeve_resource_listing_get_caller (const ReeveResourceListing *self)
{
  return self->caller;
}

static void
entry_free (gpointer data)
{
  ReeveResourceEntry *self = data;

  g_free (self->name);
  g_free (self);
}

static ReeveResourceEntry *
entry_new (const char *name, mode_t type)
{
  ReeveResourceEntry *self = g_new0 (ReeveResourceEntry, 1);

  self->name = g_strdup (name);
  self->type = type & S_IFMT;
  return self;
}

static void
add_entry (ReeveResourceListing *listing, ReeveResourceEntry *entry)
{
  if (g_hash_table_contains (listing->names, entry->name))
    entry_free (entry);
  else
    g_hash_table_insert (listing->names, entry->name, entry);
}

void
reeve_resource_listing_add (ReeveResourceListing *self,
                            const char *name,
                            mode_t type)
{
  if (reeve_resource_name_is_valid (name))
    add_entry (self, entry_new (name, type));
}

static gboolean
is_lister (const Attached *self)
{
  const ReeveResourceOps *ops = reeve_resource_node_get_ops (self->node);

  return (self->flags & REEVE_RESOURCE_ATTACH_DIRECTORY) != 0 && ops != NULL &&
         ops->list != NULL;
}

/* In the order in which a look-up asks, so that the types are those of what it
 * finds. @listing: (nullable): to see whether there is anybody to be asked. */
static gboolean
list_attached (ReeveResourceListing *listing,
               ReeveResourceTree *self,
               GPtrArray *names)
{
  size_t depth = 0;
  gboolean hidden = FALSE;
  gboolean is_there = FALSE;

  for (Place *place = find_place (self, names, names->len, &depth);
       place != NULL && !hidden; place = place->parent, depth--) {
    g_autofree char *left = join (names, depth, names->len);

    for (unsigned i = 0; i < place->attached->len; i++) {
      const Attached *attached = place->attached->pdata[i];

      hidden |= (attached->flags & REEVE_RESOURCE_ATTACH_OPAQUE) != 0;
      if (!is_lister (attached))
        continue;
      is_there = TRUE;
      if (listing != NULL)
        reeve_resource_node_get_ops (attached->node)
            ->list (attached->node, left, listing,
                    reeve_resource_node_get_data (attached->node));
    }
  }
  return is_there;
}

static ReeveResourceEntry *
place_to_entry (const Place *self)
{
  mode_t type = S_IFDIR;

  if (self->attached->len > 0) {
    const Attached *first = self->attached->pdata[0];

    type = reeve_resource_node_get_attr (first->node)->mode;
  }
  return entry_new (self->name, type);
}

/* Whether @caller (nullable) may know of what is attached there. */
static gboolean
is_visible (const Place *self, const ReeveResourceCaller *caller)
{
  const Attached *first =
      self->attached->len == 0 ? NULL : self->attached->pdata[0];

  return caller == NULL || first == NULL ||
         reeve_resource_node_is_visible (first->node, caller);
}

/* (transfer full): up to @max_entries of what is attached one deeper. */
static GPtrArray *
list_children (ReeveResourceTree *self,
               GPtrArray *names,
               const ReeveResourceCaller *caller,
               const char *after,
               unsigned max_entries,
               gboolean *more)
{
  GPtrArray *entries = g_ptr_array_new_with_free_func (entry_free);
  size_t depth = 0;
  Place *place = find_place (self, names, names->len, &depth);
  GTreeNode *child = NULL;

  if (depth == names->len)
    child = after == NULL ? g_tree_node_first (place->children)
                          : g_tree_upper_bound (place->children, after);
  for (; child != NULL && entries->len < max_entries;
       child = g_tree_node_next (child))
    if (is_visible (g_tree_node_value (child), caller))
      g_ptr_array_add (entries, place_to_entry (g_tree_node_value (child)));
  *more = child != NULL;
  return entries;
}

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const ReeveResourceEntry *const *left = a;
  const ReeveResourceEntry *const *right = b;

  return strcmp ((*left)->name, (*right)->name);
}

/* Index of the first of @entries after @name; their number if none is. */
static unsigned
find_after (GPtrArray *entries, const char *name)
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

/* (transfer full): what is attached one deeper, and what providers have. */
static GPtrArray *
list_all (ReeveResourceTree *self,
          GPtrArray *names,
          const ReeveResourceCaller *caller,
          const char *after)
{
  gboolean more;
  g_autoptr (GPtrArray) children =
      list_children (self, names, caller, NULL, G_MAXUINT, &more);
  g_autoptr (GHashTable) table = g_hash_table_new (g_str_hash, g_str_equal);
  ReeveResourceListing listing = { table, caller };
  GPtrArray *entries = g_ptr_array_new_with_free_func (entry_free);
  GHashTableIter iter;
  gpointer value;

  g_ptr_array_set_free_func (children, NULL);
  for (unsigned i = 0; i < children->len; i++)
    add_entry (&listing, children->pdata[i]);
  list_attached (&listing, self, names);
  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    g_ptr_array_add (entries, value);
  g_ptr_array_sort (entries, compare_entries);
  if (after != NULL)
    g_ptr_array_remove_range (entries, 0, find_after (entries, after));
  return entries;
}

int
reeve_resource_tree_list_after (ReeveResourceTree *self,
                                const char *path,
                                const ReeveResourceCaller *caller,
                                const char *after,
                                unsigned max_entries,
                                GPtrArray **entries,
                                gboolean *more)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (ReeveResourceNode) node = NULL;
  int result =
      reeve_resource_tree_walk (self, path, caller, TRUE, names, &node);

  if (result == 0 && !reeve_resource_node_is_directory (node))
    result = ENOTDIR;
  if (result == 0 && caller != NULL)
    result = reeve_resource_node_check_access (node, caller, R_OK);
  if (result != 0)
    return result;

  *more = FALSE;
  *entries =
      list_attached (NULL, self, names)
          ? list_all (self, names, caller, after)
          : list_children (self, names, caller, after, max_entries, more);
  return 0;
}

int
reeve_resource_tree_list (ReeveResourceTree *self,
                          const char *path,
                          const ReeveResourceCaller *caller,
                          GPtrArray **entries)
{
  gboolean more;

  return reeve_resource_tree_list_after (self, path, caller, NULL, G_MAXUINT,
                                         entries, &more);
}
