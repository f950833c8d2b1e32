/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/json-parse.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/json-scan.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Digits of a number; what has more is no number that anybody means. */
#define MAX_NUMBER 512u

typedef struct {
  const char *begin;
  const char *at;
  const char *end;
  unsigned n_values;

  /* The objects and arrays that the next value is in. */
  JsonNode *levels[REEVE_JSON_MAX_DEPTH]; /* (not owned) */
  unsigned depth;
  char *key; /* (owned) (nullable): of the next value */
} Parser;

static gboolean
fail (Parser *self, GError **error, const char *what)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
               _ ("the JSON is wrong at byte %1$zu: %2$s"),
               (size_t) (self->at - self->begin), what);
  return FALSE;
}

static void
pass_space (Parser *self)
{
  while (self->at < self->end && strchr (" \t\n\r", *self->at) != NULL &&
         *self->at != '\0')
    self->at++;
}

static gboolean
take (Parser *self, char byte)
{
  if (self->at == self->end || *self->at != byte)
    return FALSE;

  self->at++;
  return TRUE;
}

/* -------------------------------------------------------------- string --- */

/* Four digits; -1 if they are not there. */
static int
take_hex (Parser *self)
{
  int unit = 0;

  for (int i = 0; i < 4; i++) {
    int digit = self->at < self->end ? g_ascii_xdigit_value (*self->at) : -1;

    if (digit < 0)
      return -1;
    unit = unit * 16 + digit;
    self->at++;
  }
  return unit;
}

/* Behind `\u`. */
static gboolean
take_code_point (Parser *self, GString *text, GError **error)
{
  int unit = take_hex (self);
  int low = -1;

  if (unit < 0)
    return fail (self, error, _ ("four hexadecimal digits are expected"));
  if (unit == 0)
    return fail (self, error, _ ("a string cannot hold \\u0000"));
  if (unit >= 0xd800 && unit < 0xdc00 && take (self, '\\') && take (self, 'u'))
    low = take_hex (self);
  if (unit >= 0xd800 && unit < 0xe000) {
    if (unit >= 0xdc00 || low < 0xdc00 || low > 0xdfff)
      return fail (self, error, _ ("a surrogate is not one of a pair"));
    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  }

  g_string_append_unichar (text, (gunichar) unit);
  return TRUE;
}

static gboolean
take_escape (Parser *self, GString *text, GError **error)
{
  static const char names[] = "\"\\/bfnrt";
  static const char values[] = "\"\\/\b\f\n\r\t";
  const char *name;

  if (take (self, 'u'))
    return take_code_point (self, text, error);

  name = self->at < self->end && *self->at != '\0' ? strchr (names, *self->at)
                                                   : NULL;
  if (name == NULL)
    return fail (self, error, _ ("there is no such escape"));
  g_string_append_c (text, values[name - names]);
  self->at++;
  return TRUE;
}

/* (transfer full) (nullable) */
static char *
take_string (Parser *self, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);

  if (!take (self, '"')) {
    fail (self, error, _ ("a string is expected"));
    return NULL;
  }
  while (!take (self, '"')) {
    const char *begin = self->at;

    while (self->at < self->end && (uint8_t) *self->at >= 0x20 &&
           *self->at != '"' && *self->at != '\\')
      self->at++;
    g_string_append_len (text, begin, self->at - begin);
    if (self->at == self->end || (uint8_t) *self->at < 0x20) {
      fail (self, error, _ ("a string does not end"));
      return NULL;
    }
    if (take (self, '\\') && !take_escape (self, text, error))
      return NULL;
  }

  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* -------------------------------------------------------------- number --- */

static size_t
take_digits (Parser *self)
{
  const char *begin = self->at;

  while (self->at < self->end && g_ascii_isdigit (*self->at))
    self->at++;
  return (size_t) (self->at - begin);
}

/* Passes what the grammar allows; FALSE for what it does not. */
static gboolean
pass_number (Parser *self, gboolean *is_whole)
{
  take (self, '-');
  if (!take (self, '0') && take_digits (self) == 0)
    return FALSE;

  *is_whole = TRUE;
  if (take (self, '.')) {
    *is_whole = FALSE;
    if (take_digits (self) == 0)
      return FALSE;
  }
  if (take (self, 'e') || take (self, 'E')) {
    *is_whole = FALSE;
    if (!take (self, '+'))
      take (self, '-');
    if (take_digits (self) == 0)
      return FALSE;
  }
  return TRUE;
}

static JsonNode *
make_whole (const char *text)
{
  gint64 number;

  if (g_ascii_string_to_signed (text, 10, G_MININT64, G_MAXINT64, &number,
                                NULL))
    return json_node_init_int (json_node_alloc (), number);
  return json_node_init_string (json_node_alloc (), text);
}

/* (transfer full) (nullable) */
static JsonNode *
take_number (Parser *self, GError **error)
{
  const char *begin = self->at;
  g_autofree char *text = NULL;
  gboolean is_whole;
  double number;

  if (!pass_number (self, &is_whole)) {
    fail (self, error, _ ("a value is expected"));
    return NULL;
  }
  if ((size_t) (self->at - begin) > MAX_NUMBER) {
    fail (self, error, _ ("a number is too long"));
    return NULL;
  }

  text = g_strndup (begin, (size_t) (self->at - begin));
  if (is_whole)
    return make_whole (text);
  number = g_ascii_strtod (text, NULL);
  if (isinf (number)) {
    fail (self, error, _ ("a number is too large"));
    return NULL;
  }
  return json_node_init_double (json_node_alloc (), number);
}

