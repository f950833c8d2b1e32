/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/call.h"

#include "event/fd-closer.h"
#include "event/fd.h"
#include "event/intl.h"
#include "rpc/data-stream-private.h"
#include "rpc/error.h"
#include "rpc/wire.h"

#include <string.h>

/* A string at the end of the arguments, which stay in the payload, needs its
 * end. */
static size_t
get_size (size_t payload_size)
{
  return sizeof (ReeveCall) + payload_size + 1;
}

ReeveCall *
reeve_call_new (ReeveServerClient *client,
                ReeveCallStock *stock,
                ReeveServerProgram *program,
                const ReeveProcedure *procedure,
                const ReeveHeader *header,
                const uint8_t *payload,
                size_t payload_size)
{
  ReeveCall *self = reeve_call_memory_take (&client->home->call_memory, stock,
                                            get_size (payload_size));

  memset (self, 0, sizeof *self);
  self->job.link.data = &self->job;
  self->job.is_priority = procedure->dispatch != REEVE_DISPATCH_NORMAL;
  self->job.group = client->jobs;
  self->job.is_short = procedure->dispatch == REEVE_DISPATCH_NORMAL &&
                       reeve_procedure_is_short (program, procedure);
  self->job.name = procedure->name;
  reeve_refs_init (&self->refs);
  self->client = reeve_server_client_ref (client);
  self->program = program;
  self->procedure = procedure;
  self->header = *header;
  self->start_us = client->taken_us;
  self->deadline_us =
      self->start_us +
      (gint64) REEVE_LIMIT (client->server, call_timeout_ms) * 1000;
  self->link.data = self;
  self->payload_size = (uint32_t) payload_size;
  if (payload != NULL && payload_size > 0)
    memcpy (self->payload, payload, payload_size);
  return self;
}

void
reeve_call_take_fds (ReeveCall *self, const int *fds, unsigned n_fds)
{
  self->fds = g_array_sized_new (FALSE, FALSE, sizeof *fds, n_fds);
  g_array_append_vals (self->fds, fds, n_fds);
}

/* Those that came are not ours to wait for; those of the reply are. */
static void
drop_fds (ReeveCall *self)
{
  unsigned n_dropped = 0;
  unsigned n_fds = reeve_call_get_n_fds (self);

  for (unsigned i = 0; i < n_fds; i++) {
    int fd = g_array_index (self->fds, int, i);

    if (fd >= 0) {
      reeve_fd_close_elsewhere (fd);
      n_dropped++;
    }
  }
  for (unsigned i = 0; self->reply_fds != NULL && i < self->reply_fds->len;
       i++, n_dropped++)
    close (g_array_index (self->reply_fds, int, i));

  g_clear_pointer (&self->fds, g_array_unref);
  g_clear_pointer (&self->reply_fds, g_array_unref);
  if (n_dropped > 0)
    reeve_server_client_release_fds (self->client, n_dropped);
}

