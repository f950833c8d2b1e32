/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/data-stream.h"

#include "event/intl.h"
#include "protocol/message.h"
#include "rpc/data-stream-private.h"
#include "rpc/error.h"
#include "rpc/stream-buffer.h"

#include <string.h>

/* How many a client may have open. */
#define MAX_CLIENT_STREAMS 16
/* How many functions a worker runs before it gives way to other jobs. */
#define MAX_TURNS 16

/* What is to be done next. */
typedef enum {
  STEP_NOTHING,
  STEP_RECEIVE,
  STEP_SEND,
  STEP_FINISH,
  STEP_END,
} Step;

/* ---------------------------------------------------------------- life --- */

static void
free_user_data (ReeveDataStream *self)
{
  if (self->free_func != NULL)
    self->free_func (self->user_data);
}

static gboolean
count_in (ReeveServerClient *client)
{
  unsigned n_streams = atomic_load (&client->n_data_streams);

  while (n_streams < MAX_CLIENT_STREAMS)
    if (atomic_compare_exchange_weak (&client->n_data_streams, &n_streams,
                                      n_streams + 1))
      return TRUE;

  return FALSE;
}

static void run (ReeveJob *job);

ReeveDataStream *
reeve_data_stream_new (ReeveServerClient *client,
                       const ReeveHeader *header,
                       const ReeveDataStreamFuncs *funcs,
                       gpointer user_data,
                       GDestroyNotify free_func)
{
  ReeveDataStream *self = g_new0 (ReeveDataStream, 1);

  self->job.link.data = &self->job;
  self->job.run = run;
  reeve_refs_init (&self->refs);
  self->client = reeve_server_client_ref (client);
  self->job.group = reeve_server_client_get_jobs (client);
  self->header = *header;
  self->header.type = REEVE_MESSAGE_STREAM;
  self->header.status = REEVE_STATUS_CONTINUE;
  self->funcs = funcs;
  self->user_data = user_data;
  self->free_func = free_func;
  self->may_send = funcs->send != NULL;
  self->may_receive = TRUE;
  return self;
}

ReeveDataStream *
reeve_data_stream_open (ReeveCall *call,
                        const ReeveDataStreamFuncs *funcs,
                        gpointer user_data,
                        GDestroyNotify free_func,
                        GError **error)
{
  const uint32_t opens = REEVE_PROCEDURE_STREAM_IN | REEVE_PROCEDURE_STREAM_OUT;
  ReeveDataStream *self;

  g_return_val_if_fail ((call->procedure->flags & opens) != 0, NULL);
  g_return_val_if_fail (call->data_stream == NULL, NULL);

  if (!count_in (call->client)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("A connection can have %u streams at the same time"),
                 MAX_CLIENT_STREAMS);
    if (free_func != NULL)
      free_func (user_data);
    return NULL;
  }

  self = reeve_data_stream_new (call->client, &call->header, funcs, user_data,
                                free_func);
  self->job.name = call->procedure->name;
  call->data_stream = self;
  return self;
}

