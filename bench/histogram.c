/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "histogram.h"

#define STEP_BITS 6

G_STATIC_ASSERT (1 << STEP_BITS == HISTOGRAM_STEPS);

/* Below two times HISTOGRAM_STEPS each nanosecond has a place, then the first
 * bits of a number have. */
static unsigned
get_index (uint64_t ns)
{
  unsigned n_bits = ns == 0 ? 0 : 64 - (unsigned) __builtin_clzll (ns);
  unsigned shift = n_bits > STEP_BITS + 1 ? n_bits - STEP_BITS - 1 : 0;

  return shift * HISTOGRAM_STEPS + (unsigned) (ns >> shift);
}

/* The least that has that place. */
static uint64_t
get_ns (unsigned index)
{
  unsigned shift =
      index < 2 * HISTOGRAM_STEPS ? 0 : index / HISTOGRAM_STEPS - 1;

  return (uint64_t) (index - shift * HISTOGRAM_STEPS) << shift;
}

void
histogram_add (Histogram *self, double us)
{
  unsigned index = us <= 0 ? 0 : get_index ((uint64_t) (us * 1000));

  self->counts[MIN (index, G_N_ELEMENTS (self->counts) - 1)]++;
  self->n_times++;
}

void
histogram_add_all (Histogram *self, const Histogram *other)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (self->counts); i++)
    self->counts[i] += other->counts[i];
  self->n_times += other->n_times;
}

double
histogram_get_quantile (const Histogram *self, double share)
{
  double n_wanted = share * (double) self->n_times;
  uint64_t n_seen = 0;

  for (unsigned i = 0; i < G_N_ELEMENTS (self->counts); i++) {
    n_seen += self->counts[i];
    if (self->counts[i] > 0 && (double) n_seen >= n_wanted)
      return (double) get_ns (i) / 1000;
  }
  return 0;
}

Quantiles
histogram_get_quantiles (const Histogram *self)
{
  return (Quantiles){
    .p50_us = histogram_get_quantile (self, 0.5),
    .p99_us = histogram_get_quantile (self, 0.99),
    .p999_us = histogram_get_quantile (self, 0.999),
  };
}
