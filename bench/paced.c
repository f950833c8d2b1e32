/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "paced.h"

#include "others.h"
#include "placement.h"

#define WINDOW_US 50000
/* What a median, or ten of them, may not notice: half a percent. */
#define MAX_OTHERS_US (WINDOW_US / 200)
/* Ten of which took longer than 99.9 % of them. */
#define MIN_CALLS 10000
/* Between two windows both sides sleep, and others may have the cores. */
#define PAUSE_US 1000

typedef struct {
  PacedTimes all;
  PacedTimes window;
  Histogram undisturbed;
  gboolean is_stolen;
} Paced;

static void
add_window (Paced *self, gboolean disturbed)
{
  histogram_add_all (&self->all.from_due, &self->window.from_due);
  histogram_add_all (&self->all.from_sent, &self->window.from_sent);
  histogram_add_all (&self->all.attended, &self->window.attended);
  histogram_add_all (&self->all.late, &self->window.late);
  if (!disturbed)
    histogram_add_all (&self->undisturbed, &self->window.attended);
}

/* The share of all that is not among them. */
static double
get_rest (const Paced *self, const Histogram *some)
{
  return 1 - (double) some->n_times / (double) self->all.from_due.n_times;
}

static Run
sum_up (const Paced *self, double interval_us)
{
  Run run = {
    .us = interval_us,
    .n_runs = (double) self->all.from_due.n_times,
    .from_due = histogram_get_quantiles (&self->all.from_due),
    .from_sent = histogram_get_quantiles (&self->all.from_sent),
    .late = histogram_get_quantiles (&self->all.late),
    .unattended = get_rest (self, &self->all.attended),
    .disturbed = self->is_stolen ? 1 : get_rest (self, &self->undisturbed),
  };

  /* The host tells in so large steps that it may have been any window. */
  if (!self->is_stolen && self->undisturbed.n_times >= MIN_CALLS)
    run.undisturbed = histogram_get_quantiles (&self->undisturbed);
  return run;
}

Run
paced_run (Clients *clients,
           const Request *request,
           double interval_us,
           gint64 duration_us,
           pid_t server)
{
  g_autofree Paced *self = g_new0 (Paced, 1);
  double stolen_us = get_stolen_us ();

  for (; duration_us > 0; duration_us -= WINDOW_US) {
    Others before, after;

    g_usleep (PAUSE_US);
    self->window = (PacedTimes){ 0 };
    before = others_get (server);
    clients_run_paced (clients, request, interval_us,
                       MIN (duration_us, WINDOW_US), &self->window);
    g_usleep (PAUSE_US);
    after = others_get (server);
    add_window (self, others_ran (&before, &after, MAX_OTHERS_US));
  }
  self->is_stolen = get_stolen_us () > stolen_us;
  return sum_up (self, interval_us);
}
