/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/data-stream-private.h"
#include "rpc/error.h"
#include "rpc/server-inside.h"

#include <inttypes.h>

/* Data streams that go on in another process. */

/* (nullable): the kind of streams with these functions, or of this name. */
static const ReeveServerRow *
find_kind (ReeveServerClient *client,
           const ReeveDataStreamFuncs *funcs,
           const char *name)
{
  const GPtrArray *kinds = reeve_server_get_stream_kinds (client->server);

  for (unsigned i = 0; i < kinds->len; i++) {
    const ReeveServerRow *row = kinds->pdata[i];
    const ReeveServerStreamKind *kind = row->kind;

    if (kind->funcs == funcs || g_strcmp0 (kind->name, name) == 0)
      return row;
  }

  return NULL;
}

char *
reeve_data_stream_find_obstacle_locked (ReeveServerClient *client)
{
  for (GList *link = reeve_data_stream_get_live_locked (client); link != NULL;
       link = link->next) {
    const ReeveDataStream *stream = link->data;

    if (find_kind (client, stream->funcs, NULL) == NULL)
      return g_strdup_printf (
          _ ("client %" PRIu64 " has a stream that transfers data"),
          client->id);
  }

  return NULL;
}

char *
reeve_data_stream_find_activity_locked (ReeveServerClient *client)
{
  for (GList *link = reeve_data_stream_get_live_locked (client); link != NULL;
       link = link->next) {
    const ReeveDataStream *stream = link->data;

    if (stream->is_scheduled || stream->is_aborting || stream->failure != NULL)
      return g_strdup_printf (_ ("a stream of client %" PRIu64 " is busy"),
                              client->id);
  }

  return reeve_data_stream_find_obstacle_locked (client);
}

/* ---------------------------------------------------------------- saving -- */

static void
save_input (const ReeveDataStream *self, takeover_stream *saved)
{
  uint32_t i = 0;

  saved->input.n_items = self->input.length;
  saved->input.items = g_new0 (takeover_piece, self->input.length);
  for (GList *link = self->input.head; link != NULL; link = link->next, i++) {
    const ReeveDataStreamPiece *piece = link->data;
    takeover_piece *to = &saved->input.items[i];

    to->hole = piece->hole;
    if (piece->hole > 0)
      continue;
    to->data.size = (uint32_t) piece->size;
    to->data.data = g_memdup2 (piece->data, piece->size);
  }
}

static void
save_output (const ReeveDataStream *self, takeover_stream *saved)
{
  uint32_t i = 0;

  saved->output.n_items = self->output.length;
  saved->output.items = g_new0 (takeover_record, self->output.length);
  for (GList *link = self->output.head; link != NULL; link = link->next, i++) {
    gsize size;
    const void *data = g_bytes_get_data (link->data, &size);
    ReeveBytes *to = &saved->output.items[i].data;

    to->size = (uint32_t) size;
    to->data = g_memdup2 (data, size);
  }
}

static void
fill (ReeveServerClient *client, ReeveDataStream *self, takeover_stream *saved)
{
  REEVE_LOCK_SCOPE (&client->lock);

  saved->prog = self->header.program;
  saved->vers = self->header.version;
  saved->procedure = self->header.procedure;
  saved->serial = self->header.serial;
  saved->has_sent_end = self->has_sent_end;
  saved->is_finishing = self->is_finishing;
  save_input (self, saved);
  save_output (self, saved);
}

static gboolean
save (ReeveServerClient *client,
      ReeveDataStream *self,
      ReeveSavedState *state,
      takeover_stream *saved,
      GError **error)
{
  const ReeveServerRow *row = find_kind (client, self->funcs, NULL);
  const ReeveServerStreamKind *kind = row->kind;
  GByteArray *data = g_byte_array_new ();

  saved->name = g_strdup (kind->name);
  fill (client, self, saved);
  if (!kind->save (self->user_data, state, data, error)) {
    g_byte_array_unref (data);
    return FALSE;
  }

  saved->data.size = data->len;
  saved->data.data = g_byte_array_free (data, FALSE);
  return TRUE;
}

/* (element-type ReeveDataStream) (transfer full) */
static GPtrArray *
dup_streams (ReeveServerClient *client)
{
  GPtrArray *streams =
      g_ptr_array_new_with_free_func ((GDestroyNotify) reeve_data_stream_unref);

  REEVE_LOCK_SCOPE (&client->lock);

  for (GList *link = reeve_data_stream_get_live_locked (client); link != NULL;
       link = link->next)
    g_ptr_array_add (streams, reeve_data_stream_ref (link->data));
  return streams;
}

