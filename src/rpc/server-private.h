/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What server.c, server-client.c, call.c and dispatch.c know of each other. */

#include "event/refs.h"
#include "event/thread.h"
#include "rpc/access.h"
#include "rpc/auth-private.h"
#include "rpc/call-batch.h"
#include "rpc/call-memory.h"
#include "rpc/call.h"
#include "rpc/command.h"
#include "rpc/data-stream.h"
#include "rpc/handshakes.h"
#include "rpc/message.h"
#include "rpc/refusals.h"
#include "rpc/server-limits.h"
#include "rpc/server-state.h"
#include "rpc/server.h"
#include "rpc/stream-layer.h"
#include "rpc/wire-xdr.h"

#include <stdatomic.h>

G_BEGIN_DECLS

typedef struct _ReeveWire ReeveWire;
typedef struct _ReeveServerLoop ReeveServerLoop;

/* A procedure's counters. */
typedef struct {
  atomic_ullong n_calls;
  atomic_ullong n_failed;
  atomic_ullong latency[REEVE_LATENCY_BUCKETS];
  atomic_uint run_ns; /* what a worker has needed for a call lately; 0: it is
                         not known */
} ReeveProcedureCounters;

/* What a procedure takes, and when. */
typedef struct {
  const char *tag;           /* "object:permission"; NULL: no more follow */
  const ReeveMember *member; /* (nullable): an integer of the arguments */
  char test;                 /* that it has some of the bits of @value (&), none
                                of them (!), or is @value (=) */
  uint64_t value;
} ReeveAccessTag;

/* A program that a server has; immutable but for the counters. */
typedef struct {
  const ReeveProgram *program;
  gconstpointer handlers;
  gpointer user_data;
  const ReeveProcedure **by_number; /* (owned): index - lowest number */
  GHashTable *by_name;              /* (owned): of procedures */
  ReeveProcedureCounters *counters; /* (owned): in the program's order */
  ReeveAccessTag **access; /* (owned): in the same order; NULL: takes nothing */
  const ReeveAccessObjects *objects; /* (nullable) */
  int32_t lowest;
  uint32_t n_numbers;
} ReeveServerProgram;

/* ----------------------------------------------------------- access.c --- */

/* Who decides for a server. */
typedef struct {
  const ReevePolicy *policy; /* (nullable) */
  gpointer data;
} ReeveServerPolicy;

ReeveAccessTag **reeve_access_tags_new (const ReeveProgram *program);
void reeve_access_tags_free (ReeveAccessTag **self, size_t n_procedures);

/* Whether a call whose arguments were decoded may run. */
gboolean reeve_access_check_call (ReeveCall *call, GError **error);

/* FALSE, with @error set; @tag: (nullable): what it takes. */
gboolean reeve_access_refuse_read_only (ReeveServerClient *client,
                                        const ReeveProgram *program,
                                        const ReeveProcedure *procedure,
                                        uint32_t serial,
                                        const char *tag,
                                        GError **error);

/* ------------------------------------------------------------- call.c --- */

struct _ReeveCall {
  ReeveJob job;
  ReeveRefs refs;
  ReeveServerClient *client;       /* (owned) */
  ReeveServerProgram *program;     /* immutable */
  const ReeveProcedure *procedure; /* immutable */
  ReeveHeader header;              /* of the call */
  gint64 start_us;
  gint64 deadline_us; /* immutable */
  void *args;         /* (owned) (nullable): of the thread that runs it */
  /* (nullable): the name in them of what it is about; who answers it in
   * another thread may read it */
  _Atomic (const char *) object;

  ReeveCallBatch *batch; /* (owned) (nullable): that its reply goes with;
                            immutable */

  /* Under the client's lock. */
  GList link;                /* in the client's calls, while it is in flight */
  GCancellable *cancellable; /* (owned) (nullable) */
  bool is_in_flight;         /* or was; set before anybody else knows of it */
  atomic_bool is_answered;   /* may be read without it */

