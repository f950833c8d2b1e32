/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-private.h"
#include "event/fd-closer.h"
#include "event/fd.h"
#include "event/intl.h"
#include "protocol/keepalive.h"
#include "rpc/error.h"
#include "rpc/stream-buffer.h"
#include "rpc/stream-layer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* The bytes of a connection: from its lock to the socket, and from the socket
 * to replies and events. */

#define INPUT_SIZE 65536
/* A reader of a stream that does nothing for so long stands still. */
#define STALL_MS 1000

static void
update_events_locked (ReeveConnection *self) REEVE_REQUIRES (self->lock)
{
  ReeveEvents events = self->is_paused || self->is_held ? REEVE_EVENT_NONE
                                                        : REEVE_EVENT_READABLE;

  if (self->stream == NULL)
    return;
  if (self->output->len > 0 || reeve_stream_has_output (self->stream))
    events |= REEVE_EVENT_WRITABLE;
  if (events == self->events)
    return;

  self->events = events;
  reeve_loop_update_handle (self->loop, self->watch, events);
}

gboolean
reeve_connection_writev_locked (ReeveConnection *self,
                                const struct iovec *iov,
                                int n_iov)
{
  gssize n_written = 0;

  if (self->output->len == 0) {
    n_written = reeve_stream_sendv (self->stream, iov, n_iov);
    if (n_written < 0 && errno != EAGAIN && errno != EINTR)
      return FALSE;
    n_written = MAX (n_written, 0);
  }

  for (int i = 0; i < n_iov; i++) {
    size_t skip = MIN ((size_t) n_written, iov[i].iov_len);

    g_byte_array_append (self->output, (uint8_t *) iov[i].iov_base + skip,
                         (guint) (iov[i].iov_len - skip));
    n_written -= (gssize) skip;
  }
  update_events_locked (self);
  return TRUE;
}

gboolean
reeve_connection_write_locked (ReeveConnection *self,
                               const uint8_t *data,
                               size_t size)
{
  const struct iovec vector = { .iov_base = (void *) data, .iov_len = size };

  return reeve_connection_writev_locked (self, &vector, 1);
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
  if (self->output->len == 0)
    reeve_cond_broadcast (&self->drained);
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

static void
send_bytes (ReeveConnection *self, GBytes *frame)
{
  gsize size;
  const void *data = g_bytes_get_data (frame, &size);

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream != NULL)
    reeve_connection_write_locked (self, data, size);
}

static void
take_keepalive (ReeveConnection *self, const ReeveHeader *header)
{
  g_autoptr (GBytes) pong = reeve_keepalive_answer (header);

  /* A socket that is broken is told of by its watch. */
  if (pong != NULL)
    send_bytes (self, pong);
}

/* (nullable): the input's buffer, if nothing but a long frame is in it. */
static uint8_t **
find_buffer (ReeveConnection *self, const ReeveInputFrame *frame)
{
  size_t length = REEVE_PAYLOAD_OFFSET + frame->size;

  return frame->payload == self->input + REEVE_PAYLOAD_OFFSET &&
                 length == self->input_size &&
                 length >= self->input_capacity / 2
             ? &self->input
             : NULL;
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
  case REEVE_MESSAGE_STREAM:
  case REEVE_MESSAGE_STREAM_HOLE:
    reeve_connection_take_stream (self, frame, find_buffer (self, frame));
    break;
  default:
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

/* Returns whether nothing more is to be taken. */
static gboolean
hold_after (ReeveConnection *self, const ReeveHeader *header)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->holds && header->type == REEVE_MESSAGE_REPLY) {
    self->is_held = TRUE;
    update_events_locked (self);
  }
  return self->is_held;
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
    if (hold_after (self, &frame.header))
      break;
  }

  return size < 0 ? self->input_size : used;
}

/* The length of a frame of a stream whose begin is there, or 0: it is read
 * into a buffer of its own, which can then become the stream's. */
