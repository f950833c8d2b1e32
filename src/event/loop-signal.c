/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/loop-private.h"

#include <errno.h>
#include <glib-unix.h>

static gboolean
dispatch_signal (gpointer data)
{
  ReeveWatch *watch = data;
  ReeveLoop *self = reeve_loop_ref (watch->signal.loop);

  if (reeve_loop_begin_call (self, watch)) {
    ((ReeveSignalFunc) watch->func) (self, watch->id, watch->signal.signum,
                                     watch->data);
    reeve_watch_end_call (watch);
  }
  if (self->depth == 0)
    reeve_loop_free_removed (self);
  reeve_loop_unref (self);
  return G_SOURCE_CONTINUE;
}

int
reeve_loop_add_signal (ReeveLoop *self,
                       int signum,
                       ReeveSignalFunc func,
                       gpointer data,
                       GDestroyNotify free_func)
{
  static const int known[] = { SIGHUP,  SIGINT,  SIGTERM,
                               SIGUSR1, SIGUSR2, SIGWINCH };
  ReeveWatch *watch;
  size_t i = 0;

  while (i < G_N_ELEMENTS (known) && known[i] != signum)
    i++;
  if (i == G_N_ELEMENTS (known)) {
    errno = EINVAL;
    return -1;
  }

  REEVE_LOCK_SCOPE (&self->lock);

  watch = reeve_loop_add_watch_locked (self, REEVE_WATCH_SIGNAL,
                                       (ReeveWatchFunc) func, data, free_func);
  watch->signal.loop = self;
  watch->signal.signum = signum;
  watch->signal.source = g_unix_signal_source_new (signum);
  g_source_set_callback (watch->signal.source, dispatch_signal, watch, NULL);
  g_source_attach (watch->signal.source, self->context);
  return watch->id;
}
