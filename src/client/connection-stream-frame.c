/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-stream-private.h"

#include "event/intl.h"
#include "protocol/message.h"
#include "rpc/error.h"
#include "rpc/stream-buffer.h"
#include "rpc/wire-xdr.h"

/* What a frame costs beyond its data, so that many small ones count. */
#define PIECE_COST 64

static void
piece_free (ReeveStreamPiece *self)
{
  g_bytes_unref (self->data);
  g_free (self);
}

static size_t
get_cost (const ReeveStreamPiece *piece)
{
  return g_bytes_get_size (piece->data) + PIECE_COST;
}

/* ------------------------------------------------------- what is kept ---- */

static void
update_full_locked (ReeveConnection *connection, ReeveConnectionStream *self)
    REEVE_REQUIRES (connection->lock)
{
  gboolean is_full = self->n_bytes >= REEVE_CONNECTION_STREAM_WINDOW;

  if (is_full == self->is_full)
    return;

  self->is_full = is_full;
  connection->n_full_streams += is_full ? 1u : -1u;
  reeve_connection_update_pause_locked (connection);
}

ReeveStreamPiece *
reeve_connection_stream_pop_locked (ReeveConnection *connection,
                                    ReeveConnectionStream *self)
{
  ReeveStreamPiece *piece = g_queue_pop_head (&self->pieces);

  if (piece != NULL) {
    self->n_bytes -= get_cost (piece);
    update_full_locked (connection, self);
  }
  return piece;
}

void
reeve_connection_stream_drop_locked (ReeveConnection *connection,
                                     ReeveConnectionStream *self)
{
  ReeveStreamPiece *piece;

  while ((piece = reeve_connection_stream_pop_locked (connection, self)) !=
         NULL)
    piece_free (piece);
}

/* ---------------------------------------------------------- who is there -- */

void
reeve_connection_register_stream_locked (ReeveConnection *self,
                                         ReeveConnectionStream *stream,
                                         const ReeveHeader *header)
{
  stream->header = *header;
  stream->header.type = REEVE_MESSAGE_STREAM;
  stream->is_registered = TRUE;
  g_hash_table_insert (self->streams, GUINT_TO_POINTER (header->serial),
                       stream);
  atomic_fetch_add (&self->n_streams, 1);
}

void
reeve_connection_stream_unregister_locked (ReeveConnection *connection,
                                           ReeveConnectionStream *self)
{
  if (!self->is_registered)
    return;

  self->is_registered = FALSE;
  g_hash_table_remove (connection->streams,
                       GUINT_TO_POINTER (self->header.serial));
  atomic_fetch_sub (&connection->n_streams, 1);
}

/* No frame of it is looked at any more. @failure: (transfer full) */
static void
fail_locked (ReeveConnection *connection,
             ReeveConnectionStream *self,
             GError *failure) REEVE_REQUIRES (connection->lock)
{
  reeve_connection_stream_unregister_locked (connection, self);
  if (self->failure == NULL)
    self->failure = failure;
  else
    g_error_free (failure);
  reeve_cond_broadcast (&self->changed);
  reeve_cond_broadcast (&connection->drained);
}

void
reeve_connection_fail_streams_locked (ReeveConnection *self,
                                      const GError *reason)
{
  g_autoptr (GList) all = g_hash_table_get_values (self->streams);

  for (GList *link = all; link != NULL; link = link->next)
    fail_locked (self, link->data, g_error_copy (reason));
}

gboolean
reeve_connection_stream_send_end_locked (ReeveConnection *connection,
                                         const ReeveHeader *header,
                                         ReeveMessageStatus status)
{
  uint8_t frame[REEVE_PAYLOAD_OFFSET];
  ReeveHeader end = *header;

  end.type = REEVE_MESSAGE_STREAM;
  end.status = status;
  reeve_message_write_header (&end, frame, sizeof frame);
  return reeve_connection_write_locked (connection, frame, sizeof frame);
}

void
reeve_connection_abort_stream_locked (ReeveConnection *self,
                                      const ReeveHeader *header)
{
  if (self->stream != NULL && self->closed == NULL)
    (void) reeve_connection_stream_send_end_locked (self, header,
                                                    REEVE_STATUS_ERROR);
}

/* -------------------------------------------------------- what comes in -- */

