/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/reconnect.h"

#define DEFAULT_MIN_BACKOFF_MS 1000
#define DEFAULT_MAX_BACKOFF_MS 8000
#define DEFAULT_PROBE_INTERVAL_MS 5000
/* An attempt has as long as the back-off before it, and not less than this. */
#define MIN_ATTEMPT_MS 1000
#define MIN_PROBE_INTERVAL_MS 1000

void
reeve_reconnect_init (ReeveReconnect *self, gint64 now_ms)
{
  *self = (ReeveReconnect){
    .state = REEVE_RECONNECT_VOID,
    .entered_ms = now_ms,
    .min_backoff_ms = DEFAULT_MIN_BACKOFF_MS,
    .max_backoff_ms = DEFAULT_MAX_BACKOFF_MS,
    .probe_interval_ms = DEFAULT_PROBE_INTERVAL_MS,
    .tries_left = REEVE_RECONNECT_UNLIMITED,
    .activity_ms = now_ms,
    .connected_ms = -1,
    .disconnected_ms = -1,
    .received_ms = now_ms,
  };
}

static gboolean
is_state_connected (ReeveReconnectState state)
{
  return state == REEVE_RECONNECT_ACTIVE || state == REEVE_RECONNECT_IDLE;
}

gboolean
reeve_reconnect_is_connected (const ReeveReconnect *self)
{
  return is_state_connected (self->state);
}

static void
enter (ReeveReconnect *self, ReeveReconnectState state, gint64 now_ms)
{
  gboolean was_connected = is_state_connected (self->state);
  gboolean is_connected = is_state_connected (state);

  if (self->state == REEVE_RECONNECT_CONNECTING) {
    self->n_attempted++;
    if (state == REEVE_RECONNECT_ACTIVE)
      self->n_successful++;
  }
  if (was_connected != is_connected)
    self->sequence++;
  if (was_connected && !is_connected)
    self->total_connected_ms += now_ms - self->connected_ms;
  self->was_connected = was_connected && state == REEVE_RECONNECT_RECONNECT;
  self->state = state;
  self->entered_ms = now_ms;
}

static gboolean
take_try (ReeveReconnect *self)
{
  if (self->tries_left == 0)
    return FALSE;

  if (self->tries_left != REEVE_RECONNECT_UNLIMITED)
    self->tries_left--;
  return TRUE;
}

static void
wait_for_nothing (ReeveReconnect *self, gint64 now_ms)
{
  self->backoff_ms = 0;
  enter (self, REEVE_RECONNECT_BACKOFF, now_ms);
}

/* ------------------------------------------------------------ settings --- */

void
reeve_reconnect_set_backoff (ReeveReconnect *self, int min_ms, int max_ms)
{
  if (min_ms <= 0)
    min_ms = DEFAULT_MIN_BACKOFF_MS;
  if (max_ms <= 0)
    max_ms = DEFAULT_MAX_BACKOFF_MS;

  self->min_backoff_ms = MAX (min_ms, REEVE_RECONNECT_MIN_MS);
  self->max_backoff_ms = MAX (max_ms, self->min_backoff_ms);
  if (self->state == REEVE_RECONNECT_BACKOFF)
    self->backoff_ms = MIN (self->backoff_ms, self->max_backoff_ms);
}

void
reeve_reconnect_set_probe_interval (ReeveReconnect *self, int interval_ms)
{
  self->probe_interval_ms =
      interval_ms <= 0 ? 0 : MAX (interval_ms, MIN_PROBE_INTERVAL_MS);
}

void
reeve_reconnect_set_max_tries (ReeveReconnect *self, unsigned n_tries)
{
  self->tries_left = n_tries;
}

void
reeve_reconnect_set_free_tries (ReeveReconnect *self, unsigned n_tries)
{
  self->free_tries = n_tries;
}

void
reeve_reconnect_set_passive (ReeveReconnect *self,
                             gboolean is_passive,
                             gint64 now_ms)
{
  if (self->is_passive == is_passive)
    return;

  self->is_passive = is_passive;
  if (is_passive ? self->state == REEVE_RECONNECT_CONNECTING ||
                       self->state == REEVE_RECONNECT_RECONNECT
                 : self->state == REEVE_RECONNECT_LISTENING && take_try (self))
    wait_for_nothing (self, now_ms);
}

void
reeve_reconnect_enable (ReeveReconnect *self, gint64 now_ms)
{
  if (self->state == REEVE_RECONNECT_VOID && take_try (self))
    wait_for_nothing (self, now_ms);
}

void
reeve_reconnect_disable (ReeveReconnect *self, gint64 now_ms)
{
  if (self->state != REEVE_RECONNECT_VOID)
    enter (self, REEVE_RECONNECT_VOID, now_ms);
}

void
reeve_reconnect_force (ReeveReconnect *self, gint64 now_ms)
{
  if (self->state == REEVE_RECONNECT_CONNECTING ||
      reeve_reconnect_is_connected (self))
    enter (self, REEVE_RECONNECT_RECONNECT, now_ms);
}

/* -------------------------------------------------------------- events --- */

void
reeve_reconnect_connecting (ReeveReconnect *self, gint64 now_ms)
{
  if (self->state != REEVE_RECONNECT_CONNECTING)
    enter (self, REEVE_RECONNECT_CONNECTING, now_ms);
}

void
reeve_reconnect_listening (ReeveReconnect *self, gint64 now_ms)
{
  if (self->state != REEVE_RECONNECT_LISTENING)
    enter (self, REEVE_RECONNECT_LISTENING, now_ms);
}

