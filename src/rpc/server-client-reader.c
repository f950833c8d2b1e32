/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/data-stream-private.h"
#include "rpc/wire.h"

#include <errno.h>

/*
 * Clients that call again and again are given to a worker that answered one of
 * them: from then on that waits for all of them, in an epoll of its own, reads
 * their calls and runs them, so that neither the loop nor another worker has to
 * wake. The loop's thread offers a client; it reads again when the client sends
 * anything but plain short calls, when nobody calls any more, or when a call
 * lasts.
 */

/* What is longer is the loop's to read. */
#define READ_SIZE 16384

/* ------------------------------------------------------ the loop's side --- */

void
reeve_server_client_offer (ReeveServerClient *self)
{
  if (self->input_size > 0 || self->has_had_turn ||
      self->wire != &reeve_xdr_wire ||
      reeve_fd_inbox_get_size (&self->inbox) > 0)
    return;

  reeve_server_loop_begin_look (self->home, NULL);
  atomic_store (&self->reader, REEVE_READER_OFFERED);
}

void
reeve_server_client_withdraw_locked (ReeveServerClient *self)
{
  if (atomic_load (&self->reader) == REEVE_READER_WORKER)
    reeve_call_reader_remove (&self->home->reader, self->reader_slot,
                              reeve_stream_get_fd (self->stream));
  atomic_store (&self->reader, REEVE_READER_LOOP);
}

/* The loop's thread reads, from now on. */
static void
give_back_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  reeve_server_client_withdraw_locked (self);
  reeve_server_client_update_events_locked (self);
}

static void
give_back (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (atomic_load (&self->reader) == REEVE_READER_WORKER)
    give_back_locked (self);
}

/* Returns whether the loop is to look for replies that its worker keeps, from
 * now on. */
static gboolean
begin_watch (ReeveServerClient *self)
{
  gboolean was_watched;

  REEVE_LOCK_SCOPE (&self->lock);

  was_watched = self->is_watched;
  self->is_watched =
      was_watched || self->shared != NULL || atomic_load (&self->n_waiting) > 1;
  return self->is_watched && !was_watched;
}

/* Thread: loop. */
static void
take_back (ReeveServerClient *self)
{
  give_back (self);
  if (begin_watch (self))
    reeve_server_loop_watch (self->home, self);
}

void
reeve_server_client_reclaim (ReeveServerClient *self)
{
  int reader = REEVE_READER_OFFERED;

  if (atomic_load (&self->reader) != REEVE_READER_LOOP &&
      !atomic_compare_exchange_strong (&self->reader, &reader,
                                       REEVE_READER_LOOP))
    take_back (self);
}

gboolean
reeve_server_loop_look_at_reader (ReeveServerLoop *self)
{
  ReeveGivenClients given;
  gboolean is_read = reeve_call_reader_look (
      &self->reader,
      reeve_job_pool_has_spare (reeve_server_get_pool (self->server)),
      g_get_monotonic_time (), &given);

  for (unsigned i = 0; i < given.n_clients; i++) {
    take_back (given.clients[i]);
    reeve_server_client_unref (given.clients[i]);
  }
  return is_read;
}

/* ---------------------------------------------------- the worker's side --- */

/* Whether there is nothing about the client but that it may call. Who is not
 * known yet is judged call by call, by the loop's thread. */
static gboolean
is_plain_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  return self->stream != NULL && !reeve_stream_has_input (self->stream) &&
         atomic_load (&self->is_authenticated) && !self->is_refused &&
         self->events == REEVE_EVENT_READABLE &&
         g_queue_is_empty (&self->calls) &&
         reeve_server_client_count_held_locked (self) == 0 &&
         reeve_data_stream_get_live_locked (self) == NULL &&
         !self->closes_when_written &&
         reeve_server_client_has_room_locked (self);
}

