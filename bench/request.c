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

GByteArray *
request_make_frames (const Request *self, unsigned n_calls)
{
  GByteArray *frames = g_byte_array_new ();
  gsize size = 0;
  const void *args =
      self->args == NULL ? NULL : g_bytes_get_data (self->args, &size);

  for (unsigned i = 0; i < n_calls; i++) {
    add_word (frames, (uint32_t) (HEADER_SIZE + size));
    add_word (frames, self->program);
    add_word (frames, self->version);
    add_word (frames, self->procedure);
    add_word (frames, 0); /* a call */
    add_word (frames, i + 1);
    add_word (frames, 0); /* the status */
    g_byte_array_append (frames, args, (guint) size);
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

static void
end_header (Replies *self)
{
  uint32_t size = get_word (self, 0);

  if (size < HEADER_SIZE || get_word (self, 6) != 0) {
    g_printerr ("program %x, procedure %u: a call failed\n", get_word (self, 1),
                get_word (self, 3));
    exit (1);
  }
  self->n_left = size - HEADER_SIZE;
}

unsigned
replies_take (Replies *self, const uint8_t *data, size_t size)
{
  unsigned n_replies = 0;

  while (size > 0) {
    size_t n = MIN (size, HEADER_SIZE - self->header_size);

    if (n > 0) {
      memcpy (self->header + self->header_size, data, n);
      self->header_size += (unsigned) n;
      if (self->header_size == HEADER_SIZE)
        end_header (self);
    } else {
      n = MIN (size, self->n_left);
      self->n_left -= n;
    }
    data += n;
    size -= n;
    if (self->header_size == HEADER_SIZE && self->n_left == 0) {
      n_replies++;
      self->header_size = 0;
    }
  }
  return n_replies;
}
