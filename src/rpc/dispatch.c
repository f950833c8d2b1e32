/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/debug.h"
#include "rpc/data-stream-private.h"
#include "rpc/wire.h"

#include <inttypes.h>
#include <string.h>

/* From a call to its reply: decode, handler, encode. */

/* Results up to this size are made on the stack. */
#define SMALL_RET 512
/* Replies that are kept together are sent when they grow beyond this. */
#define FLUSH_SIZE 65536
/* A worker's replies up to this size are made on its stack. */
#define FIRST_SIZE 1024

/* While a batch is shared, the loop's thread may take replies out of it: then
 * the lock is held where more are added to it. */
static void
begin_change (ReeveReplyBatch *self) REEVE_UNCHECKED
{
  if (self->is_shared)
    pthread_mutex_lock (&self->lock.impl);
}

static void
end_change (ReeveReplyBatch *self) REEVE_UNCHECKED
{
  if (self->is_shared)
    pthread_mutex_unlock (&self->lock.impl);
}

void
reeve_reply_batch_clear (ReeveReplyBatch *self)
{
  if (self->bytes != self->first)
    g_free (self->bytes);
  *self = (ReeveReplyBatch){ 0 };
}

void
reeve_reply_batch_grow (ReeveReplyBatch *self, size_t size)
{
  uint8_t *owned = self->bytes == self->first ? NULL : self->bytes;

  begin_change (self);
  self->capacity = MAX (self->size + size, MAX (1024, 2 * self->capacity));
  self->bytes = g_realloc (owned, self->capacity);
  if (owned == NULL && self->size > 0)
    memcpy (self->bytes, self->first, self->size);
  end_change (self);
}

static void
add_error (ReeveReplyBatch *self, const ReeveCall *call, const GError *error)
{
  GBytes *frame = call->client->wire->encode_error (call, error);
  gsize size;
  const void *data = g_bytes_get_data (frame, &size);

  if (size > 0)
    memcpy (reeve_reply_batch_make_room (self, size), data, size);
  g_bytes_unref (frame);
}

static gboolean
decode_args (ReeveCall *call, GError **error)
{
  if (call->procedure->args->kind != REEVE_KIND_VOID)
    call->args = reeve_type_new (call->procedure->args);
  return call->client->wire->decode_args (call, error);
}

static void
clear_ret (ReeveCall *call, void *ret)
{
  GDestroyNotify free_owner = g_steal_pointer (&call->free_owner);

  if (free_owner != NULL)
    free_owner (call->ret_owner);
  else if (call->procedure->ret->size > 0)
    reeve_type_clear (call->procedure->ret, ret);
}

/* The tail of a reply stays until that is written. */
static void
keep_tail (ReeveReplyBatch *self, ReeveCall *call, void *ret)
{
  void **pointer = (void *) ((char *) ret + self->tail.offset);

  if (call->free_owner != NULL) {
    self->tail_owner = call->ret_owner;
    self->free_tail = g_steal_pointer (&call->free_owner);
    memset (ret, 0, call->procedure->ret->size);
  } else {
    self->tail_owner = g_steal_pointer (pointer);
    self->free_tail = g_free;
  }
}

static void
drop_tail (ReeveReplyBatch *self)
{
  self->free_tail (self->tail_owner);
  self->has_tail = FALSE;
}

/* FALSE: with @error set. A deferred call leaves no reply, nor does one that
 * this moves to the pool. */
static gboolean
run_handler (ReeveReplyBatch *self, ReeveCall *call, void *ret, GError **error)
{
  gboolean was_moved = call->is_moved;
  gboolean is_done;

  if (!was_moved &&
      (!decode_args (call, error) || !reeve_access_check_call (call, error)))
    return FALSE;

  is_done = call->procedure->stub (call->program->handlers, call, call->args,
                                   ret, error);
  if (is_done && !call->is_deferred && call->is_moved == was_moved) {
    if (call->reply_fds != NULL)
      reeve_call_reply (reeve_call_defer (call), ret);
    else
      is_done = call->client->wire->add_reply (self, call, ret, error);
  }
  if (self->has_tail)
    keep_tail (self, call, ret);
  clear_ret (call, ret);
  return is_done;
}

static void
note_run (ReeveCall *call, const GError *error)
{
  REEVE_DEBUG (
      "%s: client %" PRIu64 ": %s.%s, serial %u: %s",
      reeve_server_get_name (reeve_server_client_get_server (call->client)),
      reeve_server_client_get_id (call->client), call->program->program->name,
      call->procedure->name, call->header.serial,
      error != NULL       ? error->message
      : call->is_deferred ? "deferred"
                          : "done");
}

static void
keep (ReeveReplyBatch *self, ReeveCall *call)
{
  begin_change (self);
  self->calls[self->n_calls] = call;
  self->ends[self->n_calls] = self->size;
  self->n_calls++;
  end_change (self);
}