  /* Of the thread that runs it, then of the one that answers it. */
  bool has_args_in_place; /* they point into the payload */
  bool is_deferred;
  bool is_moved; /* from the loop's thread to the pool */
  bool is_counted;
  bool closes;        /* the client, when it is answered */
  GArray *fds;        /* (element-type int) (owned) (nullable): -1 if taken */
  GArray *reply_fds;  /* (element-type int) (owned) (nullable) */
  gpointer ret_owner; /* (owned): what the handler lent */
  GDestroyNotify free_owner;    /* (nullable): of it */
  ReeveDataStream *data_stream; /* (owned) (nullable): until it goes live */

  uint32_t payload_size; /* immutable; one byte more is there */
  uint8_t payload[] __attribute__ ((aligned (8)));
};

/* @stock: of the thread that calls; @payload: (nullable): if %NULL, the caller
 * fills it in */
ReeveCall *reeve_call_new (ReeveServerClient *client,
                           ReeveCallStock *stock,
                           ReeveServerProgram *program,
                           const ReeveProcedure *procedure,
                           const ReeveHeader *header,
                           const uint8_t *payload,
                           size_t payload_size);
/* @fds: (transfer full): that came with it */
void reeve_call_take_fds (ReeveCall *self, const int *fds, unsigned n_fds);
ReeveCall *reeve_call_ref (ReeveCall *self);
void reeve_call_unref (ReeveCall *self);
/* The same for each of several calls of one client. */
void reeve_calls_unref (ReeveCall *const *calls, unsigned n_calls);

/* For a wire whose errors name it: the arguments are whole, and do not change
 * any more. */
void reeve_call_note_object (ReeveCall *self);
/* (transfer full): the name of what it is about, or else PROGRAM.PROCEDURE. */
char *reeve_call_dup_object (const ReeveCall *self);

/* They are answered just now, but for those that are counted already.
 * @failure: (nullable): by that */
void reeve_calls_count (ReeveCall *const *calls,
                        unsigned n_calls,
                        const GError *failure);

/* Between these, a worker runs @n_calls calls like @call. */
typedef struct {
  ReeveProcedureCounters *counters;
  gint64 start_us;
} ReeveProcedurePace;

void
reeve_procedure_pace_begin (ReeveProcedurePace *self, const ReeveCall *call);
void
reeve_procedure_pace_end (const ReeveProcedurePace *self, unsigned n_calls);

/* Whether its calls take but microseconds, as a rule. */
gboolean reeve_procedure_is_short (ReeveServerProgram *program,
                                   const ReeveProcedure *procedure);
/* Whether they take so few that others may wait for one. */
gboolean reeve_procedure_is_quick (ReeveServerProgram *program,
                                   const ReeveProcedure *procedure);

/* The header of the reply to it. */
static inline ReeveHeader
reeve_call_make_reply (const ReeveCall *self)
{
  ReeveHeader reply = self->header;

  reply.type = REEVE_MESSAGE_REPLY;
  reply.status = REEVE_STATUS_OK;
  return reply;
}

/* --------------------------------------------------------- dispatch.c --- */

/* Replies of calls of one client that leave together. Of the thread that runs
 * them. While a worker runs short calls, the loop's thread may take what is
 * kept so far: the lock is held by who adds to that and who takes of it. */
typedef struct _ReeveReplyBatch ReeveReplyBatch;
struct _ReeveReplyBatch {
  ReeveServerClient *client;
  ReeveCall *calls[REEVE_JOB_BATCH]; /* (owned) */
  size_t ends[REEVE_JOB_BATCH];      /* of each one's reply in bytes */
  unsigned n_calls;
  unsigned n_taken; /* of them */
  uint8_t *bytes;   /* (owned), unless it is @first */
  uint8_t *first;   /* (nullable): what was given */
  size_t size;
  size_t capacity;

  gboolean has_tail; /* the last reply has, in front of its padding */
  ReeveXdrTail tail;
  gpointer tail_owner; /* (owned) */
  GDestroyNotify free_tail;

  ReeveMutex lock;
  gboolean is_shared;    /* of its thread */
  ReeveReplyBatch *next; /* (nullable): under the client's lock */
};

