/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/session-private.h"
#include "rpc/access.h"
#include "rpc/error.h"

#include <string.h>

/* What is kept for a client: whether it opened, and what it wants to know. */

const char reeve_session_key;

static void
subscription_free (gpointer data)
{
  ReeveSubscription *self = data;

  g_free (self->name);
  g_clear_pointer (&self->regex, g_regex_unref);
  g_free (self);
}

static void
session_unref (gpointer data) REEVE_UNCHECKED
{
  ReeveSession *self = data;

  if (!reeve_refs_dec (&self->refs))
    return;

  g_ptr_array_unref (self->subscriptions);
  reeve_machine_list_unref (self->machines);
  reeve_mutex_clear (&self->lock);
  g_free (self);
}

static unsigned
detach (ReeveSession *self, ReeveServerClient **client, gboolean *is_owner)
{
  unsigned subscription;

  REEVE_LOCK_SCOPE (&self->lock);

  *is_owner = self->is_owner;
  subscription = self->list_subscription;
  self->list_subscription = 0;
  *client = g_steal_pointer (&self->client);
  return subscription;
}

/* The client is gone. In the loop's thread. */
static void
session_close (gpointer data)
{
  ReeveSession *self = data;
  ReeveServerClient *client;
  gboolean is_owner;
  unsigned subscription = detach (self, &client, &is_owner);

  if (subscription != 0)
    reeve_machine_list_unsubscribe (self->machines, subscription);
  /* Most have none, and to look at all machines would take its time. */
  if (is_owner)
    reeve_machine_list_destroy_owned (self->machines, client);
}

ReeveSession *
reeve_session_get_for (ReeveServerClient *client,
                       ReeveMachineList *machines) REEVE_UNCHECKED
{
  ReeveSession *self =
      reeve_server_client_get_data (client, &reeve_session_key);

  if (self != NULL)
    return self;

  self = g_new0 (ReeveSession, 1);
  reeve_refs_init (&self->refs);
  reeve_mutex_init (&self->lock);
  self->machines = reeve_machine_list_ref (machines);
  self->client = client;
  self->subscriptions = g_ptr_array_new_with_free_func (subscription_free);
  return reeve_server_client_attach (client, &reeve_session_key, self,
                                     session_close, session_unref);
}

ReeveSession *
reeve_session_get (ReeveCall *call)
{
  return reeve_session_get_for (reeve_call_get_client (call),
                                reeve_remote_get_machines (call));
}

gboolean
reeve_session_is_open (ReeveSession *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->is_open;
}

void
reeve_session_set_open (ReeveSession *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_open = TRUE;
}

gconstpointer
reeve_session_own (ReeveSession *self, GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->client == NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_CLOSED,
                         _ ("the client is gone"));
    return NULL;
  }
  /* Under the lock: whoever closes it finds both, or there is neither. */
  self->is_owner = TRUE;
  reeve_machine_list_add_owner (self->machines, self->client);
  return self->client;
}

gboolean
reeve_session_find_owner (ReeveCall *call,
                          uint32_t start_flags,
                          gconstpointer *owner,
                          GError **error)
{
  *owner = NULL;
  if ((start_flags & REEVE_MACHINE_START_AUTODESTROY) == 0)
    return TRUE;
  *owner = reeve_session_own (reeve_session_get (call), error);
  return *owner != NULL;
}

/* -------------------------------------------------------------- events --- */

static gboolean
name_matches (const ReeveSubscription *self, const char *name)
{
  if (self->regex != NULL)
    return g_regex_match (self->regex, name, 0, NULL);
  if (self->name == NULL)
    return TRUE;
  return self->ignores_case ? g_ascii_strcasecmp (self->name, name) == 0
                            : g_str_equal (self->name, name);
}

static gboolean
matches (const ReeveSubscription *self, const ReeveMachineEvent *event)
{
  enum { IO_ERROR_WITHOUT_REASON = 4 };

  if (self->has_uuid &&
      memcmp (self->uuid, event->uuid, sizeof self->uuid) != 0)
    return FALSE;
  if (self->kind == REEVE_SUBSCRIPTION_MONITOR)
    return event->type == REEVE_MACHINE_EVENT_MONITOR &&
           name_matches (self, event->reason);
  if (self->event_id == IO_ERROR_WITHOUT_REASON)
    return event->type == REEVE_MACHINE_EVENT_IO_ERROR;
  return (int32_t) event->type == self->event_id;
}

typedef struct {
  ReeveSubscriptionKind kind;
  int32_t id;
  int32_t event_id;
} Match;

/* (element-type Match): sending needs no lock of ours. */
static GArray *
find_matches (ReeveSession *self,
              const ReeveMachineEvent *event,
              ReeveServerClient **client,
              gboolean *wants_revision)
{
  GArray *found = g_array_new (FALSE, FALSE, sizeof (Match));

  REEVE_LOCK_SCOPE (&self->lock);

  *client = self->client;
  *wants_revision =
      self->is_watching && event->type != REEVE_MACHINE_EVENT_MONITOR;
  for (unsigned i = 0; i < self->subscriptions->len; i++) {
    const ReeveSubscription *subscription = self->subscriptions->pdata[i];
    const Match match = { subscription->kind, subscription->id,
                          subscription->event_id };

    if (matches (subscription, event))
      g_array_append_val (found, match);
  }

  return found;
}

