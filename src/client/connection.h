/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/program.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * ReeveConnection:
 *
 * A client's connection to a server that speaks libvirt's framing: reeved, any
 * daemon built with libreeve, or libvirtd. An I/O thread that the library owns
 * (one for all connections of the process) reads and writes; calls can be made
 * from any thread, at the same time, and are pipelined. Nothing waits without
 * a deadline.
 */
typedef struct _ReeveConnection ReeveConnection;

/* When nothing else is said: connecting, and each call, in milliseconds. */
#define REEVE_CONNECTION_TIMEOUT_MS 30000

typedef enum {
  REEVE_CONNECTION_DEFAULT = 0,
  REEVE_CONNECTION_READ_ONLY = 1 << 0,
  /* Only the socket and authentication: for programs other than `remote`. */
  REEVE_CONNECTION_NO_OPEN = 1 << 1,
  /**
   * A connection that was lost comes back by itself, with back-off, until it is
   * closed or the server refuses it. Calls wait meanwhile, up to their
   * deadlines. Those whose reply was lost are made again if their procedure is
   * `@repeatable`; the others fail with %REEVE_ERROR_OUTCOME_UNKNOWN, and
   * streams with %REEVE_ERROR_CLOSED. What the server was asked to tell is
   * asked for again (callbacks keep their ids), and subscribers to the program
   * `watch` (share/reeve/protocol/watch.x) are told of the loss (LOST) and,
   * when it is over, by a mark (MARK), of what happened since; before it,
   * nothing new is told. Nobody is asked for a password again.
   */
  REEVE_CONNECTION_RECONNECT = 1 << 2,
} ReeveConnectionFlags;

/**
 * reeve_connection_open:
 * @uri: (nullable): `DRIVER[+TRANSPORT]://[USER@][HOST][:PORT]/[PATH][?PARAM=
 *   VALUE&…]` as libvirt has it (transports unix, tcp, tls, ssh, ext), or a
 *   stream name of rpc/stream.h (`unix:PATH`, `tcp:HOST:PORT`); %NULL takes
 *   $REEVE_URI, then $LIBVIRT_DEFAULT_URI, then reeved's own socket
 * @timeout_ms: for all of it: resolving, connecting, the first replies; -1 for
 *   the default
 *
 * Connects, authenticates (by SASL, with what the URI and libvirt's file of
 * credentials say, or by polkit), and opens the `remote` program. Blocks.
 * Thread: any.
 *
 * Errors: %REEVE_ERROR_INVALID_ARG (the URI, naming what is wrong with it),
 * %REEVE_ERROR_NO_CONNECT, %REEVE_ERROR_AUTH_FAILED, %REEVE_ERROR_TIMED_OUT,
 * and what the server answers.
 */
ReeveConnection *reeve_connection_open (const char *uri,
                                        ReeveConnectionFlags flags,
                                        int timeout_ms,
                                        GCancellable *cancellable,
                                        GError **error);

typedef enum {
  REEVE_CREDENTIAL_NAME,
  REEVE_CREDENTIAL_PASSWORD,
} ReeveCredential;

/**
 * ReeveAskFunc:
 * @host: the server's, as the user calls it
 *
 * Asks the user, and may take its time.
 *
 * Returns: (transfer full) (nullable): %NULL when nobody answers
 */
typedef char *(*ReeveAskFunc) (ReeveCredential which,
                               const char *host,
                               gpointer data);

/**
 * reeve_connection_open_asking:
 * @ask: (nullable): asked, in the calling thread, for what the server wants to
 *   know and neither the URI nor libvirt's file of credentials says
 *
 * As reeve_connection_open().
 */
ReeveConnection *reeve_connection_open_asking (const char *uri,
                                               ReeveConnectionFlags flags,
                                               ReeveAskFunc ask,
                                               gpointer ask_data,
                                               int timeout_ms,
                                               GCancellable *cancellable,
                                               GError **error);
void reeve_connection_open_async (const char *uri,
                                  ReeveConnectionFlags flags,
                                  int timeout_ms,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);
ReeveConnection *
reeve_connection_open_finish (GAsyncResult *result, GError **error);

ReeveConnection *reeve_connection_ref (ReeveConnection *self);
/* The last one closes: with connect_close where the server expects it. */
void reeve_connection_unref (ReeveConnection *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveConnection, reeve_connection_unref)

/* (transfer none): as given, or chosen. */
const char *reeve_connection_get_uri (ReeveConnection *self);

/* When nothing else is said, and the server agrees. */
#define REEVE_CONNECTION_KEEPALIVE_S 5
#define REEVE_CONNECTION_KEEPALIVE_COUNT 5