/* Whether the worker is to read for all that are given. */
static gboolean
give_locked (ReeveServerClient *self,
             ReeveCallWorker *worker,
             gboolean may_stay) REEVE_REQUIRES (self->lock)
{
  ReeveCallReaderAnswer answer = REEVE_CALL_READER_REFUSED;
  int reader = REEVE_READER_OFFERED;

  if (!atomic_compare_exchange_strong (&self->reader, &reader,
                                       REEVE_READER_WORKER))
    return FALSE;

  if (is_plain_locked (self))
    answer = reeve_call_reader_add (&self->home->reader, self,
                                    reeve_stream_get_fd (self->stream), worker,
                                    may_stay, &self->reader_slot);
  if (answer == REEVE_CALL_READER_REFUSED) {
    atomic_store (&self->reader, REEVE_READER_LOOP);
    return FALSE;
  }

  reeve_server_client_update_events_locked (self);
  return answer == REEVE_CALL_READER_STAYS;
}

static gboolean
give (ReeveServerClient *self, ReeveCallWorker *worker)
{
  gboolean may_stay =
      reeve_job_pool_has_spare (reeve_server_get_pool (self->server));

  REEVE_LOCK_SCOPE (&self->lock);

  return give_locked (self, worker, may_stay);
}

/* Calls of one client that came together, all of one procedure. */
typedef struct {
  ReeveJob *jobs[REEVE_JOB_BATCH];
  unsigned n_jobs;
  gboolean is_for_us;    /* else they are for the pool */
  int reason;            /* an errno: nothing more can be read */
  ReeveCallStock *stock; /* the worker's */
} Calls;

static const ReeveCall *
get_first (const Calls *self)
{
  return (const ReeveCall *) self->jobs[0];
}

/* (nullable): what is called, if that may run as it is. */
static const ReeveProcedure *
find (ReeveServerClient *self,
      const ReeveHeader *header,
      ReeveServerProgram **program)
{
  const ReeveProcedure *procedure =
      reeve_server_find (self->server, header, program, NULL);

  return procedure != NULL && procedure->dispatch == REEVE_DISPATCH_NORMAL &&
                 (!atomic_load (&self->is_read_only) ||
                  (procedure->flags & REEVE_PROCEDURE_READ_ONLY) != 0)
             ? procedure
             : NULL;
}

/* Whether that may run behind those that came first. */
static gboolean
may_follow (const ReeveCall *first, const ReeveHeader *header)
{
  return header->program == first->header.program &&
         header->version == first->header.version &&
         header->procedure == first->header.procedure &&
         reeve_procedure_is_quick (first->program, first->procedure);
}

/* (nullable): what @data begins with, if it is a call that may run as it is. */
static ReeveCall *
make_call_locked (ReeveServerClient *self,
                  const Calls *calls,
                  const uint8_t *data,
                  size_t length) REEVE_REQUIRES (self->lock)
{
  const ReeveCall *first = calls->n_jobs > 0 ? get_first (calls) : NULL;
  const ReeveProcedure *procedure;
  ReeveServerProgram *program;
  ReeveHeader header;

  reeve_header_decode (&header, data + REEVE_LENGTH_SIZE);
  if (header.type != REEVE_MESSAGE_CALL || header.status != REEVE_STATUS_OK ||
      length > REEVE_LIMIT (self->server, max_message_bytes) ||
      !reeve_server_client_has_room_locked (self))
    return NULL;
  if (first == NULL) {
    procedure = find (self, &header, &program);
    if (procedure == NULL)
      return NULL;
  } else if (may_follow (first, &header)) {
    procedure = first->procedure;
    program = first->program;
  } else {
    return NULL;
  }

  return reeve_call_new (self, calls->stock, program, procedure, &header,
                         data + REEVE_PAYLOAD_OFFSET,
                         length - REEVE_PAYLOAD_OFFSET);
}

/* The length of the whole message that @data begins with; else 0. */
static size_t
get_length (const uint8_t *data, size_t size)
{
  size_t length = size < REEVE_PAYLOAD_OFFSET ? 0 : reeve_length_decode (data);

  return length < REEVE_PAYLOAD_OFFSET || length > size ? 0 : length;
}

