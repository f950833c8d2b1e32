/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"
#include "rpc/call.h"
#include "rpc/job-pool.h"
#include "rpc/program.h"
#include "rpc/server-client.h"
#include "rpc/stream.h"
#include "rpc/tls-context.h"

G_BEGIN_DECLS

/**
 * ReeveServer:
 *
 * Programs, the services (listeners) they are reached by, the clients that
 * came in, and the pool that runs their calls. The loop's thread owns
 * listeners and sockets, or several threads do: see
 * reeve_server_set_io_threads().
 */
typedef struct _ReeveServer ReeveServer;

#define REEVE_NO_LIMIT G_MAXUINT

/* What a server allows. Zero members mean the default in brackets. */
typedef struct {
  unsigned max_clients;            /* at the same time [5000] */
  unsigned max_unauth_clients;     /* of them, that did not authenticate yet;
                                      over it one of them goes; may be
                                      REEVE_NO_LIMIT [256] */
  unsigned auth_timeout_ms;        /* from connecting to that [60 000] */
  unsigned max_accepts_per_second; /* of each service [0: as they come] */
  unsigned max_client_calls;       /* in flight for each client [64] */
  size_t max_client_reply_bytes;   /* queued; over it we stop reading [8 MiB] */
  size_t max_client_event_bytes;   /* queued; over it events drop [1 MiB] */
  size_t max_client_stream_bytes;  /* queued for and from each data stream
                                      [1 MiB] */
  unsigned max_client_fds;         /* held; over it we stop reading [64] */
  size_t max_message_bytes;        /* of a call's frame [REEVE_MESSAGE_MAX] */
  size_t max_unauth_message_bytes; /* the same, before it authenticated
                                      [260 KiB] */
  unsigned call_timeout_ms;        /* until a call is answered [30 000] */
  int keepalive_interval_s;        /* of silence, then we ask whether the client
                                      is alive; below 0 never [5] */
  unsigned keepalive_count;        /* of such questions without an answer, then
                                      the connection is closed [5] */
  ReeveJobPoolSize workers;        /* [2, 10, 1, 20, 2] */
} ReeveServerLimits;

typedef enum {
  REEVE_SERVICE_DEFAULT = 0,
  REEVE_SERVICE_READ_ONLY = 1 << 0,  /* its clients are read-only */
  REEVE_SERVICE_OWNER_ONLY = 1 << 1, /* of a unix socket: refuses peers that
                                        are neither root nor our own user */
} ReeveServiceFlags;

/**
 * ReeveWires:
 * @REEVE_WIRE_XDR: binary messages in libvirt's framing
 *
 * How messages may look. Which of those that a service allows a client speaks
 * is seen by the first byte that it sends.
 */
typedef enum {
  REEVE_WIRE_DEFAULT = 0,
  REEVE_WIRE_XDR = 1 << 0,
  REEVE_WIRE_JSON = 1 << 1,
  REEVE_WIRE_TEXT = 1 << 2,
  REEVE_WIRE_ALL = REEVE_WIRE_XDR | REEVE_WIRE_JSON | REEVE_WIRE_TEXT,
} ReeveWires;

/* What is special about a service; zeros are the defaults in brackets. */
typedef struct {
  mode_t mode; /* permissions of a unix socket [0600] */
  gid_t group; /* that a unix socket is given to [the process's] */
  ReeveServiceFlags flags;
  ReeveAuth auth;    /* what its clients have to do before they can call */
  ReeveTlsSlot *tls; /* (nullable) (transfer none): speak TLS, as it says at the
                        time; while it is empty, nobody is let in */
  unsigned handshake_timeout_ms; /* of TLS [15 000] */
  ReeveWires wires; /* that are spoken [all on a unix socket, else XDR] */
} ReeveServiceOptions;

/* @limits is copied; (nullable) for the defaults. Thread: owner. */
ReeveServer *reeve_server_new (const char *name,
                               ReeveLoop *loop,
                               const ReeveServerLimits *limits);
ReeveServer *reeve_server_ref (ReeveServer *self);
void reeve_server_unref (ReeveServer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveServer, reeve_server_unref)

