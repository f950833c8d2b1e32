/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/connection.h"
#include "event/thread.h"

G_BEGIN_DECLS

/**
 * ReeveInbox:
 *
 * Between the library's I/O thread, which puts what a connection brings, and
 * the shell's, which waits for it. Bounded.
 */
typedef struct {
  GDestroyNotify free_item; /* immutable */

  ReeveMutex lock;
  ReeveCond changed;
  GQueue items REEVE_GUARDED; /* (owned) */
  uint64_t n_dropped REEVE_GUARDED;
  GError *closed REEVE_GUARDED; /* (owned) (nullable) */
} ReeveInbox;

void reeve_inbox_init (ReeveInbox *self, GDestroyNotify free_item);
/* Nobody puts anything any more. */
void reeve_inbox_clear (ReeveInbox *self);

/* @item: (transfer full). If it is full, the oldest goes. */
void reeve_inbox_push (ReeveInbox *self, gpointer item);
gboolean reeve_inbox_is_full (ReeveInbox *self);

/* ReeveCloseFunc; @data: the inbox. */
void reeve_inbox_take_close (ReeveConnection *connection,
                             const GError *reason,
                             gpointer data);

/**
 * reeve_inbox_pop:
 * @end_us: of the monotonic clock; -1: never
 * @n_dropped: (out) (optional): how many went since the last one
 *
 * Waits for the oldest.
 *
 * Returns: (transfer full) (nullable): %NULL at @end_us, and with @error set
 *   when the connection is lost
 */
gpointer reeve_inbox_pop (ReeveInbox *self,
                          gint64 end_us,
                          uint64_t *n_dropped,
                          GError **error);

G_END_DECLS
