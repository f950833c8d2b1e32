/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/call-reader.h"
#include "rpc/server-private.h"

G_BEGIN_DECLS

/*
 * One loop of a server, with all that belongs to the loop's thread: which of
 * its clients have calls in flight or replies that wait, and what a read needs.
 * A client belongs to one of them for its life, and `home` says which. Number 0
 * is the loop that the server was made with, the daemon's; modules see that
 * thread alone. The others have threads of their own, and where there are any,
 * all clients are theirs. Where nothing else is said, everything here is of the
 * loop's thread, or of the daemon's while the others stand still.
 */
struct _ReeveServerLoop {
  ReeveServer *server; /* not a reference; immutable, as what follows */
  ReeveLoop *loop;     /* (owned) */
  unsigned index;

  unsigned n_clients;   /* under the server's lock */
  atomic_bool is_asked; /* whether it turns, and did not answer yet */
  pthread_t thread;     /* of who starts and ends it */

  ReeveMutex lock;
  GQueue handed REEVE_GUARDED; /* (element-type ReeveJob): calls of clients of
                                  other loops that are to run here; it is told
                                  when there are any */

  ReeveCallReader reader; /* as it says */
  gboolean looks;         /* at its worker, each millisecond */

  int sweep;
  GPtrArray *calling; /* (element-type ReeveServerClient) (owned): who had calls
                         in flight at the last sweep, or since */
  int flush;
  GPtrArray *watched;        /* (element-type ReeveServerClient) (owned) */
  GQueue last_jobs;          /* of the client that is read; they are pushed when
                                all was taken */
  gconstpointer last_caller; /* that called last; may be gone */
  gint64 last_taken_us;      /* when that was */
  /* What was called last; NULL if that is not there. */
  ReeveServerProgram *last_program;
  const ReeveProcedure *last_procedure;
  uint8_t *scratch;      /* (owned): room for one read */
  ReeveReplyBatch batch; /* for the replies that it leads to */
  ReeveCallStock call_stock;
  ReeveCallMemory call_memory; /* as it says */
};

/* What one read takes at most, for all clients that have nothing kept. */
#define REEVE_SERVER_SCRATCH_SIZE 65536

ReeveServerLoop *
reeve_server_loop_new (ReeveServer *server, ReeveLoop *loop, unsigned index);
/* When none of its clients is left. */
void reeve_server_loop_free (ReeveServerLoop *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveServerLoop, reeve_server_loop_free)

/* Runs in a thread of its own, until it is ended. FALSE with errno set. Thread:
 * owner. */
gboolean reeve_server_loop_start (ReeveServerLoop *self);
void reeve_server_loop_end (ReeveServerLoop *self);

/* Whether this is the thread of a loop that is not the daemon's. */
gboolean reeve_server_loop_is_elsewhere (ReeveServerLoop *self);

/* Calls @func in the loop's thread; the server is not quiet before it was.
 * Thread: any. */
typedef void (*ReeveServerLoopFunc) (ReeveServerLoop *self, gpointer data);
void reeve_server_loop_send (ReeveServerLoop *self,
                             ReeveServerLoopFunc func,
                             gpointer data);

/* Takes @calls (element-type ReeveJob) of one client, to run them in their
 * order. Thread: any. */
void reeve_server_loop_hand_over (ReeveServerLoop *self, GQueue *calls);

/* Whether it turned since this was asked for the last time. Thread: any. */
gboolean reeve_server_loop_has_turned (ReeveServerLoop *self);

/* Looks for overdue calls of the client until none is in flight. */
void reeve_server_loop_sweep (ReeveServerLoop *self, ReeveServerClient *client);
/* Flushes the client until it holds nothing. */
void reeve_server_loop_watch (ReeveServerLoop *self, ReeveServerClient *client);
/* Looks at the worker that reads clients, until there is none. */
void reeve_server_loop_begin_look (ReeveServerLoop *self, gpointer data);
/* Takes all clients back from one that has a call that lasts; whether the loop
 * has to look again. */
gboolean reeve_server_loop_look_at_reader (ReeveServerLoop *self);
/* Its clients are about to be closed: looks at none of them any more. */
void reeve_server_loop_let_go (ReeveServerLoop *self);

G_END_DECLS
