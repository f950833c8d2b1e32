/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-stream.h"

#include "client/connection-stream-private.h"
#include "event/intl.h"
#include "protocol/message.h"
#include "rpc/data-stream.h"
#include "rpc/error.h"
#include "rpc/wire-xdr.h"

#include <errno.h>
#include <string.h>

/* What a function waits for, and for how long. */
typedef struct {
  ReeveConnectionStream *stream;
  GCancellable *cancellable; /* (nullable) */
  gint64 deadline_us;
  gulong handler;
} Patience;

static void
wake (GCancellable *cancellable, gpointer data)
{
  ReeveConnectionStream *self = data;
  ReeveConnection *connection = self->connection;

  REEVE_LOCK_SCOPE (&connection->lock);

  reeve_cond_broadcast (&self->changed);
  reeve_cond_broadcast (&connection->drained);
}

static void
patience_begin (Patience *patience,
                ReeveConnectionStream *stream,
                int timeout_ms,
                GCancellable *cancellable)
{
  if (timeout_ms < 0)
    timeout_ms = REEVE_CONNECTION_TIMEOUT_MS;

  *patience = (Patience){
    .stream = stream,
    .cancellable = cancellable,
    .deadline_us = g_get_monotonic_time () + (gint64) timeout_ms * 1000,
  };
  if (cancellable != NULL)
    patience->handler =
        g_cancellable_connect (cancellable, G_CALLBACK (wake), stream, NULL);
}

static void
patience_end (Patience *patience)
{
  g_cancellable_disconnect (patience->cancellable, patience->handler);
}

/* Waits once for @cond; FALSE with the error when there is nothing to wait
 * for any more. */
static gboolean
wait_locked (ReeveConnection *connection,
             const Patience *patience,
             ReeveCond *cond,
             GError **error) REEVE_REQUIRES (connection->lock)
{
  const char *name = patience->stream->procedure->name;

  if (g_cancellable_is_cancelled (patience->cancellable)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_ABORTED,
                 _ ("Waiting for the stream of %s was cancelled"), name);
    return FALSE;
  }
  if (reeve_cond_wait_until (cond, &connection->lock, patience->deadline_us))
    return TRUE;
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
               _ ("Nothing happened in the stream of %s in time"), name);
  return FALSE;
}

/* ---------------------------------------------------------------- life --- */

/* There is no stream: nothing is to be aborted. */
static void
forget (ReeveConnectionStream *self)
{
  ReeveConnection *connection = self->connection;

  REEVE_LOCK_SCOPE (&connection->lock);

  reeve_connection_stream_unregister_locked (connection, self);
}

ReeveConnectionStream *
reeve_connection_open_stream (ReeveConnection *connection,
                              const ReeveProgram *program,
                              const ReeveProcedure *procedure,
                              gconstpointer args,
                              gpointer ret,
                              int timeout_ms,
                              GCancellable *cancellable,
                              GError **error)
{
  const uint32_t opens = REEVE_PROCEDURE_STREAM_IN | REEVE_PROCEDURE_STREAM_OUT;
  ReeveConnectionStream *self;

  g_return_val_if_fail ((procedure->flags & opens) != 0, NULL);

  self = g_new0 (ReeveConnectionStream, 1);
  self->connection = reeve_connection_ref (connection);
  self->procedure = procedure;
  reeve_cond_init (&self->changed);
  if (reeve_connection_call_for_stream (connection, program, procedure, args,
                                        ret, self, timeout_ms, cancellable,
                                        error))
    return self;

  forget (self);
  reeve_connection_stream_free (self);
  return NULL;
}

static void
leave (ReeveConnectionStream *self)
{
  ReeveConnection *connection = self->connection;

  REEVE_LOCK_SCOPE (&connection->lock);

  if (self->is_registered && !self->is_ending)
    reeve_connection_abort_stream_locked (connection, &self->header);
  reeve_connection_stream_unregister_locked (connection, self);
  reeve_connection_stream_drop_locked (connection, self);
}

void
reeve_connection_stream_free (ReeveConnectionStream *self)
{
  if (self == NULL)
    return;

  leave (self);
  reeve_cond_clear (&self->changed);
  g_clear_error (&self->failure);
  reeve_connection_unref (self->connection);
  g_free (self);
}

/* Whether the stream can be used; else why not. */
static gboolean
check_locked (ReeveConnection *connection,
              const ReeveConnectionStream *self,
              GError **error) REEVE_REQUIRES (connection->lock)
{
  if (self->failure != NULL) {
    g_propagate_error (error, g_error_copy (self->failure));
    return FALSE;
  }
  if (self->is_ending) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("The stream of %s was ended"), self->procedure->name);
    return FALSE;
  }
  return TRUE;
}

/* ---------------------------------------------------------------- read --- */

static ReeveStreamPiece *
wait_for_piece (ReeveConnectionStream *self,
                const Patience *patience,
                GError **error)
{
  ReeveConnection *connection = self->connection;

  REEVE_LOCK_SCOPE (&connection->lock);

  while (g_queue_is_empty (&self->pieces) && !self->has_end)
    if (!check_locked (connection, self, error) ||
        !wait_locked (connection, patience, &self->changed, error))
      return NULL;

  if (!g_queue_is_empty (&self->pieces))
    return reeve_connection_stream_pop_locked (connection, self);
  return g_new0 (ReeveStreamPiece, 1); /* the end */
}

