/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

#define HISTOGRAM_STEPS 64 /* for each power of two: 1.6 % apart */
#define HISTOGRAM_POWERS 36

/* Counts of times, in nanoseconds, however many there are. */
typedef struct {
  uint64_t counts[HISTOGRAM_POWERS * HISTOGRAM_STEPS];
  uint64_t n_times;
} Histogram;

/* Longer ones than half an hour count as half an hour. */
void histogram_add (Histogram *self, double us);

typedef struct {
  double p50_us;
  double p99_us;
  double p999_us;
} Quantiles;

void histogram_add_all (Histogram *self, const Histogram *other);

/* The time that @share of all do not exceed, in microseconds; 0: there is
 * none. */
double histogram_get_quantile (const Histogram *self, double share);
Quantiles histogram_get_quantiles (const Histogram *self);
