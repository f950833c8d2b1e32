/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/type.h"

#include <string.h>

#define SIMPLE(word, enumerator, c_type)                                       \
  const ReeveType reeve_type_##word = {                                        \
    .kind = REEVE_KIND_##enumerator,                                           \
    .size = sizeof (c_type),                                                   \
  }

const ReeveType reeve_type_void = { .kind = REEVE_KIND_VOID };
SIMPLE (char, CHAR, int8_t);
SIMPLE (uchar, UCHAR, uint8_t);
SIMPLE (short, SHORT, int16_t);
SIMPLE (ushort, USHORT, uint16_t);
SIMPLE (int, INT, int32_t);
SIMPLE (uint, UINT, uint32_t);
SIMPLE (hyper, HYPER, int64_t);
SIMPLE (uhyper, UHYPER, uint64_t);
SIMPLE (float, FLOAT, float);
SIMPLE (double, DOUBLE, double);
SIMPLE (bool, BOOL, int32_t);

/* Whether a value of the kind may own memory. */
static gboolean
owns_memory (const ReeveType *type)
{
  switch (type->kind) {
  case REEVE_KIND_STRING:
  case REEVE_KIND_OPAQUE:
  case REEVE_KIND_ARRAY:
  case REEVE_KIND_OPTIONAL:
  case REEVE_KIND_STRUCT:
  case REEVE_KIND_UNION:
    return TRUE;
  case REEVE_KIND_ARRAY_FIXED:
    return owns_memory (type->element);
  default:
    return FALSE;
  }
}

static void free_content (const ReeveType *type, void *value);

static void
free_items (const ReeveType *element, void *items, size_t n_items)
{
  if (!owns_memory (element))
    return;
  for (size_t i = 0; i < n_items; i++)
    free_content (element, (char *) items + i * element->size);
}

static void
free_optional (const ReeveType *type, void *value)
{
  void **pointer = value;

  if (*pointer != NULL && type->element->kind != REEVE_KIND_STRING)
    free_content (type->element, *pointer);
  g_free (*pointer);
}

static void
free_members (const ReeveType *type, void *value)
{
  for (size_t i = 0; i < type->n_members; i++)
    if (owns_memory (type->members[i].type))
      free_content (type->members[i].type,
                    (char *) value + type->members[i].offset);
}

/* Frees what @value owns and leaves its bytes as they are. */
static void
free_content (const ReeveType *type, void *value)
{
  const ReeveMember *arm;

  switch (type->kind) {
  case REEVE_KIND_STRING:
    g_free (*(char **) value);
    break;
  case REEVE_KIND_OPAQUE:
    g_free (((ReeveBytes *) value)->data);
    break;
  case REEVE_KIND_ARRAY:
    free_items (type->element, ((ReeveArray *) value)->items,
                ((ReeveArray *) value)->n_items);
    g_free (((ReeveArray *) value)->items);
    break;
  case REEVE_KIND_ARRAY_FIXED:
    free_items (type->element, value, type->limit);
    break;
  case REEVE_KIND_OPTIONAL:
    free_optional (type, value);
    break;
  case REEVE_KIND_STRUCT:
    free_members (type, value);
    break;
  case REEVE_KIND_UNION:
    arm = reeve_type_find_arm (type, value);
    if (arm != NULL)
      free_content (arm->type, (char *) value + arm->offset);
    break;
  default:
    break;
  }
}

const ReeveMember *
reeve_type_find_arm (const ReeveType *type, gconstpointer value)
{
  const ReeveMember *found = NULL;
  int32_t discriminant;

  memcpy (&discriminant, (const char *) value + type->members[0].offset,
          sizeof discriminant);
  if (type->members[0].type->kind == REEVE_KIND_BOOL)
    discriminant = discriminant != 0;
  for (size_t i = 1; i < type->n_members; i++) {
    const ReeveMember *arm = &type->members[i];

    if (arm->is_default)
      found = arm;
    else if (arm->value == discriminant)
      return arm;
  }

  return found;
}

void
reeve_type_clear (const ReeveType *type, gpointer value)
{
  if (value == NULL || type->size == 0)
    return;

  free_content (type, value);
  memset (value, 0, type->size);
}

static gboolean
items_equal (const ReeveType *element,
             const void *a,
             const void *b,
             size_t n_items)
{
  for (size_t i = 0; i < n_items; i++)
    if (!reeve_type_equal (element, (const char *) a + i * element->size,
                           (const char *) b + i * element->size))
      return FALSE;

  return TRUE;
}

static gboolean
optional_equal (const ReeveType *element, const void *a, const void *b)
{
  const void *first = *(void *const *) a;
  const void *second = *(void *const *) b;

  if (first == NULL || second == NULL)
    return first == second;
  if (element->kind == REEVE_KIND_STRING)
    return strcmp (first, second) == 0;

  return reeve_type_equal (element, first, second);
}

static gboolean
struct_equal (const ReeveType *type, const void *a, const void *b)
{
  for (size_t i = 0; i < type->n_members; i++) {
    size_t offset = type->members[i].offset;

    if (!reeve_type_equal (type->members[i].type, (const char *) a + offset,
                           (const char *) b + offset))
      return FALSE;
  }

  return TRUE;
}

static gboolean
union_equal (const ReeveType *type, const void *a, const void *b)
{
  const ReeveMember *arm = reeve_type_find_arm (type, a);
  size_t offset = type->members[0].offset;

  if (memcmp ((const char *) a + offset, (const char *) b + offset,
              sizeof (int32_t)) != 0)
    return FALSE;

  return arm == NULL ||
         reeve_type_equal (arm->type, (const char *) a + arm->offset,
                           (const char *) b + arm->offset);
}

gboolean
reeve_type_equal (const ReeveType *type, gconstpointer a, gconstpointer b)
{
  const ReeveBytes *bytes_a = a, *bytes_b = b;
  const ReeveArray *array_a = a, *array_b = b;

  switch (type->kind) {
  case REEVE_KIND_VOID:
    return TRUE;
  case REEVE_KIND_STRING:
    return g_strcmp0 (*(char *const *) a, *(char *const *) b) == 0;
  case REEVE_KIND_OPAQUE:
    return bytes_a->size == bytes_b->size &&
           (bytes_a->size == 0 ||
            memcmp (bytes_a->data, bytes_b->data, bytes_a->size) == 0);
  case REEVE_KIND_ARRAY:
    return array_a->n_items == array_b->n_items &&
           items_equal (type->element, array_a->items, array_b->items,
                        array_a->n_items);
  case REEVE_KIND_ARRAY_FIXED:
    return items_equal (type->element, a, b, type->limit);
  case REEVE_KIND_OPTIONAL:
    return optional_equal (type->element, a, b);
  case REEVE_KIND_STRUCT:
    return struct_equal (type, a, b);
  case REEVE_KIND_UNION:
    return union_equal (type, a, b);
  default:
    return memcmp (a, b, type->size) == 0;
  }
}

gpointer
reeve_type_new (const ReeveType *type)
{
  return g_malloc0 (MAX (type->size, 1));
}

void
reeve_type_free (const ReeveType *type, gpointer value)
{
  reeve_type_clear (type, value);
  g_free (value);
}
