/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The inside of a session: what it does (session.c), and how it goes along with
 * its client to another process (session-state.c). */

#include "event/refs.h"
#include "event/thread.h"
#include "machine/remote-private.h"

G_BEGIN_DECLS

#define REEVE_SESSION_MAX_SUBSCRIPTIONS 1024

typedef struct {
  ReeveSubscriptionKind kind;
  int32_t id;
  int32_t event_id;
  gboolean has_uuid;
  uint8_t uuid[16];
  char *name;    /* (owned) (nullable) */
  GRegex *regex; /* (owned) (nullable) */
  gboolean ignores_case;
} ReeveSubscription;

struct _ReeveSession {
  ReeveRefs refs;
  ReeveMachineList *machines; /* (owned) */

  ReeveMutex lock;
  gboolean is_open REEVE_GUARDED;
  gboolean is_owner REEVE_GUARDED; /* of machines, maybe */
  /* (not owned): NULL once it is closed, which the loop's thread does. */
  ReeveServerClient *client REEVE_GUARDED;
  unsigned list_subscription REEVE_GUARDED; /* 0: none */
  gboolean is_watching REEVE_GUARDED;       /* wants to know revisions */
  int32_t last_id REEVE_GUARDED;
  GPtrArray *subscriptions REEVE_GUARDED; /* (element-type ReeveSubscription) */
};

/* What it is attached to its client by. */
extern const char reeve_session_key;

/* (transfer none): as reeve_session_get(). */
ReeveSession *
reeve_session_get_for (ReeveServerClient *client, ReeveMachineList *machines);
/* (transfer none): what to start machines with that are to end with the client.
 * Errors: %REEVE_ERROR_CLOSED when it is gone. */
gconstpointer reeve_session_own (ReeveSession *self, GError **error);
/* Errors: of a pattern. Its id is 0. */
ReeveSubscription *reeve_subscription_new (ReeveSubscriptionKind kind,
                                           int32_t event_id,
                                           const uint8_t *uuid,
                                           const char *name,
                                           gboolean is_regex,
                                           gboolean ignores_case,
                                           GError **error);
/* Events of the list come from now on. */
void reeve_session_listen (ReeveSession *self);

G_END_DECLS
