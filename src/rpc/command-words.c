/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/command-words.h"

#include "event/intl.h"
#include "rpc/config-value.h"
#include "rpc/error.h"
#include "rpc/json-parse.h"
#include "rpc/wire-json.h"

#include <string.h>

static gboolean
is_array (const ReeveType *type)
{
  return type->kind == REEVE_KIND_ARRAY;
}

/* Whether words can go on without it. */
static gboolean
is_needed (const ReeveMember *member)
{
  return member->type->kind != REEVE_KIND_OPTIONAL &&
         !is_array (member->type) && !g_str_equal (member->name, "flags");
}

static void
count_words (const ReeveType *args, size_t *n_needed, size_t *n_possible)
{
  *n_needed = 0;
  *n_possible = args->kind == REEVE_KIND_VOID ? 0 : 1;
  if (args->kind != REEVE_KIND_STRUCT) {
    *n_needed = *n_possible;
    return;
  }

  *n_possible = args->n_members;
  for (size_t i = 0; i < args->n_members; i++)
    if (is_needed (&args->members[i]))
      *n_needed = i + 1;
  if (args->n_members > 0 && is_array (args->members[args->n_members - 1].type))
    *n_possible = SIZE_MAX;
}

char *
reeve_words_make_usage (const ReeveType *args)
{
  g_autoptr (GString) text = g_string_new (NULL);
  size_t n_needed, n_possible;

  count_words (args, &n_needed, &n_possible);
  for (size_t i = 0; args->kind == REEVE_KIND_STRUCT && i < args->n_members;
       i++) {
    g_autofree char *name = g_ascii_strup (args->members[i].name, -1);
    gboolean takes_rest = i + 1 == args->n_members && n_possible == SIZE_MAX;

    g_string_append_printf (text, i < n_needed ? "%s%s%s" : "%s[%s]%s",
                            i > 0 ? " " : "", name, takes_rest ? "..." : "");
  }
  if (args->kind != REEVE_KIND_STRUCT && args->kind != REEVE_KIND_VOID)
    g_string_append (text, "VALUE");
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* --------------------------------------------------------------- decode --- */

static JsonNode *
make_string (const char *word)
{
  return json_node_init_string (json_node_alloc (), word);
}

static JsonNode *
make_bool (const char *word)
{
  static const char *const words[] = { "false", "true", "no", "yes",
                                       "off",   "on",   "0",  "1" };

  for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
    if (g_ascii_strcasecmp (word, words[i]) == 0)
      return json_node_init_boolean (json_node_alloc (), i % 2 == 1);

  return make_string (word);
}

static JsonNode *
make_real (const char *word)
{
  char *end;
  double number = g_ascii_strtod (word, &end);

  if (end == word || *end != '\0' || g_ascii_isalpha (word[0]) ||
      (word[0] == '-' && g_ascii_isalpha (word[1])))
    return make_string (word);
  return json_node_init_double (json_node_alloc (), number);
}

/* (transfer full) (nullable) */
static JsonNode *
word_to_json (const ReeveType *type, const char *word, GError **error)
{
  JsonObject *object;
  JsonNode *member, *node;

  switch (type->kind) {
  case REEVE_KIND_OPTIONAL:
    return word_to_json (type->element, word, error);
  case REEVE_KIND_BOOL:
    return make_bool (word);
  case REEVE_KIND_FLOAT:
  case REEVE_KIND_DOUBLE:
    return make_real (word);
  case REEVE_KIND_STRUCT:
    if (type->n_members != 1 || word[0] == '{')
      return reeve_json_parse (word, strlen (word), error);
    member = word_to_json (type->members[0].type, word, error);
    if (member == NULL)
      return NULL;
    object = json_object_new ();
    json_object_set_member (object, type->members[0].name, member);
    node = json_node_new (JSON_NODE_OBJECT);
    json_node_take_object (node, object);
    return node;
  case REEVE_KIND_UNION:
  case REEVE_KIND_ARRAY:
  case REEVE_KIND_ARRAY_FIXED:
    return reeve_json_parse (word, strlen (word), error);
  default:
    return make_string (word);
  }
}

/* (transfer full) (nullable): of the words from @first on. */
static JsonNode *
rest_to_json (const ReeveType *element,
              JsonArray *words,
              unsigned first,
              GError **error)
{
  g_autoptr (JsonArray) array = json_array_new ();
  JsonNode *node;

  for (unsigned i = first; i < json_array_get_length (words); i++) {
    node =
        word_to_json (element, json_array_get_string_element (words, i), error);
    if (node == NULL)
      return NULL;
    json_array_add_element (array, node);
  }

  node = json_node_new (JSON_NODE_ARRAY);
  json_node_set_array (node, array);
  return node;
}

/* (transfer full) (nullable) */
static JsonNode *
words_to_json (const ReeveType *args, JsonArray *words, GError **error)
{
  g_autoptr (JsonObject) object = json_object_new ();
  unsigned length = json_array_get_length (words);
  JsonNode *node;

  for (unsigned i = 0; i < args->n_members && i < length; i++) {
    const ReeveMember *member = &args->members[i];

    node = i + 1 == args->n_members && is_array (member->type)
               ? rest_to_json (member->type->element, words, i, error)
               : word_to_json (member->type,
                               json_array_get_string_element (words, i), error);
    if (node == NULL) {
      g_prefix_error (error, "%s: ", member->name);
      return NULL;
    }
    json_object_set_member (object, member->name, node);
  }

  node = json_node_new (JSON_NODE_OBJECT);
  json_node_set_object (node, object);
  return node;
}

static gboolean
check_count (const ReeveType *args,
             const char *name,
             JsonArray *words,
             GError **error)
{
  size_t length = json_array_get_length (words);
  size_t n_needed, n_possible;

  count_words (args, &n_needed, &n_possible);
  if (length < n_needed)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("\"%1$s\" command requires at least %2$zu arguments"), name,
                 n_needed);
  else if (length > n_possible)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("\"%1$s\" command takes at most %2$zu arguments"), name,
                 n_possible);
  return length >= n_needed && length <= n_possible;
}

