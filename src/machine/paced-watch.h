/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"

G_BEGIN_DECLS

/**
 * ReevePacedWatch:
 *
 * Watches a file that may become ready a hundred thousand times a second, byte
 * by byte, and calls its function @interval_ms apart at most: at once after a
 * pause, then with all that came meanwhile. Embed it. Loop's.
 */
typedef struct {
  ReeveLoop *loop; /* (owned) */
  int handle;      /* -1: none */
  int timer;
  int interval_ms;
  ReeveEvents events; /* to ask for */
  gboolean is_pausing;
  void (*func) (ReeveEvents events, gpointer data);
  gpointer data;
} ReevePacedWatch;

/**
 * reeve_paced_watch_init:
 * @events: what to wait for
 * @func: must read what is there, and clear the watch of a file that has
 *   failed or hung up; may clear it at any time
 *
 * Returns: whether there is a watch; if not, errno is set
 */
gboolean
reeve_paced_watch_init (ReevePacedWatch *self,
                        ReeveLoop *loop,
                        int fd,
                        ReeveEvents events,
                        int interval_ms,
                        void (*func) (ReeveEvents events, gpointer data),
                        gpointer data);
/* Before the file is closed; no-op on one that is clear. */
void reeve_paced_watch_clear (ReevePacedWatch *self);

/* Changes what to wait for; a pause is kept. */
void reeve_paced_watch_update (ReevePacedWatch *self, ReeveEvents events);

G_END_DECLS
