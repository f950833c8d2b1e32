/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "protocol/takeover.h"
#include "rpc/data-stream-private.h"
#include "rpc/error.h"
#include "rpc/server-inside.h"
#include "rpc/wire.h"

#include <inttypes.h>

/* One client on its way to another process. */

/* How late the structs are that are written; the tests build an older one. */
#ifndef REEVE_CLIENT_FORMAT
#define REEVE_CLIENT_FORMAT 3
#endif

/* -------------------------------------------------------------- freezing -- */

static void
throttle (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_throttled = TRUE;
  reeve_server_client_update_events_locked (self);
}

/* As the loop's thread, which is held. */
void
reeve_server_client_freeze (ReeveServerClient *self)
{
  reeve_server_client_reclaim (self);
  throttle (self);
}

static void
schedule_streams (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  for (GList *link = reeve_data_stream_get_live_locked (self); link != NULL;
       link = link->next)
    reeve_data_stream_schedule_locked (self, link->data);
}

void
reeve_server_client_thaw (ReeveServerClient *self)
{
  schedule_streams (self);
  /* What came from another process waits to be written; and reading goes on
   * behind it. */
  reeve_server_client_write (self);
}

/* Whether a message was taken in part, which another process would begin
 * anew. Threads of loops stand still. */
static gboolean
is_amid (const ReeveServerClient *self)
{
  return self->wire->is_amid != NULL && self->wire->is_amid (self->wire_state);
}

static gboolean
can_move_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  return self->stream != NULL && !self->is_closing && !self->is_shaking &&
         self->transport != REEVE_TRANSPORT_TLS &&
         !reeve_stream_has_layer (self->stream) && !is_amid (self) &&
         (atomic_load (&self->is_authenticated) || self->attached == NULL);
}

gboolean
reeve_server_client_can_move (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return can_move_locked (self);
}

/* (transfer full) (nullable): that the rest of a message is to be taken. Of who
 * does not read the replies to what came before, none is. */
static char *
find_rest_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  if (!is_amid (self) || self->replies.n_bytes >=
                             REEVE_LIMIT (self->server, max_client_reply_bytes))
    return NULL;

  return g_strdup_printf (_ ("client %" PRIu64 " is in the middle of a batch"),
                          self->id);
}

char *
reeve_server_client_find_obstacle (ReeveServerClient *self)
{
  char *rest;

  REEVE_LOCK_SCOPE (&self->lock);

  rest = find_rest_locked (self);
  if (rest != NULL)
    return rest;
  return can_move_locked (self) ? reeve_data_stream_find_obstacle_locked (self)
                                : NULL;
}

char *
reeve_server_client_find_activity (ReeveServerClient *self)
{
  const ReeveCall *call;
  char *rest;

  REEVE_LOCK_SCOPE (&self->lock);

  call = g_queue_peek_head (&self->calls);
  if (call != NULL)
    return g_strdup_printf (_ ("client %1$" PRIu64 " waits for %2$s"), self->id,
                            call->procedure->name);
  /* It came to that between can_freeze() and freeze(). */
  rest = find_rest_locked (self);
  if (rest != NULL)
    return rest;
  return can_move_locked (self) ? reeve_data_stream_find_activity_locked (self)
                                : NULL;
}

/* ---------------------------------------------------------------- saving -- */

static void
copy (ReeveBytes *to, const void *data, size_t size)
{
  to->size = (uint32_t) size;
  to->data = g_memdup2 (data, size);
}

/* (nullable): what goes behind a frame. */
static const ReeveClientFds *
find_fds_locked (ReeveServerClient *self, const GBytes *frame)
    REEVE_REQUIRES (self->lock)
{
  for (GList *link = self->fds; link != NULL; link = link->next) {
    const ReeveClientFds *fds = link->data;

    if (fds->frame == frame)
      return fds;
  }

  return NULL;
}