gboolean
reeve_words_decode (const ReeveType *args,
                    const char *name,
                    JsonArray *words,
                    gpointer value,
                    GError **error)
{
  g_autoptr (JsonNode) node = NULL;

  if (!check_count (args, name, words, error))
    return FALSE;
  if (args->kind == REEVE_KIND_VOID)
    return TRUE;

  node = args->kind == REEVE_KIND_STRUCT
             ? words_to_json (args, words, error)
             : word_to_json (args, json_array_get_string_element (words, 0),
                             error);
  return node != NULL && reeve_json_decode (args, node, value, error);
}

/* ---------------------------------------------------------------- print --- */

static char *
print_plain (const ReeveType *type, gconstpointer ret)
{
  g_autoptr (ReeveConfigNode) node = NULL;
  GString *text;

  if (type->kind == REEVE_KIND_STRUCT && type->n_members == 1 &&
      type->members[0].type->kind == REEVE_KIND_STRING)
    return g_strdup (*(char *const *) ret);

  node = reeve_config_node_new ();
  reeve_config_encode (type, ret, node);
  text = g_string_new (NULL);
  reeve_config_node_print (node, REEVE_CONFIG_STYLE_EXACT, text);
  return g_string_free (text, FALSE);
}

char *
reeve_words_print (const ReeveType *type,
                   const ReeveCommand *command,
                   gconstpointer ret)
{
  g_autofree char *text = command != NULL && command->format != NULL
                              ? command->format (ret)
                              : print_plain (type, ret);
  g_autofree char *valid = g_utf8_make_valid (text == NULL ? "" : text, -1);

  if (valid[0] == '\0' || g_str_has_suffix (valid, "\n"))
    return g_steal_pointer (&valid);
  return g_strconcat (valid, "\n", NULL);
}
