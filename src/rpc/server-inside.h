/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The inside of a server, for server.c and server-clients.c. */

#include "rpc/server-loop.h"
#include "rpc/service.h"

G_BEGIN_DECLS

struct _ReeveServer {
  ReeveRefs refs;
  char *name;                /* immutable */
  ReeveLoop *loop;           /* (owned) */
  ReeveServerLoop *own_loop; /* (owned): that of @loop */
  ReeveLiveLimits limits;    /* atomic */
  ReeveMutex limits_lock;    /* held while they are changed */
  ReeveJobPool *pool;        /* (owned); NULL once it is stopped */
  ReeveJobPool *handshakes;  /* (owned) (nullable): of TLS; loop's */

  /* Immutable once there are listeners. */
  ReeveAuthenticator *authenticator; /* (owned) (nullable) */
  GPtrArray *programs;   /* (element-type ReeveServerProgram) (owned) */
  gboolean takes_fds;    /* a procedure does */
  GPtrArray *tables;     /* (element-type ReeveProgram), NULL at the end */
  GPtrArray *commands;   /* (element-type ReeveCommand) */
  GArray *subscriptions; /* (element-type ReeveSubscription) */
  ReeveServerPolicy policy;
  ReeveAnsweredCallFunc call_func; /* (nullable) */
  gpointer call_data;

  /* Of the loop's thread. */
  GPtrArray *services; /* (element-type ReeveService) (owned) */
  uint64_t last_client_id;
  unsigned n_refused;     /* clients that are to hear that they are too many */
  unsigned n_refused_tls; /* of these, clients of TLS */

  atomic_bool is_frozen;  /* changed by the loop's thread */
  GPtrArray *attachments; /* (element-type ReeveServerRow) (owned), as what
                             follows; immutable once there are listeners */
  GPtrArray *stream_kinds;

  atomic_bool is_watched;
  atomic_ullong n_accepted;
  ReeveRefusals refusals; /* with a lock of its own */
  atomic_ullong n_handshakes;
  atomic_ullong n_handshakes_refused;
  atomic_ullong n_handshakes_resumed; /* of n_handshakes */
  atomic_ullong n_denied;
  atomic_ullong n_events;
  atomic_ullong n_events_dropped;

  ReeveMutex lock;
  GHashTable *clients REEVE_GUARDED; /* id -> ReeveServerClient (owned) */
  GQueue unauth REEVE_GUARDED; /* (element-type ReeveServerClient): those that
                                  did not authenticate yet, oldest first */
};

/* What was registered, and with what. */
typedef struct {
  gconstpointer kind;
  gpointer user_data;
} ReeveServerRow;

/* (element-type ReeveServerRow): of #ReeveServerAttachment, and of
 * #ReeveServerStreamKind. */
const GPtrArray *reeve_server_get_attachments (ReeveServer *self);
const GPtrArray *reeve_server_get_stream_kinds (ReeveServer *self);

/* Thread: any. */
unsigned reeve_server_count_clients (ReeveServer *self, unsigned *n_unauth);
/* (element-type ReeveServerClient) (transfer full): Thread: any. */
GPtrArray *reeve_server_dup_clients (ReeveServer *self);

/* @client: (transfer full) */
void reeve_server_remember (ReeveServer *self, ReeveServerClient *client);

/* @stream: (transfer full): of a new client, which may be refused. Thread:
 * loop. */
void reeve_server_add_client (ReeveServer *self,
                              ReeveStream *stream,
                              const ReeveServiceOptions *options);

/* What a service calls; @data is the server. */
void reeve_server_take_stream (ReeveService *service,
                               ReeveStream *stream,
                               gpointer data);
void reeve_server_refuse_connection (ReeveService *service,
                                     ReeveRefusal kind,
                                     const char *why,
                                     gpointer data);

G_END_DECLS
