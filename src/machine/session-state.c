/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/machine-state.h"
#include "machine/session-private.h"
#include "rpc/server-state.h"

#include <string.h>

static void
save_subscription (const ReeveSubscription *self,
                   machine_state_subscription *saved)
{
  saved->kind = (int32_t) self->kind;
  saved->id = self->id;
  saved->event_id = self->event_id;
  if (self->has_uuid)
    saved->uuid = g_memdup2 (self->uuid, sizeof self->uuid);
  saved->name = g_strdup (self->name);
  saved->is_regex = self->regex != NULL;
  saved->ignores_case = self->ignores_case;
}

static void
fill (ReeveSession *self, machine_state_session *saved)
{
  REEVE_LOCK_SCOPE (&self->lock);

  saved->is_open = self->is_open;
  saved->is_watching = self->is_watching;
  saved->last_id = self->last_id;
  saved->subscriptions.n_items = self->subscriptions->len;
  saved->subscriptions.items =
      g_new0 (machine_state_subscription, self->subscriptions->len);
  for (guint i = 0; i < self->subscriptions->len; i++)
    save_subscription (self->subscriptions->pdata[i],
                       &saved->subscriptions.items[i]);
}

static void
save_owned (ReeveSession *self,
            ReeveServerClient *client,
            machine_state_session *saved)
{
  g_autoptr (GPtrArray) owned =
      reeve_machine_list_get_owned (self->machines, client);

  saved->owned.n_items = owned->len;
  saved->owned.items = g_malloc0_n (owned->len, sizeof *saved->owned.items);
  for (guint i = 0; i < owned->len; i++)
    memcpy (saved->owned.items[i], reeve_machine_get_uuid (owned->pdata[i]),
            sizeof *saved->owned.items);
}

static gboolean
save (ReeveServerClient *client,
      gpointer data,
      ReeveSavedState *state,
      GByteArray *bytes,
      GError **error)
{
  machine_state_session saved = { 0 };
  gboolean is_saved;

  fill (data, &saved);
  save_owned (data, client, &saved);
  is_saved =
      reeve_state_append (bytes, &machine_state_session_type, &saved, error);
  machine_state_session_clear (&saved);
  return is_saved;
}

static gboolean
restore_subscriptions_locked (ReeveSession *self,
                              const machine_state_session *saved,
                              GError **error) REEVE_REQUIRES (self->lock)
{
  self->is_open = saved->is_open;
  self->is_watching = saved->is_watching;
  self->last_id = saved->last_id;
  for (uint32_t i = 0; i < saved->subscriptions.n_items; i++) {
    const machine_state_subscription *from = &saved->subscriptions.items[i];
    ReeveSubscription *subscription = reeve_subscription_new (
        (ReeveSubscriptionKind) from->kind, from->event_id,
        from->uuid == NULL ? NULL : *from->uuid, from->name, from->is_regex,
        from->ignores_case, error);

    if (subscription == NULL)
      return FALSE;
    subscription->id = from->id;
    g_ptr_array_add (self->subscriptions, subscription);
  }

  return TRUE;
}

static gboolean
restore_subscriptions (ReeveSession *self,
                       const machine_state_session *saved,
                       GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return restore_subscriptions_locked (self, saved, error);
}

static void
restore_owned (ReeveSession *self, const machine_state_session *saved)
{
  gconstpointer owner =
      saved->owned.n_items == 0 ? NULL : reeve_session_own (self, NULL);

  for (uint32_t i = 0; i < saved->owned.n_items; i++) {
    g_autoptr (ReeveMachine) machine = reeve_machine_list_lookup_uuid (
        self->machines, saved->owned.items[i], NULL);

    if (machine != NULL)
      reeve_machine_set_owner (machine, owner);
  }
}

static gboolean
restore (ReeveServerClient *client,
         ReeveStateReader *reader,
         ReeveSavedState *state,
         gpointer user_data,
         GError **error)
{
  ReeveMachineList *machines = user_data;
  ReeveSession *self = reeve_session_get_for (client, machines);
  machine_state_session saved = { 0 };
  gboolean is_restored;

  if (!reeve_state_reader_take (reader, &machine_state_session_type, &saved,
                                error))
    return FALSE;

  is_restored = restore_subscriptions (self, &saved, error);
  restore_owned (self, &saved);
  if (saved.subscriptions.n_items > 0 || saved.is_watching)
    reeve_session_listen (self);
  machine_state_session_clear (&saved);
  return is_restored;
}

void
reeve_remote_keep_sessions (ReeveServer *server, ReeveMachineList *machines)
{
  static const ReeveServerAttachment kind = {
    .name = "session",
    .key = &reeve_session_key,
    .save = save,
    .restore = restore,
  };

  reeve_server_add_attachment (server, &kind, machines);
}