void
reeve_reconnect_listen_failed (ReeveReconnect *self, gint64 now_ms)
{
  if (self->state == REEVE_RECONNECT_LISTENING)
    reeve_reconnect_disconnected (self, now_ms);
}

void
reeve_reconnect_connected (ReeveReconnect *self, gint64 now_ms)
{
  if (reeve_reconnect_is_connected (self))
    return;

  reeve_reconnect_connecting (self, now_ms);
  enter (self, REEVE_RECONNECT_ACTIVE, now_ms);
  self->connected_ms = now_ms;
}

void
reeve_reconnect_connect_failed (ReeveReconnect *self, gint64 now_ms)
{
  gboolean is_wanted = self->state != REEVE_RECONNECT_VOID;

  reeve_reconnect_connecting (self, now_ms);
  if (is_wanted)
    reeve_reconnect_disconnected (self, now_ms);
  else
    enter (self, REEVE_RECONNECT_VOID, now_ms);
}

/* Whether the connection that ends was of use: it was alive for longer than
 * what was waited for it. */
static gboolean
was_healthy (const ReeveReconnect *self)
{
  return self->is_passive ||
         self->activity_ms - self->connected_ms >= self->backoff_ms;
}

static int
grow (const ReeveReconnect *self)
{
  if (self->backoff_ms < self->min_backoff_ms)
    return self->min_backoff_ms;
  return self->backoff_ms < self->max_backoff_ms / 2 ? 2 * self->backoff_ms
                                                     : self->max_backoff_ms;
}

void
reeve_reconnect_disconnected (ReeveReconnect *self, gint64 now_ms)
{
  gboolean was_connected =
      reeve_reconnect_is_connected (self) || self->was_connected;

  if (self->state == REEVE_RECONNECT_VOID ||
      self->state == REEVE_RECONNECT_BACKOFF)
    return;

  if (was_connected)
    self->disconnected_ms = now_ms;
  if (!take_try (self)) {
    enter (self, REEVE_RECONNECT_VOID, now_ms);
    return;
  }

  if (self->free_tries > 1) {
    self->free_tries--;
    self->backoff_ms = 0;
  } else if (was_connected && was_healthy (self)) {
    self->backoff_ms = self->is_passive ? 0 : self->min_backoff_ms;
  } else {
    self->backoff_ms = grow (self);
  }
  enter (self, REEVE_RECONNECT_BACKOFF, now_ms);
}

void
reeve_reconnect_activity (ReeveReconnect *self, gint64 now_ms)
{
  if (self->state == REEVE_RECONNECT_IDLE)
    enter (self, REEVE_RECONNECT_ACTIVE, now_ms);
  self->activity_ms = now_ms;
}

void
reeve_reconnect_receive_attempted (ReeveReconnect *self, gint64 now_ms)
{
  self->received_ms = now_ms;
}

/* ---------------------------------------------------------------- time --- */

/* Not before we looked, at that time or later, whether something came. */
static gint64
get_probe_deadline (const ReeveReconnect *self, gint64 since_ms, gint64 now_ms)
{
  gint64 due_ms = since_ms + self->probe_interval_ms;

  if (self->probe_interval_ms == 0)
    return G_MAXINT64;
  return now_ms >= due_ms && self->received_ms < due_ms ? now_ms + 1 : due_ms;
}

static gint64
get_deadline (const ReeveReconnect *self, gint64 now_ms)
{
  switch (self->state) {
  case REEVE_RECONNECT_BACKOFF:
    return self->entered_ms + self->backoff_ms;
  case REEVE_RECONNECT_CONNECTING:
    return self->entered_ms + MAX (MIN_ATTEMPT_MS, self->backoff_ms);
  case REEVE_RECONNECT_ACTIVE:
    return get_probe_deadline (self, MAX (self->activity_ms, self->entered_ms),
                               now_ms);
  case REEVE_RECONNECT_IDLE:
    return get_probe_deadline (self, self->entered_ms, now_ms);
  case REEVE_RECONNECT_RECONNECT:
    return self->entered_ms;
  default:
    return G_MAXINT64;
  }
}

int
reeve_reconnect_get_timeout (const ReeveReconnect *self, gint64 now_ms)
{
  gint64 deadline_ms = get_deadline (self, now_ms);

  if (deadline_ms == G_MAXINT64)
    return -1;
  return (int) CLAMP (deadline_ms - now_ms, 0, INT_MAX);
}

ReeveReconnectStep
reeve_reconnect_run (ReeveReconnect *self, gint64 now_ms)
{
  if (now_ms < get_deadline (self, now_ms))
    return REEVE_RECONNECT_STEP_NONE;

  switch (self->state) {
  case REEVE_RECONNECT_BACKOFF:
    return REEVE_RECONNECT_STEP_CONNECT;
  case REEVE_RECONNECT_ACTIVE:
    enter (self, REEVE_RECONNECT_IDLE, now_ms);
    return REEVE_RECONNECT_STEP_PROBE;
  default:
    return REEVE_RECONNECT_STEP_DISCONNECT;
  }
}

const char *
reeve_reconnect_get_state_name (const ReeveReconnect *self)
{
  static const char *const names[] = {
    [REEVE_RECONNECT_VOID] = "void",
    [REEVE_RECONNECT_BACKOFF] = "backoff",
    [REEVE_RECONNECT_CONNECTING] = "connecting",
    [REEVE_RECONNECT_ACTIVE] = "active",
    [REEVE_RECONNECT_IDLE] = "idle",
    [REEVE_RECONNECT_RECONNECT] = "reconnect",
    [REEVE_RECONNECT_LISTENING] = "listening",
  };

  return names[self->state];
}