/* @offset: what was written of it, file descriptors included. */
static void
save_frame_locked (ReeveServerClient *self,
                   ReeveSavedState *state,
                   GBytes *frame,
                   size_t offset,
                   takeover_frame *saved) REEVE_REQUIRES (self->lock)
{
  const ReeveClientFds *fds = find_fds_locked (self, frame);
  gsize size;
  const uint8_t *data = g_bytes_get_data (frame, &size);
  size_t first = offset > size ? offset - size : 0;

  offset = MIN (offset, size);
  copy (&saved->data, data + offset, size - offset);
  if (fds == NULL)
    return;

  saved->fds.n_items = (uint32_t) (fds->fds->len - first);
  saved->fds.items = g_new (uint32_t, saved->fds.n_items);
  for (uint32_t i = 0; i < saved->fds.n_items; i++)
    saved->fds.items[i] = reeve_saved_state_add_fd (
        state, g_array_index (fds->fds, int, first + i));
}

static void
save_replies_locked (ReeveServerClient *self,
                     ReeveSavedState *state,
                     takeover_client *saved) REEVE_REQUIRES (self->lock)
{
  unsigned n_held = reeve_server_client_count_held_locked (self);
  unsigned n_frames = self->replies.frames.length + (n_held > 0);
  takeover_frame *to = g_new0 (takeover_frame, n_frames);

  saved->replies.n_items = n_frames;
  saved->replies.items = to;
  for (GList *link = self->replies.frames.head; link != NULL; link = link->next)
    save_frame_locked (self, state, link->data, 0, to++);
  if (n_held > 0)
    copy (&to->data, self->held->data, n_held);
}

static void
save_events_locked (ReeveServerClient *self, takeover_client *saved)
    REEVE_REQUIRES (self->lock)
{
  takeover_record *to =
      g_new0 (takeover_record, self->event_queue.frames.length);

  saved->events.n_items = self->event_queue.frames.length;
  saved->events.items = to;
  for (GList *link = self->event_queue.frames.head; link != NULL;
       link = link->next, to++) {
    gsize size;
    const void *data = g_bytes_get_data (link->data, &size);

    copy (&to->data, data, size);
  }
}

static void
save_arrivals (ReeveServerClient *self,
               ReeveSavedState *state,
               takeover_client *saved)
{
  unsigned n_fds = reeve_fd_inbox_get_size (&self->inbox);

  saved->arrivals.n_items = n_fds;
  saved->arrivals.items = g_new0 (takeover_arrival, n_fds);
  for (unsigned i = 0; i < n_fds; i++) {
    takeover_arrival *to = &saved->arrivals.items[i];

    to->fd = reeve_saved_state_add_fd (state,
                                       g_array_index (self->inbox.fds, int, i));
    to->end = g_array_index (self->inbox.ends, gsize, i);
  }
}

static void
save_connection (ReeveServerClient *self,
                 ReeveSavedState *state,
                 takeover_client *saved)
{
  REEVE_LOCK_SCOPE (&self->lock);

  saved->fd =
      reeve_saved_state_add_fd (state, reeve_stream_get_fd (self->stream));
  saved->closes_when_written = self->closes_when_written;
  if (self->current != NULL) {
    saved->current = g_new0 (takeover_frame, 1);
    save_frame_locked (self, state, self->current, self->current_offset,
                       saved->current);
  }
  save_replies_locked (self, state, saved);
  save_events_locked (self, saved);
}

static void
save_identity (ReeveServerClient *self, takeover_client *saved)
{
  saved->id = self->id;
  saved->connect_time = self->connect_time;
  saved->auth = (int32_t) self->auth;
  saved->is_read_only = atomic_load (&self->is_read_only);
  saved->is_authenticated = atomic_load (&self->is_authenticated);
  saved->is_refused = self->is_refused;
  saved->has_spoken = reeve_server_client_has_spoken (self);
  saved->has_keepalive = self->keepalive_watch > 0;
  saved->sasl_name = g_strdup (reeve_server_client_get_sasl_name (self));
  copy (&saved->input, self->input, self->input_size);
  saved->n_seen = self->n_seen;
}

