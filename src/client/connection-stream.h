/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/connection.h"

#include <stdint.h>

G_BEGIN_DECLS

/**
 * ReeveConnectionStream:
 *
 * A stream of bytes and holes that a call opened, beside other calls and
 * streams of its connection. One thread may read while another one writes;
 * each function waits, with a deadline, and can be cancelled.
 *
 * What comes is kept until it is read. The protocol cannot stop one stream
 * alone, so that when a window's bytes (%REEVE_CONNECTION_STREAM_WINDOW) wait
 * in one, nothing is read from the server until some of them are read: as the
 * server sends replies first, calls wait no longer than the reader takes for a
 * window. Should the reader stand still for more than a second while a call
 * waits for its reply, the connection is read on regardless; a stream in which
 * %REEVE_CONNECTION_STREAM_MAX bytes wait then fails with %REEVE_ERROR_LIMIT,
 * alone. A server that asks whether we are alive is answered all the time.
 *
 * Thread: any but the library's I/O thread.
 */
typedef struct _ReeveConnectionStream ReeveConnectionStream;

#define REEVE_CONNECTION_STREAM_WINDOW (1024u * 1024)
#define REEVE_CONNECTION_STREAM_MAX (64u * 1024 * 1024)

/**
 * reeve_connection_open_stream:
 * @procedure: one that is declared with `@stream`
 *
 * Calls as reeve_connection_call() does, and opens the call's stream.
 *
 * Returns: (transfer full) (nullable)
 */
ReeveConnectionStream *
reeve_connection_open_stream (ReeveConnection *connection,
                              const ReeveProgram *program,
                              const ReeveProcedure *procedure,
                              gconstpointer args,
                              gpointer ret,
                              int timeout_ms,
                              GCancellable *cancellable,
                              GError **error);

/* Aborts the stream, without waiting, unless it was finished or aborted or has
 * failed. Nobody else uses it. */
void reeve_connection_stream_free (ReeveConnectionStream *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveConnectionStream,
                               reeve_connection_stream_free)

/**
 * reeve_connection_stream_read:
 * @hole: (out) (optional): the length of a hole, else 0; without it a hole
 *   fails
 * @timeout_ms: -1 for the default; a deadline that passes changes nothing
 *
 * Waits for what comes next: bytes, a hole, or the end of the data.
 *
 * Errors: the server's, behind the data that came before it;
 * %REEVE_ERROR_TIMED_OUT, %REEVE_ERROR_ABORTED when cancelled,
 * %REEVE_ERROR_CLOSED, %REEVE_ERROR_LIMIT.
 *
 * Returns: (transfer full): bytes; none for a hole and at the end
 */
GBytes *reeve_connection_stream_read (ReeveConnectionStream *self,
                                      int64_t *hole,
                                      int timeout_ms,
                                      GCancellable *cancellable,
                                      GError **error);

/**
 * reeve_connection_stream_write:
 *
 * Sends bytes; returns when they are on their way, which waits for the server
 * to read what was sent before. When it fails, any part may have been sent, and
 * all that is left to do is to abort.
 *
 * Errors: as of reeve_connection_stream_read(); an error of the server may be
 * about what was written long before.
 */
gboolean reeve_connection_stream_write (ReeveConnectionStream *self,
                                        gconstpointer data,
                                        size_t size,
                                        int timeout_ms,
                                        GCancellable *cancellable,
                                        GError **error);

/* Sends @length (> 0) bytes of zeros without their bytes, on a stream that was
 * opened as sparse; otherwise the same. */
gboolean reeve_connection_stream_write_hole (ReeveConnectionStream *self,
                                             int64_t length,
                                             int timeout_ms,
                                             GCancellable *cancellable,
                                             GError **error);

/**
 * reeve_connection_stream_finish:
 *
 * Says that nothing more will be sent or read, and waits for the server's
 * word that all is well. What was not read is dropped.
 *
 * Errors: as of reeve_connection_stream_read(). The stream is over in any
 * case.
 */
gboolean reeve_connection_stream_finish (ReeveConnectionStream *self,
                                         int timeout_ms,
                                         GCancellable *cancellable,
                                         GError **error);

/* Ends the stream as one that failed; otherwise the same. */
gboolean reeve_connection_stream_abort (ReeveConnectionStream *self,
                                        int timeout_ms,
                                        GCancellable *cancellable,
                                        GError **error);

G_END_DECLS
