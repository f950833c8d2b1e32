/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/accept-rate.h"

/* One row: in each tenth of a second so many want to come, and so many do. */
typedef struct {
  const char *name;
  unsigned per_second;
  unsigned n_wanted;
  unsigned n_first;  /* that come in the first tenth */
  unsigned n_second; /* in the ten that follow */
} RateCase;

static const RateCase rate_cases[] = {
  { "no-limit", 0, 100, 100, 1000 },
  { "fewer-than-the-limit", 50, 2, 2, 20 },
  { "a-second-s-worth-at-once-then-evenly", 50, 100, 51, 50 },
  { "one-in-a-second", 1, 5, 2, 1 },
};

static unsigned
let_come (ReeveAcceptRate *rate, const RateCase *row, gint64 now_us)
{
  unsigned n = 0;

  while (n < row->n_wanted &&
         reeve_accept_rate_get_wait (rate, row->per_second, now_us) == 0) {
    reeve_accept_rate_count (rate, row->per_second, now_us);
    n++;
  }
  return n;
}

static void
test_rate (gconstpointer data)
{
  const RateCase *row = data;
  ReeveAcceptRate rate = { 0 };
  gint64 now_us = 1000 * G_USEC_PER_SEC;
  unsigned n = 0;

  g_assert_cmpuint (let_come (&rate, row, now_us), ==, row->n_first);
  for (unsigned i = 0; i < 10; i++)
    n += let_come (&rate, row, now_us += G_USEC_PER_SEC / 10);
  g_assert_cmpuint (n, ==, row->n_second);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (rate_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/accept-rate/", rate_cases[i].name, NULL);

    g_test_add_data_func (path, &rate_cases[i], test_rate);
  }
  return g_test_run ();
}
