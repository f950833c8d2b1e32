/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/console-ring.h"

#include <string.h>

#define MIN_BYTES 4096u

void
reeve_console_ring_init (ReeveConsoleRing *self,
                         size_t max_bytes,
                         uint64_t position)
{
  *self = (ReeveConsoleRing){
    .max_bytes = max_bytes,
    .start = position,
    .end = position,
  };
}

void
reeve_console_ring_clear (ReeveConsoleRing *self)
{
  g_clear_pointer (&self->bytes, g_free);
  self->n_bytes = 0;
}

/* How much lies in one piece at a position, of @size bytes. */
static size_t
get_piece (size_t n_bytes, uint64_t position, size_t size)
{
  return MIN (size, n_bytes - (size_t) (position % n_bytes));
}

static void
copy_in (uint8_t *bytes,
         size_t n_bytes,
         uint64_t position,
         const uint8_t *data,
         size_t size)
{
  size_t piece = get_piece (n_bytes, position, size);

  memcpy (bytes + position % n_bytes, data, piece);
  memcpy (bytes, data + piece, size - piece);
}

static void
copy_out (const ReeveConsoleRing *self,
          uint64_t position,
          uint8_t *buffer,
          size_t size)
{
  size_t piece = get_piece (self->n_bytes, position, size);

  memcpy (buffer, self->bytes + position % self->n_bytes, piece);
  memcpy (buffer + piece, self->bytes, size - piece);
}

/* A place in the ring depends on its size, so what is there moves. */
static void
grow (ReeveConsoleRing *self, size_t wanted)
{
  size_t kept = (size_t) (self->end - self->start);
  size_t n_bytes = MAX (self->n_bytes, MIN (MIN_BYTES, self->max_bytes));
  g_autofree uint8_t *text = NULL;
  uint8_t *bytes;

  while (n_bytes < wanted && n_bytes < self->max_bytes)
    n_bytes = MIN (n_bytes * 2, self->max_bytes);
  if (n_bytes == self->n_bytes)
    return;

  bytes = g_malloc (n_bytes);
  if (kept > 0) {
    text = g_malloc (kept);
    copy_out (self, self->start, text, kept);
    copy_in (bytes, n_bytes, self->start, text, kept);
  }
  g_free (self->bytes);
  self->bytes = bytes;
  self->n_bytes = n_bytes;
}

void
reeve_console_ring_append (ReeveConsoleRing *self,
                           const uint8_t *data,
                           size_t size)
{
  size_t passed = size > self->max_bytes ? size - self->max_bytes : 0;

  if (size == 0)
    return;

  /* Of more than the ring holds, the last part stays. */
  if (passed > 0) {
    self->end += passed;
    self->start = self->end;
  }
  grow (self, (size_t) MIN (self->end - self->start, self->max_bytes) + size -
                  passed);
  copy_in (self->bytes, self->n_bytes, self->end, data + passed, size - passed);
  self->end += size - passed;
  if (self->end - self->start > self->n_bytes)
    self->start = self->end - self->n_bytes;
}

size_t
reeve_console_ring_read (const ReeveConsoleRing *self,
                         uint64_t position,
                         uint8_t *buffer,
                         size_t size)
{
  size = (size_t) MIN (size, self->end - position);
  if (size > 0)
    copy_out (self, position, buffer, size);
  return size;
}
