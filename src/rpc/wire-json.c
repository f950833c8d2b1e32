/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/wire-json.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/json-parse.h"
#include "rpc/json-value.h"
#include "rpc/uuid.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* -------------------------------------------------------------- encode --- */

/* What has no parts: its text says what it is. */
static JsonNode *
encode_scalar (const ReeveType *type, gconstpointer value)
{
  g_autoptr (GString) text = g_string_new (NULL);
  JsonNode *node;

  reeve_json_value_print (type, value, text);
  node = reeve_json_parse (text->str, text->len, NULL);
  g_assert (node != NULL);
  return node;
}

static JsonNode *
encode_items (const ReeveType *element, const void *items, size_t n_items)
{
  JsonNode *node = json_node_new (JSON_NODE_ARRAY);
  JsonArray *array = json_array_new ();

  for (size_t i = 0; i < n_items; i++)
    json_array_add_element (
        array,
        reeve_json_encode (element, (const char *) items + i * element->size));
  json_node_take_array (node, array);
  return node;
}

static void
encode_member (JsonObject *object, const ReeveMember *member, const void *value)
{
  if (member->name != NULL)
    json_object_set_member (
        object, member->name,
        reeve_json_encode (member->type,
                           (const char *) value + member->offset));
}

static JsonNode *
encode_object (const ReeveType *type, const void *value)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  if (type->kind == REEVE_KIND_UNION) {
    const ReeveMember *arm = reeve_type_find_arm (type, value);

    encode_member (object, &type->members[0], value);
    if (arm != NULL)
      encode_member (object, arm, value);
  } else {
    for (size_t i = 0; i < type->n_members; i++)
      encode_member (object, &type->members[i], value);
  }

  json_node_take_object (node, object);
  return node;
}

static JsonNode *
encode_optional (const ReeveType *type, const void *value)
{
  const void *pointer = *(void *const *) value;

  if (pointer == NULL)
    return json_node_new (JSON_NODE_NULL);

  return reeve_json_encode (type->element,
                            type->element->kind == REEVE_KIND_STRING ? value
                                                                     : pointer);
}

JsonNode *
reeve_json_encode (const ReeveType *type, gconstpointer value)
{
  const ReeveArray *array = value;

  switch (type->kind) {
  case REEVE_KIND_ARRAY_FIXED:
    return encode_items (type->element, value, type->limit);
  case REEVE_KIND_ARRAY:
    return encode_items (type->element, array->items, array->n_items);
  case REEVE_KIND_OPTIONAL:
    return encode_optional (type, value);
  case REEVE_KIND_STRUCT:
  case REEVE_KIND_UNION:
    return encode_object (type, value);
  default:
    return encode_scalar (type, value);
  }
}

/* -------------------------------------------------------------- decode --- */

static gboolean
decode (const ReeveType *type, JsonNode *node, void *value, GError **error);

static gboolean
refuse (GError **error, const char *expected)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("%s is expected"), expected);
  return FALSE;
}

static gboolean
is_value (JsonNode *node, GType type)
{
  return JSON_NODE_HOLDS_VALUE (node) &&
         json_node_get_value_type (node) == type;
}

/* A real without a fraction stands for a whole number, too. */
static gboolean
is_whole (JsonNode *node)
{
  double value;

  if (!is_value (node, G_TYPE_DOUBLE))
    return FALSE;

  value = json_node_get_double (node);
  return fabs (value) <= (double) REEVE_JSON_EXACT_MAX &&
         (double) (int64_t) value == value;
}

static gboolean
decode_signed (JsonNode *node,
               int64_t minimum,
               int64_t maximum,
               int64_t *value,
               GError **error)
{
  gboolean is_good = FALSE;

  if (is_value (node, G_TYPE_INT64) || is_whole (node)) {
    *value = json_node_get_int (node);
    is_good = *value >= minimum && *value <= maximum;
  } else if (is_value (node, G_TYPE_STRING)) {
    is_good = g_ascii_string_to_signed (json_node_get_string (node), 10,
                                        minimum, maximum, value, NULL);
  }

  if (!is_good)
    g_set_error (
        error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
        _ ("a whole number from %1$" PRId64 " to %2$" PRId64 " is expected"),
        minimum, maximum);
  return is_good;
}