/**
 * reeve_connection_set_keepalive:
 * @interval_s: seconds of silence until the server is asked whether it is
 *   there; 0: never
 * @count: such questions that may stay without an answer
 *
 * A server that gives no sign of life for @interval_s × (@count + 1) seconds
 * while somebody waits for it (a call, a subscription, a close function) is
 * taken for gone: the connection ends, and every call that waits fails at
 * once. A call that takes long does not end it: the server answers meanwhile.
 *
 * reeve_connection_open() turns it on when the server says that it supports
 * it; servers without the program `remote` cannot be asked. Thread: any.
 */
void reeve_connection_set_keepalive (ReeveConnection *self,
                                     int interval_s,
                                     unsigned count);

/* Ends the connection: every call that waits fails with %REEVE_ERROR_CLOSED,
 * at once. Thread: any. */
void reeve_connection_close (ReeveConnection *self);
gboolean reeve_connection_is_closed (ReeveConnection *self);

/**
 * reeve_connection_call:
 * @args: (nullable): a value of the procedure's argument type
 * @ret: (out caller-allocates) (nullable): a zeroed value of its return type;
 *   clear it with reeve_type_clear(); left zeroed on failure
 * @timeout_ms: -1 for the default
 *
 * Calls and waits. Thread: any but the library's I/O thread (that is: not from
 * an event callback).
 *
 * Errors: the server's; %REEVE_ERROR_TIMED_OUT; %REEVE_ERROR_ABORTED when
 * cancelled; %REEVE_ERROR_CLOSED when the connection was closed before the
 * call was sent; %REEVE_ERROR_OUTCOME_UNKNOWN when it was lost after that;
 * %REEVE_ERROR_RPC for a reply that cannot be decoded.
 */
gboolean reeve_connection_call (ReeveConnection *self,
                                const ReeveProgram *program,
                                const ReeveProcedure *procedure,
                                gconstpointer args,
                                gpointer ret,
                                int timeout_ms,
                                GCancellable *cancellable,
                                GError **error);

/**
 * reeve_connection_call_with_fds:
 * @fds: (array length=n_fds) (nullable) (transfer none): go with the call
 * @n_fds: 32 at most
 * @ret_fds: (nullable) (element-type int): takes those that came with the
 *   reply (close-on-exec), which are the caller's from then on; %NULL closes
 *   them
 *
 * As reeve_connection_call(), for a procedure with `@fds`.
 *
 * Errors: also %REEVE_ERROR_NO_SUPPORT when there are @fds and the connection
 * is not a unix socket.
 */
gboolean reeve_connection_call_with_fds (ReeveConnection *self,
                                         const ReeveProgram *program,
                                         const ReeveProcedure *procedure,
                                         gconstpointer args,
                                         const int *fds,
                                         unsigned n_fds,
                                         gpointer ret,
                                         GArray *ret_fds,
                                         int timeout_ms,
                                         GCancellable *cancellable,
                                         GError **error);

/* @args is encoded before this returns. @callback runs in the thread default
 * context of the caller. */
void reeve_connection_call_async (ReeveConnection *self,
                                  const ReeveProgram *program,
                                  const ReeveProcedure *procedure,
                                  gconstpointer args,
                                  int timeout_ms,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);
gboolean reeve_connection_call_finish (ReeveConnection *self,
                                       GAsyncResult *result,
                                       gpointer ret,
                                       GError **error);

/**
 * ReeveEventFunc:
 * @body: (transfer none): a value of the event's type
 *
 * Thread: the library's I/O thread; must not block.
 */
typedef void (*ReeveEventFunc) (ReeveConnection *self,
                                const ReeveProcedure *event,
                                gconstpointer body,
                                gpointer data);

/**
 * reeve_connection_subscribe:
 * @event: (nullable): one event of @program, or %NULL for all
 *
 * Routes events that arrive to @func. What makes the server send them is a
 * call of its own. Thread: any.
 *
 * Returns: an id for reeve_connection_unsubscribe()
 */
unsigned reeve_connection_subscribe (ReeveConnection *self,
                                     const ReeveProgram *program,
                                     const ReeveProcedure *event,
                                     ReeveEventFunc func,
                                     gpointer data,
                                     GDestroyNotify free_func);
void reeve_connection_unsubscribe (ReeveConnection *self, unsigned id);

/* @func is called once when the connection ends, with why: in the I/O thread,
 * or in the one that closes it; at once if it has ended. */
typedef void (*ReeveCloseFunc) (ReeveConnection *self,
                                const GError *reason,
                                gpointer data);
void reeve_connection_set_close_func (ReeveConnection *self,
                                      ReeveCloseFunc func,
                                      gpointer data,
                                      GDestroyNotify free_func);

G_END_DECLS