ReeveDataStream *
reeve_data_stream_ref (ReeveDataStream *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_data_stream_unref (ReeveDataStream *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  g_assert (g_queue_is_empty (&self->input));
  g_assert (g_queue_is_empty (&self->output));
  g_clear_error (&self->failure);
  if (self->room != NULL)
    reeve_stream_buffer_free (self->room);
  reeve_server_client_unref (self->client);
  g_free (self);
}

void
reeve_data_stream_discard (ReeveDataStream *self)
{
  if (self == NULL)
    return;

  atomic_fetch_sub (&self->client->n_data_streams, 1);
  free_user_data (self);
  reeve_data_stream_unref (self);
}

ReeveClientStreams *
reeve_data_stream_get_all_locked (ReeveServerClient *client)
{
  if (client->streams == NULL)
    client->streams = g_new0 (ReeveClientStreams, 1);
  return client->streams;
}

GList *
reeve_data_stream_get_live_locked (ReeveServerClient *client)
{
  return client->streams == NULL ? NULL : client->streams->live.head;
}

void
reeve_data_stream_go_live_locked (ReeveServerClient *client,
                                  ReeveDataStream *self)
{
  self->is_live = TRUE;
  g_queue_push_tail (&reeve_data_stream_get_all_locked (client)->live, self);
  reeve_data_stream_schedule_locked (client, self);
}

/* -------------------------------------------------------------- turns --- */

static gboolean
has_room_locked (ReeveServerClient *client, ReeveDataStream *self)
    REEVE_REQUIRES (client->lock)
{
  return self->n_output_bytes == 0 ||
         self->n_output_bytes + REEVE_STREAM_BUFFER_SIZE <=
             reeve_data_stream_get_window (client);
}

static gboolean
is_ending (const ReeveDataStream *self)
{
  return self->is_gone || self->is_aborting || self->failure != NULL;
}

static Step
choose_step_locked (ReeveServerClient *client, ReeveDataStream *self, Step last)
    REEVE_REQUIRES (client->lock)
{
  gboolean may_send =
      self->may_send && !self->is_finishing && has_room_locked (client, self);
  gboolean may_receive = self->may_receive && !g_queue_is_empty (&self->input);

  if (!self->is_live)
    return STEP_NOTHING;
  /* One whose client has gone moves nowhere, and nobody else knows of it. */
  if (reeve_server_is_frozen (client->server) && !self->is_gone)
    return STEP_NOTHING;
  if (is_ending (self))
    return STEP_END;
  if (may_receive && !(may_send && last == STEP_RECEIVE))
    return STEP_RECEIVE;
  if (may_send)
    return STEP_SEND;
  if (self->is_finishing && g_queue_is_empty (&self->input))
    return STEP_FINISH;
  return STEP_NOTHING;
}

void
reeve_data_stream_schedule_locked (ReeveServerClient *client,
                                   ReeveDataStream *self)
{
  if (self->is_scheduled ||
      choose_step_locked (client, self, STEP_NOTHING) == STEP_NOTHING)
    return;

  self->is_scheduled = TRUE;
  reeve_data_stream_ref (self);
  reeve_server_push_job (client->server, &self->job);
}

/* Nothing to do: whoever changes that schedules it anew. */
static Step
begin_turn (ReeveDataStream *self, Step last, unsigned *n_wakes)
{
  ReeveServerClient *client = self->client;
  Step step;

  REEVE_LOCK_SCOPE (&client->lock);

  step = choose_step_locked (client, self, last);
  self->is_scheduled = step != STEP_NOTHING;
  *n_wakes = self->n_wakes;
  return step;
}

void
reeve_data_stream_fail (ReeveDataStream *self, GError *failure)
{
  ReeveServerClient *client = self->client;

  REEVE_LOCK_SCOPE (&client->lock);

  if (self->failure == NULL)
    self->failure = failure;
  else
    g_error_free (failure);
  reeve_data_stream_schedule_locked (client, self);
}

/* Only this thread takes pieces out of the queue. */
static ReeveDataStreamPiece *
peek_piece (ReeveDataStream *self)
{
  ReeveServerClient *client = self->client;

  REEVE_LOCK_SCOPE (&client->lock);

  return g_queue_peek_head (&self->input);
}

static gssize
take_piece (ReeveDataStream *self,
            const ReeveDataStreamPiece *piece,
            GError **error)
{
  const ReeveDataStreamFuncs *funcs = self->funcs;

  if (piece->hole > 0)
    return funcs->receive_hole (self, piece->hole, self->user_data, error)
               ? (gssize) piece->size
               : -1;
  if (funcs->receive != NULL)
    return funcs->receive (self, piece->data, piece->size, self->user_data,
                           error);

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                       _ ("This stream takes no data"));
  return -1;
}