void
reeve_reply_batch_run (ReeveReplyBatch *self, ReeveCall *call)
{
  gboolean was_moved = call->is_moved;
  char small[SMALL_RET] __attribute__ ((aligned (16)));
  size_t ret_size = call->procedure->ret->size;
  void *ret = small;
  g_autoptr (GError) error = NULL;
  gboolean has_failed;

  /* Its client left, or its deadline passed, before it began. */
  if (atomic_load_explicit (&call->is_answered, memory_order_relaxed)) {
    reeve_call_unref (call);
    return;
  }

  if (!self->is_shared)
    self->client = call->client;
  if (ret_size > SMALL_RET)
    ret = g_malloc0 (ret_size);
  else if (ret_size > 0)
    memset (ret, 0, ret_size);
  has_failed = !run_handler (self, call, ret, &error);
  if (ret != small)
    g_free (ret);
  if (call->is_moved != was_moved && !has_failed) {
    reeve_server_client_push_call (call->client, call);
    return;
  }
  /* A handler that deferred and failed all the same has answered already. */
  if (has_failed && !call->is_deferred) {
    reeve_data_stream_discard (g_steal_pointer (&call->data_stream));
    add_error (self, call, error);
  }

  note_run (call, error);
  if (call->is_deferred) {
    reeve_call_unref (call);
    return;
  }
  if (error != NULL)
    reeve_calls_count (&call, 1, error);
  /* Nobody else could send a reply whose tail is not in the batch. */
  if (self->has_tail && self->is_shared)
    reeve_server_client_unshare (self->client, self);
  keep (self, call);
  if (self->n_calls == REEVE_JOB_BATCH || self->size > FLUSH_SIZE ||
      self->has_tail)
    reeve_reply_batch_flush (self);
}

/* What was kept before place @n_taken is gone already. */
static void
answer_from (ReeveReplyBatch *self, unsigned n_taken)
{
  ReeveCall *const *calls = self->calls + n_taken;
  unsigned n_calls = self->n_calls - n_taken;
  size_t start = n_taken == 0 ? 0 : self->ends[n_taken - 1];

  if (n_calls == 0)
    return;

  for (unsigned i = n_taken; i < self->n_calls; i++)
    self->ends[i] -= start;
  reeve_calls_count (calls, n_calls, NULL);
  reeve_server_client_answer (self->client, calls, self->ends + n_taken,
                              n_calls, self->bytes + start,
                              self->has_tail ? &self->tail : NULL);
  reeve_calls_unref (calls, n_calls);
}

void
reeve_reply_batch_flush (ReeveReplyBatch *self)
{
  if (self->is_shared)
    reeve_server_client_unshare (self->client, self);
  answer_from (self, self->n_taken);
  if (self->has_tail)
    drop_tail (self);
  self->n_calls = self->n_taken = 0;
  self->size = 0;
  if (self->capacity > 2 * FLUSH_SIZE) {
    g_clear_pointer (&self->bytes, g_free);
    self->capacity = 0;
  }
}

void
reeve_reply_batch_take (ReeveReplyBatch *self, ReeveReplyBatch *taken)
{
  size_t start;

  REEVE_LOCK_SCOPE (&self->lock);

  *taken = (ReeveReplyBatch){ .client = self->client };
  start = self->n_taken == 0 ? 0 : self->ends[self->n_taken - 1];
  for (; self->n_taken < self->n_calls; self->n_taken++) {
    taken->calls[taken->n_calls] = self->calls[self->n_taken];
    taken->size = taken->ends[taken->n_calls] =
        self->ends[self->n_taken] - start;
    taken->n_calls++;
  }
  if (taken->size > 0)
    taken->bytes = g_memdup2 (self->bytes + start, taken->size);
}

/* A worker's, of several short calls: should one of them last, the loop's
 * thread sends the replies to those before it, and others take those behind it.
 */
static void
run_short (ReeveReplyBatch *self,
           ReeveJob *const *jobs,
           unsigned n_jobs,
           const ReeveProcedurePace *pace)
{
  g_autoptr (ReeveServerClient) client =
      reeve_server_client_ref (((ReeveCall *) jobs[0])->client);
  unsigned n_run = 0;

  self->client = client;
  reeve_mutex_init (&self->lock);
  do {
    if (!self->is_shared)
      reeve_server_client_share (client, self);
    reeve_server_client_begin_job (client);
    reeve_reply_batch_run (self, (ReeveCall *) jobs[n_run++]);
  } while (n_run < n_jobs && reeve_job_begin_next ());
  reeve_procedure_pace_end (pace, n_run);
  reeve_reply_batch_flush (self);
  reeve_mutex_clear (&self->lock);
}

static void
run_all (ReeveReplyBatch *self,
         ReeveJob *const *jobs,
         unsigned n_jobs,
         const ReeveProcedurePace *pace)
{
  for (unsigned i = 0; i < n_jobs; i++) {
    ReeveCall *call = (ReeveCall *) jobs[i];

    reeve_server_client_begin_job (call->client);
    reeve_reply_batch_run (self, call);
  }
  reeve_procedure_pace_end (pace, n_jobs);
  reeve_reply_batch_flush (self);
}

void
reeve_reply_batch_run_jobs (ReeveReplyBatch *self,
                            ReeveJob *const *jobs,
                            unsigned n_jobs)
{
  ReeveProcedurePace pace;

  reeve_procedure_pace_begin (&pace, (ReeveCall *) jobs[0]);
  if (n_jobs > 1 && !jobs[0]->is_priority)
    run_short (self, jobs, n_jobs, &pace);
  else
    run_all (self, jobs, n_jobs, &pace);
}

void
reeve_dispatch_jobs (ReeveJob *const *jobs, unsigned n_jobs, gpointer data)
{
  uint8_t first[FIRST_SIZE];
  ReeveReplyBatch batch = {
    .bytes = first,
    .first = first,
    .capacity = sizeof first,
  };
  ReeveCall *call = (ReeveCall *) jobs[0];
  ReeveServerClient *offered = reeve_server_client_ref_offered (call->client);

  /* They may be those that were taken back from the worker that read them. */
  if (n_jobs > 1 && !jobs[0]->is_priority)
    reeve_server_client_watch_kept (call->client);
  reeve_reply_batch_run_jobs (&batch, jobs, n_jobs);
  if (offered != NULL)
    reeve_server_client_stay (offered, &batch);
  reeve_reply_batch_clear (&batch);
}