/* The reader stands still, but calls go on. */
static void
overflow_locked (ReeveConnection *connection, ReeveConnectionStream *self)
    REEVE_REQUIRES (connection->lock)
{
  reeve_connection_abort_stream_locked (connection, &self->header);
  fail_locked (connection, self,
               g_error_new (REEVE_ERROR, REEVE_ERROR_LIMIT,
                            _ ("The stream of %1$s ended, as more than %2$u "
                               "bytes of it were not read"),
                            self->procedure->name,
                            REEVE_CONNECTION_STREAM_MAX));
}

static void
add_piece_locked (ReeveConnection *connection,
                  ReeveConnectionStream *self,
                  GBytes *data,
                  int64_t hole) REEVE_REQUIRES (connection->lock)
{
  ReeveStreamPiece *piece = g_new0 (ReeveStreamPiece, 1);

  piece->data = data;
  piece->hole = hole;
  self->n_bytes += get_cost (piece);
  g_queue_push_tail (&self->pieces, piece);
  update_full_locked (connection, self);
  reeve_cond_broadcast (&self->changed);
  if (self->n_bytes > REEVE_CONNECTION_STREAM_MAX)
    overflow_locked (connection, self);
}

/* (transfer full): the payload, with its buffer if that can be had. */
static GBytes *
take_payload (const ReeveInputFrame *frame, uint8_t **buffer)
{
  if (buffer == NULL)
    return g_bytes_new (frame->payload, frame->size);

  return g_bytes_new_with_free_func (frame->payload, frame->size,
                                     frame->size == REEVE_DATA_STREAM_CHUNK
                                         ? reeve_stream_buffer_free
                                         : g_free,
                                     g_steal_pointer (buffer));
}

/* FALSE: no server sends that. */
static gboolean
take_hole_locked (ReeveConnection *connection,
                  ReeveConnectionStream *self,
                  const ReeveInputFrame *frame)
    REEVE_REQUIRES (connection->lock)
{
  message_hole hole;

  if (!reeve_xdr_decode (&message_hole_type, frame->payload, frame->size, &hole,
                         NULL, NULL) ||
      hole.length <= 0 || hole.flags != 0)
    return FALSE;

  if (!self->is_ending)
    add_piece_locked (connection, self, g_bytes_new (NULL, 0), hole.length);
  return TRUE;
}

static gboolean
take_data_locked (ReeveConnection *connection,
                  ReeveConnectionStream *self,
                  const ReeveInputFrame *frame,
                  uint8_t **buffer) REEVE_REQUIRES (connection->lock)
{
  if (frame->size == 0) {
    self->has_end = TRUE;
    reeve_cond_broadcast (&self->changed);
  } else if (!self->is_ending) {
    add_piece_locked (connection, self, take_payload (frame, buffer), 0);
  }
  return TRUE;
}

/* FALSE: no server sends that. */
static gboolean
take_frame_locked (ReeveConnection *connection,
                   ReeveConnectionStream *self,
                   const ReeveInputFrame *frame,
                   uint8_t **buffer) REEVE_REQUIRES (connection->lock)
{
  if (frame->header.type == REEVE_MESSAGE_STREAM_HOLE)
    return take_hole_locked (connection, self, frame);

  switch (frame->header.status) {
  case REEVE_STATUS_CONTINUE:
    return take_data_locked (connection, self, frame, buffer);
  case REEVE_STATUS_ERROR:
    fail_locked (connection, self,
                 reeve_message_decode_error (frame->payload, frame->size));
    return TRUE;
  case REEVE_STATUS_OK:
    if (!self->is_ending)
      return FALSE;
    self->has_ended = TRUE;
    reeve_connection_stream_unregister_locked (connection, self);
    reeve_cond_broadcast (&self->changed);
    return TRUE;
  default:
    return FALSE;
  }
}

/* Frames for a stream that is not there are dropped. */
static gboolean
find_and_take (ReeveConnection *self,
               const ReeveInputFrame *frame,
               uint8_t **buffer)
{
  ReeveConnectionStream *stream;

  REEVE_LOCK_SCOPE (&self->lock);

  stream = g_hash_table_lookup (self->streams,
                                GUINT_TO_POINTER (frame->header.serial));
  if (stream == NULL || stream->header.program != frame->header.program ||
      stream->header.procedure != frame->header.procedure)
    return TRUE;
  return take_frame_locked (self, stream, frame, buffer);
}

void
reeve_connection_take_stream (ReeveConnection *self,
                              const ReeveInputFrame *frame,
                              uint8_t **buffer)
{
  if (!find_and_take (self, frame, buffer))
    reeve_connection_fail (
        self, REEVE_ERROR_RPC,
        _ ("The server sent a message that no stream has (status %u)"),
        frame->header.status);
}
