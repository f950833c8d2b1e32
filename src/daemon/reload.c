/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/reload.h"

#include "daemon/message-ids.h"
#include "event/intl.h"
#include "event/refs.h"

#include <pthread.h>

typedef struct {
  const char *name;
  ReeveDaemonReloadFunc func;
  gpointer data;
} Part;

/* Of the loop's thread; @parts does not change while the thread runs. */
struct _ReeveReload {
  ReeveRefs refs;  /* of the owner, and of what the loop has still to do */
  ReeveLoop *loop; /* (owned) */
  const ReeveNotify *notify;
  GArray *parts; /* (element-type Part) (owned) */
  pthread_t thread;
  gboolean is_running;
  gboolean is_wanted; /* once more */
};

ReeveReload *
reeve_reload_new (ReeveLoop *loop, const ReeveNotify *notify)
{
  ReeveReload *self = g_new0 (ReeveReload, 1);

  reeve_refs_init (&self->refs);
  self->loop = reeve_loop_ref (loop);
  self->notify = notify;
  self->parts = g_array_new (FALSE, FALSE, sizeof (Part));
  return self;
}

static void
unref (ReeveReload *self)
{
  if (!reeve_refs_dec (&self->refs))
    return;

  g_array_unref (self->parts);
  g_free (self);
}

static void
join (ReeveReload *self)
{
  if (self->is_running)
    pthread_join (self->thread, NULL);
  self->is_running = FALSE;
}

void
reeve_reload_free (ReeveReload *self)
{
  if (self == NULL)
    return;

  join (self);
  self->is_wanted = FALSE;
  reeve_loop_unref (self->loop);
  unref (self);
}

void
reeve_reload_add (ReeveReload *self,
                  const char *name,
                  ReeveDaemonReloadFunc func,
                  gpointer data)
{
  const Part part = { name, func, data };

  g_return_if_fail (!self->is_running);

  g_array_append_val (self->parts, part);
}

gboolean
reeve_reload_is_running (ReeveReload *self)
{
  return self->is_running;
}

static void
finish (ReeveLoop *loop, gpointer data)
{
  ReeveReload *self = data;

  join (self);
  if (self->is_wanted)
    reeve_reload_start (self);
  else
    reeve_notify_send (self->notify, "READY=1\nSTATUS=%s", _ ("Ready"));
  unref (self);
}

static void *
run (void *data)
{
  ReeveReload *self = data;

  for (unsigned i = 0; i < self->parts->len; i++) {
    const Part *part = &g_array_index (self->parts, Part, i);
    g_autoptr (GError) error = NULL;

    if (part->func (part->data, &error))
      reeve_log_message (G_LOG_LEVEL_MESSAGE, REEVE_MESSAGE_RELOADED,
                         _ ("Reloaded: %s"), part->name);
    else
      reeve_log_message (G_LOG_LEVEL_WARNING, REEVE_MESSAGE_NOT_RELOADED,
                         _ ("Not reloaded: %1$s: %2$s"), part->name,
                         error->message);
  }
  reeve_loop_invoke (self->loop, finish, self);
  return NULL;
}

void
reeve_reload_start (ReeveReload *self)
{
  self->is_wanted = self->is_running;
  if (self->is_running)
    return;

  reeve_notify_reloading (self->notify);
  reeve_refs_inc (&self->refs);
  self->is_running = pthread_create (&self->thread, NULL, run, self) == 0;
  if (!self->is_running) {
    reeve_log_message (G_LOG_LEVEL_WARNING, REEVE_MESSAGE_NOT_RELOADED,
                       _ ("Cannot reload: there are no threads left"));
    reeve_notify_send (self->notify, "READY=1");
    unref (self);
  }
}
