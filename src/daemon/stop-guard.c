/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/stop-guard.h"

#include "daemon/message-ids.h"
#include "event/intl.h"
#include "event/thread.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct _ReeveStopGuard {
  unsigned timeout_s; /* immutable */
  gboolean has_thread;
  pthread_t thread;

  ReeveMutex lock;
  ReeveCond changed;
  gboolean is_done REEVE_GUARDED;
};

static void
end_at_once (int signum)
{
  _exit (EXIT_FAILURE);
}

static gboolean
wait_until_done (ReeveStopGuard *self)
{
  gint64 end_us =
      g_get_monotonic_time () + (gint64) self->timeout_s * G_USEC_PER_SEC;

  REEVE_LOCK_SCOPE (&self->lock);

  while (!self->is_done &&
         reeve_cond_wait_until (&self->changed, &self->lock, end_us))
    ;
  return self->is_done;
}

static void *
run (void *data)
{
  ReeveStopGuard *self = data;

  if (wait_until_done (self))
    return NULL;

  reeve_log_message (G_LOG_LEVEL_CRITICAL, REEVE_MESSAGE_STUCK_STOP,
                     _ ("The orderly stop has not ended within %u seconds: "
                        "something does not come back from its work"),
                     self->timeout_s);
  _exit (EXIT_FAILURE);
}

ReeveStopGuard *
reeve_stop_guard_new (unsigned timeout_s)
{
  ReeveStopGuard *self = g_new0 (ReeveStopGuard, 1);
  const struct sigaction action = { .sa_handler = end_at_once };

  self->timeout_s = timeout_s;
  reeve_mutex_init (&self->lock);
  reeve_cond_init (&self->changed);
  self->has_thread = pthread_create (&self->thread, NULL, run, self) == 0;
  sigaction (SIGTERM, &action, NULL);
  sigaction (SIGINT, &action, NULL);
  return self;
}

static void
set_done (ReeveStopGuard *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_done = TRUE;
  reeve_cond_signal (&self->changed);
}

void
reeve_stop_guard_free (ReeveStopGuard *self)
{
  if (self == NULL)
    return;

  set_done (self);
  if (self->has_thread)
    pthread_join (self->thread, NULL);
  reeve_cond_clear (&self->changed);
  reeve_mutex_clear (&self->lock);
  g_free (self);
}