/* Puts the calls that @data begins with in flight; returns how many bytes they
 * are. */
static size_t
make_calls_locked (ReeveServerClient *self,
                   const uint8_t *data,
                   size_t size,
                   Calls *calls) REEVE_REQUIRES (self->lock)
{
  size_t used = 0;
  size_t length;

  self->taken_us = g_get_monotonic_time ();
  while (calls->n_jobs < REEVE_JOB_BATCH &&
         (length = get_length (data + used, size - used)) > 0) {
    ReeveCall *call = make_call_locked (self, calls, data + used, length);

    if (call == NULL)
      break;
    reeve_server_client_begin_call_locked (self, call);
    calls->jobs[calls->n_jobs++] = &call->job;
    used += length;
  }
  return used;
}

/* FALSE: something else is there as well, or nothing: that is for the loop's
 * thread to see. */
static gboolean
receive_calls_locked (ReeveServerClient *self, Calls *calls)
    REEVE_REQUIRES (self->lock)
{
  uint8_t data[READ_SIZE];
  size_t used = 0;
  gssize n_read;

  n_read = reeve_stream_recv_lazily (self->stream, data, sizeof data,
                                     reeve_server_client_get_fds_in (self));
  if (n_read > 0 && reeve_fd_inbox_note (&self->inbox, (size_t) n_read) &&
      reeve_fd_inbox_get_size (&self->inbox) == 0)
    used = make_calls_locked (self, data, (size_t) n_read, calls);
  if (n_read > 0 && used == (size_t) n_read &&
      !reeve_stream_has_input (self->stream))
    return TRUE;

  if (n_read > 0) {
    reeve_server_client_keep_locked (self, data + used, (size_t) n_read - used);
  } else if (n_read < 0 && errno != EAGAIN && errno != EINTR) {
    calls->reason = errno;
    reeve_server_client_close (self);
  }
  return FALSE;
}

/* Whether the worker runs them; @n_behind: how many clients are ready besides.
 * A client that is alone makes nobody wait. */
static gboolean
are_for_reader (const Calls *calls, unsigned n_behind)
{
  const ReeveCall *first = get_first (calls);

  if (calls->n_jobs > 1)
    return TRUE;
  return atomic_load_explicit (&first->client->home->reader.n_clients,
                               memory_order_relaxed) == 1 ||
         (first->job.is_short &&
          (n_behind == 0 ||
           reeve_procedure_is_quick (first->program, first->procedure)));
}

/* What is left, the loop's thread reads. */
static void
read_calls (ReeveServerClient *self, unsigned n_behind, Calls *calls)
{
  gboolean is_plain;

  REEVE_LOCK_SCOPE (&self->lock);

  if (atomic_load (&self->reader) != REEVE_READER_WORKER)
    return;

  is_plain = !self->is_closing && !reeve_server_is_frozen (self->server) &&
             g_queue_is_empty (&self->calls) &&
             receive_calls_locked (self, calls);
  calls->is_for_us = is_plain && are_for_reader (calls, n_behind);
  if (!is_plain)
    self->n_plain_due = REEVE_READER_PLAIN_AFTER_OTHERS;
  if (!is_plain || (!calls->is_for_us && !get_first (calls)->job.is_short))
    give_back_locked (self);
}

/* A worker that reads. */
typedef struct {
  ReeveCallWorker worker;
  ReeveCallReader *reader;
  ReeveJobPool *pool;
  ReeveReplyBatch *batch;
  ReeveCallStock stock;
} Stay;

/* Whether others have workers, too; if not, it is long until one stays again.
 */
static gboolean
may_go_on (Stay *self, ReeveJob *const *jobs, unsigned n_jobs)
{
  if (reeve_job_pool_go_on (self->pool, jobs, n_jobs))
    return TRUE;

  reeve_call_reader_rest (self->reader, g_get_monotonic_time ());
  return FALSE;
}

