/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/loop-private.h"

int
reeve_loop_add_pulse (ReeveLoop *self,
                      ReevePulseFunc func,
                      gpointer data,
                      GDestroyNotify free_func)
{
  ReeveWatch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = reeve_loop_add_watch_locked (self, REEVE_WATCH_PULSE,
                                       (ReeveWatchFunc) func, data, free_func);
  watch->pulse.sent = g_array_new (FALSE, FALSE, sizeof (ReevePulse));
  return watch->id;
}

void
reeve_loop_send_pulse (ReeveLoop *self, int id, int code, intptr_t value)
{
  const ReevePulse pulse = { .code = code, .value = value };
  ReeveWatch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = reeve_loop_find_watch_locked (self, id, REEVE_WATCH_PULSE);
  if (watch == NULL)
    return;

  for (unsigned i = 0; i < watch->pulse.sent->len; i++) {
    ReevePulse *waiting = &g_array_index (watch->pulse.sent, ReevePulse, i);

    if (waiting->code == code) {
      waiting->value = value;
      return;
    }
  }

  g_array_append_val (watch->pulse.sent, pulse);
  if (!watch->pulse.is_waiting) {
    watch->pulse.is_waiting = TRUE;
    g_queue_push_tail (&self->pulsing, watch);
  }
  reeve_loop_wake_locked (self);
}

/* Takes the pulses of one watch, which is held. */
static ReeveWatch *
next_pulsing (ReeveLoop *self, GArray **pulses)
{
  ReeveWatch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = g_queue_pop_head (&self->pulsing);
  if (watch == NULL)
    return NULL;

  watch->pulse.is_waiting = FALSE;
  watch->n_running++;
  *pulses = watch->pulse.sent;
  watch->pulse.sent = g_array_new (FALSE, FALSE, sizeof (ReevePulse));
  return watch;
}

void
reeve_loop_dispatch_pulses (ReeveLoop *self)
{
  GArray *pulses;
  ReeveWatch *watch;

  while ((watch = next_pulsing (self, &pulses)) != NULL) {
    for (unsigned i = 0; i < pulses->len && !reeve_watch_is_removed (watch);
         i++) {
      const ReevePulse *pulse = &g_array_index (pulses, ReevePulse, i);

      ((ReevePulseFunc) watch->func) (self, watch->id, pulse->code,
                                      pulse->value, watch->data);
    }
    g_array_unref (pulses);
    reeve_watch_end_call (watch);
  }
}
