/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/server-private.h"

/* Counters of procedures: written by whoever answers a call, read by any
 * thread, each on its own and without order. */

static unsigned
get_bucket (guint64 took_us)
{
  unsigned bucket =
      took_us == 0 ? 0 : 64 - (unsigned) __builtin_clzll (took_us);

  return MIN (bucket, REEVE_LATENCY_BUCKETS - 1);
}

static void
tell (ReeveCall *self, ReeveServer *server, gint64 took_us, const GError *error)
{
  const ReeveAnsweredCall answered = {
    .client = self->client,
    .program = self->program->program,
    .procedure = self->procedure,
    .serial = self->header.serial,
    .took_us = took_us,
    .error = error,
  };

  reeve_server_tell (server, &answered);
}

void
reeve_call_count (ReeveCall *self, const GError *failure)
{
  ReeveServer *server = reeve_server_client_get_server (self->client);
  ReeveProcedureCounters *counters =
      &self->program
           ->counters[self->procedure - self->program->program->procedures];
  gint64 took_us = g_get_monotonic_time () - self->start_us;
  unsigned bucket = get_bucket ((guint64) MAX (took_us, 0));

  atomic_fetch_add_explicit (&counters->n_calls, 1, memory_order_relaxed);
  atomic_fetch_add_explicit (&counters->latency[bucket], 1,
                             memory_order_relaxed);
  if (failure != NULL)
    atomic_fetch_add_explicit (&counters->n_failed, 1, memory_order_relaxed);
  if (reeve_server_is_watched (server))
    tell (self, server, MAX (took_us, 0), failure);
}

static void
fill (ReeveProcedureStats *stats, ReeveProcedureCounters *counters)
{
  stats->n_calls =
      atomic_load_explicit (&counters->n_calls, memory_order_relaxed);
  stats->n_failed =
      atomic_load_explicit (&counters->n_failed, memory_order_relaxed);
  for (int i = 0; i < REEVE_LATENCY_BUCKETS; i++)
    stats->latency[i] =
        atomic_load_explicit (&counters->latency[i], memory_order_relaxed);
}

void
reeve_server_foreach_procedure (ReeveServer *self,
                                ReeveProcedureStatsFunc func,
                                gpointer data)
{
  const GPtrArray *entries = reeve_server_get_entries (self);

  for (unsigned i = 0; i < entries->len; i++) {
    ReeveServerProgram *entry = entries->pdata[i];
    ReeveProcedureStats stats = { .program = entry->program };

    for (size_t j = 0; j < entry->program->n_procedures; j++) {
      if (atomic_load_explicit (&entry->counters[j].n_calls,
                                memory_order_relaxed) == 0)
        continue;
      stats.procedure = &entry->program->procedures[j];
      fill (&stats, &entry->counters[j]);
      func (&stats, data);
    }
  }
}

guint64
reeve_procedure_stats_get_quantile (const ReeveProcedureStats *self,
                                    double share)
{
  guint64 n_all = 0, n_below = 0;
  unsigned bucket = 0;

  for (unsigned i = 0; i < REEVE_LATENCY_BUCKETS; i++)
    n_all += self->latency[i];
  if (n_all == 0)
    return 0;

  while (bucket < REEVE_LATENCY_BUCKETS - 1) {
    n_below += self->latency[bucket];
    if ((double) n_below >= share * (double) n_all)
      break;
    bucket++;
  }
  return UINT64_C (1) << bucket;
}