/**
 * reeve_server_get_limits:
 * @limits: (out): as they are now; no member is zero that has a default
 *
 * Thread: any, until reeve_server_stop().
 */
void reeve_server_get_limits (ReeveServer *self, ReeveServerLimits *limits);

/**
 * reeve_server_set_limits:
 * @limits: all of them; so get them first to change one. If all numbers of
 *   workers are zero, the pool stays as it is
 *
 * They hold from now on; what is there already stays: a lower max_clients
 * closes no connection. Two threads that change limits at once do so one after
 * the other, but each member is read on its own, so that a client may see one
 * new limit beside an old one.
 *
 * Thread: any, until reeve_server_stop().
 * Errors: %REEVE_ERROR_INVALID_ARG for limits that make no sense; none is
 * changed then.
 */
gboolean reeve_server_set_limits (ReeveServer *self,
                                  const ReeveServerLimits *limits,
                                  GError **error);

const char *reeve_server_get_name (ReeveServer *self);
ReeveLoop *reeve_server_get_loop (ReeveServer *self);

#define REEVE_SERVER_MAX_IO_THREADS 64

/**
 * reeve_server_set_io_threads:
 * @n_threads: up to %REEVE_SERVER_MAX_IO_THREADS [0]
 *
 * Makes threads that do what the loop's thread does for clients otherwise:
 * accepts them, reads and writes, and runs what is marked `@pure` of class
 * inline. The others of that class run in the loop's thread still, and so does
 * what is called when a client ends. A server that has such threads has to be
 * stopped before its last reference is dropped.
 *
 * Once, before the first listen or client. Thread: owner.
 * Errors: %REEVE_ERROR_INVALID_ARG over the limit; %REEVE_ERROR_SYSTEM.
 */
gboolean reeve_server_set_io_threads (ReeveServer *self,
                                      unsigned n_threads,
                                      GError **error);
/* Thread: any. */
unsigned reeve_server_get_io_threads (ReeveServer *self);
/* How many clients one loop has: 0 is the server's own, the others are those of
 * its threads. Thread: any. */
unsigned reeve_server_count_loop_clients (ReeveServer *self, unsigned index);
/* Whether each of its threads has turned since this was asked for the last
 * time. Thread: any. */
gboolean reeve_server_have_loops_turned (ReeveServer *self);

/**
 * reeve_server_add_program:
 * @program: a generated, constant table
 * @handlers: the program's generated struct of handlers; must outlive @self
 * @user_data: for reeve_call_get_user_data()
 *
 * Before the first listen. Thread: owner.
 */
void reeve_server_add_program (ReeveServer *self,
                               const ReeveProgram *program,
                               gconstpointer handlers,
                               gpointer user_data);

/* (transfer none) (array zero-terminated=1): in the order they were added. */
const ReeveProgram *const *reeve_server_get_programs (ReeveServer *self);

/**
 * reeve_server_listen:
 * @name: of a passive stream, see rpc/stream.h
 * @options: (nullable): copied
 *
 * Thread: loop, or owner before the loop runs.
 * Errors: as of reeve_pstream_open().
 *
 * Returns: (transfer none) (nullable): the name with the port in use
 */
const char *reeve_server_listen (ReeveServer *self,
                                 const char *name,
                                 const ReeveServiceOptions *options,
                                 GError **error);

/**
 * reeve_server_listen_on:
 * @pstream: (transfer full): freed on failure
 *
 * As reeve_server_listen(), with a stream that listens already; of @options the
 * members about a unix socket's file do not matter.
 */
const char *reeve_server_listen_on (ReeveServer *self,
                                    ReevePStream *pstream,
                                    const ReeveServiceOptions *options,
                                    GError **error);

/**
 * reeve_server_add_fd_client:
 * @fd: (transfer full): a connected socket, e.g. one end of a socketpair()
 * @options: (nullable): copied
 *
 * Thread: loop, or owner before the loop runs.
 */
void reeve_server_add_fd_client (ReeveServer *self,
                                 int fd,
                                 const ReeveServiceOptions *options);

/**
 * reeve_server_stop:
 *
 * Closes the listeners and all clients, and waits for the jobs that run.
 * Calls that are deferred are cancelled. Thread: loop, or owner after the loop.
 */