void reeve_reply_batch_clear (ReeveReplyBatch *self);
/* Room for a reply that is kept. */
void reeve_reply_batch_grow (ReeveReplyBatch *self, size_t size);
static inline uint8_t *
reeve_reply_batch_make_room (ReeveReplyBatch *self, size_t size)
{
  if (self->capacity - self->size < size)
    reeve_reply_batch_grow (self, size);

  self->size += size;
  return self->bytes + self->size - size;
}
/* Runs @call (transfer full) and keeps its reply; sends what is kept when the
 * batch is full. */
void reeve_reply_batch_run (ReeveReplyBatch *self, ReeveCall *call);
/* @jobs: what a worker has of the pool: calls of one client. Their replies are
 * sent when all are run. Thread: a worker. */
void reeve_reply_batch_run_jobs (ReeveReplyBatch *self,
                                 ReeveJob *const *jobs,
                                 unsigned n_jobs);
/* Sends what is kept. */
void reeve_reply_batch_flush (ReeveReplyBatch *self);
/* What is kept in a shared batch goes into @taken, for
 * reeve_reply_batch_flush() and reeve_reply_batch_clear(). */
void reeve_reply_batch_take (ReeveReplyBatch *self, ReeveReplyBatch *taken);

/* The pool's function. */
void
reeve_dispatch_jobs (ReeveJob *const *jobs, unsigned n_jobs, gpointer data);

/* ---------------------------------------------------- server-client*.c --- */

/* @home: the loop that it is of; @tls: (nullable) (transfer none): if it is a
 * client of TLS. Thread: that loop's. */
ReeveServerClient *reeve_server_client_new (ReeveServerLoop *home,
                                            ReeveStream *stream,
                                            uint64_t id,
                                            const ReeveServiceOptions *options,
                                            ReeveTlsContext *tls);
/* (transfer none): the loop that it is of. */
ReeveServerLoop *reeve_server_client_get_home (ReeveServerClient *self);
/* Its id, at a place that lives as long as it does. */
const uint64_t *reeve_server_client_get_key (ReeveServerClient *self);

/* @sasl_name: (nullable). Once, when it is known who the client is. Thread:
 * its loop's, or that of its handshake. */
void reeve_server_client_set_authenticated (ReeveServerClient *self,
                                            const char *sasl_name);

/**
 * reeve_server_client_authenticate:
 * @call: (transfer full): a deferred call, by which the client became known
 * @ret: (transfer none): its result
 * @sasl_name: (nullable)
 * @layer_class: of @layer
 * @layer: (nullable) (transfer full): what was agreed on for all bytes after
 *   the reply, which leaves in clear
 *
 * As reeve_call_reply(), and the client is authenticated, soon. Neither happens
 * when the call was answered by its deadline. Thread: loop.
 */
void reeve_server_client_authenticate (ReeveCall *call,
                                       gconstpointer ret,
                                       const char *sasl_name,
                                       const ReeveStreamLayer *layer_class,
                                       gpointer layer);

/* Answers calls with the replies that stand behind each other in @bytes, each
 * up to its end; @tail: (nullable): the last one's, which is not there. Returns
 * a bit for each that was not answered before. */
unsigned reeve_server_client_answer (ReeveServerClient *self,
                                     ReeveCall *const *calls,
                                     const size_t *ends,
                                     unsigned n_calls,
                                     const uint8_t *bytes,
                                     const ReeveXdrTail *tail);

/* (transfer none): whose turn its jobs take. */
ReeveJobGroup *reeve_server_client_get_jobs (ReeveServerClient *self);
/* As so many reeve_server_client_unref(). */
void reeve_server_client_drop (ReeveServerClient *self, unsigned n_refs);

/* Answers one call with a frame and the file descriptors that go with it.
 * @frame: (transfer full); @fds: (transfer full) (element-type int) */
void reeve_server_client_answer_with_fds (ReeveServerClient *self,
                                          ReeveCall *call,
                                          GBytes *frame,
                                          GArray *fds);

/* Queues an event that is a message of the client's wire; FALSE if that was
 * dropped. Thread: any. */
