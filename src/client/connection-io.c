/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-private.h"
#include "event/intl.h"
#include "protocol/keepalive.h"
#include "rpc/error.h"
#include "rpc/stream-layer.h"

#include <errno.h>
#include <string.h>

/* The bytes of a connection: from its lock to the socket, and from the socket
 * to replies and events. */

#define INPUT_SIZE 65536

static void
update_events_locked (ReeveConnection *self) REEVE_REQUIRES (self->lock)
{
  gboolean wants_write =
      self->output->len > 0 || reeve_stream_has_output (self->stream);

  if (wants_write == self->wants_write)
    return;

  self->wants_write = wants_write;
  reeve_loop_update_handle (self->loop, self->watch,
                            REEVE_EVENT_READABLE |
                                (wants_write ? REEVE_EVENT_WRITABLE : 0));
}

/* Writes at once where nothing waits; the rest is kept. FALSE: errno. */
gboolean
reeve_connection_write_locked (ReeveConnection *self,
                               const uint8_t *data,
                               size_t size) REEVE_REQUIRES (self->lock)
{
  struct iovec vector = { .iov_base = (void *) data, .iov_len = size };
  gssize n_written = 0;

  if (self->output->len == 0) {
    n_written = reeve_stream_sendv (self->stream, &vector, 1);
    if (n_written < 0 && errno != EAGAIN && errno != EINTR)
      return FALSE;
    n_written = MAX (n_written, 0);
  }

  g_byte_array_append (self->output, data + n_written,
                       (guint) (size - (size_t) n_written));
  update_events_locked (self);
  return TRUE;
}

static gboolean
flush_locked (ReeveConnection *self) REEVE_REQUIRES (self->lock)
{
  struct iovec vector = { .iov_base = self->output->data,
                          .iov_len = self->output->len };
  gssize n_written = 0;

  if (self->stream == NULL)
    return TRUE;

  if (!reeve_stream_flush (self->stream) ||
      (vector.iov_len > 0 &&
       (n_written = reeve_stream_sendv (self->stream, &vector, 1)) < 0))
    return errno == EAGAIN || errno == EINTR;

  g_byte_array_remove_range (self->output, 0, (guint) n_written);
  update_events_locked (self);
  return TRUE;
}

static gboolean
flush (ReeveConnection *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return flush_locked (self);
}

static gboolean
send_bytes (ReeveConnection *self, GBytes *frame)
{
  gsize size;
  const void *data = g_bytes_get_data (frame, &size);

  REEVE_LOCK_SCOPE (&self->lock);

  return self->stream == NULL ||
         reeve_connection_write_locked (self, data, size);
}

static void
take_keepalive (ReeveConnection *self, const ReeveHeader *header)
{
  ReeveHeader pong = *header;
  g_autoptr (GBytes) frame = NULL;

  if (header->procedure != KEEPALIVE_PROC_PING)
    return;

  pong.procedure = KEEPALIVE_PROC_PONG;
  frame = reeve_message_encode (&pong, NULL, NULL, NULL);
  if (!send_bytes (self, frame))
    reeve_connection_fail (self, REEVE_ERROR_CLOSED,
                           _ ("The connection was lost: %s"),
                           g_strerror (errno));
}

static void
take_frame (ReeveConnection *self, const uint8_t *data, size_t length)
{
  const uint8_t *payload = data + REEVE_PAYLOAD_OFFSET;
  size_t size = length - REEVE_PAYLOAD_OFFSET;
  ReeveHeader header;

  reeve_header_decode (&header, data + REEVE_LENGTH_SIZE);
  switch (header.type) {
  case REEVE_MESSAGE_REPLY:
    reeve_connection_take_reply (self, &header, payload, size);
    break;
  case REEVE_MESSAGE_EVENT:
    if (header.program == keepalive_program.number)
      take_keepalive (self, &header);
    else
      reeve_connection_take_event (self, &header, payload, size);
    break;
  default:
    /* We open no streams and ask for no file descriptors. */
    reeve_connection_fail (
        self, REEVE_ERROR_RPC,
        _ ("The server sent a message of the unexpected type %u"), header.type);
    break;
  }
}

/* Takes the whole frames; returns how many bytes they were. */
static size_t
take_frames (ReeveConnection *self)
{
  size_t used = 0;

  while (self->input_size - used >= REEVE_LENGTH_SIZE) {
    uint32_t length = reeve_length_decode (self->input + used);

    if (length < REEVE_PAYLOAD_OFFSET || length > REEVE_MESSAGE_MAX) {
      reeve_connection_fail (
          self, REEVE_ERROR_RPC,
          _ ("The server sent a message of %u bytes, which cannot be"), length);
      return self->input_size;
    }
    if (length > self->input_size - used)
      break;
    take_frame (self, self->input + used, length);
    used += length;
  }

  return used;
}

static gssize
receive (ReeveConnection *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL || self->closed != NULL) {
    errno = EAGAIN;
    return -1;
  }
  return reeve_stream_recv (self->stream, self->input + self->input_size,
                            self->input_capacity - self->input_size, NULL);
}

static void
read_some (ReeveConnection *self)
{
  gssize n_read;
  size_t used;

  if (self->input_capacity - self->input_size < INPUT_SIZE / 2) {
    self->input_capacity = MAX (2 * self->input_capacity, INPUT_SIZE);
    self->input = g_realloc (self->input, self->input_capacity);
  }

  n_read = receive (self);
  if (n_read < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n_read <= 0) {
    reeve_connection_fail (self, REEVE_ERROR_CLOSED,
                           n_read == 0
                               ? _ ("The server closed the connection%s")
                               : _ ("The connection was lost: %s"),
                           n_read == 0 ? "" : g_strerror (errno));
    return;
  }

  self->input_size += (size_t) n_read;
  used = take_frames (self);
  self->input_size -= used;
  memmove (self->input, self->input + used, self->input_size);
}

/* Whether there is input that the socket does not tell of. */
static gboolean
has_more (ReeveConnection *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->stream != NULL && self->closed == NULL &&
         reeve_stream_has_input (self->stream);
}

static void
read_input (ReeveConnection *self)
{
  do
    read_some (self);
  while (has_more (self));
}

void
reeve_connection_take_ready (ReeveLoop *loop,
                             int watch,
                             int fd,
                             ReeveEvents events,
                             gpointer data)
{
  ReeveConnection *self = data;

  if ((events & REEVE_EVENT_WRITABLE) && !flush (self))
    reeve_connection_fail (self, REEVE_ERROR_CLOSED,
                           _ ("The connection was lost: %s"),
                           g_strerror (errno));
  if (events & (REEVE_EVENT_READABLE | REEVE_EVENT_HANGUP | REEVE_EVENT_ERROR))
    read_input (self);
}
