/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "protocol/message.h"
#include "rpc/data-stream-private.h"
#include "rpc/error.h"
#include "rpc/stream-buffer.h"
#include "rpc/wire-xdr.h"

#include <inttypes.h>

/* What a frame costs beyond its data, so that many small ones count. */
#define PIECE_COST 64

size_t
reeve_data_stream_get_window (ReeveServerClient *client)
{
  return REEVE_LIMIT (client->server, max_client_stream_bytes);
}

/* --------------------------------------------------------- from client --- */

static ReeveDataStreamPiece *
piece_new (uint8_t *buffer, const uint8_t *data, size_t size)
{
  ReeveDataStreamPiece *self = g_new0 (ReeveDataStreamPiece, 1);

  self->buffer = buffer;
  self->data = data;
  self->size = size;
  self->cost = size + PIECE_COST;
  return self;
}

void
reeve_data_stream_piece_free (ReeveDataStreamPiece *self)
{
  if (self == NULL)
    return;

  if (self->is_long)
    reeve_stream_buffer_free (self->buffer);
  else
    g_free (self->buffer);
  g_free (self);
}

/* (nullable) (transfer full): the live stream that a frame is for. */
static ReeveDataStream *
find_stream (ReeveServerClient *client, const ReeveHeader *header)
{
  REEVE_LOCK_SCOPE (&client->lock);

  for (GList *link = reeve_data_stream_get_live_locked (client); link != NULL;
       link = link->next) {
    ReeveDataStream *self = link->data;

    if (self->header.serial == header->serial &&
        self->header.procedure == header->procedure &&
        self->header.program == header->program &&
        self->header.version == header->version)
      return reeve_data_stream_ref (self);
  }

  return NULL;
}

/* The client has its say until it finishes or aborts, or the stream fails. */
static gboolean
takes_input_locked (ReeveServerClient *client, const ReeveDataStream *self)
    REEVE_REQUIRES (client->lock)
{
  return self->is_live && !self->is_finishing && !self->is_aborting &&
         self->failure == NULL;
}

static void
update_full_locked (ReeveServerClient *client, ReeveDataStream *self)
    REEVE_REQUIRES (client->lock)
{
  gboolean is_full =
      self->n_input_bytes >= reeve_data_stream_get_window (client);

  if (is_full == self->is_full)
    return;

  self->is_full = is_full;
  reeve_data_stream_get_all_locked (client)->n_full += is_full ? 1u : -1u;
  reeve_server_client_resume_locked (client);
}

/* @piece: (transfer full) */
static void
add_piece_locked (ReeveServerClient *client,
                  ReeveDataStream *self,
                  ReeveDataStreamPiece *piece) REEVE_REQUIRES (client->lock)
{
  g_queue_push_tail (&self->input, piece);
  self->n_input_bytes += piece->cost;
  update_full_locked (client, self);
}

void
reeve_data_stream_add_piece_locked (ReeveServerClient *client,
                                    ReeveDataStream *self,
                                    uint8_t *buffer,
                                    size_t size,
                                    int64_t hole)
{
  ReeveDataStreamPiece *piece = piece_new (buffer, buffer, hole > 0 ? 1 : size);

  piece->hole = hole;
  add_piece_locked (client, self, piece);
}

/* @piece: (transfer full) */
static ReeveDataStreamTaken
queue_piece (ReeveServerClient *client,
             ReeveDataStream *self,
             ReeveDataStreamPiece *piece)
{
  REEVE_LOCK_SCOPE (&client->lock);

  if (!takes_input_locked (client, self)) {
    reeve_data_stream_piece_free (piece);
    return REEVE_DATA_STREAM_TAKEN;
  }

  add_piece_locked (client, self, piece);
  reeve_data_stream_schedule_locked (client, self);
  return self->is_full ? REEVE_DATA_STREAM_FULL : REEVE_DATA_STREAM_TAKEN;
}

ReeveDataStreamPiece *
reeve_data_stream_pop_piece_locked (ReeveServerClient *client,
                                    ReeveDataStream *self)
{
  ReeveDataStreamPiece *piece = g_queue_pop_head (&self->input);

  if (piece != NULL) {
    self->n_input_bytes -= piece->cost;
    update_full_locked (client, self);
  }
  return piece;
}

void
reeve_data_stream_drop_input_locked (ReeveServerClient *client,
                                     ReeveDataStream *self)
{
  ReeveDataStreamPiece *piece;

  while ((piece = reeve_data_stream_pop_piece_locked (client, self)) != NULL)
    reeve_data_stream_piece_free (piece);
}

static ReeveDataStreamTaken
take_data (ReeveServerClient *client,
           ReeveDataStream *self,
           const uint8_t *payload,
           size_t size,
           uint8_t **buffer)
{
  ReeveDataStreamPiece *piece;
  uint8_t *copy;

  if (buffer == NULL) {
    copy = g_memdup2 (payload, size);
    return queue_piece (client, self, piece_new (copy, copy, size));
  }

  piece = piece_new (g_steal_pointer (buffer), payload, size);
  piece->is_long = size == REEVE_DATA_STREAM_CHUNK;
  return queue_piece (client, self, piece);
}

static void
take_end (ReeveServerClient *client,
          ReeveDataStream *self,
          const ReeveHeader *header)
{
  REEVE_LOCK_SCOPE (&client->lock);

  if (!takes_input_locked (client, self))
    return;

  if (header->status == REEVE_STATUS_OK) {
    self->is_finishing = TRUE;
    self->may_receive = TRUE;
  } else {
    self->is_aborting = TRUE;
  }
  reeve_data_stream_schedule_locked (client, self);
}

