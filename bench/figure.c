/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "figure.h"

static void
print_quantiles (FILE *file, const char *name, const Quantiles *times)
{
  if (times->p999_us <= 0)
    fprintf (file, ", \"%s\": null", name);
  else
    fprintf (file,
             ", \"%s\": {\"p50_us\": %.2f, \"p99_us\": %.2f, "
             "\"p999_us\": %.2f}",
             name, times->p50_us, times->p99_us, times->p999_us);
}

static void
print_paced (FILE *file, const Run *run)
{
  fprintf (file, ", \"calls\": %.0f, \"unattended\": %.4f, \"disturbed\": %.4f",
           run->n_runs, run->unattended, run->disturbed);
  print_quantiles (file, "from_due", &run->from_due);
  print_quantiles (file, "from_sent", &run->from_sent);
  print_quantiles (file, "undisturbed", &run->undisturbed);
  print_quantiles (file, "late", &run->late);
}

static void
print_samples (FILE *file, const Figure *self, unsigned n_rounds)
{
  for (unsigned i = 0; i < n_rounds; i++) {
    const Sample *sample = &self->samples[i];

    fprintf (file,
             "%s\n    {\"us\": %.4f, \"cpu_us\": %.4f, \"switches\": %.4f, "
             "\"steal\": %.4f",
             i == 0 ? "" : ",", sample->run.us, sample->cpu_us,
             sample->n_switches, sample->steal);
    if (self->plan->mode == PACED)
      print_paced (file, &sample->run);
    fprintf (file, "}");
  }
}

static void
print_measured (FILE *file, const Figure *self, unsigned n_rounds)
{
  if (self->io_threads > 0)
    fprintf (file, ", \"io_threads\": %u", self->io_threads);
  if (self->n_system_calls >= 0)
    fprintf (file, ", \"system_calls\": %.4f", self->n_system_calls);
  if (self->idle_heap_bytes >= 0)
    fprintf (file, ", \"idle_heap_bytes\": %.1f, \"idle_private_bytes\": %.1f",
             self->idle_heap_bytes, self->idle_private_bytes);
  fprintf (file, ", \"samples\": [");
  print_samples (file, self, n_rounds);
  fprintf (file, "]");
}

void
figures_print (FILE *file,
               const Figure *figures,
               unsigned n_figures,
               unsigned n_rounds)
{
  fprintf (file, "{\"figures\": [");
  for (unsigned i = 0; i < n_figures; i++) {
    const Figure *figure = &figures[i];

    fprintf (file, "%s\n  {\"name\": \"%s\"", i == 0 ? "" : ",",
             figure->plan->name);
    if (figure->why_not != NULL)
      fprintf (file, ", \"why_not\": \"%s\"", figure->why_not);
    else
      print_measured (file, figure, n_rounds);
    fprintf (file, "}");
  }
  fprintf (file, "]}\n");
}
