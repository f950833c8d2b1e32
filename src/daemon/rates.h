/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/server.h"

G_BEGIN_DECLS

/**
 * ReeveRates:
 *
 * How fast the counters of a server rise: it looks at them every five seconds.
 */
typedef struct _ReeveRates ReeveRates;

/* Thread: the owner of the server's loop. */
ReeveRates *reeve_rates_new (ReeveServer *server);
void reeve_rates_free (ReeveRates *self);

/* Takes a sample of the counters as they are at @now_us. Thread: any. */
void reeve_rates_look (ReeveRates *self, gint64 now_us);

/* Per second. */
typedef struct {
  double last_5s;
  double last_minute;
  double last_hour;
} ReeveRate;

/* The counters, in the order of their names. */
size_t reeve_rates_count (void);
const char *reeve_rates_get_name (size_t counter);
/* @rate: (out) (optional): up to the last sample. Thread: any. */
guint64 reeve_rates_get (ReeveRates *self,
                         size_t counter,
                         const ReeveServerStats *stats,
                         ReeveRate *rate);

G_END_DECLS
