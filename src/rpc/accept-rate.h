/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* How many of something may come in a second; a second's worth may come at
 * once. Zeroed, it is new. Times are those of g_get_monotonic_time(), a limit
 * of 0 is none. */
typedef struct {
  gint64 due_us; /* when the last one was due, had they come evenly */
} ReeveAcceptRate;

/* How long the next one has to wait. */
gint64 reeve_accept_rate_get_wait (const ReeveAcceptRate *self,
                                   unsigned per_second,
                                   gint64 now_us);
/* One came. */
void reeve_accept_rate_count (ReeveAcceptRate *self,
                              unsigned per_second,
                              gint64 now_us);

G_END_DECLS