static gboolean
save_attachment (ReeveServerClient *self,
                 ReeveSavedState *state,
                 const ReeveServerAttachment *kind,
                 GArray *attachments,
                 GError **error)
{
  gpointer data = reeve_server_client_get_data (self, kind->key);
  takeover_attachment saved = { 0 };
  GByteArray *bytes;

  if (data == NULL)
    return TRUE;

  bytes = g_byte_array_new ();
  if (!kind->save (self, data, state, bytes, error)) {
    g_byte_array_unref (bytes);
    return FALSE;
  }
  saved.name = g_strdup (kind->name);
  saved.data.size = bytes->len;
  saved.data.data = g_byte_array_free (bytes, FALSE);
  g_array_append_val (attachments, saved);
  return TRUE;
}

static gboolean
save_attachments (ReeveServerClient *self,
                  ReeveSavedState *state,
                  takeover_client *saved,
                  GError **error)
{
  const GPtrArray *rows = reeve_server_get_attachments (self->server);
  GArray *attachments =
      g_array_new (FALSE, FALSE, sizeof (takeover_attachment));
  gboolean is_saved = TRUE;

  for (unsigned i = 0; i < rows->len && is_saved; i++) {
    const ReeveServerRow *row = rows->pdata[i];

    is_saved = save_attachment (self, state, row->kind, attachments, error);
  }

  saved->attachments.n_items = attachments->len;
  saved->attachments.items =
      (takeover_attachment *) (void *) g_array_free (attachments, FALSE);
  return is_saved;
}

/* What stands behind the first struct, in the order of versions. */
static gboolean
append_later (ReeveServerClient *self, GByteArray *bytes, GError **error)
{
  const takeover_client_life life = {
    .alive_us = MAX (self->keepalive.alive_us, self->taken_us),
    .asked_us = self->keepalive.asked_us,
    .n_asked = self->keepalive.n_asked,
  };

  const takeover_client_wire wire = {
    .wires = self->wires,
    .chosen = self->has_wire ? self->wire->flag : 0,
  };

  if (REEVE_CLIENT_FORMAT >= 2 &&
      !reeve_state_append (bytes, &takeover_client_life_type, &life, error))
    return FALSE;
  return REEVE_CLIENT_FORMAT < 3 ||
         reeve_state_append (bytes, &takeover_client_wire_type, &wire, error);
}

gboolean
reeve_server_client_save (ReeveServerClient *self,
                          ReeveSavedState *state,
                          GByteArray *bytes,
                          GError **error)
{
  takeover_client saved = { 0 };
  gboolean is_saved;

  save_identity (self, &saved);
  save_arrivals (self, state, &saved);
  save_connection (self, state, &saved);
  is_saved = save_attachments (self, state, &saved, error) &&
             reeve_data_stream_save_all (self, state, &saved, error) &&
             reeve_state_append (bytes, &takeover_client_type, &saved, error) &&
             append_later (self, bytes, error);
  takeover_client_clear (&saved);
  return is_saved;
}

/* ------------------------------------------------------------- restoring -- */

/* (transfer full) (nullable) (element-type int) */
static GArray *
steal_fds (ReeveSavedState *state, const takeover_frame *saved, GError **error)
{
  GArray *fds = g_array_new (FALSE, FALSE, sizeof (int));

  for (uint32_t i = 0; i < saved->fds.n_items; i++) {
    int fd = reeve_saved_state_steal_fd (state, saved->fds.items[i], error);

    if (fd < 0) {
      for (guint j = 0; j < fds->len; j++)
        close (g_array_index (fds, int, j));
      g_array_unref (fds);
      return NULL;
    }
    g_array_append_val (fds, fd);
  }

  return fds;
}