gboolean
reeve_data_stream_save_all (ReeveServerClient *client,
                            ReeveSavedState *state,
                            takeover_client *saved,
                            GError **error)
{
  g_autoptr (GPtrArray) streams = dup_streams (client);

  saved->streams.items = g_new0 (takeover_stream, streams->len);
  for (unsigned i = 0; i < streams->len; i++) {
    /* What is not filled in has no name, which clears and never encodes. */
    saved->streams.n_items = i + 1;
    if (!save (client, streams->pdata[i], state, &saved->streams.items[i],
               error))
      return FALSE;
  }

  return TRUE;
}

/* ------------------------------------------------------------- restoring -- */

static void
add_input_locked (ReeveServerClient *client,
                  ReeveDataStream *self,
                  const takeover_stream *saved) REEVE_REQUIRES (client->lock)
{
  for (uint32_t i = 0; i < saved->input.n_items; i++) {
    const takeover_piece *from = &saved->input.items[i];
    uint8_t *copy = g_memdup2 (from->data.data, from->data.size);

    reeve_data_stream_add_piece_locked (client, self, copy, from->data.size,
                                        from->hole);
  }
}

static void
add_output_locked (ReeveServerClient *client,
                   ReeveDataStream *self,
                   const takeover_stream *saved) REEVE_REQUIRES (client->lock)
{
  for (uint32_t i = 0; i < saved->output.n_items; i++) {
    const ReeveBytes *from = &saved->output.items[i].data;

    reeve_data_stream_add_output_locked (client, self,
                                         g_bytes_new (from->data, from->size));
  }
}

static void
go_live (ReeveServerClient *client,
         ReeveDataStream *self,
         const takeover_stream *saved)
{
  atomic_fetch_add (&client->n_data_streams, 1);

  REEVE_LOCK_SCOPE (&client->lock);

  self->has_sent_end = saved->has_sent_end;
  self->may_send = self->may_send && !saved->has_sent_end;
  self->is_finishing = saved->is_finishing;
  add_input_locked (client, self, saved);
  add_output_locked (client, self, saved);
  reeve_data_stream_go_live_locked (client, self);
}

static void
tell_failure (ReeveServerClient *client,
              const ReeveHeader *header,
              const GError *failure)
{
  GBytes *frame = reeve_message_encode_error (header, failure);

  REEVE_LOCK_SCOPE (&client->lock);

  client->replies.n_bytes += g_bytes_get_size (frame);
  g_queue_push_tail (&client->replies.frames, frame);
}

/* (transfer full) (nullable): its data; @row: (nullable). */
static gpointer
restore_data (const ReeveServerRow *row,
              ReeveSavedState *state,
              const takeover_stream *saved,
              GError **error)
{
  const ReeveServerStreamKind *kind;
  ReeveStateReader reader = { saved->data.data, saved->data.size };

  if (row == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                 _ ("another daemon goes on, which knows no streams of the "
                    "kind %s"),
                 saved->name);
    return NULL;
  }

  kind = row->kind;
  return kind->restore (&reader, state, row->user_data, error);
}

static void
restore (ReeveServerClient *client,
         ReeveSavedState *state,
         const takeover_stream *saved)
{
  const ReeveHeader header = {
    .program = saved->prog,
    .version = saved->vers,
    .procedure = saved->procedure,
    .type = REEVE_MESSAGE_STREAM,
    .serial = saved->serial,
    .status = REEVE_STATUS_CONTINUE,
  };
  const ReeveServerRow *row = find_kind (client, NULL, saved->name);
  g_autoptr (GError) failure = NULL;
  gpointer data = restore_data (row, state, saved, &failure);
  const ReeveServerStreamKind *kind;
  ReeveDataStream *stream;

  if (data == NULL) {
    tell_failure (client, &header, failure);
    return;
  }

  kind = row->kind;
  stream = reeve_data_stream_new (client, &header, kind->funcs, data,
                                  kind->free_func);
  go_live (client, stream, saved);
  if (kind->restored != NULL)
    kind->restored (stream, data);
}

void
reeve_data_stream_restore_all (ReeveServerClient *client,
                               ReeveSavedState *state,
                               const takeover_client *saved)
{
  for (uint32_t i = 0; i < saved->streams.n_items; i++)
    restore (client, state, &saved->streams.items[i]);
}