void reeve_server_stop (ReeveServer *self);

/* Counters, for admin, tests and metrics: n_clients and n_unauth now, the
 * others since the start. */
typedef struct {
  unsigned n_clients;
  unsigned n_unauth; /* of them, that did not authenticate yet */
  guint64 n_accepted;
  guint64 n_refused;        /* over max_clients, or not our own user */
  guint64 n_unauth_dropped; /* over max_unauth_clients */
  guint64 n_delayed;        /* times that connections waited for
                               max_accepts_per_second */
  guint64
      n_out_of_files;   /* connections refused for want of a file descriptor */
  guint64 n_handshakes; /* of TLS, that ended well */
  guint64 n_handshakes_resumed; /* of these, that took up an older session */
  guint64 n_handshakes_failed;  /* or did not end in time */
  guint64 n_handshakes_refused; /* because of the client's certificate */
  guint64 n_bad_messages;       /* that ended their connections */
  guint64 n_silent;             /* clients without a sign of life */
  guint64 n_calls;
  guint64 n_failed;
  guint64 n_denied; /* by rules of access, or as the client is read-only */
  guint64 n_events;
  guint64 n_events_dropped;
} ReeveServerStats;

void reeve_server_get_stats (ReeveServer *self, ReeveServerStats *stats);

#define REEVE_LATENCY_BUCKETS 24

/**
 * ReeveProcedureStats:
 * @n_calls: answered ones
 * @latency: of them, how many took less than 2^i microseconds from their
 *   arrival to the answer, and not less than half of that; the last member has
 *   all that took longer
 *
 * The counters of one procedure since the start.
 */
typedef struct {
  const ReeveProgram *program;
  const ReeveProcedure *procedure;
  guint64 n_calls;
  guint64 n_failed;
  guint64 latency[REEVE_LATENCY_BUCKETS];
} ReeveProcedureStats;

/* Calls @func for each procedure that was called. Thread: any. */
typedef void (*ReeveProcedureStatsFunc) (const ReeveProcedureStats *stats,
                                         gpointer data);
void reeve_server_foreach_procedure (ReeveServer *self,
                                     ReeveProcedureStatsFunc func,
                                     gpointer data);

/* In microseconds, what @share (0 to 1) of the calls did not exceed: a power
 * of two. 0 if there was no call. */
guint64 reeve_procedure_stats_get_quantile (const ReeveProcedureStats *self,
                                            double share);

/**
 * ReeveAnsweredCall:
 * @took_us: from its arrival to the answer
 * @error: (nullable): if it failed
 *
 * A call that was answered just now. One whose deadline had passed is told when
 * its handler has ended.
 */
typedef struct {
  ReeveServerClient *client;
  const ReeveProgram *program;
  const ReeveProcedure *procedure;
  uint32_t serial;
  gint64 took_us;
  const GError *error;
} ReeveAnsweredCall;

typedef void (*ReeveAnsweredCallFunc) (const ReeveAnsweredCall *call,
                                       gpointer data);

/**
 * reeve_server_set_call_func:
 * @func: called for each call while reeve_server_watch_calls() says so, by the
 *   thread that answers it and with no lock held; it must not block
 *
 * Before the first listen. Thread: owner.
 */
void reeve_server_set_call_func (ReeveServer *self,
                                 ReeveAnsweredCallFunc func,
                                 gpointer data);
/* While nobody watches, a call costs one look at a flag. Thread: any. */
void reeve_server_watch_calls (ReeveServer *self, gboolean is_watched);

ReeveJobPool *reeve_server_get_pool (ReeveServer *self);

/* Calls @func for each client. No lock is held meanwhile. Thread: any. */
typedef void (*ReeveServerClientFunc) (ReeveServerClient *client,
                                       gpointer data);
void reeve_server_foreach_client (ReeveServer *self,
                                  ReeveServerClientFunc func,
                                  gpointer data);

/* (transfer full) (nullable): by reeve_server_client_get_id(). Thread: any. */
ReeveServerClient *reeve_server_find_client (ReeveServer *self, uint64_t id);

G_END_DECLS
