/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-private.h"
#include "event/fd-closer.h"
#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/stream-layer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

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

gboolean
reeve_connection_write_fd_locked (ReeveConnection *self, int fd)
    REEVE_REQUIRES (self->lock)
{
  static const uint8_t carrier = 0;
  ReeveOutputFd row = { .position = self->output->len, .fd = fd };

  if (self->output->len == 0) {
    if (reeve_stream_send_fd (self->stream, fd)) {
      close (fd);
      return TRUE;
    }
    if (errno != EAGAIN && errno != EINTR) {
      /* The server waits for it: nothing else can be sent any more. */
      reeve_fd_clear (&fd);
      shutdown (reeve_stream_get_fd (self->stream), SHUT_WR);
      return FALSE;
    }
  }

  g_byte_array_append (self->output, &carrier, sizeof carrier);
  g_array_append_val (self->output_fds, row);
  update_events_locked (self);
  return TRUE;
}

/* Sends what is in front of the next file descriptor, or that. -1: errno. */
static gssize
send_output_locked (ReeveConnection *self) REEVE_REQUIRES (self->lock)
{
  const ReeveOutputFd *next = (const void *) self->output_fds->data;
  size_t size = self->output_fds->len == 0 ? self->output->len : next->position;
  struct iovec vector = { .iov_base = self->output->data, .iov_len = size };

  if (self->output->len == 0)
    return 0;
  if (size > 0)
    return reeve_stream_sendv (self->stream, &vector, 1);
  if (!reeve_stream_send_fd (self->stream, next->fd))
    return -1;

  close (next->fd);
  g_array_remove_index (self->output_fds, 0);
  return 1;
}

static gboolean
flush_locked (ReeveConnection *self) REEVE_REQUIRES (self->lock)
{
  gssize n_written;

  if (self->stream == NULL)
    return TRUE;

  if (!reeve_stream_flush (self->stream) ||
      (n_written = send_output_locked (self)) < 0)
    return errno == EAGAIN || errno == EINTR;

  g_byte_array_remove_range (self->output, 0, (guint) n_written);
  for (unsigned i = 0; i < self->output_fds->len; i++)
    g_array_index (self->output_fds, ReeveOutputFd, i).position -=
        (size_t) n_written;
  update_events_locked (self);
  return TRUE;
}

void
reeve_connection_clear_fds (ReeveConnection *self)
{
  reeve_fd_inbox_clear (&self->inbox);

  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < self->output_fds->len; i++)
    close (g_array_index (self->output_fds, ReeveOutputFd, i).fd);
  g_array_set_size (self->output_fds, 0);
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
  g_autoptr (GBytes) pong = reeve_keepalive_answer (header);

  if (pong != NULL && !send_bytes (self, pong))
    reeve_connection_fail (self, REEVE_ERROR_CLOSED,
                           _ ("The connection was lost: %s"),
                           g_strerror (errno));
}

static void
take_frame (ReeveConnection *self, ReeveInputFrame *frame)
{
  const ReeveHeader *header = &frame->header;

  switch (header->type) {
  case REEVE_MESSAGE_REPLY:
  case REEVE_MESSAGE_REPLY_WITH_FDS:
    reeve_connection_take_reply (self, frame);
    break;
  case REEVE_MESSAGE_EVENT:
    if (reeve_keepalive_is_message (header))
      take_keepalive (self, header);
    else
      reeve_connection_take_event (self, header, frame->payload, frame->size);
    break;
  default:
    /* We open no streams. */
    reeve_connection_fail (
        self, REEVE_ERROR_RPC,
        _ ("The server sent a message of the unexpected type %u"),
        header->type);
    break;
  }

  for (unsigned i = 0; i < frame->n_fds; i++)
    reeve_fd_close_elsewhere (frame->fds[i]);
}

/* Reads how many file descriptors come with the frame, and skips the number. */
static gboolean
count_fds (ReeveInputFrame *frame)
{
  frame->n_fds = 0;
  if (frame->header.type != REEVE_MESSAGE_REPLY_WITH_FDS)
    return TRUE;
  if (frame->size < REEVE_LENGTH_SIZE)
    return FALSE;

  frame->n_fds = reeve_length_decode (frame->payload);
  frame->payload += REEVE_LENGTH_SIZE;
  frame->size -= REEVE_LENGTH_SIZE;
  return frame->n_fds <= REEVE_MESSAGE_MAX_FDS;
}

static gssize
refuse_fds (ReeveConnection *self)
{
  reeve_connection_fail (
      self, REEVE_ERROR_RPC,
      _ ("The server sent other file descriptors than it says"));
  return -1;
}

/* Splits off a frame that is all there. Returns its size with what stands
 * behind it, 0 if there is none, -1 when what is there cannot be one. */
static gssize
split_frame (ReeveConnection *self,
             const uint8_t *data,
             size_t size,
             ReeveInputFrame *frame)
{
  uint32_t length;

  if (size < REEVE_LENGTH_SIZE)
    return 0;

  length = reeve_length_decode (data);
  if (length < REEVE_PAYLOAD_OFFSET || length > REEVE_MESSAGE_MAX) {
    reeve_connection_fail (
        self, REEVE_ERROR_RPC,
        _ ("The server sent a message of %u bytes, which cannot be"), length);
    return -1;
  }
  if (length > size)
    return 0;

  reeve_header_decode (&frame->header, data + REEVE_LENGTH_SIZE);
  frame->payload = data + REEVE_PAYLOAD_OFFSET;
  frame->size = length - REEVE_PAYLOAD_OFFSET;
  if (!count_fds (frame))
    return refuse_fds (self);
  if (length + frame->n_fds > size)
    return 0;
  if (!reeve_fd_inbox_take (&self->inbox, length, frame->n_fds, frame->fds))
    return refuse_fds (self);
  return (gssize) (length + frame->n_fds);
}

/* Takes the whole frames; returns how many bytes they were. */
static size_t
take_frames (ReeveConnection *self)
{
  ReeveInputFrame frame;
  size_t used = 0;
  gssize size;

  while ((size = split_frame (self, self->input + used, self->input_size - used,
                              &frame)) > 0) {
    take_frame (self, &frame);
    used += (size_t) size;
  }

  return size < 0 ? self->input_size : used;
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
                            self->input_capacity - self->input_size,
                            reeve_fd_inbox_get_array (&self->inbox));
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

  self->keepalive.alive_us = g_get_monotonic_time ();
  self->input_size += (size_t) n_read;
  if (!reeve_fd_inbox_note (&self->inbox, self->input_size)) {
    refuse_fds (self);
    return;
  }
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