static gboolean
decode_unsigned (JsonNode *node, uint64_t *value, GError **error)
{
  if ((is_value (node, G_TYPE_INT64) || is_whole (node)) &&
      json_node_get_int (node) >= 0) {
    *value = (uint64_t) json_node_get_int (node);
    return TRUE;
  }
  if (is_value (node, G_TYPE_STRING) &&
      g_ascii_string_to_unsigned (json_node_get_string (node), 10, 0,
                                  UINT64_MAX, value, NULL))
    return TRUE;

  return refuse (error, _ ("a whole number that is not negative"));
}

static gboolean
decode_integer (const ReeveType *type,
                JsonNode *node,
                void *value,
                GError **error)
{
  static const struct {
    int64_t minimum;
    int64_t maximum;
  } ranges[] = {
    [REEVE_KIND_CHAR] = { INT8_MIN, INT8_MAX },
    [REEVE_KIND_UCHAR] = { 0, UINT8_MAX },
    [REEVE_KIND_SHORT] = { INT16_MIN, INT16_MAX },
    [REEVE_KIND_USHORT] = { 0, UINT16_MAX },
    [REEVE_KIND_INT] = { INT32_MIN, INT32_MAX },
    [REEVE_KIND_UINT] = { 0, UINT32_MAX },
    [REEVE_KIND_HYPER] = { INT64_MIN, INT64_MAX },
  };
  int64_t number;

  if (!decode_signed (node, ranges[type->kind].minimum,
                      ranges[type->kind].maximum, &number, error))
    return FALSE;

  switch (type->size) {
  case 1:
    *(uint8_t *) value = (uint8_t) number;
    break;
  case 2:
    *(uint16_t *) value = (uint16_t) number;
    break;
  case 4:
    *(uint32_t *) value = (uint32_t) number;
    break;
  default:
    *(int64_t *) value = number;
    break;
  }
  return TRUE;
}

static gboolean
decode_enum (const ReeveType *type,
             JsonNode *node,
             int32_t *value,
             GError **error)
{
  const char *name =
      is_value (node, G_TYPE_STRING) ? json_node_get_string (node) : NULL;
  int64_t number;

  for (size_t i = 0; name != NULL && i < type->n_values; i++) {
    if (g_str_equal (type->values[i].name, name)) {
      *value = type->values[i].value;
      return TRUE;
    }
  }

  if (!decode_signed (node, INT32_MIN, INT32_MAX, &number, NULL)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("a name or a number of %s is expected"),
                 type->name != NULL ? type->name : "enum");
    return FALSE;
  }
  *value = (int32_t) number;
  return TRUE;
}

/* What encode_real() makes a string of. */
static gboolean
read_special (JsonNode *node, double *number)
{
  const char *text =
      is_value (node, G_TYPE_STRING) ? json_node_get_string (node) : "";

  *number = g_str_equal (text, "nan")   ? NAN
            : g_str_equal (text, "inf") ? INFINITY
                                        : -INFINITY;
  return isnan (*number) || *number > 0 || g_str_equal (text, "-inf");
}

static gboolean
decode_real (const ReeveType *type, JsonNode *node, void *value, GError **error)
{
  double number;

  if (is_value (node, G_TYPE_DOUBLE) || is_value (node, G_TYPE_INT64))
    number = json_node_get_double (node);
  else if (!read_special (node, &number))
    return refuse (error, _ ("a number"));

  if (type->kind == REEVE_KIND_FLOAT)
    *(float *) value = (float) number;
  else
    *(double *) value = number;
  return TRUE;
}

