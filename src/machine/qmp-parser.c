/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/qmp-parser.h"

#include "event/intl.h"
#include "rpc/error.h"

#include <string.h>

void
reeve_qmp_parser_init (ReeveQmpParser *self,
                       size_t max_bytes,
                       unsigned max_depth)
{
  *self = (ReeveQmpParser){
    .bytes = g_byte_array_new (),
    .max_bytes = max_bytes,
    .max_depth = max_depth,
  };
}

void
reeve_qmp_parser_clear (ReeveQmpParser *self)
{
  g_clear_pointer (&self->bytes, g_byte_array_unref);
}

/* Moves what is left to the front once most of the array was given out, so
 * that moving costs less than reading did. */
static void
drop_consumed (ReeveQmpParser *self)
{
  if (self->n_consumed == 0 || self->n_consumed < self->bytes->len / 2)
    return;

  g_byte_array_remove_range (self->bytes, 0, (guint) self->n_consumed);
  self->n_scanned -= self->n_consumed;
  self->n_consumed = 0;
}

void
reeve_qmp_parser_feed (ReeveQmpParser *self, const void *data, size_t size)
{
  drop_consumed (self);
  g_byte_array_append (self->bytes, data, (guint) size);
}

const uint8_t *
reeve_qmp_parser_peek (const ReeveQmpParser *self, size_t *size)
{
  *size = self->bytes->len - self->n_consumed;
  return self->bytes->data + self->n_consumed;
}

static gboolean
is_blank (char byte)
{
  return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static void
scan_string (ReeveQmpParser *self, char byte)
{
  if (self->is_escape)
    self->is_escape = FALSE;
  else if (byte == '\\')
    self->is_escape = TRUE;
  else if (byte == '"')
    self->is_string = FALSE;
}

/* Between messages only blanks and an opening brace make sense. */
static gboolean
scan_outside (ReeveQmpParser *self, char byte, GError **error)
{
  if (is_blank (byte)) {
    self->n_consumed = self->n_scanned + 1;
    return TRUE;
  }
  if (byte != '{') {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("the monitor sent the byte 0x%02x where a JSON object "
                    "should begin"),
                 (unsigned) (unsigned char) byte);
    return FALSE;
  }

  self->depth = 1;
  return TRUE;
}

static gboolean
scan_inside (ReeveQmpParser *self, char byte, GError **error)
{
  if (byte == '"') {
    self->is_string = TRUE;
  } else if (byte == '{' || byte == '[') {
    if (++self->depth > self->max_depth) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                   _ ("JSON is nested more than %u levels deep"),
                   self->max_depth);
      return FALSE;
    }
  } else if (byte == '}' || byte == ']') {
    self->depth--;
  }

  return TRUE;
}

/* Sets *@is_whole once the bytes from n_consumed to n_scanned are an object. */
static gboolean
scan (ReeveQmpParser *self, gboolean *is_whole, GError **error)
{
  while (self->n_scanned < self->bytes->len) {
    char byte = (char) self->bytes->data[self->n_scanned];

    if (self->is_string) {
      scan_string (self, byte);
    } else if (self->depth == 0) {
      if (!scan_outside (self, byte, error))
        return FALSE;
    } else if (!scan_inside (self, byte, error)) {
      return FALSE;
    } else if (self->depth == 0) {
      self->n_scanned++;
      *is_whole = TRUE;
      return TRUE;
    }
    self->n_scanned++;
  }

  return TRUE;
}

/* json-glib recurses: its input was checked for depth before. */
static JsonObject *
parse (const char *text, size_t length, GError **error)
{
  g_autoptr (JsonParser) parser = NULL;
  g_autoptr (GError) local_error = NULL;
  JsonNode *root;

  if (!g_utf8_validate_len (text, length, NULL)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("the JSON text is not valid UTF-8"));
    return NULL;
  }

  parser = json_parser_new_immutable ();
  if (!json_parser_load_from_data (parser, text, (gssize) length,
                                   &local_error)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("the JSON text cannot be parsed: %s"),
                 local_error->message);
    return NULL;
  }

  root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("the JSON text is not an object"));
    return NULL;
  }
  return json_node_dup_object (root);
}

gboolean
reeve_qmp_parser_next (ReeveQmpParser *self,
                       JsonObject **message,
                       GError **error)
{
  gboolean is_whole = FALSE;
  size_t start;
  size_t size;

  *message = NULL;
  if (!scan (self, &is_whole, error))
    return FALSE;

  start = self->n_consumed;
  size = self->n_scanned - start;
  if (size > self->max_bytes) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("the monitor sent a message of more than %zu bytes"),
                 self->max_bytes);
    return FALSE;
  }
  if (!is_whole)
    return TRUE;

  self->n_consumed = self->n_scanned;
  *message = parse ((const char *) self->bytes->data + start, size, error);
  return *message != NULL;
}

JsonObject *
reeve_qmp_parse_object (const char *text, GError **error)
{
  ReeveQmpParser parser;
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (GError) local_error = NULL;
  gboolean is_clean;

  reeve_qmp_parser_init (&parser, REEVE_QMP_MAX_MESSAGE, REEVE_QMP_MAX_DEPTH);
  reeve_qmp_parser_feed (&parser, text, strlen (text));
  is_clean = reeve_qmp_parser_next (&parser, &object, &local_error);
  while (is_clean && parser.n_scanned < parser.bytes->len)
    is_clean = is_blank ((char) parser.bytes->data[parser.n_scanned++]);
  reeve_qmp_parser_clear (&parser);

  if (is_clean && object != NULL)
    return g_steal_pointer (&object);

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("a monitor command must be one JSON object: %s"),
               local_error != NULL ? local_error->message : text);
  return NULL;
}

char *
reeve_qmp_object_to_text (JsonObject *object)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);

  json_node_set_object (node, object);
  return json_to_string (node, FALSE);
}
