/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/loop-private.h"

#include "event/fd.h"

ReeveWatch *
reeve_loop_add_watch_locked (ReeveLoop *self,
                             ReeveWatchKind kind,
                             ReeveWatchFunc func,
                             gpointer data,
                             GDestroyNotify free_func)
{
  ReeveWatch *watch = g_new0 (ReeveWatch, 1);

  do
    self->last_id = self->last_id == G_MAXINT ? 1 : self->last_id + 1;
  while (
      g_hash_table_contains (self->watches, GINT_TO_POINTER (self->last_id)));

  watch->id = self->last_id;
  watch->kind = kind;
  watch->func = func;
  watch->data = data;
  watch->free_func = free_func;
  g_hash_table_insert (self->watches, GINT_TO_POINTER (watch->id), watch);
  return watch;
}

ReeveWatch *
reeve_loop_find_watch_locked (ReeveLoop *self, int id, ReeveWatchKind kind)
{
  ReeveWatch *watch = g_hash_table_lookup (self->watches, GINT_TO_POINTER (id));

  return watch != NULL && watch->kind == kind ? watch : NULL;
}

/* With no lock held, in the loop's thread (or the last one that has it). */
static void
free_watch (ReeveWatch *watch)
{
  switch (watch->kind) {
  case REEVE_WATCH_CHILD:
    reeve_fd_clear (&watch->file.pid_fd);
    break;
  case REEVE_WATCH_PULSE:
    g_array_unref (watch->pulse.sent);
    break;
  case REEVE_WATCH_SIGNAL:
    g_source_destroy (watch->signal.source);
    g_source_unref (watch->signal.source);
    break;
  case REEVE_WATCH_HANDLE:
  case REEVE_WATCH_TIMEOUT:
    break;
  }
  if (watch->free_func != NULL)
    watch->free_func (watch->data);
  g_free (watch);
}

/* Takes one removed watch whose callback is not on the stack. */
static ReeveWatch *
steal_removed (ReeveLoop *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < self->removed->len; i++) {
    ReeveWatch *watch = self->removed->pdata[i];

    if (watch->n_running == 0)
      return g_ptr_array_steal_index_fast (self->removed, i);
  }

  return NULL;
}

void
reeve_loop_free_removed (ReeveLoop *self)
{
  ReeveWatch *watch;

  while ((watch = steal_removed (self)) != NULL)
    free_watch (watch);
}

gboolean
reeve_loop_begin_call (ReeveLoop *self, ReeveWatch *watch)
{
  if (reeve_watch_is_removed (watch))
    return FALSE;

  watch->n_running++;
  return TRUE;
}

void
reeve_watch_end_call (ReeveWatch *self)
{
  self->n_running--;
}

gboolean
reeve_watch_is_removed (ReeveWatch *self)
{
  return atomic_load (&self->is_removed);
}

int
reeve_loop_get_any_watch (ReeveLoop *self)
{
  GHashTableIter iter;
  gpointer id;

  REEVE_LOCK_SCOPE (&self->lock);

  g_hash_table_iter_init (&iter, self->watches);
  return g_hash_table_iter_next (&iter, &id, NULL) ? GPOINTER_TO_INT (id) : -1;
}

/* Nothing calls it from now on. */
static void
stop_locked (ReeveLoop *self, ReeveWatch *watch) REEVE_REQUIRES (self->lock)
{
  switch (watch->kind) {
  case REEVE_WATCH_HANDLE:
  case REEVE_WATCH_CHILD:
    reeve_loop_close_handle_locked (self, watch);
    break;
  case REEVE_WATCH_TIMEOUT:
    reeve_timeout_heap_remove (&self->timeouts, &watch->timeout.node);
    reeve_loop_arm_timer_locked (self);
    break;
  case REEVE_WATCH_PULSE:
    if (watch->pulse.is_waiting)
      g_queue_remove (&self->pulsing, watch);
    break;
  case REEVE_WATCH_SIGNAL:
    break;
  }
}

gboolean
reeve_loop_remove (ReeveLoop *self, int id)
{
  ReeveWatch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = g_hash_table_lookup (self->watches, GINT_TO_POINTER (id));
  if (watch == NULL)
    return FALSE;

  g_hash_table_remove (self->watches, GINT_TO_POINTER (id));
  atomic_store (&watch->is_removed, TRUE);
  stop_locked (self, watch);
  g_ptr_array_add (self->removed, watch);
  /* So that it is freed soon; where the loop calls us, it does so itself. */
  if (!reeve_loop_is_current (self) || self->depth == 0)
    reeve_loop_wake_locked (self);
  return TRUE;
}