/* (transfer full) (nullable): the frame, whose file descriptors are queued. */
static GBytes *
restore_frame_locked (ReeveServerClient *self,
                      ReeveSavedState *state,
                      const takeover_frame *saved,
                      GError **error) REEVE_REQUIRES (self->lock)
{
  GBytes *frame = g_bytes_new (saved->data.data, saved->data.size);
  GArray *fds;
  ReeveClientFds *row;

  if (saved->fds.n_items == 0)
    return frame;

  fds = steal_fds (state, saved, error);
  if (fds == NULL) {
    g_bytes_unref (frame);
    return NULL;
  }
  row = g_new (ReeveClientFds, 1);
  *row = (ReeveClientFds){ g_bytes_ref (frame), fds };
  self->fds = g_list_append (self->fds, row);
  atomic_fetch_add (&self->n_fds, fds->len);
  return frame;
}

static void
queue_locked (ReeveClientOutput *output, GBytes *frame)
{
  output->n_bytes += g_bytes_get_size (frame);
  g_queue_push_tail (&output->frames, frame);
}

static gboolean
restore_output_locked (ReeveServerClient *self,
                       ReeveSavedState *state,
                       const takeover_client *saved,
                       GError **error) REEVE_REQUIRES (self->lock)
{
  if (saved->current != NULL) {
    self->current = restore_frame_locked (self, state, saved->current, error);
    if (self->current == NULL)
      return FALSE;
  }
  for (uint32_t i = 0; i < saved->replies.n_items; i++) {
    GBytes *frame =
        restore_frame_locked (self, state, &saved->replies.items[i], error);

    if (frame == NULL)
      return FALSE;
    queue_locked (&self->replies, frame);
  }
  for (uint32_t i = 0; i < saved->events.n_items; i++) {
    const ReeveBytes *from = &saved->events.items[i].data;

    queue_locked (&self->event_queue, g_bytes_new (from->data, from->size));
  }
  return TRUE;
}

static gboolean
restore_connection (ReeveServerClient *self,
                    ReeveSavedState *state,
                    const takeover_client *saved,
                    GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_throttled = TRUE;
  self->closes_when_written = saved->closes_when_written;
  if (!restore_output_locked (self, state, saved, error))
    return FALSE;
  reeve_server_client_update_events_locked (self);
  return TRUE;
}

static gboolean
restore_input (ReeveServerClient *self,
               ReeveSavedState *state,
               takeover_client *saved,
               GError **error)
{
  if (saved->input.size > 0) {
    self->input_size = self->input_capacity = saved->input.size;
    self->input = g_steal_pointer (&saved->input.data);
    saved->input.size = 0;
  }
  self->n_seen = MIN (saved->n_seen, self->input_size);
  for (uint32_t i = 0; i < saved->arrivals.n_items; i++) {
    const takeover_arrival *from = &saved->arrivals.items[i];
    int fd = reeve_saved_state_steal_fd (state, from->fd, error);

    if (fd < 0)
      return FALSE;
    reeve_fd_inbox_add (&self->inbox, fd);
    reeve_fd_inbox_note (&self->inbox, from->end);
  }

  return TRUE;
}

static gboolean
restore_attachments (ReeveServerClient *self,
                     ReeveSavedState *state,
                     const takeover_client *saved,
                     GError **error)
{
  const GPtrArray *rows = reeve_server_get_attachments (self->server);

  for (uint32_t i = 0; i < saved->attachments.n_items; i++) {
    const takeover_attachment *from = &saved->attachments.items[i];

    for (unsigned j = 0; j < rows->len; j++) {
      const ReeveServerRow *row = rows->pdata[j];
      const ReeveServerAttachment *kind = row->kind;
      ReeveStateReader reader = { from->data.data, from->data.size };

      if (kind->restore != NULL && g_str_equal (kind->name, from->name) &&
          !kind->restore (self, &reader, state, row->user_data, error))
        return FALSE;
    }
  }

  return TRUE;
}

static void
restore_identity (ReeveServerClient *self, const takeover_client *saved)
{
  self->connect_time = saved->connect_time;
  atomic_store (&self->has_spoken, saved->has_spoken);
  if (saved->is_authenticated && !atomic_load (&self->is_authenticated)) {
    reeve_server_client_stop_patience (self);
    reeve_server_client_set_authenticated (self, saved->sasl_name);
  }
  if (saved->is_refused) {
    reeve_server_note_refused (self->server, self->transport);
    reeve_server_client_refuse (self);
  }
}

