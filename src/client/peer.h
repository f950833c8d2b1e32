/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/config-tree.h"

#include <gio/gio.h>
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/**
 * ReevePeer:
 *
 * A client's connection to a daemon that speaks JSON-RPC, as Open vSwitch's
 * do, or LVM's configuration text, whoever wrote it. For one built with
 * libreeve there is #ReeveConnection, too. The library's I/O thread reads and
 * writes; calls can be made from any thread, at the same time. Nothing waits
 * without a deadline.
 */
typedef struct _ReevePeer ReevePeer;

/* When nothing else is said: opening, and each call, in milliseconds. */
#define REEVE_PEER_TIMEOUT_MS 30000

ReevePeer *reeve_peer_ref (ReevePeer *self);
/* The last one closes. Thread: any. */
void reeve_peer_unref (ReevePeer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReevePeer, reeve_peer_unref)

/* Ends the connection: every call that waits fails with %REEVE_ERROR_CLOSED,
 * or %REEVE_ERROR_OUTCOME_UNKNOWN, at once. Thread: any. */
void reeve_peer_close (ReevePeer *self);
gboolean reeve_peer_is_closed (ReevePeer *self);

/* ---------------------------------------------------------------- text --- */

/**
 * reeve_peer_open_text:
 * @stream: the name of a stream, see rpc/stream.h: `unix:PATH`
 * @protocol: (nullable): what the server has to speak; %NULL for anything
 * @version: of that protocol
 * @timeout_ms: for all of it; -1 for the default
 *
 * Connects, and says hello as LVM's clients do. Blocks. Thread: any.
 *
 * Errors: those of connecting; %REEVE_ERROR_NO_SUPPORT, naming what the server
 * speaks instead; those of reeve_peer_call_text().
 */
ReevePeer *reeve_peer_open_text (const char *stream,
                                 const char *protocol,
                                 int64_t version,
                                 int timeout_ms,
                                 GCancellable *cancellable,
                                 GError **error);

/**
 * reeve_peer_call_text:
 * @request: what is asked for
 * @args: (nullable): the root of a tree with the rest of it
 * @timeout_ms: -1 for the default
 *
 * Asks and waits for the answer. Nothing but their order tells answers apart,
 * so requests are sent one after the other, the next one when the answer to the
 * one before it is there, whether somebody still waits for that or not. Thread:
 * any but the library's I/O thread.
 *
 * Errors: the server's, where its `response` is `failed` or `invalid`, with its
 * reason (its code, if it is one of libreeve, else
 * %REEVE_ERROR_OPERATION_FAILED); %REEVE_ERROR_INVALID_ARG for a request in
 * which the end of a message would stand; %REEVE_ERROR_TIMED_OUT;
 * %REEVE_ERROR_ABORTED when cancelled; %REEVE_ERROR_CLOSED when the connection
 * was closed before the request was sent; %REEVE_ERROR_OUTCOME_UNKNOWN when it
 * was lost after that; %REEVE_ERROR_RPC for an answer that is no configuration
 * text.
 *
 * Returns: (transfer full) (nullable): the answer; any other `response`, or
 *   none, is the caller's to look at
 */
ReeveConfigNode *reeve_peer_call_text (ReevePeer *self,
                                       const char *request,
                                       const ReeveConfigNode *args,
                                       int timeout_ms,
                                       GCancellable *cancellable,
                                       GError **error);

/**
 * reeve_peer_ask_text:
 * @request: what is asked for
 * @...: the rest of it, as reeve_config_node_add_values() takes it
 *
 * As reeve_peer_call_text(), in one line:
 * `reeve_peer_ask_text (peer, -1, &error, "progress_info", "lvid = %s", lvid,
 * NULL)`.
 */
ReeveConfigNode *reeve_peer_ask_text (ReevePeer *self,
                                      int timeout_ms,
                                      GError **error,
                                      const char *request,
                                      ...) G_GNUC_NULL_TERMINATED;

/* @args is printed before this returns. @callback runs in the thread default
 * context of the caller. */
