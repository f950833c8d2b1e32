/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/loop-private.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

void
reeve_loop_arm_timer_locked (ReeveLoop *self)
{
  ReeveTimeoutNode *first = reeve_timeout_heap_peek (&self->timeouts);
  gint64 due_us = first == NULL ? 0 : MAX (first->due_us, 1);
  struct itimerspec setting = {
    .it_value.tv_sec = due_us / G_USEC_PER_SEC,
    .it_value.tv_nsec = due_us % G_USEC_PER_SEC * 1000,
  };

  /* What it was set for may have been removed: then it comes for nothing once,
   * which costs less than to set it for each timeout that comes and goes. */
  if (due_us == 0 || (self->timer_due_us != 0 && due_us >= self->timer_due_us))
    return;

  self->timer_due_us = due_us;
  timerfd_settime (self->timer_fd, TFD_TIMER_ABSTIME, &setting, NULL);
}

static void
schedule_locked (ReeveLoop *self, ReeveWatch *watch, gint64 now_us)
    REEVE_REQUIRES (self->lock)
{
  reeve_timeout_heap_remove (&self->timeouts, &watch->timeout.node);
  if (watch->timeout.interval_ms < 0)
    return;

  watch->timeout.node.due_us =
      now_us + (gint64) watch->timeout.interval_ms * 1000;
  reeve_timeout_heap_insert (&self->timeouts, &watch->timeout.node);
}

int
reeve_loop_add_timeout (ReeveLoop *self,
                        int interval_ms,
                        ReeveTimeoutFunc func,
                        gpointer data,
                        GDestroyNotify free_func)
{
  ReeveWatch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = reeve_loop_add_watch_locked (self, REEVE_WATCH_TIMEOUT,
                                       (ReeveWatchFunc) func, data, free_func);
  watch->timeout.interval_ms = interval_ms;
  schedule_locked (self, watch, g_get_monotonic_time ());
  reeve_loop_arm_timer_locked (self);
  return watch->id;
}

void
reeve_loop_update_timeout (ReeveLoop *self, int id, int interval_ms)
{
  ReeveWatch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = reeve_loop_find_watch_locked (self, id, REEVE_WATCH_TIMEOUT);
  if (watch == NULL)
    return;

  watch->timeout.interval_ms = interval_ms;
  schedule_locked (self, watch, g_get_monotonic_time ());
  reeve_loop_arm_timer_locked (self);
}

/* The next timeout that is due and was not called in this round, held. */
static ReeveWatch *
next_due (ReeveLoop *self, gint64 now_us)
{
  ReeveTimeoutNode *node;
  ReeveWatch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  node = reeve_timeout_heap_peek (&self->timeouts);
  if (node == NULL || node->due_us > now_us)
    return NULL;

  watch = (ReeveWatch *) ((char *) node -
                          G_STRUCT_OFFSET (ReeveWatch, timeout.node));
  /* "Each turn" is due again at once: it is moved behind this round. */
  schedule_locked (self, watch,
                   watch->timeout.interval_ms == 0 ? now_us + 1 : now_us);
  watch->n_running++;
  return watch;
}

void
reeve_loop_dispatch_timeouts (ReeveLoop *self)
{
  gint64 now_us = g_get_monotonic_time ();
  uint64_t n_expired;
  ReeveWatch *watch;

  if (read (self->timer_fd, &n_expired, sizeof n_expired) < 0)
    g_assert (errno == EAGAIN || errno == ECANCELED);

  while ((watch = next_due (self, now_us)) != NULL) {
    ((ReeveTimeoutFunc) watch->func) (self, watch->id, watch->data);
    reeve_watch_end_call (watch);
  }

  REEVE_LOCK_SCOPE (&self->lock);

  self->timer_due_us = 0;
  reeve_loop_arm_timer_locked (self);
}
