/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/connection-private.h"
#include "client/connection-stream.h"

G_BEGIN_DECLS

/*
 * What is inside a stream: connection-stream.c has what its user calls,
 * connection-stream-frame.c takes what the server sends.
 */

/* What came in one frame. */
typedef struct {
  GBytes *data; /* (owned) */
  int64_t hole; /* its length, or 0 */
} ReeveStreamPiece;

struct _ReeveConnectionStream {
  ReeveConnection *connection; /* (owned) */
  const ReeveProcedure *procedure;

  /* Under the connection's lock. */
  ReeveHeader header; /* of its frames; set when it is registered */
  ReeveCond changed;
  gboolean is_registered; /* so that frames find it */
  GQueue pieces;          /* (element-type ReeveStreamPiece) (owned) */
  size_t n_bytes;
  gboolean is_full;
  gboolean has_end;   /* of the data */
  gboolean is_ending; /* we finish or abort it */
  gboolean has_ended; /* and the server agreed */
  GError *failure;    /* (owned) (nullable) */
};

/* (transfer full) (nullable): the oldest. */
ReeveStreamPiece *
reeve_connection_stream_pop_locked (ReeveConnection *connection,
                                    ReeveConnectionStream *self)
    REEVE_REQUIRES (connection->lock);
void reeve_connection_stream_drop_locked (ReeveConnection *connection,
                                          ReeveConnectionStream *self)
    REEVE_REQUIRES (connection->lock);
void reeve_connection_stream_unregister_locked (ReeveConnection *connection,
                                                ReeveConnectionStream *self)
    REEVE_REQUIRES (connection->lock);

/* Sends a frame without data that ends the stream. FALSE: errno. */
gboolean reeve_connection_stream_send_end_locked (ReeveConnection *connection,
                                                  const ReeveHeader *header,
                                                  ReeveMessageStatus status)
    REEVE_REQUIRES (connection->lock);

G_END_DECLS
