/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "random-value.h"

#include <string.h>

/* A count that is 0, the limit, or in between. */
static uint32_t
choose_count (uint32_t limit, GRand *random)
{
  uint32_t most = MIN (limit, 6);

  return (uint32_t) g_rand_int_range (random, 0, (gint32) most + 1);
}

static void
fill_bytes (uint8_t *bytes, size_t size, GRand *random)
{
  for (size_t i = 0; i < size; i++)
    bytes[i] = (uint8_t) g_rand_int_range (random, 1, 256);
}

static char *
make_string (uint32_t limit, GRand *random)
{
  static const char *const pieces[] = {
    "a", "Z", "0", " ", "\"", "\\", "\n", "\x01", "é", "€", "\xf0\x9f\x90\x9a"
  };
  uint32_t size = choose_count (limit, random);
  GString *text = g_string_new (NULL);

  while (text->len < size)
    g_string_append (
        text, pieces[g_rand_int_range (random, 0, G_N_ELEMENTS (pieces))]);
  /* Over the limit for a piece of several bytes: a shorter one is one, too. */
  if (text->len > limit)
    g_string_assign (text, "x");
  return g_string_free (text, FALSE);
}

static void
fill_items (const ReeveType *element, void *items, size_t n, GRand *random)
{
  for (size_t i = 0; i < n; i++)
    random_value_fill (element, (char *) items + i * element->size, random);
}

static void
fill_optional (const ReeveType *type, void **value, GRand *random)
{
  if (g_rand_boolean (random))
    return;

  if (type->element->kind == REEVE_KIND_STRING) {
    *value = make_string (type->element->limit, random);
    return;
  }
  *value = reeve_type_new (type->element);
  random_value_fill (type->element, *value, random);
}

/* Takes the discriminant of a random arm; for the default one, and for an enum
 * or a bool without it, whatever selects an arm. */
static void
fill_union (const ReeveType *type, void *value, GRand *random)
{
  const ReeveMember *head = &type->members[0];
  const ReeveMember *arm = NULL;
  int32_t *discriminant = (void *) ((char *) value + head->offset);

  while (arm == NULL) {
    gint32 place = g_rand_int_range (random, 1, (gint32) type->n_members);

    *discriminant = type->members[place].value;
    if (type->members[place].is_default)
      random_value_fill (head->type, discriminant, random);
    arm = reeve_type_find_arm (type, value);
  }

  random_value_fill (arm->type, (char *) value + arm->offset, random);
}

static void
fill_number (const ReeveType *type, void *value, GRand *random)
{
  switch (type->kind) {
  case REEVE_KIND_FLOAT:
    *(float *) value = (float) g_rand_double_range (random, -1e9, 1e9);
    break;
  case REEVE_KIND_DOUBLE:
    *(double *) value = g_rand_double_range (random, -1e99, 1e99);
    break;
  case REEVE_KIND_BOOL:
    *(int32_t *) value = g_rand_boolean (random);
    break;
  case REEVE_KIND_ENUM:
    *(int32_t *) value =
        type->values[g_rand_int_range (random, 0, (gint32) type->n_values)]
            .value;
    break;
  default:
    fill_bytes (value, type->size, random);
    break;
  }
}

void
random_value_fill (const ReeveType *type, gpointer value, GRand *random)
{
  ReeveBytes *bytes = value;
  ReeveArray *array = value;

  switch (type->kind) {
  case REEVE_KIND_VOID:
    break;
  case REEVE_KIND_STRING:
    *(char **) value = make_string (type->limit, random);
    break;
  case REEVE_KIND_OPAQUE:
    bytes->size = choose_count (type->limit, random);
    bytes->data = g_malloc (bytes->size + 1);
    fill_bytes (bytes->data, bytes->size, random);
    break;
  case REEVE_KIND_ARRAY_FIXED:
    fill_items (type->element, value, type->limit, random);
    break;
  case REEVE_KIND_ARRAY:
    array->n_items = choose_count (type->limit, random);
    array->items = g_malloc0_n (array->n_items + 1, type->element->size);
    fill_items (type->element, array->items, array->n_items, random);
    break;
  case REEVE_KIND_OPTIONAL:
    fill_optional (type, value, random);
    break;
  case REEVE_KIND_STRUCT:
    for (size_t i = 0; i < type->n_members; i++)
      random_value_fill (type->members[i].type,
                         (char *) value + type->members[i].offset, random);
    break;
  case REEVE_KIND_UNION:
    fill_union (type, value, random);
    break;
  default:
    fill_number (type, value, random);
    break;
  }
}