static ReeveDataStreamTaken
take_hole (ReeveServerClient *client,
           ReeveDataStream *self,
           const uint8_t *payload,
           size_t size)
{
  ReeveDataStreamPiece *piece;
  message_hole hole;

  if (self->funcs->receive_hole == NULL ||
      !reeve_xdr_decode (&message_hole_type, payload, size, &hole, NULL, NULL))
    return REEVE_DATA_STREAM_BAD;
  if (hole.length <= 0 || hole.flags != 0) {
    reeve_data_stream_fail (
        self, g_error_new (REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                           _ ("A hole of %1$" PRId64
                              " bytes with flags %2$#x is not possible"),
                           hole.length, hole.flags));
    return REEVE_DATA_STREAM_TAKEN;
  }

  piece = piece_new (NULL, NULL, 1);
  piece->hole = hole.length;
  return queue_piece (client, self, piece);
}

static ReeveDataStreamTaken
take_for_stream (ReeveServerClient *client,
                 ReeveDataStream *self,
                 const ReeveHeader *header,
                 const uint8_t *payload,
                 size_t size,
                 uint8_t **buffer)
{
  if (header->type == REEVE_MESSAGE_STREAM_HOLE)
    return take_hole (client, self, payload, size);

  switch (header->status) {
  case REEVE_STATUS_CONTINUE:
    return size == 0 ? REEVE_DATA_STREAM_TAKEN
                     : take_data (client, self, payload, size, buffer);
  case REEVE_STATUS_OK:
  case REEVE_STATUS_ERROR:
    take_end (client, self, header);
    return REEVE_DATA_STREAM_TAKEN;
  default:
    reeve_data_stream_fail (
        self, g_error_new (REEVE_ERROR, REEVE_ERROR_RPC,
                           _ ("A message of a stream has status %u"),
                           header->status));
    return REEVE_DATA_STREAM_TAKEN;
  }
}

ReeveDataStreamTaken
reeve_data_stream_take_frame (ReeveServerClient *client,
                              const ReeveHeader *header,
                              const uint8_t *payload,
                              size_t size,
                              uint8_t **buffer)
{
  g_autoptr (ReeveDataStream) self = find_stream (client, header);

  if (self == NULL)
    return REEVE_DATA_STREAM_TAKEN;
  return take_for_stream (client, self, header, payload, size, buffer);
}

/* ----------------------------------------------------------- to client --- */

void
reeve_data_stream_add_output_locked (ReeveServerClient *client,
                                     ReeveDataStream *self,
                                     GBytes *frame)
{
  self->n_output_bytes += g_bytes_get_size (frame) + PIECE_COST;
  g_queue_push_tail (&self->output, frame);
  if (self->output.length == 1)
    g_queue_push_tail (&reeve_data_stream_get_all_locked (client)->ready,
                       reeve_data_stream_ref (self));
}

void
reeve_data_stream_queue_locked (ReeveServerClient *client,
                                ReeveDataStream *self,
                                GBytes *frame)
{
  if (client->stream == NULL) {
    g_bytes_unref (frame);
    return;
  }

  reeve_data_stream_add_output_locked (client, self, frame);
  reeve_server_client_write_streams_locked (client);
}

GBytes *
reeve_data_stream_start_frame_locked (ReeveServerClient *client)
{
  ReeveClientStreams *streams = client->streams;
  ReeveDataStream *self =
      streams == NULL ? NULL : g_queue_pop_head (&streams->ready);
  GBytes *frame;

  if (self == NULL)
    return NULL;

  frame = g_queue_pop_head (&self->output);
  if (!g_queue_is_empty (&self->output))
    g_queue_push_tail (&streams->ready, reeve_data_stream_ref (self));
  streams->current = self;
  return frame;
}

gboolean
reeve_data_stream_end_frame_locked (ReeveServerClient *client, size_t size)
{
  ReeveDataStream *self = client->streams == NULL
                              ? NULL
                              : g_steal_pointer (&client->streams->current);

  if (self == NULL)
    return FALSE;

  self->n_output_bytes -= size + PIECE_COST;
  reeve_data_stream_schedule_locked (client, self);
  reeve_data_stream_unref (self);
  return TRUE;
}

void
reeve_data_stream_drop_output_locked (ReeveServerClient *client,
                                      ReeveDataStream *self)
{
  GBytes *frame;

  while ((frame = g_queue_pop_head (&self->output)) != NULL) {
    self->n_output_bytes -= g_bytes_get_size (frame) + PIECE_COST;
    g_bytes_unref (frame);
  }
  /* It may be the last reference to one that has ended. */
  if (g_queue_remove (&client->streams->ready, self))
    reeve_data_stream_unref (self);
}

void
reeve_data_stream_lose_client_locked (ReeveServerClient *client)
{
  ReeveClientStreams *streams = client->streams;
  ReeveDataStream *self;

  if (streams == NULL)
    return;

  g_clear_pointer (&streams->current, reeve_data_stream_unref);
  while ((self = g_queue_peek_head (&streams->ready)) != NULL)
    reeve_data_stream_drop_output_locked (client, self);
  for (GList *link = streams->live.head; link != NULL; link = link->next) {
    self = link->data;
    self->is_gone = TRUE;
    reeve_data_stream_schedule_locked (client, self);
  }
}
