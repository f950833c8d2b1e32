/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/json-value.h"

#include "rpc/json-print.h"
#include "rpc/uuid.h"

#include <math.h>
#include <string.h>

gboolean
reeve_json_is_uuid (const ReeveType *type)
{
  return type->kind == REEVE_KIND_OPAQUE_FIXED &&
         type->limit == REEVE_UUID_SIZE && type->name != NULL &&
         g_str_has_suffix (type->name, "uuid");
}

/* ------------------------------------------------------------- scalars --- */

static void
print_uint (uint64_t value, gboolean is_negative, GString *text)
{
  char digits[24];
  char *first = digits + sizeof digits;
  gboolean is_quoted = value > (uint64_t) REEVE_JSON_EXACT_MAX;

  if (is_quoted)
    *--first = '"';
  do {
    *--first = (char) ('0' + value % 10);
    value /= 10;
  } while (value > 0);
  if (is_negative)
    *--first = '-';
  if (is_quoted)
    *--first = '"';
  g_string_append_len (text, first, digits + sizeof digits - first);
}

static void
print_int (int64_t value, GString *text)
{
  uint64_t bits = (uint64_t) value;

  print_uint (value < 0 ? 0 - bits : bits, value < 0, text);
}

/* JSON has no numbers that are not finite. */
static void
print_real (double value, GString *text)
{
  if (isfinite (value))
    reeve_json_print_real (value, text);
  else
    g_string_append (text, isnan (value)       ? "\"nan\""
                           : value == INFINITY ? "\"inf\""
                                               : "\"-inf\"");
}

static void
print_enum (const ReeveType *type, int32_t value, GString *text)
{
  for (size_t i = 0; i < type->n_values; i++)
    if (type->values[i].value == value) {
      reeve_json_print_string (type->values[i].name, text);
      return;
    }

  print_int (value, text);
}

static void
print_text (const char *string, GString *text)
{
  g_autofree char *valid = NULL;

  if (string == NULL)
    string = "";
  if (!g_utf8_validate (string, -1, NULL))
    string = valid = g_utf8_make_valid (string, -1);
  reeve_json_print_string (string, text);
}

static void
print_uuid (const uint8_t *uuid, GString *text)
{
  char word[REEVE_UUID_TEXT_SIZE];

  reeve_uuid_format (uuid, word);
  g_string_append_c (text, '"');
  g_string_append_len (text, word, sizeof word - 1);
  g_string_append_c (text, '"');
}

static void
print_bytes (const uint8_t *data, size_t size, GString *text)
{
  gsize begin = text->len + 1;
  int state = 0;
  int save = 0;
  gsize n;

  g_string_append_c (text, '"');
  /* As g_base64_encode_step() asks for, and its end. */
  g_string_set_size (text, begin + (size / 3 + 1) * 4 + 4);
  n = g_base64_encode_step (data, size, FALSE, text->str + begin, &state,
                            &save);
  n += g_base64_encode_close (FALSE, text->str + begin + n, &state, &save);
  g_string_truncate (text, begin + n);
  g_string_append_c (text, '"');
}

/* ------------------------------------------------------------ the others -- */

static void
print_items (const ReeveType *element,
             const void *items,
             size_t n_items,
             GString *text)
{
  g_string_append_c (text, '[');
  for (size_t i = 0; i < n_items; i++) {
    if (i > 0)
      g_string_append_c (text, ',');
    reeve_json_value_print (element, (const char *) items + i * element->size,
                            text);
  }
  g_string_append_c (text, ']');
}

/* The names of members are identifiers. */
static void
print_member (const ReeveMember *member,
              const void *value,
              char *separator,
              GString *text)
{
  if (member->name == NULL)
    return;

  g_string_append_c (text, *separator);
  g_string_append_c (text, '"');
  g_string_append (text, member->name);
  g_string_append_len (text, "\":", 2);
  reeve_json_value_print (member->type, (const char *) value + member->offset,
                          text);
  *separator = ',';
}

static void
print_object (const ReeveType *type, const void *value, GString *text)
{
  char separator = '{';

  if (type->kind == REEVE_KIND_UNION) {
    const ReeveMember *arm = reeve_type_find_arm (type, value);

    print_member (&type->members[0], value, &separator, text);
    if (arm != NULL)
      print_member (arm, value, &separator, text);
  } else {
    for (size_t i = 0; i < type->n_members; i++)
      print_member (&type->members[i], value, &separator, text);
  }
  g_string_append (text, separator == '{' ? "{}" : "}");
}

static void
print_optional (const ReeveType *type, const void *value, GString *text)
{
  const void *pointer = *(void *const *) value;

  if (pointer == NULL)
    g_string_append (text, "null");
  else
    reeve_json_value_print (
        type->element,
        type->element->kind == REEVE_KIND_STRING ? value : pointer, text);
}

void
reeve_json_value_print (const ReeveType *type,
                        gconstpointer value,
                        GString *text)
{
  const ReeveBytes *bytes = value;
  const ReeveArray *array = value;

  switch (type->kind) {
  case REEVE_KIND_VOID:
    g_string_append (text, "null");
    return;
  case REEVE_KIND_CHAR:
    print_int (*(const int8_t *) value, text);
    return;
  case REEVE_KIND_UCHAR:
    print_int (*(const uint8_t *) value, text);
    return;
  case REEVE_KIND_SHORT:
    print_int (*(const int16_t *) value, text);
    return;
  case REEVE_KIND_USHORT:
    print_int (*(const uint16_t *) value, text);
    return;
  case REEVE_KIND_INT:
    print_int (*(const int32_t *) value, text);
    return;
  case REEVE_KIND_UINT:
    print_int (*(const uint32_t *) value, text);
    return;
  case REEVE_KIND_HYPER:
    print_int (*(const int64_t *) value, text);
    return;
  case REEVE_KIND_UHYPER:
    print_uint (*(const uint64_t *) value, FALSE, text);
    return;
  case REEVE_KIND_FLOAT:
    print_real (*(const float *) value, text);
    return;
  case REEVE_KIND_DOUBLE:
    print_real (*(const double *) value, text);
    return;
  case REEVE_KIND_BOOL:
    g_string_append (text, *(const int32_t *) value != 0 ? "true" : "false");
    return;
  case REEVE_KIND_ENUM:
    print_enum (type, *(const int32_t *) value, text);
    return;
  case REEVE_KIND_STRING:
    print_text (*(char *const *) value, text);
    return;
  case REEVE_KIND_OPAQUE_FIXED:
    if (reeve_json_is_uuid (type))
      print_uuid (value, text);
    else
      print_bytes (value, type->limit, text);
    return;
  case REEVE_KIND_OPAQUE:
    print_bytes (bytes->data, bytes->size, text);
    return;
  case REEVE_KIND_ARRAY_FIXED:
    print_items (type->element, value, type->limit, text);
    return;
  case REEVE_KIND_ARRAY:
    print_items (type->element, array->items, array->n_items, text);
    return;
  case REEVE_KIND_OPTIONAL:
    print_optional (type, value, text);
    return;
  case REEVE_KIND_STRUCT:
  case REEVE_KIND_UNION:
    print_object (type, value, text);
    return;
  }

  g_assert_not_reached ();
}
