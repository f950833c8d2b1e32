/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/config-value.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/json-scan.h"
#include "rpc/wire-json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define VALUE_KEY "value"

static gboolean
is_section (const ReeveType *type)
{
  return type->kind == REEVE_KIND_STRUCT || type->kind == REEVE_KIND_UNION;
}

static gboolean
is_array (const ReeveType *type)
{
  return type->kind == REEVE_KIND_ARRAY || type->kind == REEVE_KIND_ARRAY_FIXED;
}

static gboolean
is_single (const ReeveType *type)
{
  return !is_section (type) && !is_array (type) &&
         type->kind != REEVE_KIND_OPTIONAL && type->kind != REEVE_KIND_VOID;
}

/* -------------------------------------------------------------- encode --- */

static void encode_member (const ReeveType *type,
                           gconstpointer value,
                           const char *key,
                           ReeveConfigNode *parent);

static void
append_unsigned (ReeveConfigNode *node, uint64_t value)
{
  g_autofree char *text = NULL;

  if (value <= INT64_MAX) {
    reeve_config_node_append_int (node, (int64_t) value);
    return;
  }

  text = g_strdup_printf ("%" PRIu64, value);
  reeve_config_node_append_string (node, text);
}

/* What looks the same in JSON. */
static void
append_as_json (ReeveConfigNode *node,
                const ReeveType *type,
                gconstpointer value)
{
  g_autoptr (JsonNode) json = reeve_json_encode (type, value);
  GType kind = json_node_get_value_type (json);

  if (kind == G_TYPE_STRING)
    reeve_config_node_append_string (node, json_node_get_string (json));
  else if (kind == G_TYPE_DOUBLE)
    reeve_config_node_append_float (node, json_node_get_double (json));
  else
    reeve_config_node_append_int (node, json_node_get_int (json));
}

static void
append_text (ReeveConfigNode *node, const char *text)
{
  /* Whatever its bytes are. */
  reeve_config_node_append_string (node, text == NULL ? "" : text);
}

static void
append_single (ReeveConfigNode *node,
               const ReeveType *type,
               gconstpointer value)
{
  switch (type->kind) {
  case REEVE_KIND_HYPER:
    reeve_config_node_append_int (node, *(const int64_t *) value);
    break;
  case REEVE_KIND_UHYPER:
    append_unsigned (node, *(const uint64_t *) value);
    break;
  case REEVE_KIND_BOOL:
    reeve_config_node_append_int (node, *(const int32_t *) value != 0);
    break;
  case REEVE_KIND_STRING:
    append_text (node, *(char *const *) value);
    break;
  default:
    append_as_json (node, type, value);
    break;
  }
}

static void
encode_items (const ReeveType *element,
              const char *items,
              size_t n_items,
              ReeveConfigNode *node)
{
  if (n_items == 0 || is_single (element))
    reeve_config_node_become_list (node);
  for (size_t i = 0; i < n_items; i++) {
    const char *item = items + i * element->size;
    char key[24];

    g_snprintf (key, sizeof key, "%zu", i);
    if (is_single (element))
      append_single (node, element, item);
    else
      encode_member (element, item, key, node);
  }
}

static void
encode_section (const ReeveType *type,
                gconstpointer value,
                ReeveConfigNode *node)
{
  const ReeveMember *arm;

  if (type->kind == REEVE_KIND_STRUCT) {
    for (size_t i = 0; i < type->n_members; i++)
      encode_member (type->members[i].type,
                     (const char *) value + type->members[i].offset,
                     type->members[i].name, node);
    return;
  }

  encode_member (type->members[0].type,
                 (const char *) value + type->members[0].offset,
                 type->members[0].name, node);
  arm = reeve_type_find_arm (type, value);
  if (arm != NULL && arm->name != NULL)
    encode_member (arm->type, (const char *) value + arm->offset, arm->name,
                   node);
}

static void
encode_optional (const ReeveType *type,
                 gconstpointer value,
                 const char *key,
                 ReeveConfigNode *parent)
{
  const void *pointer = *(void *const *) value;

  if (pointer != NULL)
    encode_member (type->element,
                   type->element->kind == REEVE_KIND_STRING ? value : pointer,
                   key, parent);
}

static void
encode_member (const ReeveType *type,
               gconstpointer value,
               const char *key,
               ReeveConfigNode *parent)
{
  const ReeveArray *array = value;

  if (type->kind == REEVE_KIND_VOID)
    return;
  if (type->kind == REEVE_KIND_OPTIONAL) {
    encode_optional (type, value, key, parent);
    return;
  }

  parent = reeve_config_node_add_section (parent, key);
  if (is_section (type))
    encode_section (type, value, parent);
  else if (type->kind == REEVE_KIND_ARRAY)
    encode_items (type->element, array->items, array->n_items, parent);
  else if (type->kind == REEVE_KIND_ARRAY_FIXED)
    encode_items (type->element, value, type->limit, parent);
  else
    append_single (parent, type, value);
}

void
reeve_config_encode (const ReeveType *type,
                     gconstpointer value,
                     ReeveConfigNode *node)
{
  if (is_section (type))
    encode_section (type, value, node);
  else
    encode_member (type, value, VALUE_KEY, node);
}

/* -------------------------------------------------------------- decode --- */

/*
 * Through JSON: what a node stands for is not known without its type (a list of
 * one is a single value, 1 may be true), but what it may be is said there.
 */

static JsonNode *node_to_json (const ReeveType *type,
                               const ReeveConfigNode *node,
                               const char *ignored,
                               unsigned depth);