static gboolean
decode_text (const ReeveType *type,
             JsonNode *node,
             char **value,
             GError **error)
{
  if (!is_value (node, G_TYPE_STRING))
    return refuse (error, _ ("a string"));
  if (strlen (json_node_get_string (node)) > type->limit) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("the string is over its limit of %u bytes"), type->limit);
    return FALSE;
  }

  *value = json_node_dup_string (node);
  return TRUE;
}

static gboolean
decode_opaque (const ReeveType *type,
               JsonNode *node,
               void *value,
               GError **error)
{
  g_autofree uint8_t *data = NULL;
  ReeveBytes *bytes = value;
  gsize size;

  if (!is_value (node, G_TYPE_STRING))
    return refuse (error, reeve_json_is_uuid (type) ? _ ("a uuid")
                                                    : _ ("base64 text"));
  if (reeve_json_is_uuid (type))
    return reeve_uuid_parse (json_node_get_string (node), value) ||
           refuse (error, _ ("a uuid"));

  data = g_base64_decode (json_node_get_string (node), &size);
  if (type->kind == REEVE_KIND_OPAQUE_FIXED ? size != type->limit
                                            : size > type->limit) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 type->kind == REEVE_KIND_OPAQUE_FIXED
                     ? _ ("base64 text of %u bytes is expected")
                     : _ ("base64 text of at most %u bytes is expected"),
                 type->limit);
    return FALSE;
  }

  if (type->kind == REEVE_KIND_OPAQUE_FIXED) {
    memcpy (value, data, size);
  } else {
    bytes->size = (uint32_t) size;
    bytes->data = g_steal_pointer (&data);
  }
  return TRUE;
}

static gboolean
decode_items (const ReeveType *element,
              JsonArray *array,
              void *items,
              GError **error)
{
  for (unsigned i = 0; i < json_array_get_length (array); i++) {
    if (!decode (element, json_array_get_element (array, i),
                 (char *) items + i * element->size, error)) {
      g_prefix_error (error, "[%u]: ", i);
      return FALSE;
    }
  }

  return TRUE;
}

static gboolean
decode_array (const ReeveType *type,
              JsonNode *node,
              void *value,
              GError **error)
{
  gboolean is_fixed = type->kind == REEVE_KIND_ARRAY_FIXED;
  ReeveArray *result = value;
  JsonArray *array;
  unsigned length;

  if (!JSON_NODE_HOLDS_ARRAY (node))
    return refuse (error, _ ("an array"));

  array = json_node_get_array (node);
  length = json_array_get_length (array);
  if (is_fixed ? length != type->limit : length > type->limit) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 is_fixed ? _ ("an array of %u elements is expected")
                          : _ ("an array of at most %u elements is expected"),
                 type->limit);
    return FALSE;
  }

  if (is_fixed)
    return decode_items (type->element, array, value, error);
  result->n_items = length;
  result->items = g_malloc0_n (MAX (length, 1), type->element->size);
  return decode_items (type->element, array, result->items, error);
}

static gboolean
decode_optional (const ReeveType *type,
                 JsonNode *node,
                 void **value,
                 GError **error)
{
  if (JSON_NODE_HOLDS_NULL (node))
    return TRUE;
  if (type->element->kind == REEVE_KIND_STRING)
    return decode (type->element, node, value, error);

  *value = reeve_type_new (type->element);
  return decode (type->element, node, *value, error);
}

/* What a member is that is not given: zero, but a string is "". FALSE: zero
 * selects nothing in a union. */
static gboolean
fill_missing (const ReeveType *type, void *value)
{
  gboolean is_filled = TRUE;

  if (type->kind == REEVE_KIND_STRING) {
    *(char **) value = g_strdup ("");
  } else if (type->kind == REEVE_KIND_UNION) {
    const ReeveMember *arm = reeve_type_find_arm (type, value);

    return arm != NULL &&
           (arm->name == NULL ||
            fill_missing (arm->type, (char *) value + arm->offset));
  } else if (type->kind == REEVE_KIND_STRUCT) {
    for (size_t i = 0; is_filled && i < type->n_members; i++)
      is_filled = fill_missing (type->members[i].type,
                                (char *) value + type->members[i].offset);
  } else if (type->kind == REEVE_KIND_ARRAY_FIXED) {
    for (size_t i = 0; is_filled && i < type->limit; i++)
      is_filled = fill_missing (type->element,
                                (char *) value + i * type->element->size);
  }
  return is_filled;
}

