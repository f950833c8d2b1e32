/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-private.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/stream-layer.h"

#include <errno.h>

/*
 * Whether the server is still there. It is asked only while somebody waits for
 * something of it: an idle process is not woken. Every byte that comes moves
 * alive_us; the timeout looks at that once in an interval.
 */

static gboolean
is_awaited_locked (ReeveConnection *self) REEVE_REQUIRES (self->lock)
{
  return g_hash_table_size (self->pending) > 0 ||
         g_hash_table_size (self->streams) > 0 ||
         self->subscriptions->len > 0 || self->close_func != NULL;
}

/* What to do, and when to come again (-1: not until it is woken). */
static ReeveKeepaliveStep
step_locked (ReeveConnection *self, gint64 now_us, gint64 *due_us)
    REEVE_REQUIRES (self->lock)
{
  gboolean has_backlog;
  gint64 n_taken;

  *due_us = -1;
  self->keepalive_rests = self->stream == NULL || self->closed != NULL ||
                          self->keepalive_interval_s <= 0 ||
                          !is_awaited_locked (self);
  if (self->keepalive_rests)
    return REEVE_KEEPALIVE_WAIT;

  /* A server that we do not listen to is not silent. */
  if (self->keepalive_is_fresh || self->is_paused)
    self->keepalive.alive_us = now_us;
  self->keepalive_is_fresh = FALSE;
  n_taken = reeve_stream_count_taken (self->stream, &has_backlog);
  reeve_keepalive_note_output (&self->keepalive, n_taken,
                               has_backlog || self->output->len > 0, now_us);
  return reeve_keepalive_step (&self->keepalive, self->keepalive_interval_s,
                               self->keepalive_count, now_us, due_us);
}

static ReeveKeepaliveStep
take_step (ReeveConnection *self, gint64 now_us, gint64 *due_us)
{
  g_autoptr (GBytes) ping = NULL;
  ReeveKeepaliveStep step;
  gsize size;
  const void *data;

  REEVE_LOCK_SCOPE (&self->lock);

  step = step_locked (self, now_us, due_us);
  if (step != REEVE_KEEPALIVE_ASK)
    return step;

  /* A socket that is broken is told of by its watch. */
  ping = reeve_keepalive_make_ping ();
  data = g_bytes_get_data (ping, &size);
  reeve_connection_write_locked (self, data, size);
  return step;
}

static void
look (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveConnection *self = data;
  gint64 now_us = g_get_monotonic_time ();
  gint64 due_us;

  if (take_step (self, now_us, &due_us) == REEVE_KEEPALIVE_END) {
    reeve_loop_update_timeout (loop, watch, -1);
    reeve_connection_lose (
        self, _ ("The server gave no sign of life for %d seconds"),
        (int) ((now_us - self->keepalive.alive_us) / G_USEC_PER_SEC));
    return;
  }

  reeve_loop_update_timeout (
      loop, watch, due_us < 0 ? -1 : (int) ((due_us - now_us) / 1000) + 1);
}

void
reeve_connection_wake_keepalive_locked (ReeveConnection *self)
{
  if (!self->keepalive_rests || self->keepalive_watch == 0)
    return;

  self->keepalive_rests = FALSE;
  self->keepalive_is_fresh = TRUE;
  reeve_loop_update_timeout (self->loop, self->keepalive_watch, 0);
}

void
reeve_connection_set_keepalive (ReeveConnection *self,
                                int interval_s,
                                unsigned count)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->closed != NULL)
    return;

  self->keepalive_interval_s = interval_s;
  self->keepalive_count = count;
  self->keepalive_is_fresh = TRUE;
  if (self->keepalive_watch == 0)
    self->keepalive_watch =
        reeve_loop_add_timeout (self->loop, 0, look, self, NULL);
  else
    reeve_loop_update_timeout (self->loop, self->keepalive_watch, 0);
}
