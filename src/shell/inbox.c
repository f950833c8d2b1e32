/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/inbox.h"

#define MAX_ITEMS 10000

REEVE_UNCHECKED void
reeve_inbox_init (ReeveInbox *self, GDestroyNotify free_item)
{
  *self = (ReeveInbox){ .free_item = free_item, .items = G_QUEUE_INIT };
  reeve_mutex_init (&self->lock);
  reeve_cond_init (&self->changed);
}

REEVE_UNCHECKED void
reeve_inbox_clear (ReeveInbox *self)
{
  g_queue_clear_full (&self->items, self->free_item);
  g_clear_error (&self->closed);
  reeve_cond_clear (&self->changed);
  reeve_mutex_clear (&self->lock);
}

void
reeve_inbox_push (ReeveInbox *self, gpointer item)
{
  REEVE_LOCK_SCOPE (&self->lock);

  g_queue_push_tail (&self->items, item);
  if (self->items.length > MAX_ITEMS) {
    self->free_item (g_queue_pop_head (&self->items));
    self->n_dropped++;
  }
  reeve_cond_signal (&self->changed);
}

gboolean
reeve_inbox_is_full (ReeveInbox *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->items.length == MAX_ITEMS;
}

void
reeve_inbox_take_close (ReeveConnection *connection,
                        const GError *reason,
                        gpointer data)
{
  ReeveInbox *self = data;

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->closed == NULL)
    self->closed = g_error_copy (reason);
  reeve_cond_signal (&self->changed);
}

gpointer
reeve_inbox_pop (ReeveInbox *self,
                 gint64 end_us,
                 uint64_t *n_dropped,
                 GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  while (g_queue_is_empty (&self->items)) {
    if (self->closed != NULL) {
      g_propagate_error (error, g_error_copy (self->closed));
      return NULL;
    }
    if (end_us < 0)
      reeve_cond_wait (&self->changed, &self->lock);
    else if (!reeve_cond_wait_until (&self->changed, &self->lock, end_us))
      return NULL;
  }

  if (n_dropped != NULL)
    *n_dropped = self->n_dropped;
  self->n_dropped = 0;
  return g_queue_pop_head (&self->items);
}
