/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/server-state.h"

#include "event/intl.h"
#include "protocol/takeover.h"
#include "rpc/server-inside.h"

/* A whole server on its way to another process; server-client-state.c has one
 * client. */

#define FORMAT 1

static void
add_row (GPtrArray *rows, gconstpointer kind, gpointer user_data)
{
  ReeveServerRow *row = g_new (ReeveServerRow, 1);

  *row = (ReeveServerRow){ kind, user_data };
  g_ptr_array_add (rows, row);
}

void
reeve_server_add_attachment (ReeveServer *self,
                             const ReeveServerAttachment *attachment,
                             gpointer user_data)
{
  add_row (self->attachments, attachment, user_data);
}

void
reeve_server_add_stream_kind (ReeveServer *self,
                              const ReeveServerStreamKind *kind,
                              gpointer user_data)
{
  add_row (self->stream_kinds, kind, user_data);
}

const GPtrArray *
reeve_server_get_attachments (ReeveServer *self)
{
  return self->attachments;
}

const GPtrArray *
reeve_server_get_stream_kinds (ReeveServer *self)
{
  return self->stream_kinds;
}

/* -------------------------------------------------------------- freezing -- */

gboolean
reeve_server_is_frozen (ReeveServer *self)
{
  return atomic_load_explicit (&self->is_frozen, memory_order_relaxed);
}

static void
set_frozen (ReeveServer *self, gboolean is_frozen)
{
  g_autoptr (GPtrArray) clients = NULL;

  reeve_server_hold_loops (self);
  atomic_store (&self->is_frozen, is_frozen);
  clients = reeve_server_dup_clients (self);
  for (unsigned i = 0; i < self->services->len; i++)
    reeve_service_set_frozen (self->services->pdata[i], is_frozen);
  for (unsigned i = 0; i < clients->len; i++) {
    if (is_frozen)
      reeve_server_client_freeze (clients->pdata[i]);
    else
      reeve_server_client_thaw (clients->pdata[i]);
  }
  reeve_server_release_loops (self);
}

void
reeve_server_freeze (ReeveServer *self)
{
  set_frozen (self, TRUE);
}

/* Takes @text. Returns FALSE. */
static gboolean
tell (char *text, char **why)
{
  if (why != NULL)
    *why = text;
  else
    g_free (text);
  return FALSE;
}

/* (transfer full) (nullable): what the first client says that says anything. */
static char *
ask_clients (ReeveServer *self, char *(*ask) (ReeveServerClient *) )
{
  g_autoptr (GPtrArray) clients = reeve_server_dup_clients (self);
  char *text = NULL;

  for (unsigned i = 0; i < clients->len && text == NULL; i++)
    text = ask (clients->pdata[i]);
  return text;
}

gboolean
reeve_server_can_freeze (ReeveServer *self, char **why)
{
  char *text;

  reeve_server_hold_loops (self);
  text = ask_clients (self, reeve_server_client_find_obstacle);
  reeve_server_release_loops (self);
  return text == NULL || tell (text, why);
}

/* (transfer full) (nullable): what still runs, while loops stand still. */
static char *
find_activity (ReeveServer *self)
{
  char *text = ask_clients (self, reeve_server_client_find_activity);

  if (text != NULL)
    return text;
  if (atomic_load (&self->n_errands) > 0)
    return g_strdup_printf (
        _ ("a thread of the server %s has to hear of a client"), self->name);
  /* A call may have been answered and run on. */
  if (!reeve_job_pool_is_idle (self->pool))
    return g_strdup_printf (_ ("a worker of the server %s is busy"),
                            self->name);
  return NULL;
}

/* From then on nothing begins, as the loops stand still until it is thawed. */
static void
set_still (ReeveServer *self, gboolean is_still)
{
  if (is_still && !self->is_still)
    reeve_server_hold_loops (self);
  else if (!is_still && self->is_still)
    reeve_server_release_loops (self);
  self->is_still = is_still;
}

