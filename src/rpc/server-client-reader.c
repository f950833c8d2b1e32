/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/data-stream-private.h"
#include "rpc/wire.h"

#include <errno.h>

/*
 * Clients that make one call after the other are given to a worker that
 * answered one of them: from then on that waits for all of them, in an epoll of
 * its own, reads their calls and runs them, so that neither the loop nor
 * another worker has to wake. The loop's thread offers a client; it reads again
 * when the client sends what is not one plain short call, when nobody calls any
 * more, or when a call lasts.
 */

/* A call that is longer is the loop's to read. */
#define READ_SIZE 4096

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

void
reeve_server_client_reclaim (ReeveServerClient *self)
{
  int reader = REEVE_READER_OFFERED;

  if (atomic_load (&self->reader) != REEVE_READER_LOOP &&
      !atomic_compare_exchange_strong (&self->reader, &reader,
                                       REEVE_READER_LOOP))
    give_back (self);
}

static void
give_all_back (ReeveGivenClients *given)
{
  for (unsigned i = 0; i < given->n_clients; i++) {
    give_back (given->clients[i]);
    reeve_server_client_unref (given->clients[i]);
  }
}

gboolean
reeve_server_loop_look_at_reader (ReeveServerLoop *self)
{
  ReeveGivenClients given;
  gboolean is_read = reeve_call_reader_look (
      &self->reader,
      reeve_job_pool_has_spare (reeve_server_get_pool (self->server)),
      g_get_monotonic_time (), &given);

  give_all_back (&given);
  return is_read;
}

/* ---------------------------------------------------- the worker's side --- */

/* Whether there is nothing about the client but that it may call. Who is not
 * known yet is judged call by call, by the loop's thread. */
static gboolean
is_plain_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  return self->stream != NULL && !reeve_stream_has_layer (self->stream) &&
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

/* (nullable): if that is one whole call which may run as it is. */
static ReeveCall *
make_call_locked (ReeveServerClient *self, const uint8_t *data, size_t size)
    REEVE_REQUIRES (self->lock)
{
  const ReeveProcedure *procedure;
  ReeveServerProgram *program;
  ReeveHeader header;

  if (size < REEVE_PAYLOAD_OFFSET || reeve_length_decode (data) != size ||
      reeve_fd_inbox_get_size (&self->inbox) > 0 ||
      !reeve_server_client_has_room_locked (self))
    return NULL;

  reeve_header_decode (&header, data + REEVE_LENGTH_SIZE);
  if (header.type != REEVE_MESSAGE_CALL || header.status != REEVE_STATUS_OK)
    return NULL;
  procedure = reeve_server_find (self->server, &header, &program, NULL);
  if (procedure == NULL || procedure->dispatch != REEVE_DISPATCH_NORMAL ||
      (atomic_load (&self->is_read_only) &&
       (procedure->flags & REEVE_PROCEDURE_READ_ONLY) == 0))
    return NULL;

  self->taken_us = g_get_monotonic_time ();
  return reeve_call_new (self, program, procedure, &header,
                         data + REEVE_PAYLOAD_OFFSET,
                         size - REEVE_PAYLOAD_OFFSET);
}

/* (nullable): if something else is there, or nothing, that is for the loop's
 * thread to see. */
static ReeveCall *
receive_call_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  uint8_t data[READ_SIZE];
  ReeveCall *call = NULL;
  gssize n_read;

  n_read = reeve_stream_recv_lazily (self->stream, data, sizeof data,
                                     reeve_server_client_get_fds_in (self));
  if (n_read > 0 && reeve_fd_inbox_note (&self->inbox, (size_t) n_read))
    call = make_call_locked (self, data, (size_t) n_read);
  if (call != NULL)
    return call;

  if (n_read > 0)
    reeve_server_client_keep_locked (self, data, (size_t) n_read);
  else if (n_read < 0 && errno != EAGAIN && errno != EINTR)
    reeve_server_client_close (self);
  return NULL;
}

/* Whether the worker runs it; @n_behind: how many are ready besides. A client
 * that is alone makes nobody wait. */
static gboolean
is_for_reader (const ReeveCall *call, unsigned n_behind)
{
  return atomic_load_explicit (&call->client->home->reader.n_clients,
                               memory_order_relaxed) == 1 ||
         (call->job.is_short &&
          (n_behind == 0 ||
           reeve_procedure_is_quick (call->program, call->procedure)));
}

/* (nullable): a call in flight; else the loop's thread reads again. */
static ReeveCall *
read_call (ReeveServerClient *self, unsigned n_behind, gboolean *is_for_us)
{
  ReeveCall *call;

  REEVE_LOCK_SCOPE (&self->lock);

  if (atomic_load (&self->reader) != REEVE_READER_WORKER)
    return NULL;
  call = self->is_closing || reeve_server_is_frozen (self->server) ||
                 !g_queue_is_empty (&self->calls)
             ? NULL
             : receive_call_locked (self);
  if (call == NULL) {
    self->n_singles_due = REEVE_READER_SINGLES_AFTER_OTHERS;
    give_back_locked (self);
    return NULL;
  }

  reeve_server_client_begin_call_locked (self, call);
  *is_for_us = is_for_reader (call, n_behind);
  if (!*is_for_us && !call->job.is_short)
    give_back_locked (self);
  return call;
}

/* A worker that reads. */
typedef struct {
  ReeveCallWorker worker;
  ReeveCallReader *reader;
  ReeveJobPool *pool;
  ReeveReplyBatch *batch;
} Stay;

/* Whether others have workers, too; if not, it is long until one stays again.
 */
static gboolean
may_go_on (Stay *self, const ReeveJob *job)
{
  if (reeve_job_pool_go_on (self->pool, job))
    return TRUE;

  reeve_call_reader_rest (self->reader, g_get_monotonic_time ());
  return FALSE;
}

static void
run_call (Stay *self, ReeveCall *call)
{
  ReeveProcedurePace pace;

  reeve_call_worker_turn (&self->worker);
  reeve_procedure_pace_begin (&pace, call);
  reeve_reply_batch_run (self->batch, call);
  reeve_reply_batch_flush (self->batch);
  reeve_procedure_pace_end (&pace, 1);
  reeve_call_worker_turn (&self->worker);
}

/* Whether the worker stays. */
static gboolean
serve (Stay *self, ReeveServerClient *client, unsigned n_behind)
{
  gboolean is_for_us = FALSE;
  ReeveCall *call = read_call (client, n_behind, &is_for_us);

  if (call == NULL)
    return TRUE;
  if (is_for_us && may_go_on (self, &call->job)) {
    run_call (self, call);
    return reeve_call_reader_has (self->reader, &self->worker);
  }

  reeve_server_client_push_call (client, call);
  return !is_for_us;
}

/* Nobody called; whether the worker waits on. */
static gboolean
wait_on (Stay *self)
{
  return atomic_load (&self->reader->n_clients) > 0 &&
         reeve_call_reader_has (self->reader, &self->worker) &&
         may_go_on (self, NULL);
}

static void
read_on (Stay *self)
{
  ReeveServerClient *ready[REEVE_CALL_READER_TURN];
  gboolean stays = may_go_on (self, NULL);

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
  reeve_call_reader_leave (stay.reader, &stay.worker, &given);
  give_all_back (&given);
}
