/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/json-scan.h"

#include <string.h>

static gboolean
is_space (char byte)
{
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* What numbers and the words true, false and null are made of. */
static gboolean
is_token (char byte)
{
  return g_ascii_isalnum (byte) || byte == '-' || byte == '+' || byte == '.';
}

/* ---------------------------------------------------------------- scan --- */

/* Passes the inside of a string; FALSE for a byte that none may have. */
static gboolean
pass_string (ReeveJsonScan *self, const uint8_t *data, size_t size)
{
  size_t i = self->offset;

  for (; i < size && self->is_string; i++) {
    if (data[i] < 0x20)
      break;
    if (self->is_escape)
      self->is_escape = FALSE;
    else if (data[i] == '\\')
      self->is_escape = TRUE;
    else if (data[i] == '"')
      self->is_string = FALSE;
  }

  self->offset = i;
  return i == size || !self->is_string;
}

static gboolean
go_in (ReeveJsonScan *self, gboolean is_array)
{
  if (self->depth == REEVE_JSON_MAX_DEPTH)
    return FALSE;

  self->arrays = self->arrays << 1 | (uint64_t) is_array;
  self->depth++;
  return TRUE;
}

static gboolean
go_out (ReeveJsonScan *self, gboolean is_array)
{
  if (self->depth == 0 || (self->arrays & 1) != (uint64_t) is_array)
    return FALSE;

  self->arrays >>= 1;
  self->depth--;
  return TRUE;
}

/* One byte that is not in a string. */
static gboolean
pass_byte (ReeveJsonScan *self, uint8_t byte)
{
  switch (byte) {
  case ' ':
  case '\t':
  case '\n':
  case '\r':
    return TRUE;
  case '{':
  case '[':
    return go_in (self, byte == '[');
  case '}':
  case ']':
    return go_out (self, byte == ']');
  case '"':
    self->is_string = TRUE;
    return self->depth > 0;
  case ',':
  case ':':
    return self->depth > 0;
  default:
    return self->depth > 0 && is_token ((char) byte);
  }
}

ReeveJsonScanned
reeve_json_scan (ReeveJsonScan *self, const uint8_t *data, size_t size)
{
  while (self->offset < size) {
    gboolean was_inside = self->depth > 0;

    if (self->is_string) {
      if (!pass_string (self, data, size))
        return REEVE_JSON_SCAN_BAD;
      continue;
    }
    if (!pass_byte (self, data[self->offset]))
      return REEVE_JSON_SCAN_BAD;
    self->offset++;
    if (was_inside && self->depth == 0)
      return REEVE_JSON_SCAN_DONE;
  }

  return REEVE_JSON_SCAN_MORE;
}

/* -------------------------------------------------------------- cursor --- */

static void
pass_space (ReeveJsonCursor *self)
{
  while (self->at < self->end && is_space (*self->at))
    self->at++;
}

void
reeve_json_cursor_init (ReeveJsonCursor *self, ReeveJsonSpan text)
{
  *self = (ReeveJsonCursor){ .at = text.text, .end = text.text + text.size };
  pass_space (self);
  self->is_bad =
      self->at == self->end || (*self->at != '{' && *self->at != '[');
  self->is_array = !self->is_bad && *self->at == '[';
  self->at += !self->is_bad;
}

static gboolean
is_at (ReeveJsonCursor *self, char byte)
{
  pass_space (self);
  return self->at < self->end && *self->at == byte;
}

static gboolean
take_byte (ReeveJsonCursor *self, char byte)
{
  if (!is_at (self, byte))
    return FALSE;

  self->at++;
  return TRUE;
}

static gboolean
take_string (ReeveJsonCursor *self)
{
  ReeveJsonScan scan = { .offset = 1, .is_string = TRUE };

  if (!pass_string (&scan, (const uint8_t *) self->at,
                    (size_t) (self->end - self->at)) ||
      scan.is_string)
    return FALSE;

  self->at += scan.offset;
  return TRUE;
}

static gboolean
take_value (ReeveJsonCursor *self)
{
  const char *begin;

  if (is_at (self, '"'))
    return take_string (self);
  if (is_at (self, '{') || is_at (self, '[')) {
    ReeveJsonScan scan = { 0 };

    if (reeve_json_scan (&scan, (const uint8_t *) self->at,
                         (size_t) (self->end - self->at)) !=
        REEVE_JSON_SCAN_DONE)
      return FALSE;
    self->at += scan.offset;
    return TRUE;
  }

  for (begin = self->at; self->at < self->end && is_token (*self->at);)
    self->at++;
  return self->at > begin;
}

static gboolean
take_item (ReeveJsonCursor *self, ReeveJsonSpan *key, ReeveJsonSpan *value)
{
  *key = (ReeveJsonSpan){ NULL, 0 };
  if (!self->is_array) {
    if (!is_at (self, '"'))
      return FALSE;
    key->text = self->at + 1;
    if (!take_string (self))
      return FALSE;
    key->size = (size_t) (self->at - 1 - key->text);
    if (!take_byte (self, ':'))
      return FALSE;
  }

  pass_space (self);
  value->text = self->at;
  if (!take_value (self))
    return FALSE;
  value->size = (size_t) (self->at - value->text);
  return TRUE;
}

gboolean
reeve_json_cursor_next (ReeveJsonCursor *self,
                        ReeveJsonSpan *key,
                        ReeveJsonSpan *value)
{
  gboolean is_first = !self->has_begun;

  if (self->is_bad || self->at == self->end)
    return FALSE;

  self->has_begun = TRUE;
  if (take_byte (self, self->is_array ? ']' : '}')) {
    /* Nothing but white space may stand behind it. */
    pass_space (self);
    self->is_bad = self->at < self->end;
    return FALSE;
  }

  self->is_bad =
      (!is_first && !take_byte (self, ',')) || !take_item (self, key, value);
  return !self->is_bad;
}

gboolean
reeve_json_span_equal (ReeveJsonSpan self, const char *text)
{
  return self.size == strlen (text) && memcmp (self.text, text, self.size) == 0;
}
