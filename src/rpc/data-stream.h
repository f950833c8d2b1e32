/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/call.h"

G_BEGIN_DECLS

/**
 * ReeveDataStream:
 *
 * A stream of bytes and holes between a client and the handler of one call, in
 * both directions at once. It lives from the reply to that call until the
 * client finishes or aborts it, goes away, or one of its functions fails.
 *
 * Its functions run on workers, so that they may wait for a disk; one at a time
 * for each stream, with no lock held. Neither direction runs ahead of the
 * slower side: towards the client no more than a window's bytes are queued
 * (#ReeveServerLimits.max_client_stream_bytes), and while as much as that waits
 * for the functions, nothing is read from the client.
 */
typedef struct _ReeveDataStream ReeveDataStream;

/* The most bytes of a frame that we send. Frames that come may be longer. */
#define REEVE_DATA_STREAM_CHUNK 262120u

/**
 * ReeveDataStreamNext:
 * @REEVE_DATA_STREAM_FAILED: the error is set; the client is told
 * @REEVE_DATA_STREAM_MORE: call again as soon as there is room
 * @REEVE_DATA_STREAM_WAIT: call again after reeve_data_stream_wake()
 * @REEVE_DATA_STREAM_END: there is no more; the client sees the end of the data
 *   and finishes. What it sends meanwhile is still received.
 */
typedef enum {
  REEVE_DATA_STREAM_FAILED = 0,
  REEVE_DATA_STREAM_MORE = 1,
  REEVE_DATA_STREAM_WAIT = 2,
  REEVE_DATA_STREAM_END = 3,
} ReeveDataStreamNext;

/**
 * ReeveDataStreamFuncs:
 * @receive: (nullable): takes bytes from the client and returns how many: all,
 *   or some (the rest comes again at once), or 0 (all comes again after
 *   reeve_data_stream_wake()); -1 with @error set fails the stream. %NULL for a
 *   stream that only sends: bytes that come fail it.
 * @receive_hole: (nullable): takes @length (> 0) bytes of zeros that were not
 *   sent. %NULL for a stream that is not sparse: as libvirt does, a client that
 *   sends holes all the same loses its connection.
 * @send: (nullable): there is room. Calls reeve_data_stream_write(), _commit()
 *   or _write_hole() once, or not at all, and says what is next. Called for the
 *   first time when the reply has gone. %NULL for a stream that only receives.
 * @finish: (nullable): the client has sent everything, and it was received:
 *   makes it last. Its result is what the client is told.
 * @abort: (nullable): the stream ended in any way but a @finish that succeeded:
 *   the client aborted it or is gone, or a function failed
 *
 * Where a stream ends, @finish or @abort (or both, if @finish fails) has run
 * before its data is freed, and its data is freed before the client is told. If
 * the call fails after the stream was opened, or is answered by its deadline,
 * none of them is called.
 */
typedef struct {
  gssize (*receive) (ReeveDataStream *stream,
                     const uint8_t *data,
                     size_t size,
                     gpointer user_data,
                     GError **error);
  gboolean (*receive_hole) (ReeveDataStream *stream,
                            int64_t length,
                            gpointer user_data,
                            GError **error);
  ReeveDataStreamNext (*send) (ReeveDataStream *stream,
                               gpointer user_data,
                               GError **error);
  gboolean (*finish) (ReeveDataStream *stream,
                      gpointer user_data,
                      GError **error);
  void (*abort) (ReeveDataStream *stream, gpointer user_data);
} ReeveDataStreamFuncs;

/**
 * reeve_data_stream_open:
 * @call: of a procedure that is declared with `@stream`
 * @funcs: must outlive the stream: a constant
 * @user_data: (transfer full)
 * @free_func: (nullable): frees @user_data, on any thread, with no lock held;
 * on failure of this function, too
 *
 * Opens the stream of a call, which may be deferred and is not yet answered.
 * The stream goes live with the call's reply; its deadline does not apply to
 * the stream.
 *
 * Thread: any.
 * Errors: %REEVE_ERROR_LIMIT if the client has as many streams as it may.
 *
 * Returns: (transfer none) (nullable): valid until @free_func is called; who
 *   wakes it from elsewhere takes a reference
 */
ReeveDataStream *reeve_data_stream_open (ReeveCall *call,
                                         const ReeveDataStreamFuncs *funcs,
                                         gpointer user_data,
                                         GDestroyNotify free_func,
                                         GError **error);

/* A reference keeps the object, not the stream: on one that has ended every
 * function does nothing. Thread: any. */
ReeveDataStream *reeve_data_stream_ref (ReeveDataStream *self);
void reeve_data_stream_unref (ReeveDataStream *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveDataStream, reeve_data_stream_unref)

/**
 * reeve_data_stream_wake:
 *
 * What @send or @receive waited for is there: they are called again. Never
 * blocks, calls nothing itself, and may be called at any time, once too often,
 * and with locks held (but those that @send, @receive or free functions take).
 *
 * Thread: any.
 */
void reeve_data_stream_wake (ReeveDataStream *self);

/* Whether the client has said that it sends no more: what @receive does not
 * take now can only be dropped. On a stream that finishes, @receive is called
 * anew. Thread: any. */
gboolean reeve_data_stream_is_finishing (ReeveDataStream *self);

/* Sends a copy of 1 to REEVE_DATA_STREAM_CHUNK bytes. Thread: that of @send. */
void reeve_data_stream_write (ReeveDataStream *self,
                              gconstpointer data,
                              size_t size);

/* Without the copy: room for REEVE_DATA_STREAM_CHUNK bytes, of which commit()
 * sends the first @size. Thread: that of @send. */
uint8_t *reeve_data_stream_get_room (ReeveDataStream *self);
void reeve_data_stream_commit (ReeveDataStream *self, size_t size);

/* Sends @length (> 0) bytes of zeros without their bytes; only to a client that
 * asked for it. Thread: that of @send. */
void reeve_data_stream_write_hole (ReeveDataStream *self, int64_t length);

G_END_DECLS
