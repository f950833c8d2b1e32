/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"
#include "rpc/program.h"

#include <sys/types.h>

G_BEGIN_DECLS

/**
 * ReeveServerClient:
 *
 * A peer that connected to a #ReeveServer. It owns the connection's socket
 * (loop thread), what was read and not yet taken (loop thread), the calls in
 * flight and the bytes that wait to be written (under its lock).
 */
typedef struct _ReeveServerClient ReeveServerClient;

typedef struct _ReeveServer ReeveServer;

typedef enum {
  REEVE_TRANSPORT_UNIX = 0,
  REEVE_TRANSPORT_TCP = 1,
  REEVE_TRANSPORT_TLS = 2,
} ReeveTransport;

/**
 * ReeveAuth:
 * @REEVE_AUTH_NONE: nothing; the socket's permissions decide
 * @REEVE_AUTH_SASL: a mechanism of SASL, with a name and a password
 * @REEVE_AUTH_POLKIT: polkit is asked about the process at the other end
 *
 * What a client has to do before it can call; the numbers are those of the
 * program `auth`.
 */
typedef enum {
  REEVE_AUTH_NONE = 0,
  REEVE_AUTH_SASL = 1,
  REEVE_AUTH_POLKIT = 2,
} ReeveAuth;

ReeveServerClient *reeve_server_client_ref (ReeveServerClient *self);
void reeve_server_client_unref (ReeveServerClient *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveServerClient, reeve_server_client_unref)

/* (transfer none): the server that it came to. Immutable. Thread: any. */
ReeveServer *reeve_server_client_get_server (ReeveServerClient *self);
/* (transfer none): the loop that reads it, which is not the server's own where
 * that has threads for clients. Immutable. Thread: any. */
ReeveLoop *reeve_server_client_get_loop (ReeveServerClient *self);
/* Counts up from 1 in each server. Immutable. Thread: any. */
uint64_t reeve_server_client_get_id (ReeveServerClient *self);
/* Seconds since the epoch. */
gint64 reeve_server_client_get_connect_time (ReeveServerClient *self);
ReeveTransport reeve_server_client_get_transport (ReeveServerClient *self);
/* Of the socket it came in by, or set later. Thread: any. */
gboolean reeve_server_client_is_read_only (ReeveServerClient *self);
void reeve_server_client_set_read_only (ReeveServerClient *self);

/* Whether it speaks libvirt's framing, in which a client has a connection to
 * open. Thread: any, while a call of its is held. */
gboolean reeve_server_client_speaks_xdr (ReeveServerClient *self);

/* How many calls of its have no answer yet. Thread: any. */
unsigned reeve_server_client_count_calls (ReeveServerClient *self);

/* What the service that it came in by asks for. Immutable. */
ReeveAuth reeve_server_client_get_auth (ReeveServerClient *self);
/* Whether it did that; from then on it stays so. Thread: any. */
gboolean reeve_server_client_is_authenticated (ReeveServerClient *self);
/* (nullable): the name that SASL found. Immutable once authenticated. */
const char *reeve_server_client_get_sasl_name (ReeveServerClient *self);

/* (nullable): the distinguished name in the certificate that it showed, as in
 * `C=GB,O=Acme,CN=web`; NULL until it is authenticated, and where certificates
 * are not verified. */
const char *reeve_server_client_get_x509_name (ReeveServerClient *self);

/* The peer's credentials; FALSE for a peer that is not on a unix socket. */
gboolean reeve_server_client_get_unix_peer (ReeveServerClient *self,
                                            uid_t *uid,
                                            gid_t *gid,
                                            pid_t *pid);
/* (array length=n_groups) (transfer none) (nullable): the groups that its
 * process was in when it connected, the main one first; as above. */
const gid_t *
reeve_server_client_get_unix_groups (ReeveServerClient *self, size_t *n_groups);
/* (nullable): "HOST:PORT" of a peer that is not on a unix socket. */
const char *reeve_server_client_get_address (ReeveServerClient *self);

/**
 * reeve_server_client_attach:
 * @key: compared as a pointer
 * @data: (transfer full): what a program keeps for this client
 * @close_func: (nullable): called with @data once the connection has ended, in
 *   the loop's thread; at once, if it has ended already
 * @free_func: (nullable): frees @data when the connection has ended and no call
 * is left
 *
 * Both are called with no lock held. Thread: any.
 *
 * Returns: (transfer none): @data; or, if the key has data already, that, and
 *   @data is freed
 */
gpointer reeve_server_client_attach (ReeveServerClient *self,
                                     gconstpointer key,
                                     gpointer data,
                                     GDestroyNotify close_func,
                                     GDestroyNotify free_func);
/* (transfer none) (nullable): Thread: any; valid while a call of the client
 * is held. */
gpointer
reeve_server_client_get_data (ReeveServerClient *self, gconstpointer key);

/**
 * reeve_server_client_send_event:
 * @procedure: an event of @program
 * @body: a value of the event's type
 *
 * Queues an event. Events of a client leave in order, and behind no more
 * replies than were queued before. Their queue is bounded; on overflow the
 * event is dropped and counted, and %FALSE returned. Never blocks.
 *
 * Thread: any.
 */
gboolean reeve_server_client_send_event (ReeveServerClient *self,
                                         const ReeveProgram *program,
                                         const ReeveProcedure *procedure,
                                         gconstpointer body);

/**
 * reeve_server_client_enable_keepalive:
 *
 * From now on the client is asked for a sign of life when it is silent for the
 * server's keepalive interval, and its connection closed when it gives none:
 * once client and server have agreed on it, which each program does in its way.
 * A client with a call that runs counts as alive. Pings of a client are
 * answered in any case. Thread: any.
 */
void reeve_server_client_enable_keepalive (ReeveServerClient *self);

/* Closes the connection, in the loop's thread, soon. Thread: any. */
void reeve_server_client_close (ReeveServerClient *self);
gboolean reeve_server_client_is_closed (ReeveServerClient *self);

G_END_DECLS