gboolean
reeve_server_client_send_event_frame (ReeveServerClient *self, GBytes *frame);
/* (transfer full) (nullable): %NULL for a wire without events, and for a body
 * that cannot be encoded, which is logged. */
GBytes *reeve_server_client_encode_event (ReeveServerClient *self,
                                          const ReeveProgram *program,
                                          const ReeveProcedure *procedure,
                                          gconstpointer body);
const ReeveWire *reeve_server_client_get_wire (ReeveServerClient *self);

/* One more file descriptor is to be held for the client; errors as of
 * reeve_call_add_reply_fd(). */
gboolean reeve_server_client_hold_fd (ReeveServerClient *self, GError **error);
/* So many are held no more, which may let it be read again. */
void reeve_server_client_release_fds (ReeveServerClient *self, unsigned n_fds);

/* Replies of it are about to be kept behind calls that may last: the loop is to
 * look for them. Thread: a worker. */
void reeve_server_client_watch_kept (ReeveServerClient *self);
/* (transfer full) (nullable): the client, if the worker that runs its call may
 * read it afterwards. */
ReeveServerClient *reeve_server_client_ref_offered (ReeveServerClient *self);
/* @self: (transfer full): is given to the worker that reads clients of its
 * loop, if it may still be; if there is none, the caller is it, until nobody
 * calls any more. Thread: a worker. */
void reeve_server_client_stay (ReeveServerClient *self, ReeveReplyBatch *batch);

/* A call in flight waits for a worker. (transfer full) */
void reeve_server_client_push_call (ReeveServerClient *self, ReeveCall *call);

/* An inline call is in flight from now on: its handler leaves it to others.
 * Thread: loop. */
void
reeve_server_client_put_in_flight (ReeveServerClient *self, ReeveCall *call);

/* From now on the loop's thread may take of a worker's replies, until
 * reeve_server_client_unshare(), which reeve_reply_batch_flush() does. */
void
reeve_server_client_share (ReeveServerClient *self, ReeveReplyBatch *batch);
void
reeve_server_client_unshare (ReeveServerClient *self, ReeveReplyBatch *batch);

/* A job of the client's is about to run. */
void reeve_server_client_begin_job (ReeveServerClient *self);

/* Writes the replies that are held so that they leave together; FALSE if there
 * were none, and the loop need not look again before reeve_server_loop_watch()
 * is called. Thread: loop. */
gboolean reeve_server_client_flush (ReeveServerClient *self);

/* Answers, with REEVE_ERROR_TIMED_OUT, the calls whose deadline has passed.
 * Returns whether calls are left in flight; if not, the loop need not look
 * again before reeve_server_loop_sweep() is called. Thread: loop. */
gboolean reeve_server_client_expire (ReeveServerClient *self, gint64 now_us);

/* (transfer full): of a call in flight. */
GCancellable *
reeve_server_client_make_cancellable (ReeveServerClient *self, ReeveCall *call);

/* The function of the threads for handshakes. */
void reeve_server_client_run_handshakes (ReeveJob *const *jobs,
                                         unsigned n_jobs,
                                         gpointer data);
/* A new client is in the server's list: if it has TLS, a thread for handshakes
 * may begin. Thread: loop. */
void reeve_server_client_begin (ReeveServerClient *self);

/* It is one too many: its first call is answered by that, and closes it. For a
 * new client, once. Thread: loop. */
void reeve_server_client_refuse (ReeveServerClient *self);
/* Where its link in the list of those is that did not authenticate yet. Under
 * the server's lock. */
GList **reeve_server_client_get_unauth (ReeveServerClient *self);
/* Whether anything came from it. Thread: any. */
gboolean reeve_server_client_has_spoken (ReeveServerClient *self);

/* The limits have changed. Thread: loop. */
void reeve_server_client_update_keepalive (ReeveServerClient *self);

/* Thread: loop. */
void reeve_server_client_close_now (ReeveServerClient *self);

/* ---------------------------------------------- server-client-state.c --- */

