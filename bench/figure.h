/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdio.h>

#define MAX_ROUNDS 15

/* What one round measured. */
typedef struct {
  double us;         /* of a call, a connection */
  double cpu_us;     /* of it, in the server */
  double n_switches; /* of contexts, for it, in the server */
  double p50_us;     /* how long a reply took; 0 unless paced */
  double p99_us;
  double p999_us;
  double idle_kib; /* of memory, for an idle client; 0 unless that was asked */
} Sample;

/* What was measured, in all rounds. */
typedef struct {
  const char *name;
  gboolean is_there; /* what it needs is */
  Sample samples[MAX_ROUNDS];
} Figure;

typedef enum {
  RATE,    /* how many times as often as the other */
  LATENCY, /* how many times the other's time */
  CPU,     /* how many times the other's CPU time */
  TAIL,    /* p99.9 in medians */
  MEMORY,  /* KiB for an idle client */
} Measure;

/* What has to hold of a figure, mostly beside another one, round by round. */
typedef struct {
  const char *text;
  const Figure *figure;
  const Figure *other; /* (nullable) */
  Measure measure;
  double wanted; /* at least, of RATE; else at most */
} Point;

double figure_get_median (const Figure *self, unsigned n_rounds, size_t offset);
#define FIGURE_MEDIAN(figure, n_rounds, member)                                \
  figure_get_median ((figure), (n_rounds), G_STRUCT_OFFSET (Sample, member))

/* Returns how many of the points that could be measured do not hold. */
unsigned print_text (FILE *file,
                     const Figure *figures,
                     unsigned n_figures,
                     const Point *points,
                     unsigned n_points,
                     unsigned n_rounds);
void print_json (FILE *file,
                 const Figure *figures,
                 unsigned n_figures,
                 const Point *points,
                 unsigned n_points,
                 unsigned n_rounds);