void reeve_peer_call_text_async (ReevePeer *self,
                                 const char *request,
                                 const ReeveConfigNode *args,
                                 int timeout_ms,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
ReeveConfigNode *reeve_peer_call_text_finish (ReevePeer *self,
                                              GAsyncResult *result,
                                              GError **error);

/* ---------------------------------------------------------------- JSON --- */

typedef enum {
  REEVE_PEER_JSON_1, /* JSON-RPC 1.0, as Open vSwitch's daemons speak it */
  REEVE_PEER_JSON_2, /* JSON-RPC 2.0 */
} ReevePeerForm;

/**
 * ReevePeerHandlers:
 * @notify: (nullable): the server tells something
 * @closed: (nullable): the connection has ended, and why; not called when the
 *   last reference went
 * @data: for them
 * @free_func: (nullable): frees @data when neither is called any more
 *
 * Both are called in the library's I/O thread, and must not block.
 */
typedef struct {
  void (*notify) (ReevePeer *self,
                  const char *method,
                  JsonNode *params, /* (nullable) (transfer none) */
                  gpointer data);
  void (*closed) (ReevePeer *self, const GError *reason, gpointer data);
  gpointer data;
  GDestroyNotify free_func;
} ReevePeerHandlers;

/**
 * reeve_peer_open_json:
 * @stream: the name of a stream, see rpc/stream.h
 * @form: how messages look that we send; both are understood
 * @handlers: (nullable): is copied; on failure its free_func was called
 * @timeout_ms: -1 for the default
 *
 * Connects. The request `echo`, by which such servers ask whether a client is
 * alive, is answered from then on; any other is told that there is no such
 * method. Blocks. Thread: any.
 *
 * Errors: those of connecting.
 */
ReevePeer *reeve_peer_open_json (const char *stream,
                                 ReevePeerForm form,
                                 const ReevePeerHandlers *handlers,
                                 int timeout_ms,
                                 GCancellable *cancellable,
                                 GError **error);

/**
 * reeve_peer_call_json:
 * @params: (nullable) (transfer none): an array, or, in 2.0, an object; %NULL
 *   for none
 * @timeout_ms: -1 for the default
 *
 * Calls and waits. Calls do not wait for each other. Thread: any but the
 * library's I/O thread (that is: not from a handler).
 *
 * Errors: the server's, with its text (its code, if it is one of libreeve;
 * %REEVE_ERROR_NO_SUPPORT where 2.0 says that there is no such method,
 * %REEVE_ERROR_INVALID_ARG for parameters, else
 * %REEVE_ERROR_OPERATION_FAILED); %REEVE_ERROR_TIMED_OUT;
 * %REEVE_ERROR_ABORTED when cancelled; %REEVE_ERROR_CLOSED when the connection
 * was closed before the call was sent; %REEVE_ERROR_OUTCOME_UNKNOWN when it was
 * lost after that; %REEVE_ERROR_RPC or %REEVE_ERROR_LIMIT for a result that is
 * no JSON, or too much of it (rpc/json-parse.h).
 *
 * Returns: (transfer full) (nullable): the result
 */
JsonNode *reeve_peer_call_json (ReevePeer *self,
                                const char *method,
                                JsonNode *params,
                                int timeout_ms,
                                GCancellable *cancellable,
                                GError **error);

/* @params is printed before this returns. @callback runs in the thread default
 * context of the caller. */
void reeve_peer_call_json_async (ReevePeer *self,
                                 const char *method,
                                 JsonNode *params,
                                 int timeout_ms,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
JsonNode *reeve_peer_call_json_finish (ReevePeer *self,
                                       GAsyncResult *result,
                                       GError **error);

/**
 * reeve_peer_notify_json:
 * @params: as of reeve_peer_call_json()
 *
 * Tells the server something, to which there is no answer. Never blocks.
 * Thread: any.
 *
 * Errors: %REEVE_ERROR_CLOSED, %REEVE_ERROR_LIMIT.
 *
 * Returns: whether it was sent, or will be
 */
gboolean reeve_peer_notify_json (ReevePeer *self,
                                 const char *method,
                                 JsonNode *params,
                                 GError **error);

G_END_DECLS