static size_t
measure_stream_frame (ReeveConnection *self)
{
  ReeveHeader header;
  uint32_t length;

  if (self->input_size < REEVE_PAYLOAD_OFFSET ||
      atomic_load (&self->n_streams) == 0)
    return 0;

  reeve_header_decode (&header, self->input + REEVE_LENGTH_SIZE);
  length = reeve_length_decode (self->input);
  return header.type == REEVE_MESSAGE_STREAM &&
                 length <= REEVE_STREAM_BUFFER_SIZE
             ? length
             : 0;
}

/* Returns how much is to be read. */
static size_t
make_room (ReeveConnection *self)
{
  size_t usual = atomic_load (&self->n_streams) > 0 ? REEVE_STREAM_BUFFER_SIZE
                                                    : INPUT_SIZE;
  size_t frame = measure_stream_frame (self);
  size_t wanted = self->input_capacity;

  if (frame > self->input_size)
    wanted = MAX (wanted, frame);
  else if (self->input_capacity - self->input_size < INPUT_SIZE / 2)
    wanted = MAX (2 * self->input_capacity, usual);
  if (wanted > self->input_capacity || self->input == NULL) {
    self->input_capacity = wanted;
    self->input = self->input == NULL && wanted == REEVE_STREAM_BUFFER_SIZE
                      ? reeve_stream_buffer_new ()
                      : g_realloc (self->input, wanted);
  }
  return (frame > self->input_size ? frame : self->input_capacity) -
         self->input_size;
}

static gssize
receive (ReeveConnection *self, size_t size)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL || self->closed != NULL) {
    errno = EAGAIN;
    return -1;
  }
  return reeve_stream_recv_lazily (self->stream, self->input + self->input_size,
                                   size,
                                   reeve_fd_inbox_get_array (&self->inbox));
}

static void
take_input (ReeveConnection *self)
{
  size_t used = take_frames (self);

  self->input_size -= used;
  if (self->input == NULL)
    self->input_capacity = 0;
  else if (used > 0)
    memmove (self->input, self->input + used, self->input_size);
}

static void
read_some (ReeveConnection *self)
{
  gssize n_read;

  n_read = receive (self, make_room (self));
  if (n_read < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n_read <= 0) {
    reeve_connection_lose (self,
                           n_read == 0
                               ? _ ("The server closed the connection%s")
                               : _ ("The connection was lost: %s"),
                           n_read == 0 ? "" : g_strerror (errno));
    return;
  }

  self->keepalive.alive_us = g_get_monotonic_time ();
  reeve_reconnect_activity (&self->reconnect, self->keepalive.alive_us / 1000);
  self->input_size += (size_t) n_read;
  if (!reeve_fd_inbox_note (&self->inbox, self->input_size)) {
    refuse_fds (self);
    return;
  }
  take_input (self);
}

/* Whether there is input that the socket does not tell of. */
static gboolean
has_more (ReeveConnection *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->stream != NULL && self->closed == NULL && !self->is_paused &&
         !self->is_held && reeve_stream_has_input (self->stream);
}

static void
read_input (ReeveConnection *self)
{
  do
    read_some (self);
  while (has_more (self));
}

/* --------------------------------------------------------------- pause --- */

/* In the I/O thread. */
static void
resume (ReeveLoop *loop, gpointer data)
{
  ReeveConnection *self = data;

  if (has_more (self))
    read_input (self);
  reeve_connection_release (self);
}

/* The server shall not think that we are gone. */
static void
send_life_sign_locked (ReeveConnection *self) REEVE_REQUIRES (self->lock)
{
  const ReeveHeader pong = {
    .program = keepalive_program.number,
    .version = keepalive_program.version,
    .procedure = KEEPALIVE_PROC_PONG,
    .type = REEVE_MESSAGE_EVENT,
  };
  uint8_t frame[REEVE_PAYLOAD_OFFSET];

  if (self->stream == NULL || self->closed != NULL)
    return;
  reeve_message_write_header (&pong, frame, sizeof frame);
  (void) reeve_connection_write_locked (self, frame, sizeof frame);
}