ReeveCall *
reeve_call_ref (ReeveCall *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

static void
free_args (ReeveCall *self)
{
  if (self->has_args_in_place)
    reeve_xdr_free_in_place (self->procedure->args, self->args);
  else
    reeve_type_free (self->procedure->args, self->args);
}

/* Frees what it has. */
static void
clear (ReeveCall *self)
{
  if (self->data_stream != NULL)
    reeve_data_stream_discard (self->data_stream);
  if (self->batch != NULL)
    reeve_call_batch_unref (self->batch);
  if (self->args != NULL)
    free_args (self);
  if (self->fds != NULL || self->reply_fds != NULL)
    drop_fds (self);
  g_clear_object (&self->cancellable);
}

void
reeve_calls_unref (ReeveCall *const *calls, unsigned n_calls)
{
  ReeveServerClient *client = calls[0]->client;
  ReeveCallMemoryPieces pieces = { 0 };
  unsigned n_freed = 0;

  for (unsigned i = 0; i < n_calls; i++) {
    ReeveCall *self = calls[i];

    if (!reeve_refs_dec (&self->refs))
      continue;
    clear (self);
    reeve_call_memory_add (&pieces, self, get_size (self->payload_size));
    n_freed++;
  }

  /* Where none was freed, whoever has them may have freed the client. */
  if (n_freed == 0)
    return;
  reeve_call_memory_give (&client->home->call_memory, &pieces);
  reeve_server_client_drop (client, n_freed);
}

void
reeve_call_unref (ReeveCall *self)
{
  reeve_calls_unref (&self, 1);
}

/* (nullable): of the member `name`, or else of that in the first one, as in
 * `remote.domain_get_state`. */
static const char *
find_name (const ReeveType *type, const void *value)
{
  for (size_t i = 0; type->kind == REEVE_KIND_STRUCT && i < type->n_members;
       i++) {
    const ReeveMember *member = &type->members[i];

    if (member->type->kind == REEVE_KIND_STRING &&
        g_str_equal (member->name, "name"))
      return *(char *const *) (const void *) ((const char *) value +
                                              member->offset);
  }

  if (type->kind != REEVE_KIND_STRUCT || type->n_members == 0)
    return NULL;
  return find_name (type->members[0].type,
                    (const char *) value + type->members[0].offset);
}

void
reeve_call_note_object (ReeveCall *self)
{
  atomic_store (&self->object, find_name (self->procedure->args, self->args));
}

char *
reeve_call_dup_object (const ReeveCall *self)
{
  const char *name = atomic_load (&self->object);

  if (name != NULL && name[0] != '\0')
    return g_strdup (name);
  return g_strdup_printf ("%s.%s", self->program->program->name,
                          self->procedure->name);
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
  if (!self->is_in_flight)
    reeve_server_client_put_in_flight (self->client, self);
  return reeve_call_ref (self);
}

gboolean
reeve_call_move_to_pool (ReeveCall *self)
{
  if (self->procedure->dispatch != REEVE_DISPATCH_INLINE || self->is_moved)
    return FALSE;

  self->is_moved = TRUE;
  self->job.is_priority = FALSE;
  return TRUE;
}

void
reeve_call_lend_ret (ReeveCall *self, gpointer owner, GDestroyNotify free_func)
{
  g_return_if_fail (self->free_owner == NULL);

  self->ret_owner = owner;
  self->free_owner = free_func;
}

void
reeve_call_close_after_reply (ReeveCall *self)
{
  self->closes = TRUE;
}

unsigned
reeve_call_get_n_fds (ReeveCall *self)
{
  return self->fds == NULL ? 0 : self->fds->len;
}

int
reeve_call_steal_fd (ReeveCall *self, unsigned index)
{
  int fd;

  if (index >= reeve_call_get_n_fds (self))
    return -1;

  fd = g_array_index (self->fds, int, index);
  g_array_index (self->fds, int, index) = -1;
  if (fd >= 0)
    reeve_server_client_release_fds (self->client, 1);
  return fd;
}

gboolean
reeve_call_add_reply_fd (ReeveCall *self, int fd, GError **error)
{
  REEVE_AUTOFD int owned = fd;

  if (self->reply_fds != NULL &&
      self->reply_fds->len == REEVE_MESSAGE_MAX_FDS) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("A reply has %u file descriptors at most"),
                 REEVE_MESSAGE_MAX_FDS);
    return FALSE;
  }
  if (!reeve_server_client_hold_fd (self->client, error))
    return FALSE;

  if (self->reply_fds == NULL)
    self->reply_fds = g_array_new (FALSE, FALSE, sizeof fd);
  g_array_append_val (self->reply_fds, owned);
  owned = -1;
  return TRUE;
}

static void
answer (ReeveCall *self, GBytes *frame)
{
  gsize size;
  const uint8_t *bytes = g_bytes_get_data (frame, &size);

  reeve_server_client_answer (self->client, &self, &size, 1, bytes, NULL);
  g_bytes_unref (frame);
  reeve_call_unref (self);
}

static GBytes *
encode_with_fds (ReeveCall *self, gconstpointer ret, GError **error)
{
  ReeveHeader reply = reeve_call_make_reply (self);

  return reeve_message_encode_with_fds (&reply, self->reply_fds->len,
                                        self->procedure->ret, ret, error);
}

static void
answer_with_fds (ReeveCall *self, GBytes *frame)
{
  reeve_server_client_answer_with_fds (self->client, self, frame,
                                       g_steal_pointer (&self->reply_fds));
  reeve_call_unref (self);
}

void
reeve_call_reply (ReeveCall *self, gconstpointer ret)
{
  const ReeveWire *wire = self->client->wire;
  g_autoptr (GError) error = NULL;
  GBytes *frame = NULL;

  if (self->reply_fds != NULL)
    frame = encode_with_fds (self, ret, &error);
  else
    frame = wire->encode_reply (self, ret, &error);

  reeve_calls_count (&self, 1, error);
  if (frame != NULL && self->reply_fds != NULL) {
    answer_with_fds (self, frame);
    return;
  }
  if (frame == NULL)
    frame = wire->encode_error (self, error);
  answer (self, frame);
}

void
reeve_call_fail (ReeveCall *self, const GError *failure)
{
  reeve_data_stream_discard (g_steal_pointer (&self->data_stream));
  reeve_calls_count (&self, 1, failure);
  answer (self, self->client->wire->encode_error (self, failure));
}
