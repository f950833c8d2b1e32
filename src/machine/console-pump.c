/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/intl.h"
#include "machine/console-private.h"
#include "rpc/error.h"

#include <fcntl.h>

/* From the spool into the ring and the log. */

#define CHUNK_BYTES ((size_t) 64 * 1024)
#define MAX_CHUNKS 4
/* Blocks are given back in steps of this. */
#define FREE_BYTES UINT64_C (0x40000)

static void
append (ReeveConsole *self, const uint8_t *data, size_t size)
{
  REEVE_LOCK_SCOPE (&self->lock);

  reeve_console_ring_append (&self->ring, data, size);
}

static void
set_loaded (ReeveConsole *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_loaded = TRUE;
}

static void
start_ring (ReeveConsole *self, uint64_t position)
{
  REEVE_LOCK_SCOPE (&self->lock);

  reeve_console_ring_init (&self->ring, self->buffer_bytes, position);
}

gboolean
reeve_console_prepare (ReeveConsole *self, GError **error)
{
  REEVE_AUTOFD int fd =
      open (self->spool_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  if (fd < 0)
    return reeve_error_from_errno (error, errno, _ ("cannot write %s"),
                                   self->spool_path);
  self->has_begun = TRUE;
  set_loaded (self);
  return TRUE;
}

/* The first byte from @position on that is still there. */
static uint64_t
skip_freed (int fd, uint64_t position, uint64_t end)
{
  off_t found = lseek (fd, (off_t) position, SEEK_DATA);

  return found < 0 ? position : MIN ((uint64_t) found, end);
}

/* How much of what was printed is kept anywhere. */
static uint64_t
count_kept (const ReeveConsole *self)
{
  uint64_t log_bytes =
      (uint64_t) self->log.max_bytes * ((uint64_t) self->log.n_old + 1);

  return MAX (log_bytes, self->buffer_bytes);
}

/* What an earlier daemon had put into the ring, and what it had not come to
 * read: the log says where the one ends and the other begins. If that is more
 * than is kept, its begin is not read at all. */
static void
take_up (ReeveConsole *self, int fd, uint8_t *chunk)
{
  uint64_t end = (uint64_t) MAX (lseek (fd, 0, SEEK_END), 0);
  uint64_t place = end;
  ssize_t size = 1;

  if (self->log.max_bytes > 0)
    place = MIN (reeve_console_log_find_position (&self->log), end);
  place = MAX (place, end - MIN (end, count_kept (self)));
  self->position = skip_freed (fd, place, end);
  place = place > self->buffer_bytes ? place - self->buffer_bytes : 0;
  place = MIN (skip_freed (fd, place, end), self->position);
  start_ring (self, place);

  while (place < self->position && size > 0) {
    size = pread (fd, chunk, MIN (CHUNK_BYTES, self->position - place),
                  (off_t) place);
    if (size > 0) {
      append (self, chunk, (size_t) size);
      place += (uint64_t) size;
    }
  }
  self->has_begun = TRUE;
  set_loaded (self);
}

static void
free_blocks (ReeveConsole *self, int fd)
{
  uint64_t end = self->position > self->buffer_bytes
                     ? self->position - self->buffer_bytes
                     : 0;

  end -= end % FREE_BYTES;
  if (end <= self->freed)
    return;

  if (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                 (off_t) self->freed, (off_t) (end - self->freed)) < 0 &&
      !self->is_warned) {
    g_warning (_ ("%1$s: %2$s; it grows as long as the machine runs"),
               self->spool_path, g_strerror (errno));
    self->is_warned = TRUE;
  }
  self->freed = end;
}

gboolean
reeve_console_pump (ReeveConsole *self)
{
  g_autofree uint8_t *chunk = g_malloc (CHUNK_BYTES);
  REEVE_AUTOFD int fd = open (self->spool_path, O_RDWR | O_CLOEXEC);
  gboolean is_news = !self->has_begun;
  ssize_t size = 0;

  if (fd < 0)
    return FALSE;
  if (!self->has_begun)
    take_up (self, fd, chunk);

  for (int i = 0; i < MAX_CHUNKS; i++) {
    size = pread (fd, chunk, CHUNK_BYTES, (off_t) self->position);
    if (size <= 0)
      break;
    reeve_console_log_append (&self->log, self->position, chunk, (size_t) size);
    append (self, chunk, (size_t) size);
    self->position += (uint64_t) size;
    is_news = TRUE;
  }
  free_blocks (self, fd);
  if (is_news)
    reeve_console_wake (self, FALSE);
  return size > 0;
}