/* (nullable): the piece, once all of it was taken. */
static ReeveDataStreamPiece *
end_receive (ReeveDataStream *self, size_t n_taken, unsigned n_wakes)
{
  ReeveServerClient *client = self->client;
  ReeveDataStreamPiece *piece;

  REEVE_LOCK_SCOPE (&client->lock);

  if (n_taken == 0) {
    self->may_receive = self->n_wakes != n_wakes;
    return NULL;
  }

  piece = g_queue_peek_head (&self->input);
  /* A hole has none. */
  if (piece->data != NULL)
    piece->data += n_taken;
  piece->size -= n_taken;
  return piece->size > 0 ? NULL
                         : reeve_data_stream_pop_piece_locked (client, self);
}

static void
receive_some (ReeveDataStream *self, unsigned n_wakes)
{
  GError *failure = NULL;
  gssize n_taken = take_piece (self, peek_piece (self), &failure);

  if (n_taken < 0)
    reeve_data_stream_fail (self, failure);
  else
    reeve_data_stream_piece_free (
        end_receive (self, (size_t) n_taken, n_wakes));
}

static void
end_send (ReeveDataStream *self, ReeveDataStreamNext next, unsigned n_wakes)
{
  ReeveServerClient *client = self->client;

  REEVE_LOCK_SCOPE (&client->lock);

  if (next == REEVE_DATA_STREAM_MORE)
    return;

  self->may_send = next == REEVE_DATA_STREAM_WAIT && self->n_wakes != n_wakes;
  if (next != REEVE_DATA_STREAM_END)
    return;
  self->has_sent_end = TRUE;
  reeve_data_stream_queue_locked (
      client, self, reeve_message_encode (&self->header, NULL, NULL, NULL));
}

static void
send_some (ReeveDataStream *self, unsigned n_wakes)
{
  GError *failure = NULL;
  ReeveDataStreamNext next =
      self->funcs->send (self, self->user_data, &failure);

  if (next == REEVE_DATA_STREAM_FAILED)
    reeve_data_stream_fail (self, failure);
  else
    end_send (self, next, n_wakes);
}

/* ----------------------------------------------------------------- end --- */

/* The last frame says OK, or what failed. */
static GBytes *
make_last_frame (const ReeveDataStream *self, const GError *failure)
{
  ReeveHeader header = self->header;

  if (failure != NULL)
    return reeve_message_encode_error (&header, failure);
  header.status = REEVE_STATUS_OK;
  return reeve_message_encode (&header, NULL, NULL, NULL);
}

/* Nobody finds the stream any more. */
static void
leave (ReeveDataStream *self)
{
  ReeveServerClient *client = self->client;

  REEVE_LOCK_SCOPE (&client->lock);

  self->is_live = FALSE;
  g_queue_remove (&client->streams->live, self);
  atomic_fetch_sub (&client->n_data_streams, 1);
  reeve_data_stream_drop_input_locked (client, self);
  /* Who finishes or aborts reads no more. */
  if (self->failure == NULL || self->is_gone)
    reeve_data_stream_drop_output_locked (client, self);
  if (!self->is_gone)
    reeve_data_stream_queue_locked (client, self,
                                    make_last_frame (self, self->failure));
}

static void
end (ReeveDataStream *self, gboolean is_finished)
{
  if (!is_finished && self->funcs->abort != NULL)
    self->funcs->abort (self, self->user_data);

  /* What it held is free when the client is told. */
  free_user_data (self);
  leave (self);
  /* The reference of those that are live. */
  reeve_data_stream_unref (self);
}

/* Returns whether the stream ended. */
static gboolean
finish (ReeveDataStream *self)
{
  GError *failure = NULL;

  if (self->funcs->finish != NULL &&
      !self->funcs->finish (self, self->user_data, &failure)) {
    reeve_data_stream_fail (self, failure);
    return FALSE;
  }

  end (self, TRUE);
  return TRUE;
}