static gboolean
decode_member (const ReeveMember *member,
               JsonObject *object,
               void *value,
               GError **error)
{
  void *field = (char *) value + member->offset;
  JsonNode *node;

  if (member->name == NULL)
    return TRUE;

  node = json_object_get_member (object, member->name);
  if (node == NULL && !fill_missing (member->type, field)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("there has to be a member “%s”"), member->name);
    return FALSE;
  }
  if (node == NULL)
    return TRUE;
  if (decode (member->type, node, field, error))
    return TRUE;
  g_prefix_error (error, "%s: ", member->name);
  return FALSE;
}

/* Whether each member of @object is one of @type's. */
static gboolean
check_names (const ReeveType *type, JsonObject *object, GError **error)
{
  JsonObjectIter iter;
  const char *name;

  json_object_iter_init (&iter, object);
  while (json_object_iter_next (&iter, &name, NULL)) {
    size_t i = 0;

    while (i < type->n_members && g_strcmp0 (type->members[i].name, name) != 0)
      i++;
    if (i == type->n_members) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                   _ ("there is no member “%s”"), name);
      return FALSE;
    }
  }

  return TRUE;
}

static gboolean
decode_object (const ReeveType *type,
               JsonNode *node,
               void *value,
               GError **error)
{
  const ReeveMember *arm;
  JsonObject *object;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return refuse (error, _ ("an object"));

  object = json_node_get_object (node);
  if (!check_names (type, object, error))
    return FALSE;

  if (type->kind == REEVE_KIND_STRUCT) {
    for (size_t i = 0; i < type->n_members; i++)
      if (!decode_member (&type->members[i], object, value, error))
        return FALSE;
    return TRUE;
  }

  if (!decode_member (&type->members[0], object, value, error))
    return FALSE;
  arm = reeve_type_find_arm (type, value);
  if (arm == NULL)
    return refuse (error, _ ("a discriminant that selects a member"));
  return decode_member (arm, object, value, error);
}

static gboolean
decode (const ReeveType *type, JsonNode *node, void *value, GError **error)
{
  switch (type->kind) {
  case REEVE_KIND_VOID:
    return TRUE;
  case REEVE_KIND_UHYPER:
    return decode_unsigned (node, value, error);
  case REEVE_KIND_FLOAT:
  case REEVE_KIND_DOUBLE:
    return decode_real (type, node, value, error);
  case REEVE_KIND_BOOL:
    if (!is_value (node, G_TYPE_BOOLEAN))
      return refuse (error, _ ("true or false"));
    *(int32_t *) value = json_node_get_boolean (node);
    return TRUE;
  case REEVE_KIND_ENUM:
    return decode_enum (type, node, value, error);
  case REEVE_KIND_STRING:
    return decode_text (type, node, value, error);
  case REEVE_KIND_OPAQUE_FIXED:
  case REEVE_KIND_OPAQUE:
    return decode_opaque (type, node, value, error);
  case REEVE_KIND_ARRAY_FIXED:
  case REEVE_KIND_ARRAY:
    return decode_array (type, node, value, error);
  case REEVE_KIND_OPTIONAL:
    return decode_optional (type, node, value, error);
  case REEVE_KIND_STRUCT:
  case REEVE_KIND_UNION:
    return decode_object (type, node, value, error);
  default:
    return decode_integer (type, node, value, error);
  }
}

gboolean
reeve_json_decode (const ReeveType *type,
                   JsonNode *node,
                   gpointer value,
                   GError **error)
{
  if (decode (type, node, value, error))
    return TRUE;

  reeve_type_clear (type, value);
  return FALSE;
}
