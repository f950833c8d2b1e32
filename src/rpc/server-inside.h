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
  ReeveServerLoop *own_loop; /* that of @loop */
  GPtrArray *loops; /* (element-type ReeveServerLoop) (owned): the first is
                       @own_loop; immutable once there are clients */
  ReeveLiveLimits limits;      /* atomic */
  ReeveMutex limits_lock;      /* held while they are changed */
  ReeveJobPool *pool;          /* (owned); NULL once it is stopped */
  ReeveHandshakes *handshakes; /* (owned) (nullable): of TLS; loop's */

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
  gboolean are_loops_ended;
  gboolean is_still; /* it is quiet: the loops stand still until it is thawed */
  unsigned n_holds;  /* so often they are to stand still */

  atomic_bool is_frozen;  /* changed by the loop's thread */
  atomic_bool is_stopped; /* the same; nobody is let in any more */
  atomic_uint n_errands;  /* that loops have of each other */
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
  uint64_t last_client_id REEVE_GUARDED;
  unsigned n_coming REEVE_GUARDED;  /* clients that are let in, and not there */
  unsigned n_refused REEVE_GUARDED; /* that are to hear that they are too
                                       many */
  unsigned n_refused_tls REEVE_GUARDED; /* of these, clients of TLS */
  unsigned last_loop REEVE_GUARDED;     /* that a client was given to */
  GQueue unauth REEVE_GUARDED; /* (element-type ReeveServerClient): those that
                                  did not authenticate yet, oldest first */

  ReeveMutex hold_lock;
  ReeveCond hold_changed;
  gboolean is_held REEVE_GUARDED;
  unsigned n_parked REEVE_GUARDED;
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

/* The loop that is to be a new client's, which is counted until the loop is
 * left. Thread: any. */
ReeveServerLoop *reeve_server_choose_loop (ReeveServer *self);
void reeve_server_leave_loop (ReeveServer *self, ReeveServerLoop *loop);

/* The other loops stand still from the one to the other of these, which may be
 * nested; their clients are the calling thread's then. Thread: loop, or owner
 * when the loop does not run. */
void reeve_server_hold_loops (ReeveServer *self);
void reeve_server_release_loops (ReeveServer *self);
/* Ends their threads, whose loops are the calling thread's from then on. */
void reeve_server_end_loops (ReeveServer *self);
/* After that: runs what was to run in loops. */
void reeve_server_catch_up (ReeveServer *self);

/* @client: (transfer full): that is of another process's making. Thread: that
 * of its loop, or while that stands still. */
void reeve_server_remember (ReeveServer *self, ReeveServerClient *client);
/* The same for one that is one too many. */
void reeve_server_note_refused (ReeveServer *self, ReeveTransport transport);

/* @stream: (transfer full): of a new client, which may be refused. Thread: that
 * of a loop. */
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