/* Returns whether there may be more to do. */
static gboolean
take_turn (ReeveDataStream *self, Step step, unsigned n_wakes)
{
  switch (step) {
  case STEP_RECEIVE:
    receive_some (self, n_wakes);
    return TRUE;
  case STEP_SEND:
    send_some (self, n_wakes);
    return TRUE;
  case STEP_FINISH:
    return !finish (self);
  case STEP_END:
    end (self, FALSE);
    return FALSE;
  case STEP_NOTHING:
    break;
  }

  return FALSE;
}

static void
run (ReeveJob *job)
{
  ReeveDataStream *self = (ReeveDataStream *) job;
  Step step = STEP_NOTHING;

  for (unsigned i = 0; i < MAX_TURNS; i++) {
    unsigned n_wakes;

    step = begin_turn (self, step, &n_wakes);
    if (!take_turn (self, step, n_wakes)) {
      reeve_data_stream_unref (self);
      return;
    }
  }

  /* It is still scheduled. */
  reeve_server_push_job (self->client->server, &self->job);
}

/* ----------------------------------------------------------- functions --- */

void
reeve_data_stream_wake (ReeveDataStream *self)
{
  ReeveServerClient *client = self->client;

  REEVE_LOCK_SCOPE (&client->lock);

  self->n_wakes++;
  self->may_receive = TRUE;
  self->may_send = self->funcs->send != NULL && !self->has_sent_end;
  reeve_data_stream_schedule_locked (client, self);
}

gboolean
reeve_data_stream_is_finishing (ReeveDataStream *self)
{
  ReeveServerClient *client = self->client;

  REEVE_LOCK_SCOPE (&client->lock);

  return self->is_finishing;
}

static void
queue_frame (ReeveDataStream *self, GBytes *frame)
{
  ReeveServerClient *client = self->client;

  REEVE_LOCK_SCOPE (&client->lock);

  reeve_data_stream_queue_locked (client, self, frame);
}

uint8_t *
reeve_data_stream_get_room (ReeveDataStream *self)
{
  if (self->room == NULL)
    self->room = reeve_stream_buffer_new ();

  return self->room + REEVE_PAYLOAD_OFFSET;
}

void
reeve_data_stream_commit (ReeveDataStream *self, size_t size)
{
  uint8_t *frame;

  g_return_if_fail (self->room != NULL);
  g_return_if_fail (size > 0 && size <= REEVE_DATA_STREAM_CHUNK);

  /* What waits for the client is to take no more room than it counts. */
  if (size < REEVE_STREAM_BUFFER_SIZE / 2) {
    reeve_data_stream_write (self, self->room + REEVE_PAYLOAD_OFFSET, size);
    return;
  }

  size += REEVE_PAYLOAD_OFFSET;
  reeve_message_write_header (&self->header, self->room, size);
  frame = g_steal_pointer (&self->room);
  queue_frame (self, g_bytes_new_with_free_func (
                         frame, size, reeve_stream_buffer_free, frame));
}

void
reeve_data_stream_write (ReeveDataStream *self, gconstpointer data, size_t size)
{
  size_t frame_size = REEVE_PAYLOAD_OFFSET + size;
  uint8_t *frame;

  g_return_if_fail (size > 0 && size <= REEVE_DATA_STREAM_CHUNK);

  frame = g_malloc (frame_size);
  reeve_message_write_header (&self->header, frame, frame_size);
  memcpy (frame + REEVE_PAYLOAD_OFFSET, data, size);
  queue_frame (self, g_bytes_new_take (frame, frame_size));
}

void
reeve_data_stream_write_hole (ReeveDataStream *self, int64_t length)
{
  const message_hole hole = { .length = length };
  ReeveHeader header = self->header;

  g_return_if_fail (length > 0);

  header.type = REEVE_MESSAGE_STREAM_HOLE;
  queue_frame (self,
               reeve_message_encode (&header, &message_hole_type, &hole, NULL));
}
