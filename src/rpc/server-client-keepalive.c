/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/server-client-private.h"
#include "rpc/stream-layer.h"
#include "rpc/wire.h"

#include <inttypes.h>

/*
 * Whether a client that is silent is still there. One timeout for each client
 * that asked for it, which is looked at once in an interval however much the
 * client sends: a byte that comes moves alive_us and nothing else.
 */

/* A call that runs is ours to answer, so the silence is not the client's. */
static void
note_life (ReeveServerClient *self, gint64 now_us)
{
  gboolean has_backlog;
  gint64 n_taken;

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL)
    return;

  n_taken = reeve_stream_count_taken (self->stream, &has_backlog);
  reeve_keepalive_note_output (&self->keepalive, n_taken,
                               has_backlog || self->current != NULL, now_us);
  /* What a worker took, the loop's thread did not see. */
  self->keepalive.alive_us =
      self->calls.length > 0 ? now_us
                             : MAX (self->keepalive.alive_us, self->taken_us);
}

static void
give_up (ReeveServerClient *self, gint64 now_us)
{
  reeve_server_note_refusal (
      self->server, REEVE_REFUSAL_SILENT,
      _ ("Client %1$" PRIu64 " gave no sign of life for %2$d seconds"),
      self->id, (int) ((now_us - self->keepalive.alive_us) / G_USEC_PER_SEC));
  reeve_server_client_close_now (self);
}

static void
look (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveServerClient *self = data;
  int interval_s = REEVE_LIMIT (self->server, keepalive_interval_s);
  gint64 now_us = g_get_monotonic_time ();
  ReeveKeepaliveStep step;
  gint64 due_us;

  if (interval_s < 0) {
    reeve_loop_update_timeout (loop, watch, -1);
    return;
  }

  note_life (self, now_us);
  step = reeve_keepalive_step (&self->keepalive, interval_s,
                               REEVE_LIMIT (self->server, keepalive_count),
                               now_us, &due_us);
  if (step == REEVE_KEEPALIVE_END) {
    give_up (self, now_us);
    return;
  }
  if (step == REEVE_KEEPALIVE_ASK)
    reeve_server_client_send_frame (self, self->wire->make_ping ());
  reeve_loop_update_timeout (loop, watch, (int) ((due_us - now_us) / 1000) + 1);
}

void
reeve_server_client_restore_keepalive (ReeveServerClient *self,
                                       const ReeveKeepalive *keepalive)
{
  self->keepalive = *keepalive;
  self->keepalive_watch = reeve_loop_add_timeout (
      self->home->loop, 0, look, reeve_server_client_ref (self),
      (GDestroyNotify) reeve_server_client_unref);
}

static void
enable (ReeveLoop *loop, gpointer data)
{
  ReeveServerClient *self = data;
  const ReeveKeepalive keepalive = { .alive_us = g_get_monotonic_time () };

  if (self->wire->make_ping != NULL && self->keepalive_watch == 0 &&
      !reeve_server_client_is_closed (self))
    reeve_server_client_restore_keepalive (self, &keepalive);
  reeve_server_client_unref (self);
}

void
reeve_server_client_enable_keepalive (ReeveServerClient *self)
{
  reeve_loop_invoke (self->home->loop, enable, reeve_server_client_ref (self));
}

void
reeve_server_client_update_keepalive (ReeveServerClient *self)
{
  if (self->keepalive_watch > 0)
    reeve_loop_update_timeout (self->home->loop, self->keepalive_watch, 0);
}

void
reeve_server_client_stop_keepalive (ReeveServerClient *self)
{
  if (self->keepalive_watch > 0)
    reeve_loop_remove (self->home->loop, self->keepalive_watch);
  self->keepalive_watch = 0;
}
