/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request.h"

#include <stdlib.h>
#include <string.h>

static void
add_word (GByteArray *frames, uint32_t word)
{
  word = GUINT32_TO_BE (word);
  g_byte_array_append (frames, (const guint8 *) &word, sizeof word);
}

static void
add_frame (GByteArray *frames, const Request *self, uint32_t serial)
{
  gsize size = 0;
  const void *args =
      self->args == NULL ? NULL : g_bytes_get_data (self->args, &size);

  add_word (frames, (uint32_t) (HEADER_SIZE + size));
  add_word (frames, self->program);
  add_word (frames, self->version);
  add_word (frames, self->procedure);
  add_word (frames, 0); /* a call */
  add_word (frames, serial);
  add_word (frames, 0); /* the status */
  g_byte_array_append (frames, args, (guint) size);
}

GByteArray *
request_make_frames (const Request *self, unsigned n_calls)
{
  GByteArray *frames = g_byte_array_new ();

  for (unsigned i = 0; i < n_calls; i++) {
    if (self->text != NULL)
      g_byte_array_append (frames, (const guint8 *) self->text,
                           (guint) strlen (self->text));
    else
      add_frame (frames, self, i + 1);
  }
  return frames;
}

static uint32_t
get_word (const Replies *self, unsigned index)
{
  uint32_t word;

  memcpy (&word, self->header + 4 * index, sizeof word);
  return GUINT32_FROM_BE (word);
}

static gboolean
is_text (const Replies *self)
{
  return self->header[0] == '{';
}

/* Each call in JSON has the same id, and a reply's members one order. */
static void
check_text (const Replies *self)
{
  static const char start[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"res";

  if (memcmp (self->header, start, HEADER_SIZE) != 0) {
    g_printerr ("a call in JSON failed: %.28s\n", self->header);
    exit (1);
  }
}

static void
end_header (Replies *self)
{
  uint32_t size = get_word (self, 0);

  if (is_text (self)) {
    check_text (self);
    self->n_left = 1;
    return;
  }
  if (size < HEADER_SIZE || get_word (self, 6) != 0) {
    g_printerr ("program %x, procedure %u: a call failed\n", get_word (self, 1),
                get_word (self, 3));
    exit (1);
  }
  self->n_left = size - HEADER_SIZE;
}

/* Takes what belongs to the header, and says how much that was. */
static size_t
take_header (Replies *self, const uint8_t *data, size_t size)
{
  size_t n = MIN (size, HEADER_SIZE - self->header_size);

  memcpy (self->header + self->header_size, data, n);
  self->header_size += (unsigned) n;
  if (self->header_size == HEADER_SIZE)
    end_header (self);
  return n;
}

/* The same of what is behind the header; a reply in JSON is a line. */
static size_t
take_body (Replies *self, const uint8_t *data, size_t size)
{
  const uint8_t *end;
  size_t n;

  if (is_text (self)) {
    end = memchr (data, '\n', size);
    self->n_left = end == NULL;
    return end == NULL ? size : (size_t) (end - data) + 1;
  }

  n = MIN (size, self->n_left);
  self->n_left -= n;
  return n;
}

unsigned
replies_take (Replies *self, const uint8_t *data, size_t size)
{
  unsigned n_replies = 0;

  while (size > 0) {
    size_t n = self->header_size < HEADER_SIZE ? take_header (self, data, size)
                                               : take_body (self, data, size);

    data += n;
    size -= n;
    if (self->header_size == HEADER_SIZE && self->n_left == 0) {
      n_replies++;
      self->header_size = 0;
    }
  }
  return n_replies;
}