gboolean
reeve_server_is_quiet (ReeveServer *self, char **why)
{
  char *text;

  set_still (self, TRUE);
  text = find_activity (self);
  if (text != NULL || !reeve_server_is_frozen (self))
    set_still (self, FALSE);
  return text == NULL || tell (text, why);
}

void
reeve_server_thaw (ReeveServer *self)
{
  set_frozen (self, FALSE);
  set_still (self, FALSE);
}

/* ---------------------------------------------------------------- saving -- */

static char *
get_section (ReeveServer *self)
{
  return g_strconcat ("server.", self->name, NULL);
}

/* The record stands in the array, or nothing does. */
static gboolean
save_client (ReeveServerClient *client,
             ReeveSavedState *state,
             GArray *records,
             GError **error)
{
  GByteArray *saved = g_byte_array_new ();
  takeover_record record = { 0 };

  if (!reeve_server_client_save (client, state, saved, error)) {
    g_byte_array_unref (saved);
    return FALSE;
  }

  record.data.size = saved->len;
  record.data.data = g_byte_array_free (saved, FALSE);
  g_array_append_val (records, record);
  return TRUE;
}

static gboolean
save_clients (ReeveServer *self,
              ReeveSavedState *state,
              GArray *records,
              GError **error)
{
  g_autoptr (GPtrArray) clients = reeve_server_dup_clients (self);

  for (unsigned i = 0; i < clients->len; i++)
    if (reeve_server_client_can_move (clients->pdata[i]) &&
        !save_client (clients->pdata[i], state, records, error))
      return FALSE;

  return TRUE;
}

static void
clear_record (gpointer data)
{
  takeover_record_clear (data);
}

static uint64_t
get_last_id (ReeveServer *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->last_client_id;
}

gboolean
reeve_server_save (ReeveServer *self, ReeveSavedState *state, GError **error)
{
  g_autofree char *section = get_section (self);
  g_autoptr (GArray) records =
      g_array_new (FALSE, FALSE, sizeof (takeover_record));
  GByteArray *data;
  takeover_server saved = { 0 };

  set_still (self, TRUE);
  saved.last_client_id = get_last_id (self);
  g_array_set_clear_func (records, clear_record);
  if (!save_clients (self, state, records, error))
    return FALSE;

  saved.clients.n_items = records->len;
  saved.clients.items = (takeover_record *) (void *) records->data;
  data = g_byte_array_new ();
  if (!reeve_state_append (data, &takeover_server_type, &saved, error)) {
    g_byte_array_unref (data);
    return FALSE;
  }
  reeve_saved_state_add (state, section, FORMAT, FORMAT, data);
  return TRUE;
}

/* ------------------------------------------------------------- restoring -- */

static gboolean
restore_clients (ReeveServer *self,
                 ReeveSavedState *state,
                 const takeover_server *saved,
                 GError **error)
{
  for (uint32_t i = 0; i < saved->clients.n_items; i++) {
    const ReeveBytes *record = &saved->clients.items[i].data;
    ReeveStateReader reader = { record->data, record->size };

    if (!reeve_server_client_restore (self, state, &reader, error))
      return FALSE;
  }

  return TRUE;
}

static void
set_last_id (ReeveServer *self, uint64_t id)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->last_client_id = id;
}

gboolean
reeve_server_restore (ReeveServer *self, ReeveSavedState *state, GError **error)
{
  g_autofree char *section = get_section (self);
  takeover_server saved = { 0 };
  ReeveStateReader reader;
  gboolean is_restored;

  g_return_val_if_fail (reeve_server_is_frozen (self), FALSE);

  if (!reeve_saved_state_find (state, section, FORMAT, &reader, error))
    return FALSE;
  if (reader.size == 0)
    return TRUE;
  if (!reeve_state_reader_take (&reader, &takeover_server_type, &saved, error))
    return FALSE;

  set_last_id (self, saved.last_client_id);
  reeve_server_hold_loops (self);
  is_restored = restore_clients (self, state, &saved, error);
  reeve_server_release_loops (self);
  takeover_server_clear (&saved);
  return is_restored;
}