/* What is no value of that type, whatever it is. */
static JsonNode *
make_misfit (const ReeveType *type)
{
  JsonNode *node =
      json_node_new (is_section (type) ? JSON_NODE_ARRAY : JSON_NODE_OBJECT);

  if (is_section (type))
    json_node_take_array (node, json_array_new ());
  else
    json_node_take_object (node, json_object_new ());
  return node;
}

static JsonNode *
make_bool (const ReeveType *type, const ReeveConfigValue *value)
{
  static const struct {
    const char *word;
    gboolean value;
  } words[] = {
    { "y", TRUE },  { "yes", TRUE }, { "on", TRUE },   { "true", TRUE },
    { "n", FALSE }, { "no", FALSE }, { "off", FALSE }, { "false", FALSE },
  };

  if (value->kind == REEVE_CONFIG_INT && (value->u.i == 0 || value->u.i == 1))
    return json_node_init_boolean (json_node_alloc (), value->u.i == 1);
  for (size_t i = 0;
       value->kind == REEVE_CONFIG_STRING && i < G_N_ELEMENTS (words); i++)
    if (g_ascii_strcasecmp (value->u.s, words[i].word) == 0)
      return json_node_init_boolean (json_node_alloc (), words[i].value);

  return make_misfit (type);
}

static JsonNode *
value_to_json (const ReeveType *type, const ReeveConfigValue *value)
{
  if (type->kind == REEVE_KIND_BOOL)
    return make_bool (type, value);

  switch (value->kind) {
  case REEVE_CONFIG_INT:
    return json_node_init_int (json_node_alloc (), value->u.i);
  case REEVE_CONFIG_FLOAT:
    return json_node_init_double (json_node_alloc (), value->u.f);
  case REEVE_CONFIG_STRING:
    return json_node_init_string (json_node_alloc (), value->u.s);
  }

  g_assert_not_reached ();
}

static JsonNode *
list_to_json (const ReeveType *element,
              const ReeveConfigNode *node,
              unsigned depth)
{
  JsonNode *list = json_node_new (JSON_NODE_ARRAY);
  JsonArray *array = json_array_new ();
  size_t n_values;
  const ReeveConfigValue *values =
      reeve_config_node_get_values (node, &n_values);

  for (size_t i = 0; i < n_values; i++)
    json_array_add_element (array, value_to_json (element, &values[i]));
  for (size_t i = 0; i < reeve_config_node_get_n_children (node); i++)
    json_array_add_element (
        array, node_to_json (element, reeve_config_node_get_child (node, i),
                             NULL, depth));
  json_node_take_array (list, array);
  return list;
}

/* (nullable): of the member of that name; NULL: there is none. */
static const ReeveType *
find_type (const ReeveType *type, const char *name)
{
  for (size_t i = 0; i < type->n_members; i++)
    if (g_strcmp0 (type->members[i].name, name) == 0)
      return type->members[i].type;

  return NULL;
}

static JsonNode *
section_to_json (const ReeveType *type,
                 const ReeveConfigNode *node,
                 const char *ignored,
                 unsigned depth)
{
  JsonNode *section = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  for (size_t i = 0; i < reeve_config_node_get_n_children (node); i++) {
    const ReeveConfigNode *child = reeve_config_node_get_child (node, i);
    const char *key = reeve_config_node_get_key (child);
    const ReeveType *wanted = find_type (type, key);

    if (g_strcmp0 (key, ignored) != 0 && !json_object_has_member (object, key))
      json_object_set_member (object, key,
                              wanted == NULL
                                  ? json_node_new (JSON_NODE_NULL)
                                  : node_to_json (wanted, child, NULL, depth));
  }
  json_node_take_object (section, object);
  return section;
}

static JsonNode *
node_to_json (const ReeveType *type,
              const ReeveConfigNode *node,
              const char *ignored,
              unsigned depth)
{
  size_t n_values;
  const ReeveConfigValue *values =
      reeve_config_node_get_values (node, &n_values);

  if (type->kind == REEVE_KIND_OPTIONAL)
    return node_to_json (type->element, node, ignored, depth);
  if (depth < REEVE_CONFIG_MAX_DEPTH && is_array (type))
    return list_to_json (type->element, node, depth + 1);
  if (depth < REEVE_CONFIG_MAX_DEPTH && is_section (type) &&
      !reeve_config_node_has_values (node))
    return section_to_json (type, node, ignored, depth + 1);
  if (n_values == 1)
    return value_to_json (type, &values[0]);

  return make_misfit (type);
}

/* Nothing may be given where nothing is taken. */
static gboolean
check_void (const ReeveConfigNode *node, const char *ignored, GError **error)
{
  for (size_t i = 0; i < reeve_config_node_get_n_children (node); i++) {
    const char *key =
        reeve_config_node_get_key (reeve_config_node_get_child (node, i));

    if (g_strcmp0 (key, ignored) != 0) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                   _ ("there is no member “%s”"), key);
      return FALSE;
    }
  }

  return TRUE;
}

gboolean
reeve_config_decode (const ReeveType *type,
                     const ReeveConfigNode *node,
                     const char *ignored,
                     gpointer value,
                     GError **error)
{
  g_autoptr (JsonNode) json = NULL;

  if (type->kind == REEVE_KIND_VOID)
    return check_void (node, ignored, error);
  if (!is_section (type)) {
    node = reeve_config_node_find (node, VALUE_KEY);
    if (node == NULL) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                   _ ("there has to be a member “%s”"), VALUE_KEY);
      return FALSE;
    }
  }

  json = node_to_json (type, node, ignored, 0);
  return reeve_json_decode (type, json, value, error);
}
