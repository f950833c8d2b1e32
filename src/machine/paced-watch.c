/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/paced-watch.h"

static void
on_ready (ReeveLoop *loop, int watch, int fd, ReeveEvents events, gpointer data)
{
  ReevePacedWatch *self = data;

  self->is_pausing = TRUE;
  reeve_loop_update_handle (loop, self->handle, REEVE_EVENT_NONE);
  reeve_loop_update_timeout (loop, self->timer, self->interval_ms);
  self->func (events, self->data);
}

static void
on_interval (ReeveLoop *loop, int watch, gpointer data)
{
  ReevePacedWatch *self = data;

  self->is_pausing = FALSE;
  reeve_loop_update_timeout (loop, self->timer, -1);
  reeve_loop_update_handle (loop, self->handle, self->events);
}

gboolean
reeve_paced_watch_init (ReevePacedWatch *self,
                        ReeveLoop *loop,
                        int fd,
                        ReeveEvents events,
                        int interval_ms,
                        void (*func) (ReeveEvents events, gpointer data),
                        gpointer data)
{
  self->handle = reeve_loop_add_handle (loop, fd, events, on_ready, self, NULL);
  if (self->handle < 0)
    return FALSE;

  self->loop = reeve_loop_ref (loop);
  self->timer = reeve_loop_add_timeout (loop, -1, on_interval, self, NULL);
  self->interval_ms = interval_ms;
  self->is_pausing = FALSE;
  self->events = events;
  self->func = func;
  self->data = data;
  return TRUE;
}

void
reeve_paced_watch_clear (ReevePacedWatch *self)
{
  if (self->loop == NULL)
    return;

  reeve_loop_remove (self->loop, self->handle);
  reeve_loop_remove (self->loop, self->timer);
  self->handle = -1;
  self->timer = -1;
  g_clear_pointer (&self->loop, reeve_loop_unref);
}

void
reeve_paced_watch_update (ReevePacedWatch *self, ReeveEvents events)
{
  self->events = events;
  if (!self->is_pausing)
    reeve_loop_update_handle (self->loop, self->handle, events);
}