/* Nothing is read from it from now on. Thread: loop, as what follows. */
void reeve_server_client_freeze (ReeveServerClient *self);
void reeve_server_client_thaw (ReeveServerClient *self);
/* (transfer full) (nullable): what has to end before it can be frozen, or
 * saved. */
char *reeve_server_client_find_obstacle (ReeveServerClient *self);
char *reeve_server_client_find_activity (ReeveServerClient *self);
/* Whether its connection can go on in another process. */
gboolean reeve_server_client_can_move (ReeveServerClient *self);
/* Appends its record. */
gboolean reeve_server_client_save (ReeveServerClient *self,
                                   ReeveSavedState *state,
                                   GByteArray *saved,
                                   GError **error);
/* Makes a client of its record, which becomes one of the server's. */
gboolean reeve_server_client_restore (ReeveServer *server,
                                      ReeveSavedState *state,
                                      ReeveStateReader *reader,
                                      GError **error);

/* ----------------------------------------------------------- server.c --- */

/* Whether somebody wants to know of it. */
gboolean reeve_server_is_watched (ReeveServer *self);
void reeve_server_tell (ReeveServer *self, const ReeveAnsweredCall *call);

/* @authenticator: (transfer full). Once, before the server listens. */
void reeve_server_set_authenticator (ReeveServer *self,
                                     ReeveAuthenticator *authenticator);

/* (transfer none): the daemon's loop. */
ReeveServerLoop *reeve_server_get_own_loop (ReeveServer *self);
const ReeveServerPolicy *reeve_server_get_policy (ReeveServer *self);
/* (nullable): what a header asks for, with @error set; a procedure that
 * cannot be called is an error, too. */
const ReeveProcedure *reeve_server_find (ReeveServer *self,
                                         const ReeveHeader *header,
                                         ReeveServerProgram **program,
                                         GError **error);
/* The same for a command, "program.procedure", or "procedure" of any program.
 * @command: (out) (optional) (nullable): the command; an error for what can be
 * called in XDR alone */
const ReeveProcedure *reeve_server_find_callable (ReeveServer *self,
                                                  const char *name,
                                                  ReeveServerProgram **program,
                                                  const ReeveCommand **command,
                                                  GError **error);
/* (nullable): with @error set. */
const ReeveSubscription *reeve_server_find_subscription (ReeveServer *self,
                                                         const char *event,
                                                         GError **error);
/* (element-type ReeveServerProgram) */
const GPtrArray *reeve_server_get_entries (ReeveServer *self);
/* Whether a procedure of any program takes file descriptors. */
gboolean reeve_server_takes_fds (ReeveServer *self);
void reeve_server_push (ReeveServer *self, GQueue *jobs);
/* A job that is no call. Thread: any, as long as a client of its is there. */
void reeve_server_push_job (ReeveServer *self, ReeveJob *job);
/* (nullable): there are none before something listens with TLS. Thread: loop.
 */
ReeveHandshakes *reeve_server_get_handshakes (ReeveServer *self);
/* The list of clients that did not authenticate yet. @link is set and cleared
 * under the server's lock; removing does nothing when it is NULL. Thread: any.
 */
void reeve_server_add_unauth (ReeveServer *self,
                              ReeveServerClient *client,
                              GList **link);
void reeve_server_remove_unauth (ReeveServer *self, GList **link);
/* A client that was refused is closed. Thread: any. */
void reeve_server_end_refused (ReeveServer *self, ReeveTransport transport);
void reeve_server_forget (ReeveServer *self, ReeveServerClient *client);
/* Counts what was refused; most of that gets a line in the log. */
void reeve_server_note_refusal (ReeveServer *self,
                                ReeveRefusal kind,
                                const char *format,
                                ...) G_GNUC_PRINTF (3, 4);
/* A handshake of TLS ended; @is_refused: with a certificate that was not
 * accepted; @is_resumed: with the ticket of an older one. */
void reeve_server_count_handshake (ReeveServer *self,
                                   gboolean is_refused,
                                   gboolean is_resumed);
void reeve_server_count_denied (ReeveServer *self);
void reeve_server_count_event (ReeveServer *self, gboolean is_dropped);
G_END_DECLS