GBytes *
reeve_connection_stream_read (ReeveConnectionStream *self,
                              int64_t *hole,
                              int timeout_ms,
                              GCancellable *cancellable,
                              GError **error)
{
  g_autofree ReeveStreamPiece *piece = NULL;
  Patience patience;

  if (hole != NULL)
    *hole = 0;
  patience_begin (&patience, self, timeout_ms, cancellable);
  piece = wait_for_piece (self, &patience, error);
  patience_end (&patience);
  if (piece == NULL)
    return NULL;

  if (piece->hole > 0 && hole == NULL) {
    g_bytes_unref (piece->data);
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("The stream of %s has a hole that was not asked for"),
                 self->procedure->name);
    return NULL;
  }
  if (hole != NULL)
    *hole = piece->hole;
  return piece->data != NULL ? piece->data : g_bytes_new (NULL, 0);
}

/* --------------------------------------------------------------- write --- */

/* Sends one frame as soon as nothing else waits to be sent. */
static gboolean
write_frame (ReeveConnectionStream *self,
             const struct iovec *iov,
             int n_iov,
             const Patience *patience,
             GError **error)
{
  ReeveConnection *connection = self->connection;

  REEVE_LOCK_SCOPE (&connection->lock);

  if (!check_locked (connection, self, error))
    return FALSE;
  while (connection->output->len > 0)
    if (!wait_locked (connection, patience, &connection->drained, error) ||
        !check_locked (connection, self, error))
      return FALSE;

  if (!reeve_connection_writev_locked (connection, iov, n_iov))
    return reeve_error_from_errno (error, errno,
                                   _ ("Cannot send to the stream of %s"),
                                   self->procedure->name);
  return TRUE;
}

static gboolean
write_chunk (ReeveConnectionStream *self,
             ReeveMessageType type,
             gconstpointer data,
             size_t size,
             const Patience *patience,
             GError **error)
{
  uint8_t start[REEVE_PAYLOAD_OFFSET];
  const struct iovec iov[] = {
    { .iov_base = start, .iov_len = sizeof start },
    { .iov_base = (void *) data, .iov_len = size },
  };
  ReeveHeader header = self->header;

  header.type = type;
  header.status = REEVE_STATUS_CONTINUE;
  reeve_message_write_header (&header, start, sizeof start + size);
  return write_frame (self, iov, G_N_ELEMENTS (iov), patience, error);
}

gboolean
reeve_connection_stream_write (ReeveConnectionStream *self,
                               gconstpointer data,
                               size_t size,
                               int timeout_ms,
                               GCancellable *cancellable,
                               GError **error)
{
  const uint8_t *bytes = data;
  gboolean is_sent = TRUE;
  Patience patience;

  patience_begin (&patience, self, timeout_ms, cancellable);
  while (is_sent && size > 0) {
    size_t n = MIN (size, REEVE_DATA_STREAM_CHUNK);

    is_sent =
        write_chunk (self, REEVE_MESSAGE_STREAM, bytes, n, &patience, error);
    bytes += n;
    size -= n;
  }
  patience_end (&patience);
  return is_sent;
}

gboolean
reeve_connection_stream_write_hole (ReeveConnectionStream *self,
                                    int64_t length,
                                    int timeout_ms,
                                    GCancellable *cancellable,
                                    GError **error)
{
  const message_hole hole = { .length = length };
  uint8_t payload[12];
  gboolean is_sent;
  Patience patience;

  g_return_val_if_fail (length > 0, FALSE);

  reeve_xdr_encode (&message_hole_type, &hole, payload, sizeof payload);
  patience_begin (&patience, self, timeout_ms, cancellable);
  is_sent = write_chunk (self, REEVE_MESSAGE_STREAM_HOLE, payload,
                         sizeof payload, &patience, error);
  patience_end (&patience);
  return is_sent;
}

/* ----------------------------------------------------------------- end --- */

static gboolean
end_and_wait (ReeveConnectionStream *self,
              ReeveMessageStatus status,
              const Patience *patience,
              GError **error)
{
  ReeveConnection *connection = self->connection;

  REEVE_LOCK_SCOPE (&connection->lock);

  if (!check_locked (connection, self, error))
    return FALSE;
  self->is_ending = TRUE;
  reeve_connection_stream_drop_locked (connection, self);
  if (!reeve_connection_stream_send_end_locked (connection, &self->header,
                                                status))
    return reeve_error_from_errno (error, errno,
                                   _ ("Cannot send to the stream of %s"),
                                   self->procedure->name);

  while (!self->has_ended && self->failure == NULL)
    if (!wait_locked (connection, patience, &self->changed, error))
      break;
  reeve_connection_stream_unregister_locked (connection, self);
  if (self->failure != NULL)
    g_propagate_error (error, g_error_copy (self->failure));
  return self->has_ended;
}

static gboolean
end_stream (ReeveConnectionStream *self,
            ReeveMessageStatus status,
            int timeout_ms,
            GCancellable *cancellable,
            GError **error)
{
  Patience patience;
  gboolean has_ended;

  patience_begin (&patience, self, timeout_ms, cancellable);
  has_ended = end_and_wait (self, status, &patience, error);
  patience_end (&patience);
  return has_ended;
}

gboolean
reeve_connection_stream_finish (ReeveConnectionStream *self,
                                int timeout_ms,
                                GCancellable *cancellable,
                                GError **error)
{
  return end_stream (self, REEVE_STATUS_OK, timeout_ms, cancellable, error);
}

gboolean
reeve_connection_stream_abort (ReeveConnectionStream *self,
                               int timeout_ms,
                               GCancellable *cancellable,
                               GError **error)
{
  return end_stream (self, REEVE_STATUS_ERROR, timeout_ms, cancellable, error);
}
