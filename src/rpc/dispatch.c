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

void
reeve_reply_batch_clear (ReeveReplyBatch *self)
{
  if (self->bytes != self->first)
    g_free (self->bytes);
  *self = (ReeveReplyBatch){ 0 };
}

static void
grow (ReeveReplyBatch *self, size_t size)
{
  uint8_t *owned = self->bytes == self->first ? NULL : self->bytes;

  self->capacity = MAX (self->size + size, MAX (1024, 2 * self->capacity));
  self->bytes = g_realloc (owned, self->capacity);
  if (owned == NULL && self->size > 0)
    memcpy (self->bytes, self->first, self->size);
}

uint8_t *
reeve_reply_batch_make_room (ReeveReplyBatch *self, size_t size)
{
  if (self->capacity - self->size < size)
    grow (self, size);

  self->size += size;
  return self->bytes + self->size - size;
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
  else
    reeve_type_clear (call->procedure->ret, ret);
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
count (ReeveReplyBatch *self, const GError *failure)
{
  reeve_calls_count (self->calls + self->n_counted,
                     self->n_calls - self->n_counted, failure);
  self->n_counted = self->n_calls;
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

  self->client = call->client;
  if (ret_size > SMALL_RET)
    ret = g_malloc (ret_size);
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
    count (self, NULL);
  self->calls[self->n_calls] = call;
  self->ends[self->n_calls] = self->size;
  self->n_calls++;
  if (error != NULL)
    count (self, error);
  if (self->n_calls == REEVE_JOB_BATCH || self->size > FLUSH_SIZE)
    reeve_reply_batch_flush (self);
}

void
reeve_reply_batch_flush (ReeveReplyBatch *self)
{
  if (self->n_calls == 0)
    return;

  count (self, NULL);
  reeve_server_client_answer (self->client, self->calls, self->ends,
                              self->n_calls, self->bytes);
  for (unsigned i = 0; i < self->n_calls; i++)
    reeve_call_unref (self->calls[i]);
  self->n_calls = self->n_counted = 0;
  self->size = 0;
  if (self->capacity > 2 * FLUSH_SIZE) {
    g_clear_pointer (&self->bytes, g_free);
    self->capacity = 0;
  }
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
  g_autoptr (ReeveServerClient) offered =
      reeve_server_client_ref_offered (((ReeveCall *) jobs[0])->client);

  for (unsigned i = 0; i < n_jobs; i++) {
    ReeveCall *call = (ReeveCall *) jobs[i];

    reeve_server_client_begin_job (call->client);
    reeve_reply_batch_run (&batch, call);
  }
  reeve_reply_batch_flush (&batch);
  if (offered != NULL)
    reeve_server_client_stay (offered, &batch);
  reeve_reply_batch_clear (&batch);
}
