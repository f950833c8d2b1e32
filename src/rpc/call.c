/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/call.h"

#include "rpc/data-stream-private.h"

#include <string.h>

ReeveCall *
reeve_call_new (ReeveServerClient *client,
                ReeveServerProgram *program,
                const ReeveProcedure *procedure,
                const ReeveHeader *header,
                const uint8_t *payload,
                size_t payload_size)
{
  ReeveServer *server = reeve_server_client_get_server (client);
  ReeveCall *self = g_malloc (sizeof (ReeveCall) + payload_size);

  memset (self, 0, sizeof *self);
  self->job.link.data = &self->job;
  self->job.is_priority = procedure->dispatch != REEVE_DISPATCH_NORMAL;
  self->job.group = reeve_server_client_get_jobs (client);
  reeve_refs_init (&self->refs);
  self->client = reeve_server_client_ref (client);
  self->program = program;
  self->procedure = procedure;
  self->header = *header;
  self->start_us = g_get_monotonic_time ();
  self->deadline_us =
      self->start_us + (gint64) REEVE_LIMIT (server, call_timeout_ms) * 1000;
  self->link.data = self;
  self->payload_size = (uint32_t) payload_size;
  if (payload_size > 0)
    memcpy (self->payload, payload, payload_size);
  return self;
}

ReeveCall *
reeve_call_ref (ReeveCall *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_call_unref (ReeveCall *self)
{
  if (!reeve_refs_dec (&self->refs))
    return;

  reeve_data_stream_discard (self->data_stream);
  if (self->args != NULL)
    reeve_type_free (self->procedure->args, self->args);
  g_clear_object (&self->cancellable);
  reeve_server_client_unref (self->client);
  g_free (self);
}

ReeveHeader
reeve_call_make_reply (const ReeveCall *self)
{
  ReeveHeader reply = self->header;

  reply.type = REEVE_MESSAGE_REPLY;
  reply.status = REEVE_STATUS_OK;
  return reply;
}

ReeveServerClient *
reeve_call_get_client (ReeveCall *self)
{
  return self->client;
}

const ReeveProcedure *
reeve_call_get_procedure (ReeveCall *self)
{
  return self->procedure;
}

const ReeveProgram *
reeve_call_get_program (ReeveCall *self)
{
  return self->program->program;
}

gpointer
reeve_call_get_user_data (ReeveCall *self)
{
  return self->program->user_data;
}

gint64
reeve_call_get_deadline_us (ReeveCall *self)
{
  return self->deadline_us;
}

GCancellable *
reeve_call_get_cancellable (ReeveCall *self)
{
  return reeve_server_client_make_cancellable (self->client, self);
}

ReeveCall *
reeve_call_defer (ReeveCall *self)
{
  self->is_deferred = TRUE;
  return reeve_call_ref (self);
}

void
reeve_call_close_after_reply (ReeveCall *self)
{
  self->closes = TRUE;
}

static void
answer (ReeveCall *self, GBytes *frame)
{
  gsize size;
  const uint8_t *bytes = g_bytes_get_data (frame, &size);

  reeve_server_client_answer (self->client, &self, &size, 1, bytes);
  g_bytes_unref (frame);
  reeve_call_unref (self);
}

void
reeve_call_reply (ReeveCall *self, gconstpointer ret)
{
  ReeveHeader reply = reeve_call_make_reply (self);
  g_autoptr (GError) error = NULL;
  GBytes *frame =
      reeve_message_encode (&reply, self->procedure->ret, ret, &error);

  if (frame == NULL)
    frame = reeve_message_encode_error (&reply, error);
  answer (self, frame);
}

void
reeve_call_fail (ReeveCall *self, const GError *failure)
{
  ReeveHeader reply = reeve_call_make_reply (self);

  reeve_data_stream_discard (g_steal_pointer (&self->data_stream));
  atomic_fetch_add_explicit (
      &self->program
           ->counters[self->procedure - self->program->program->procedures]
           .n_failed,
      1, memory_order_relaxed);
  answer (self, reeve_message_encode_error (&reply, failure));
}
