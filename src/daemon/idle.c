/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/idle.h"

#include <stdatomic.h>

#define LOOK_MS 1000

/* Everything else belongs to the loop's thread. */
struct _ReeveIdle {
  ReeveLoop *loop; /* (owned) */
  ReeveIdleFunc is_busy;
  ReeveLoopFunc ended;
  gpointer data;
  int change; /* a pulse: its value is a new timeout */
  int look;   /* a timeout */
  gint64 timeout_us;
  gint64 idle_since_us; /* -1: it was not, at the last look */
  atomic_uint n_holds;
  atomic_uint n_releases; /* since the last look */
};

static void
look (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveIdle *self = data;
  gint64 now_us = g_get_monotonic_time ();
  gboolean was_held = atomic_exchange (&self->n_releases, 0) > 0 ||
                      atomic_load (&self->n_holds) > 0;

  if (self->is_busy (self->data) || was_held) {
    self->idle_since_us = -1;
    return;
  }
  /* Nobody knows when between two looks it ended, so this one counts. */
  if (self->idle_since_us < 0)
    self->idle_since_us = now_us;
  if (now_us - self->idle_since_us < self->timeout_us)
    return;

  reeve_loop_update_timeout (loop, watch, -1);
  self->ended (loop, self->data);
}

static void
change (ReeveLoop *loop, int watch, int code, intptr_t value, gpointer data)
{
  ReeveIdle *self = data;

  self->timeout_us = (gint64) value * G_USEC_PER_SEC;
  self->idle_since_us = g_get_monotonic_time ();
  reeve_loop_update_timeout (loop, self->look, value > 0 ? LOOK_MS : -1);
}

ReeveIdle *
reeve_idle_new (ReeveLoop *loop,
                ReeveIdleFunc is_busy,
                ReeveLoopFunc ended,
                gpointer data)
{
  ReeveIdle *self = g_new0 (ReeveIdle, 1);

  self->loop = reeve_loop_ref (loop);
  self->is_busy = is_busy;
  self->ended = ended;
  self->data = data;
  self->look = reeve_loop_add_timeout (loop, -1, look, self, NULL);
  self->change = reeve_loop_add_pulse (loop, change, self, NULL);
  return self;
}

void
reeve_idle_free (ReeveIdle *self)
{
  if (self == NULL)
    return;

  reeve_loop_remove (self->loop, self->look);
  reeve_loop_remove (self->loop, self->change);
  reeve_loop_unref (self->loop);
  g_free (self);
}

void
reeve_idle_hold (ReeveIdle *self)
{
  atomic_fetch_add (&self->n_holds, 1);
}

void
reeve_idle_release (ReeveIdle *self)
{
  unsigned n_before;

  atomic_fetch_add (&self->n_releases, 1);
  n_before = atomic_fetch_sub (&self->n_holds, 1);
  g_assert (n_before > 0);
}

void
reeve_idle_set_timeout (ReeveIdle *self, unsigned seconds)
{
  reeve_loop_send_pulse (self->loop, self->change, 0,
                         (intptr_t) MIN (seconds, G_MAXINT32));
}
