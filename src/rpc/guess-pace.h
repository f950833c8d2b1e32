/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* So many attempts of one peer may go on, or have failed, at once. */
#define REEVE_GUESS_BURST 16
/* Of more peers than that, the others share one pace. */
#define REEVE_GUESS_PEERS 1024

/**
 * ReeveGuessPace:
 *
 * How fast each peer may try to authenticate, over however many connections: an
 * attempt costs some time, which one that succeeds gets back. Thread: one.
 */
typedef struct {
  GHashTable *peers; /* (owned): name -> when all it tried has cost its time */
} ReeveGuessPace;

void reeve_guess_pace_init (ReeveGuessPace *self);
void reeve_guess_pace_clear (ReeveGuessPace *self);

/* Begins an attempt; or returns how long it has to wait, and then it did not
 * begin. Times are those of g_get_monotonic_time(). */
gint64 reeve_guess_pace_take (ReeveGuessPace *self,
                              const char *peer,
                              gint64 cost_us,
                              gint64 now_us);
/* An attempt succeeded. */
void reeve_guess_pace_give_back (ReeveGuessPace *self,
                                 const char *peer,
                                 gint64 cost_us);

G_END_DECLS
