/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/data-stream-private.h"
#include "rpc/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/*
 * Who makes one call after the other, while nobody else calls, is read by the
 * worker that answered last: from the next call on, neither the loop nor
 * another worker has to wake. The loop's thread offers that; it reads again
 * when the client is silent, sends what is not one plain call, or makes a call
 * that lasts.
 */

/* Then the loop reads once, and sees that the client lives. */
#define MAX_STAY_US (G_USEC_PER_SEC / 2)
/* A call that is longer is the loop's to read. */
#define READ_SIZE 4096

/* ------------------------------------------------------ the loop's side --- */

/* Returns whether the loop looked at it already. */
static gboolean
begin_watch (ReeveServerClient *self)
{
  gboolean was_watched;

  REEVE_LOCK_SCOPE (&self->lock);

  was_watched = self->is_watched;
  self->is_watched = TRUE;
  return was_watched;
}

void
reeve_server_client_offer (ReeveServerClient *self)
{
  if (self->input_size > 0 || self->has_had_turn ||
      self->wire != &reeve_xdr_wire ||
      reeve_fd_inbox_get_size (&self->inbox) > 0)
    return;

  if (!begin_watch (self))
    reeve_server_loop_watch (self->home, self);
  atomic_store (&self->reader, REEVE_READER_OFFERED);
}

/* The loop's thread reads, from now on. */
static void
give_back_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  atomic_store (&self->reader, REEVE_READER_LOOP);
  reeve_server_client_update_events_locked (self);
}

static void
take_back (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  give_back_locked (self);
}

void
reeve_server_client_reclaim (ReeveServerClient *self)
{
  int reader = REEVE_READER_OFFERED;

  if (atomic_load (&self->reader) != REEVE_READER_LOOP &&
      !atomic_compare_exchange_strong (&self->reader, &reader,
                                       REEVE_READER_LOOP)) {
    take_back (self);
    reeve_server_client_look_for_overdue (self);
  }
}

gboolean
reeve_server_client_check_reader_locked (ReeveServerClient *self)
{
  const ReeveCall *call = g_queue_peek_head (&self->calls);
  gint64 running_us = call == NULL ? 0 : call->start_us;
  int reader = REEVE_READER_OFFERED;

  /* An offer that nobody took is not worth another look. */
  if (atomic_compare_exchange_strong (&self->reader, &reader,
                                      REEVE_READER_LOOP) ||
      reader == REEVE_READER_LOOP)
    return FALSE;

  if (running_us != 0 && running_us == self->running_us) {
    give_back_locked (self);
    return FALSE;
  }
  self->running_us = running_us;
  return TRUE;
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

/* Returns its file, or -1. */
static int
begin (ReeveServerClient *self, const ReeveReplyBatch *worker)
{
  int reader = REEVE_READER_OFFERED;

  REEVE_LOCK_SCOPE (&self->lock);

  if (!is_plain_locked (self) ||
      !atomic_compare_exchange_strong (&self->reader, &reader,
                                       REEVE_READER_WORKER))
    return -1;

  self->worker = worker;
  self->running_us = 0;
  reeve_server_client_update_events_locked (self);
  return reeve_stream_get_fd (self->stream);
}

/* The loop's thread may have taken it back, and offered it to another one. */
static gboolean
is_mine_locked (ReeveServerClient *self, const ReeveReplyBatch *worker)
    REEVE_REQUIRES (self->lock)
{
  return atomic_load (&self->reader) == REEVE_READER_WORKER &&
         self->worker == worker;
}

static void
give_back (ReeveServerClient *self, const ReeveReplyBatch *worker)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (is_mine_locked (self, worker))
    give_back_locked (self);
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

/* (nullable): a call in flight; else the loop's thread reads again. */
static ReeveCall *
read_call (ReeveServerClient *self, const ReeveReplyBatch *worker)
{
  uint8_t data[READ_SIZE];
  ReeveCall *call = NULL;
  gssize n_read;

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL || !is_mine_locked (self, worker))
    return NULL;
  if (self->is_closing || reeve_server_is_frozen (self->server)) {
    give_back_locked (self);
    return NULL;
  }

  n_read = reeve_stream_recv_lazily (self->stream, data, sizeof data,
                                     reeve_server_client_get_fds_in (self));
  if (n_read > 0 && reeve_fd_inbox_note (&self->inbox, (size_t) n_read))
    call = make_call_locked (self, data, (size_t) n_read);
  if (call != NULL) {
    reeve_server_client_begin_call_locked (self, call);
    return call;
  }

  if (n_read > 0)
    reeve_server_client_keep_locked (self, data, (size_t) n_read);
  else if (n_read < 0 && errno != EAGAIN && errno != EINTR)
    reeve_server_client_close (self);
  give_back_locked (self);
  return NULL;
}

/* FALSE: the client is silent. */
static gboolean
wait_for_call (int fd)
{
  struct pollfd file = { .fd = fd, .events = POLLIN };

  return poll (&file, 1, REEVE_READER_PATIENCE_MS) > 0;
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
  ReeveJobPool *pool = reeve_server_get_pool (self->server);
  gint64 end_us = g_get_monotonic_time () + MAX_STAY_US;
  ReeveCall *call = NULL;
  int fd = reeve_job_pool_has_spare (pool) ? begin (self, batch) : -1;

  if (fd < 0)
    return;

  /* Should the loop close the file meanwhile, read_call() will see it. */
  while (wait_for_call (fd) && (call = read_call (self, batch)) != NULL &&
         call->start_us < end_us && reeve_job_pool_go_on (pool, &call->job)) {
    reeve_reply_batch_run (batch, g_steal_pointer (&call));
    reeve_reply_batch_flush (batch);
  }

  give_back (self, batch);
  if (call != NULL)
    reeve_server_client_push_call (self, call);
}
