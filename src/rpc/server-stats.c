/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/server-private.h"

/* Counters of procedures: written by whoever answers a call, read by any
 * thread, each on its own and without order. */

/* Calls that take less than this may run one after the other where several
 * wait: to have another worker run them would take as long. */
#define SHORT_NS 20000
/* About what it takes to have another worker run one. */
#define QUICK_NS 8000
/* A call that takes longer is not more remarkable. */
#define MAX_RUN_US 100000

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

static ReeveProcedureCounters *
get_counters (ReeveServerProgram *program, const ReeveProcedure *procedure)
{
  return &program->counters[procedure - program->program->procedures];
}

/* @n calls like @call. */
static void
add (const ReeveCall *call, unsigned n, gint64 took_us, const GError *failure)
{
  ReeveProcedureCounters *counters =
      get_counters (call->program, call->procedure);
  unsigned bucket = get_bucket ((guint64) took_us);

  atomic_fetch_add_explicit (&counters->n_calls, n, memory_order_relaxed);
  atomic_fetch_add_explicit (&counters->latency[bucket], n,
                             memory_order_relaxed);
  if (failure != NULL)
    atomic_fetch_add_explicit (&counters->n_failed, n, memory_order_relaxed);
}

/* How many of the first are of one procedure, and came together. */
static unsigned
count_alike (ReeveCall *const *calls, unsigned n_calls)
{
  unsigned n = 1;

  while (n < n_calls && !calls[n]->is_counted &&
         calls[n]->procedure == calls[0]->procedure &&
         calls[n]->program == calls[0]->program &&
         calls[n]->start_us == calls[0]->start_us)
    n++;
  return n;
}

void
reeve_calls_count (ReeveCall *const *calls,
                   unsigned n_calls,
                   const GError *failure)
{
  gint64 now_us = g_get_monotonic_time ();
  unsigned n_alike;

  for (unsigned i = 0; i < n_calls; i += n_alike) {
    ReeveServer *server = reeve_server_client_get_server (calls[i]->client);
    gint64 took_us = MAX (now_us - calls[i]->start_us, 0);

    n_alike = 1;
    if (calls[i]->is_counted)
      continue;
    n_alike = count_alike (calls + i, n_calls - i);
    calls[i]->is_counted = failure != NULL;
    add (calls[i], n_alike, took_us, failure);
    for (unsigned j = 0; reeve_server_is_watched (server) && j < n_alike; j++)
      tell (calls[i + j], server, took_us, failure);
  }
}

void
reeve_procedure_pace_begin (ReeveProcedurePace *self, const ReeveCall *call)
{
  self->counters = call->job.is_priority
                       ? NULL
                       : get_counters (call->program, call->procedure);
  if (self->counters != NULL)
    self->start_us = g_get_monotonic_time ();
}

/* One call that lasts counts for a while. */
void
reeve_procedure_pace_end (const ReeveProcedurePace *self, unsigned n_calls)
{
  gint64 took_us, now_ns, old_ns;

  if (self->counters == NULL)
    return;

  took_us = g_get_monotonic_time () - self->start_us;
  now_ns = CLAMP (took_us, 0, MAX_RUN_US) * 1000 / n_calls + 1;
  old_ns = atomic_load_explicit (&self->counters->run_ns, memory_order_relaxed);
  if (old_ns != 0)
    now_ns = old_ns + (now_ns - old_ns) / 8;
  atomic_store_explicit (&self->counters->run_ns, (unsigned) now_ns,
                         memory_order_relaxed);
}

static gboolean
is_below (ReeveServerProgram *program,
          const ReeveProcedure *procedure,
          unsigned limit_ns)
{
  unsigned run_ns = atomic_load_explicit (
      &get_counters (program, procedure)->run_ns, memory_order_relaxed);

  return run_ns > 0 && run_ns < limit_ns;
}

gboolean
reeve_procedure_is_short (ReeveServerProgram *program,
                          const ReeveProcedure *procedure)
{
  return is_below (program, procedure, SHORT_NS);
}

gboolean
reeve_procedure_is_quick (ReeveServerProgram *program,
                          const ReeveProcedure *procedure)
{
  return is_below (program, procedure, QUICK_NS);
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