static void
note_stall (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveConnection *self = data;

  REEVE_LOCK_SCOPE (&self->lock);

  self->may_overrun =
      self->n_full_streams > 0 && g_hash_table_size (self->pending) > 0;
  if (self->n_full_streams == 0)
    reeve_loop_update_timeout (loop, watch, -1);
  else
    send_life_sign_locked (self);
  reeve_connection_update_pause_locked (self);
}

void
reeve_connection_update_pause_locked (ReeveConnection *self)
{
  gboolean is_paused = self->n_full_streams > 0 && !self->may_overrun;

  if (is_paused == self->is_paused)
    return;

  self->is_paused = is_paused;
  update_events_locked (self);
  if (self->stream == NULL)
    return;
  if (is_paused && self->pause_timer == 0)
    self->pause_timer =
        reeve_loop_add_timeout (self->loop, STALL_MS, note_stall, self, NULL);
  else if (is_paused)
    reeve_loop_update_timeout (self->loop, self->pause_timer, STALL_MS);
  else if (reeve_stream_has_input (self->stream)) {
    reeve_refs_inc (&self->refs);
    reeve_loop_invoke (self->loop, resume, self);
  }
}

/* ---------------------------------------------------------------- hold --- */

typedef struct {
  ReeveConnection *connection;
  const ReeveStreamLayer *layer_class;
  gpointer layer; /* (owned) (nullable) */
  gboolean is_done;
} GoingOn;

/* What waits to be written is in clear; what was read behind the reply is of
 * the layer. */
static void
set_layer_locked (ReeveConnection *self, GoingOn *going)
    REEVE_REQUIRES (self->lock)
{
  going->layer_class->add_output (going->layer, self->output->data,
                                  self->output->len);
  g_byte_array_set_size (self->output, 0);
  going->layer_class->add_input (going->layer, self->input, self->input_size);
  self->input_size = 0;
  reeve_stream_set_layer (self->stream, going->layer_class,
                          g_steal_pointer (&going->layer));
}

/* Returns whether there is a stream. */
static gboolean
let_go (ReeveConnection *self, GoingOn *going)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->holds = self->is_held = FALSE;
  if (self->stream == NULL || self->closed != NULL)
    return FALSE;
  if (going->layer != NULL)
    set_layer_locked (self, going);
  update_events_locked (self);
  return TRUE;
}

static void
tell_done (ReeveConnection *self, GoingOn *going)
{
  REEVE_LOCK_SCOPE (&self->lock);

  going->is_done = TRUE;
  reeve_cond_signal (&self->went_on);
}

void
reeve_connection_take_rest (ReeveConnection *self)
{
  if (self->input_size > 0)
    take_input (self);
  if (has_more (self))
    read_input (self);
}

static void
go_on (ReeveLoop *loop, gpointer data)
{
  GoingOn *going = data;
  ReeveConnection *self = going->connection;

  if (let_go (self, going))
    reeve_connection_take_rest (self);
  tell_done (self, going);
}

void
reeve_connection_hold (ReeveConnection *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->holds = TRUE;
}

static void
wait_until_done (ReeveConnection *self, const GoingOn *going)
{
  REEVE_LOCK_SCOPE (&self->lock);

  while (!going->is_done)
    reeve_cond_wait (&self->went_on, &self->lock);
}

void
reeve_connection_go_on (ReeveConnection *self,
                        const ReeveStreamLayer *layer_class,
                        gpointer layer)
{
  GoingOn going = { self, layer_class, layer, FALSE };

  reeve_loop_invoke (self->loop, go_on, &going);
  wait_until_done (self, &going);
  if (going.layer != NULL)
    layer_class->free (going.layer);
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
    reeve_connection_lose (self, _ ("The connection was lost: %s"),
                           g_strerror (errno));
  if (events & (REEVE_EVENT_READABLE | REEVE_EVENT_HANGUP | REEVE_EVENT_ERROR))
    read_input (self);
}
