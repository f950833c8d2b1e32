/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/peer-private.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "rpc/stream-layer.h"

#include <errno.h>

/* The bytes of a peer: from its lock to the socket, and from the socket to
 * messages. */

#define READ_SIZE 65536u
#define OUTPUT_MAX (64u * 1024 * 1024)

/* -------------------------------------------------------------- output --- */

static void
update_events_locked (ReevePeer *self) REEVE_REQUIRES (self->lock)
{
  ReeveEvents events = REEVE_EVENT_READABLE;

  if (self->output->len > 0 || reeve_stream_has_output (self->stream))
    events |= REEVE_EVENT_WRITABLE;
  if (events == self->events)
    return;

  self->events = events;
  reeve_loop_update_handle (self->loop, self->watch, events);
}

/* Returns how much was written; -1: errno. */
static gssize
write_some_locked (ReevePeer *self, const void *data, size_t size)
    REEVE_REQUIRES (self->lock)
{
  const struct iovec vector = { .iov_base = (void *) data, .iov_len = size };
  gssize n_written = reeve_stream_sendv (self->stream, &vector, 1);

  return n_written < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n_written;
}

gboolean
reeve_peer_write_locked (ReevePeer *self, GBytes *message)
{
  gsize size;
  const uint8_t *data = g_bytes_get_data (message, &size);
  gssize n_written =
      self->output->len > 0 ? 0 : write_some_locked (self, data, size);

  if (n_written < 0)
    return FALSE;

  g_byte_array_append (self->output, data + n_written,
                       (guint) (size - (size_t) n_written));
  update_events_locked (self);
  return TRUE;
}

gboolean
reeve_peer_check_locked (ReevePeer *self, GError **error)
{
  size_t waiting = self->output->len + self->unsent_size;

  if (self->closed != NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_CLOSED,
                         self->closed->message);
    return FALSE;
  }
  if (waiting > OUTPUT_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("%zu bytes wait for the server to read them"), waiting);
    return FALSE;
  }
  return TRUE;
}

gboolean
reeve_peer_send (ReevePeer *self, GBytes *message, GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (!reeve_peer_check_locked (self, error))
    return FALSE;
  /* Should it be broken, its watch will tell. */
  return reeve_peer_write_locked (self, message) ||
         reeve_error_from_errno (error, errno, _ ("Cannot send"));
}

static gboolean
flush (ReevePeer *self)
{
  gssize n_written = 0;

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL || self->closed != NULL)
    return TRUE;
  if (!reeve_stream_flush (self->stream))
    return errno == EAGAIN || errno == EINTR;
  if (self->output->len > 0)
    n_written = write_some_locked (self, self->output->data, self->output->len);
  if (n_written < 0)
    return FALSE;

  g_byte_array_remove_range (self->output, 0, (guint) n_written);
  update_events_locked (self);
  return TRUE;
}

/* --------------------------------------------------------------- input --- */

static gssize
receive (ReevePeer *self, uint8_t *data, size_t size)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL || self->closed != NULL) {
    errno = EAGAIN;
    return -1;
  }
  return reeve_stream_recv (self->stream, data, size, NULL);
}

static void
take_messages (ReevePeer *self)
{
  size_t used = 0, size;

  while (used < self->input->len && !reeve_peer_is_closed (self) &&
         (size = self->wire->take (self, self->input->data + used,
                                   self->input->len - used)) > 0)
    used += size;

  g_byte_array_remove_range (self->input, 0, (guint) used);
  if (self->input->len > REEVE_MESSAGE_MAX)
    reeve_peer_fail (self, REEVE_ERROR_LIMIT,
                     _ ("The server sent a message of more than %u bytes"),
                     REEVE_MESSAGE_MAX);
}

static void
read_some (ReevePeer *self)
{
  guint before = self->input->len;
  gssize n_read;
  int errnum;

  g_byte_array_set_size (self->input, before + READ_SIZE);
  n_read = receive (self, self->input->data + before, READ_SIZE);
  errnum = errno;
  g_byte_array_set_size (self->input, before + (guint) MAX (n_read, 0));
  if (n_read < 0 && (errnum == EAGAIN || errnum == EINTR))
    return;

  if (n_read > 0)
    take_messages (self);
  else if (n_read == 0)
    reeve_peer_fail (self, REEVE_ERROR_CLOSED,
                     _ ("The server closed the connection"));
  else
    reeve_peer_fail (self, REEVE_ERROR_CLOSED,
                     _ ("The connection was lost: %s"), g_strerror (errnum));
}

/* Whether there is input that the socket does not tell of. */
static gboolean
has_more (ReevePeer *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->stream != NULL && self->closed == NULL &&
         reeve_stream_has_input (self->stream);
}

void
reeve_peer_take_ready (ReeveLoop *loop,
                       int watch,
                       int fd,
                       ReeveEvents events,
                       gpointer data)
{
  ReevePeer *self = data;

  if ((events & REEVE_EVENT_WRITABLE) && !flush (self))
    reeve_peer_fail (self, REEVE_ERROR_CLOSED,
                     _ ("The connection was lost: %s"), g_strerror (errno));
  if ((events &
       (REEVE_EVENT_READABLE | REEVE_EVENT_HANGUP | REEVE_EVENT_ERROR)) == 0)
    return;
  do
    read_some (self);
  while (has_more (self));
}