/* --------------------------------------------------------------- value --- */

static JsonNode *
take_word (Parser *self, const char *word, JsonNode *node)
{
  size_t length = strlen (word);

  if ((size_t) (self->end - self->at) < length ||
      memcmp (self->at, word, length) != 0) {
    json_node_unref (node);
    return NULL;
  }

  self->at += length;
  return node;
}

/* (transfer full) (nullable): a value, or the begin of one. */
static JsonNode *
take_begin (Parser *self, GError **error)
{
  JsonNode *node = NULL;
  char *text;

  pass_space (self);
  switch (self->at < self->end ? *self->at : '\0') {
  case '{':
    self->at++;
    node = json_node_new (JSON_NODE_OBJECT);
    json_node_take_object (node, json_object_new ());
    return node;
  case '[':
    self->at++;
    node = json_node_new (JSON_NODE_ARRAY);
    json_node_take_array (node, json_array_new ());
    return node;
  case '"':
    text = take_string (self, error);
    if (text != NULL)
      node = json_node_init_string (json_node_alloc (), text);
    g_free (text);
    return node;
  case 't':
    node = take_word (self, "true",
                      json_node_init_boolean (json_node_alloc (), TRUE));
    break;
  case 'f':
    node = take_word (self, "false",
                      json_node_init_boolean (json_node_alloc (), FALSE));
    break;
  case 'n':
    node = take_word (self, "null", json_node_new (JSON_NODE_NULL));
    break;
  default:
    return take_number (self, error);
  }

  if (node == NULL)
    fail (self, error, _ ("a value is expected"));
  return node;
}

/* Puts a value where it belongs. (transfer full) */
static void
put (Parser *self, JsonNode *node)
{
  JsonNode *parent = self->levels[self->depth - 1];

  if (JSON_NODE_HOLDS_ARRAY (parent))
    json_array_add_element (json_node_get_array (parent), node);
  else
    json_object_set_member (json_node_get_object (parent), self->key, node);
  g_clear_pointer (&self->key, g_free);
}

static gboolean
take_key (Parser *self, GError **error)
{
  JsonObject *object = json_node_get_object (self->levels[self->depth - 1]);

  pass_space (self);
  self->key = take_string (self, error);
  if (self->key == NULL)
    return FALSE;
  if (json_object_has_member (object, self->key)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("the JSON is wrong at byte %1$zu: the member “%2$s” is "
                    "there twice"),
                 (size_t) (self->at - self->begin), self->key);
    return FALSE;
  }
  pass_space (self);
  return take (self, ':') || fail (self, error, _ ("a colon is expected"));
}

/* Behind a value, or the begin of one: leaves the levels that end here. FALSE
 * with @error set, or without when there is none left. */
static gboolean
go_on (Parser *self, gboolean is_begin, GError **error)
{
  while (self->depth > 0) {
    gboolean is_array = JSON_NODE_HOLDS_ARRAY (self->levels[self->depth - 1]);

    pass_space (self);
    if (!take (self, is_array ? ']' : '}')) {
      if (!is_begin && !take (self, ','))
        return fail (self, error, _ ("a comma is expected"));
      return is_array || take_key (self, error);
    }
    self->depth--;
    is_begin = FALSE;
  }

  return FALSE;
}

static gboolean
check_limits (Parser *self, gboolean is_container, GError **error)
{
  if (++self->n_values > REEVE_JSON_MAX_VALUES) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("the JSON has more than %u values"), REEVE_JSON_MAX_VALUES);
    return FALSE;
  }
  if (is_container && self->depth == REEVE_JSON_MAX_DEPTH) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("the JSON has more than %u levels"), REEVE_JSON_MAX_DEPTH);
    return FALSE;
  }
  return TRUE;
}

/* (transfer full) (nullable): also with @failure set. */
static JsonNode *
take_tree (Parser *self, GError **failure)
{
  JsonNode *root = NULL;
  gboolean is_container;

  do {
    JsonNode *node = take_begin (self, failure);

    if (node == NULL)
      return root;
    is_container =
        JSON_NODE_HOLDS_ARRAY (node) || JSON_NODE_HOLDS_OBJECT (node);
    if (root == NULL)
      root = node;
    else
      put (self, node);
    if (!check_limits (self, is_container, failure))
      return root;
    if (is_container)
      self->levels[self->depth++] = node;
  } while (go_on (self, is_container, failure));

  return root;
}

JsonNode *
reeve_json_parse (const char *text, size_t size, GError **error)
{
  Parser self = { .begin = text, .at = text, .end = text + size };
  g_autoptr (JsonNode) root = NULL;
  g_autoptr (GError) failure = NULL;
  const char *valid;

  if (!g_utf8_validate_len (text, size, &valid)) {
    self.at = valid;
    fail (&self, error, _ ("it is not UTF-8"));
    return NULL;
  }

  root = take_tree (&self, &failure);
  g_free (self.key);
  pass_space (&self);
  if (failure == NULL && self.at < self.end)
    fail (&self, &failure, _ ("something stands behind the value"));
  if (failure != NULL) {
    g_propagate_error (error, g_steal_pointer (&failure));
    return NULL;
  }
  return g_steal_pointer (&root);
}