static gboolean
restore_life (ReeveServerClient *self,
              ReeveStateReader *reader,
              const takeover_client *saved,
              GError **error)
{
  takeover_client_life life = { .alive_us = g_get_monotonic_time () };
  ReeveKeepalive keepalive = { 0 };

  if (REEVE_CLIENT_FORMAT >= 2 && reader->size > 0 &&
      !reeve_state_reader_take (reader, &takeover_client_life_type, &life,
                                error))
    return FALSE;
  if (!saved->has_keepalive)
    return TRUE;

  keepalive.alive_us = life.alive_us;
  keepalive.asked_us = life.asked_us;
  keepalive.n_asked = life.n_asked;
  reeve_server_client_restore_keepalive (self, &keepalive);
  return TRUE;
}

static gboolean
restore_wire (ReeveServerClient *self, ReeveStateReader *reader, GError **error)
{
  takeover_client_wire saved = { .wires = self->wires };
  const ReeveWire *wire;

  if (REEVE_CLIENT_FORMAT >= 3 && reader->size > 0 &&
      !reeve_state_reader_take (reader, &takeover_client_wire_type, &saved,
                                error))
    return FALSE;

  self->wires = (ReeveWires) (saved.wires & REEVE_WIRE_ALL);
  wire = reeve_wire_find ((ReeveWires) saved.chosen);
  if (wire != NULL)
    reeve_server_client_set_wire (self, wire);
  return TRUE;
}

static gboolean
check (ReeveServer *server, const takeover_client *saved, GError **error)
{
  g_autoptr (ReeveServerClient) other =
      reeve_server_find_client (server, saved->id);

  if (other == NULL && saved->id > 0 && saved->auth >= REEVE_AUTH_NONE &&
      saved->auth <= REEVE_AUTH_POLKIT &&
      saved->input.size <= REEVE_MESSAGE_MAX + REEVE_MESSAGE_MAX_FDS)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
               _ ("the saved state of client %" PRIu64 " makes no sense"),
               saved->id);
  return FALSE;
}

/* (transfer none) (nullable): it is the server's. */
static ReeveServerClient *
make_client (ReeveServer *server,
             ReeveSavedState *state,
             const takeover_client *saved,
             GError **error)
{
  const ReeveServiceOptions options = {
    .flags =
        saved->is_read_only ? REEVE_SERVICE_READ_ONLY : REEVE_SERVICE_DEFAULT,
    .auth = (ReeveAuth) saved->auth,
  };
  ReeveServerClient *self;
  int fd;

  if (!check (server, saved, error))
    return NULL;
  fd = reeve_saved_state_steal_fd (state, saved->fd, error);
  if (fd < 0)
    return NULL;

  self = reeve_server_client_new (reeve_server_choose_loop (server),
                                  reeve_stream_new_for_fd (fd), saved->id,
                                  &options, NULL);
  reeve_server_remember (server, self);
  restore_identity (self, saved);
  return self;
}

gboolean
reeve_server_client_restore (ReeveServer *server,
                             ReeveSavedState *state,
                             ReeveStateReader *reader,
                             GError **error)
{
  takeover_client saved = { 0 };
  ReeveServerClient *self;
  gboolean is_restored;

  if (!reeve_state_reader_take (reader, &takeover_client_type, &saved, error))
    return FALSE;

  self = make_client (server, state, &saved, error);
  is_restored = self != NULL && restore_input (self, state, &saved, error) &&
                restore_connection (self, state, &saved, error) &&
                restore_life (self, reader, &saved, error) &&
                restore_wire (self, reader, error) &&
                restore_attachments (self, state, &saved, error);
  if (is_restored)
    reeve_data_stream_restore_all (self, state, &saved);
  takeover_client_clear (&saved);
  return is_restored;
}
