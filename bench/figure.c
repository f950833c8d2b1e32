/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "figure.h"

#include <stdlib.h>
#include <string.h>

static int
compare (gconstpointer a, gconstpointer b)
{
  const double *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

static double
get_median (double *values, unsigned n_values)
{
  qsort (values, n_values, sizeof *values, compare);
  return n_values % 2 == 1
             ? values[n_values / 2]
             : (values[n_values / 2 - 1] + values[n_values / 2]) / 2;
}

double
figure_get_median (const Figure *self, unsigned n_rounds, size_t offset)
{
  double values[MAX_ROUNDS];

  for (unsigned i = 0; i < n_rounds; i++)
    values[i] = G_STRUCT_MEMBER (double, &self->samples[i], offset);
  return get_median (values, n_rounds);
}

static double
get_value (const Point *self, Measure measure, unsigned round)
{
  static const Sample none;
  const Sample *mine = &self->figure->samples[round];
  const Sample *theirs =
      self->other == NULL ? &none : &self->other->samples[round];

  switch (measure) {
  case RATE:
    return theirs->us / mine->us;
  case LATENCY:
    return mine->us / theirs->us;
  case CPU:
    return mine->cpu_us / theirs->cpu_us;
  case TAIL:
    return mine->p999_us / mine->p50_us;
  case MEMORY:
    return mine->idle_kib;
  }
  g_assert_not_reached ();
}

/* The median of the rounds' values, as those of one round belong together. */
static double
get_median_value (const Point *self, Measure measure, unsigned n_rounds)
{
  double values[MAX_ROUNDS];

  for (unsigned i = 0; i < n_rounds; i++)
    values[i] = get_value (self, measure, i);
  return get_median (values, n_rounds);
}

/* The same of the servers' CPU time, on which other work of the machine has
 * less of an influence; 0: it says nothing. */
static double
get_by_cpu (const Point *self, unsigned n_rounds)
{
  if (self->measure == RATE)
    return 1 / get_median_value (self, CPU, n_rounds);
  return self->measure == LATENCY ? get_median_value (self, CPU, n_rounds) : 0;
}

static gboolean
is_measured (const Point *self)
{
  return self->figure->is_there &&
         (self->other == NULL || self->other->is_there);
}

static gboolean
holds (const Point *self, double value)
{
  return self->measure == RATE ? value >= self->wanted : value <= self->wanted;
}

static void
print_figure (FILE *file, const Figure *self, unsigned n_rounds)
{
  double us = FIGURE_MEDIAN (self, n_rounds, us);

  if (!self->is_there) {
    fprintf (file, "%-34s not measured: it is not there\n", self->name);
    return;
  }
  fprintf (file, "%-34s %10.2f %10.0f %10.2f %9.2f", self->name, us, 1e6 / us,
           FIGURE_MEDIAN (self, n_rounds, cpu_us),
           FIGURE_MEDIAN (self, n_rounds, n_switches));
  if (FIGURE_MEDIAN (self, n_rounds, p50_us) > 0)
    fprintf (file, " %7.0f %7.0f %7.0f", FIGURE_MEDIAN (self, n_rounds, p50_us),
             FIGURE_MEDIAN (self, n_rounds, p99_us),
             FIGURE_MEDIAN (self, n_rounds, p999_us));
  fprintf (file, "\n");
}

/* FALSE: it was measured and does not hold. */
static gboolean
print_point (FILE *file, const Point *self, unsigned n_rounds)
{
  double by_cpu;
  double value;

  fprintf (file, "%-46s ", self->text);
  if (!is_measured (self)) {
    fprintf (file, "%8s\n", "-");
    return TRUE;
  }

  value = get_median_value (self, self->measure, n_rounds);
  by_cpu = get_by_cpu (self, n_rounds);
  fprintf (file, "%8.2f ", value);
  if (by_cpu > 0)
    fprintf (file, "%8.2f", by_cpu);
  else
    fprintf (file, "%8s", "");
  fprintf (file, "  %s %6.2f  %s\n",
           self->measure == RATE ? ">=" : "<=", self->wanted,
           holds (self, value) ? "holds" : "MISSED");
  return holds (self, value);
}

unsigned
print_text (FILE *file,
            const Figure *figures,
            unsigned n_figures,
            const Point *points,
            unsigned n_points,
            unsigned n_rounds)
{
  unsigned n_missed = 0;

  fprintf (file, "%-34s %10s %10s %10s %9s %7s %7s %7s\n", "", "us", "a second",
           "CPU us", "switches", "p50 us", "p99", "p99.9");
  for (unsigned i = 0; i < n_figures; i++)
    print_figure (file, &figures[i], n_rounds);

  fprintf (file, "\n%-46s %8s %8s %9s\n", "", "", "by CPU", "wanted");
  for (unsigned i = 0; i < n_points; i++)
    n_missed += !print_point (file, &points[i], n_rounds);
  return n_missed;
}

void
print_json (FILE *file,
            const Figure *figures,
            unsigned n_figures,
            const Point *points,
            unsigned n_points,
            unsigned n_rounds)
{
  const char *separator = "";

  fprintf (file, "{\"rounds\": %u, \"figures\": [", n_rounds);
  for (unsigned i = 0; i < n_figures; i++) {
    const Figure *figure = &figures[i];

    if (!figure->is_there)
      continue;
    fprintf (file,
             "%s\n  {\"name\": \"%s\", \"us\": %.3f, \"cpu_us\": %.3f, "
             "\"switches\": %.3f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
             "\"p999_us\": %.1f, \"idle_kib\": %.3f}",
             separator, figure->name, FIGURE_MEDIAN (figure, n_rounds, us),
             FIGURE_MEDIAN (figure, n_rounds, cpu_us),
             FIGURE_MEDIAN (figure, n_rounds, n_switches),
             FIGURE_MEDIAN (figure, n_rounds, p50_us),
             FIGURE_MEDIAN (figure, n_rounds, p99_us),
             FIGURE_MEDIAN (figure, n_rounds, p999_us),
             FIGURE_MEDIAN (figure, n_rounds, idle_kib));
    separator = ",";
  }

  fprintf (file, "],\n \"points\": [");
  separator = "";
  for (unsigned i = 0; i < n_points; i++) {
    const Point *point = &points[i];
    double value;

    if (!is_measured (point))
      continue;
    value = get_median_value (point, point->measure, n_rounds);
    fprintf (file,
             "%s\n  {\"text\": \"%s\", \"value\": %.3f, \"by_cpu\": %.3f, "
             "\"%s\": %.2f, "
             "\"holds\": %s}",
             separator, point->text, value, get_by_cpu (point, n_rounds),
             point->measure == RATE ? "at_least" : "at_most", point->wanted,
             holds (point, value) ? "true" : "false");
    separator = ",";
  }
  fprintf (file, "]}\n");
}