static void
watch (ReeveServerLoop *home, gpointer data)
{
  g_autoptr (ReeveServerClient) self = data;

  if (begin_watch (self))
    reeve_server_loop_watch (home, self);
}

static gboolean
is_watched (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->is_watched;
}

void
reeve_server_client_watch_kept (ReeveServerClient *self)
{
  if (!is_watched (self))
    reeve_server_loop_send (self->home, watch, reeve_server_client_ref (self));
}

static void
push (ReeveServerClient *self, const Calls *calls)
{
  for (unsigned i = 0; i < calls->n_jobs; i++)
    reeve_server_client_push_call (self, (ReeveCall *) calls->jobs[i]);
}

/* Whoever takes the client back looks whether calls wait; if that was before
 * these did, it is seen here; as it is that it was given to another worker, at
 * which the loop looks instead. */
static void
run (Stay *self, ReeveServerClient *client, const Calls *calls)
{
  atomic_fetch_add (&client->n_waiting, calls->n_jobs);
  if (calls->n_jobs > 1 &&
      (atomic_load (&client->reader) != REEVE_READER_WORKER ||
       !reeve_call_reader_has (self->reader, &self->worker)))
    reeve_server_client_watch_kept (client);
  reeve_call_worker_turn (&self->worker);
  reeve_reply_batch_run_jobs (self->batch, calls->jobs, calls->n_jobs);
  reeve_call_worker_turn (&self->worker);
}

/* Whether the worker stays. */
static gboolean
serve (Stay *self, ReeveServerClient *client, unsigned n_behind)
{
  Calls calls = { .stock = &self->stock };

  read_calls (client, n_behind, &calls);
  reeve_server_client_note_bad_input (client, calls.reason);
  if (calls.n_jobs == 0)
    return TRUE;
  if (calls.is_for_us && may_go_on (self, calls.jobs, calls.n_jobs)) {
    run (self, client, &calls);
    return reeve_call_reader_has (self->reader, &self->worker);
  }

  push (client, &calls);
  return !calls.is_for_us;
}

/* Nobody called; whether the worker waits on. */
static gboolean
wait_on (Stay *self)
{
  return atomic_load (&self->reader->n_clients) > 0 &&
         reeve_call_reader_has (self->reader, &self->worker) &&
         may_go_on (self, NULL, 0);
}

static void
read_on (Stay *self)
{
  ReeveServerClient *ready[REEVE_CALL_READER_TURN];
  gboolean stays = may_go_on (self, NULL, 0);

  while (stays) {
    unsigned n_ready =
        reeve_call_reader_wait (self->reader, &self->worker, ready);

    if (n_ready == 0)
      stays = wait_on (self);
    for (unsigned i = 0; i < n_ready; i++) {
      stays = stays && serve (self, ready[i], n_ready - i - 1);
      reeve_server_client_unref (ready[i]);
    }
  }
}

ReeveServerClient *
reeve_server_client_ref_offered (ReeveServerClient *self)
{
  return atomic_load (&self->reader) == REEVE_READER_OFFERED
             ? reeve_server_client_ref (self)
             : NULL;
}

void
reeve_server_client_stay (ReeveServerClient *self, ReeveReplyBatch *batch)
{
  g_autoptr (ReeveServer) server = reeve_server_ref (self->server);
  ReeveServerLoop *home = self->home;
  ReeveGivenClients given;
  Stay stay = {
    .reader = &home->reader,
    .pool = reeve_server_get_pool (server),
    .batch = batch,
  };
  gboolean stays = give (self, &stay.worker);

  reeve_server_client_unref (self);
  if (!stays)
    return;

  if (!stay.worker.is_looked_at)
    reeve_server_loop_send (home, reeve_server_loop_begin_look, NULL);
  read_on (&stay);
  reeve_call_stock_clear (&stay.stock);
  reeve_call_reader_leave (stay.reader, &stay.worker, &given);
  for (unsigned i = 0; i < given.n_clients; i++) {
    give_back (given.clients[i]);
    reeve_server_client_unref (given.clients[i]);
  }
}
