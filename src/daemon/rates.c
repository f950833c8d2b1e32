/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/rates.h"

#include "event/thread.h"

#include <stddef.h>

#define LOOK_MS 5000
#define N_RECENT 12 /* samples of the last minute */
#define N_MINUTES 60
#define MINUTE_US (60 * (gint64) G_USEC_PER_SEC)

#define COUNTER(name, field)                                                   \
  {                                                                            \
    name, offsetof (ReeveServerStats, field)                                   \
  }

static const struct {
  const char *name;
  size_t offset; /* of a guint64 */
} counters[] = {
  COUNTER ("calls", n_calls),
  COUNTER ("calls_denied", n_denied),
  COUNTER ("calls_failed", n_failed),
  COUNTER ("clients_accepted", n_accepted),
  COUNTER ("clients_refused", n_refused),
  COUNTER ("clients_silent", n_silent),
  COUNTER ("clients_unauth_dropped", n_unauth_dropped),
  COUNTER ("connections_delayed", n_delayed),
  COUNTER ("connections_without_files", n_out_of_files),
  COUNTER ("events", n_events),
  COUNTER ("events_dropped", n_events_dropped),
  COUNTER ("messages_bad", n_bad_messages),
};

#define N_COUNTERS G_N_ELEMENTS (counters)

typedef struct {
  gint64 at_us;
  guint64 values[N_COUNTERS];
} Sample;

struct _ReeveRates {
  ReeveServer *server; /* immutable */
  ReeveLoop *loop;     /* (owned) */
  int timer;

  ReeveMutex lock;
  /* The n-th sample is at n modulo the length; the first is of the start. */
  Sample recent[N_RECENT + 1] REEVE_GUARDED;
  Sample minutes[N_MINUTES + 1] REEVE_GUARDED; /* every twelfth */
  unsigned n_samples REEVE_GUARDED;
};

static guint64
get_value (const ReeveServerStats *stats, size_t counter)
{
  return *(const guint64 *) (const void *) ((const char *) stats +
                                            counters[counter].offset);
}

static void
keep (ReeveRates *self, const Sample *sample)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->recent[self->n_samples % (N_RECENT + 1)] = *sample;
  if (self->n_samples % N_RECENT == 0)
    self->minutes[self->n_samples / N_RECENT % (N_MINUTES + 1)] = *sample;
  self->n_samples++;
}

void
reeve_rates_look (ReeveRates *self, gint64 now_us)
{
  Sample sample = { .at_us = now_us };
  ReeveServerStats stats;

  reeve_server_get_stats (self->server, &stats);
  for (size_t i = 0; i < N_COUNTERS; i++)
    sample.values[i] = get_value (&stats, i);
  keep (self, &sample);
}

static void
look (ReeveLoop *loop, int watch, gpointer data)
{
  reeve_rates_look (data, g_get_monotonic_time ());
}

ReeveRates *
reeve_rates_new (ReeveServer *server) REEVE_UNCHECKED
{
  ReeveRates *self = g_new0 (ReeveRates, 1);

  self->server = server;
  self->loop = reeve_loop_ref (reeve_server_get_loop (server));
  reeve_mutex_init (&self->lock);
  reeve_rates_look (self, g_get_monotonic_time ());
  self->timer = reeve_loop_add_timeout (self->loop, LOOK_MS, look, self, NULL);
  return self;
}

void
reeve_rates_free (ReeveRates *self) REEVE_UNCHECKED
{
  if (self == NULL)
    return;

  reeve_loop_remove (self->loop, self->timer);
  reeve_loop_unref (self->loop);
  reeve_mutex_clear (&self->lock);
  g_free (self);
}

size_t
reeve_rates_count (void)
{
  return N_COUNTERS;
}

const char *
reeve_rates_get_name (size_t counter)
{
  return counters[counter].name;
}

/* What is not long ago counts as if the rest of the time had been idle. */
static double
get_rate (const Sample *from, const Sample *to, size_t counter, gint64 least_us)
{
  gint64 took_us = MAX (to->at_us - from->at_us, least_us);

  return (double) (to->values[counter] - from->values[counter]) *
         G_USEC_PER_SEC / (double) took_us;
}

guint64
reeve_rates_get (ReeveRates *self,
                 size_t counter,
                 const ReeveServerStats *stats,
                 ReeveRate *rate)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (rate != NULL) {
    unsigned last = self->n_samples - 1;
    unsigned minute = last / N_RECENT;
    const Sample *to = &self->recent[last % (N_RECENT + 1)];
    unsigned before = last - MIN (last, 1);
    unsigned first = last - MIN (last, N_RECENT);
    unsigned oldest = minute - MIN (minute, N_MINUTES);

    rate->last_5s = get_rate (&self->recent[before % (N_RECENT + 1)], to,
                              counter, LOOK_MS * 1000);
    rate->last_minute = get_rate (&self->recent[first % (N_RECENT + 1)], to,
                                  counter, MINUTE_US);
    rate->last_hour = get_rate (&self->minutes[oldest % (N_MINUTES + 1)], to,
                                counter, N_MINUTES * MINUTE_US);
  }
  return get_value (stats, counter);
}