/* In the loop's thread, as is what closes the client. */
static void
take_event (ReeveMachineEvent *event, gpointer data)
{
  ReeveServerClient *client;
  gboolean wants_revision;
  g_autoptr (GArray) found =
      find_matches (data, event, &client, &wants_revision);

  for (unsigned i = 0; client != NULL && i < found->len; i++) {
    const Match *match = &g_array_index (found, Match, i);
    const char *tag = match->kind == REEVE_SUBSCRIPTION_MONITOR
                          ? "domain:write"
                          : "domain:getattr";

    if (reeve_server_client_may (client, tag, event->name))
      reeve_event_send (client, match->kind, match->event_id, match->id, event);
  }
  if (client != NULL && wants_revision)
    reeve_watch_send_revision (client, event);
}

static gboolean
is_same (const ReeveSubscription *a, const ReeveSubscription *b)
{
  return a->kind == b->kind && a->event_id == b->event_id &&
         a->has_uuid == b->has_uuid &&
         memcmp (a->uuid, b->uuid, sizeof a->uuid) == 0;
}

static gboolean
add_locked (ReeveSession *self, ReeveSubscription *subscription, GError **error)
    REEVE_REQUIRES (self->lock)
{
  for (unsigned i = 0; i < self->subscriptions->len; i++) {
    if (subscription->kind != REEVE_SUBSCRIPTION_MONITOR &&
        is_same (self->subscriptions->pdata[i], subscription)) {
      g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                           _ ("event callback already tracked"));
      return FALSE;
    }
  }
  if (self->subscriptions->len >= REEVE_SESSION_MAX_SUBSCRIPTIONS) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("A client has at most %d event callbacks"),
                 REEVE_SESSION_MAX_SUBSCRIPTIONS);
    return FALSE;
  }

  subscription->id = ++self->last_id;
  g_ptr_array_add (self->subscriptions, subscription);
  return TRUE;
}

static gboolean
add (ReeveSession *self,
     ReeveSubscription *subscription,
     int32_t *id,
     gboolean *is_first,
     GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (!add_locked (self, subscription, error))
    return FALSE;
  *id = subscription->id;
  *is_first = self->list_subscription == 0 && self->client != NULL;
  return TRUE;
}

/* Returns a subscription that is one too many, or 0. */
static unsigned
set_list_subscription (ReeveSession *self, unsigned subscription)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->list_subscription != 0 || self->client == NULL)
    return subscription;
  self->list_subscription = subscription;
  return 0;
}

void
reeve_session_listen (ReeveSession *self)
{
  unsigned subscription;

  reeve_refs_inc (&self->refs);
  subscription = reeve_machine_list_subscribe (self->machines, take_event, self,
                                               session_unref, NULL);
  subscription = set_list_subscription (self, subscription);
  if (subscription != 0)
    reeve_machine_list_unsubscribe (self->machines, subscription);
}

/* Returns whether nobody listens to the list for this client yet. */
static gboolean
set_watching (ReeveSession *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_watching = TRUE;
  return self->list_subscription == 0 && self->client != NULL;
}

void
reeve_session_watch (ReeveSession *self)
{
  if (set_watching (self))
    reeve_session_listen (self);
}

ReeveSubscription *
reeve_subscription_new (ReeveSubscriptionKind kind,
                        int32_t event_id,
                        const uint8_t *uuid,
                        const char *name,
                        gboolean is_regex,
                        gboolean ignores_case,
                        GError **error)
{
  ReeveSubscription *self = g_new0 (ReeveSubscription, 1);

  self->kind = kind;
  self->event_id = event_id;
  self->has_uuid = uuid != NULL;
  if (uuid != NULL)
    memcpy (self->uuid, uuid, sizeof self->uuid);
  self->name = g_strdup (name);
  self->ignores_case = ignores_case;
  if (is_regex && name != NULL) {
    self->regex =
        g_regex_new (name, ignores_case ? G_REGEX_CASELESS : G_REGEX_DEFAULT,
                     G_REGEX_MATCH_DEFAULT, error);
    if (self->regex == NULL) {
      subscription_free (self);
      return NULL;
    }
  }
  return self;
}

gboolean
reeve_session_subscribe (ReeveSession *self,
                         ReeveSubscriptionKind kind,
                         int32_t event_id,
                         const uint8_t *uuid,
                         const char *name,
                         gboolean is_regex,
                         gboolean ignores_case,
                         int32_t *id,
                         GError **error)
{
  ReeveSubscription *subscription = reeve_subscription_new (
      kind, event_id, uuid, name, is_regex, ignores_case, error);
  gboolean is_first = FALSE;

  if (subscription == NULL)
    return FALSE;
  if (!add (self, subscription, id, &is_first, error)) {
    subscription_free (subscription);
    return FALSE;
  }
  if (is_first)
    reeve_session_listen (self);
  return TRUE;
}

gboolean
reeve_session_unsubscribe (ReeveSession *self,
                           ReeveSubscriptionKind kind,
                           int32_t id,
                           GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < self->subscriptions->len; i++) {
    const ReeveSubscription *subscription = self->subscriptions->pdata[i];

    if (subscription->kind != kind ||
        id != (kind == REEVE_SUBSCRIPTION_LEGACY ? subscription->event_id
                                                 : subscription->id))
      continue;
    g_ptr_array_remove_index (self->subscriptions, i);
    return TRUE;
  }

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("event callback %d not registered"), id);
  return FALSE;
}
