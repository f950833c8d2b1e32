/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/thread.h"
#include "rpc/server-client.h"

#include <stdatomic.h>

G_BEGIN_DECLS

/* So many clients are read at once. */
#define REEVE_CALL_READER_CLIENTS 256
/* And so many of them have a turn before one asks again who is ready. */
#define REEVE_CALL_READER_TURN 32

/* What a worker is known by, while it is the reader; on its stack. */
typedef struct {
  atomic_uint turn;      /* odd while it runs a call */
  unsigned seen;         /* of that, at the loop's last look; under the lock */
  unsigned n_same;       /* looks since that changed; the same */
  gint64 looked_us;      /* when that was; the same */
  gboolean is_looked_at; /* the loop looks already */
} ReeveCallWorker;

/**
 * ReeveCallReader:
 *
 * The clients of one loop that are read by a worker in the loop's place, so
 * that neither it nor another worker has to wake for their calls: who they are,
 * which worker it is, and, for the loop's thread, whether that got stuck.
 *
 * There is at most one worker, and none when nobody calls. The set says which
 * clients are *given*; to read one, or to take it out, takes its lock, so that
 * whose it is cannot change meanwhile, whoever else believes to be the reader.
 * A client's lock is taken before the set's, never behind it.
 */
typedef struct {
  ReeveMutex lock;
  int epoll_fd; /* immutable, as what follows */
  int wake_fd;  /* ends a wait, by being readable */
  /* (owned) (nullable): by slot */
  ReeveServerClient *clients[REEVE_CALL_READER_CLIENTS] REEVE_GUARDED;
  uint64_t used[REEVE_CALL_READER_CLIENTS / 64] REEVE_GUARDED; /* slots */
  gboolean is_looked_at REEVE_GUARDED;
  gboolean is_waiting REEVE_GUARDED; /* a worker, which may be none any more */
  /* Changed under the lock. */
  atomic_uint n_clients;
  _Atomic (ReeveCallWorker *) worker; /* (nullable) */

  _Atomic (gint64) rest_us; /* until then there is to be no new worker */
} ReeveCallReader;

/* Clients that were given; a reference of each. */
typedef struct {
  ReeveServerClient *clients[REEVE_CALL_READER_CLIENTS]; /* (owned) */
  unsigned n_clients;
} ReeveGivenClients;

typedef enum {
  REEVE_CALL_READER_REFUSED, /* the loop reads on */
  REEVE_CALL_READER_GIVEN,   /* to the worker that is there */
  REEVE_CALL_READER_STAYS,   /* the caller is the worker */
} ReeveCallReaderAnswer;

void reeve_call_reader_init (ReeveCallReader *self);
/* When no client is left. */
void reeve_call_reader_clear (ReeveCallReader *self);

/**
 * reeve_call_reader_add:
 * @fd: the client's socket
 * @worker: the caller
 * @may_stay: whether it may become the worker, if there is none; if it is not
 *   looked at then, it has the loop begin
 * @slot: (out): for reeve_call_reader_remove()
 *
 * Thread: a worker, with the client's lock.
 */
ReeveCallReaderAnswer reeve_call_reader_add (ReeveCallReader *self,
                                             ReeveServerClient *client,
                                             int fd,
                                             ReeveCallWorker *worker,
                                             gboolean may_stay,
                                             int *slot);

/* Nothing of @fd is told any more. Once, before it is closed, or given to
 * another process: somebody else may have the same file. Thread: any, with the
 * client's lock and a reference. */
void reeve_call_reader_remove (ReeveCallReader *self, int slot, int fd);

/* Whether that is the worker. Thread: any. */
gboolean reeve_call_reader_has (ReeveCallReader *self, ReeveCallWorker *worker);

/* Waits for clients to be ready, and returns how many are; 0 also when @worker
 * is the worker no more, or has no clients. @ready: (array
 * length=REEVE_CALL_READER_TURN) (out) (transfer full): those. Some may be
 * given no more. Thread: the worker. */
unsigned reeve_call_reader_wait (ReeveCallReader *self,
                                 ReeveCallWorker *worker,
                                 ReeveServerClient **ready);

/* Between two of these, the worker runs a call. */
void reeve_call_worker_turn (ReeveCallWorker *self);

/* @worker is the worker no more, if it was; all that are given are to be given
 * back. Thread: any. */
void reeve_call_reader_leave (ReeveCallReader *self,
                              ReeveCallWorker *worker,
                              ReeveGivenClients *given);

/* From now on the loop looks each millisecond. Thread: loop. */
void reeve_call_reader_begin_look (ReeveCallReader *self);

/**
 * reeve_call_reader_look:
 * @has_spare: whether the pool has other workers that wait
 * @given: (out): all that are to be given back
 *
 * A worker that runs the same call as at the last looks is the worker no more;
 * nor is one that waits while there is no spare one, or has waited so long that
 * its clients are taken for silent.
 *
 * Thread: loop.
 *
 * Returns: whether there is a worker, and the loop has to look again
 */
gboolean reeve_call_reader_look (ReeveCallReader *self,
                                 gboolean has_spare,
                                 gint64 now_us,
                                 ReeveGivenClients *given);

/* For a while nobody becomes the worker. Thread: any. */
void reeve_call_reader_rest (ReeveCallReader *self, gint64 now_us);
gboolean reeve_call_reader_rests (ReeveCallReader *self, gint64 now_us);

G_END_DECLS
