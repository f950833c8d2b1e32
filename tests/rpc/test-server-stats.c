/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/server.h"

typedef struct {
  const char *name;
  guint64 latency[REEVE_LATENCY_BUCKETS];
  double share;
  guint64 expected_us;
} QuantileCase;

static const QuantileCase quantile_cases[] = {
  { "no-call", { 0 }, 0.5, 0 },
  { "one-call", { [3] = 1 }, 0.5, 8 },
  { "one-call-is-all", { [3] = 1 }, 0.99, 8 },
  { "half", { [1] = 5, [4] = 5 }, 0.5, 2 },
  { "one-more-than-half", { [1] = 5, [4] = 6 }, 0.5, 16 },
  { "nine-of-ten", { [1] = 9, [4] = 1 }, 0.9, 2 },
  { "the-slow-one", { [1] = 9, [4] = 1 }, 0.99, 16 },
  { "beyond-the-last", { [23] = 7 }, 0.5, UINT64_C (1) << 23 },
};

static void
test_quantile (gconstpointer data)
{
  const QuantileCase *row = data;
  ReeveProcedureStats stats = { 0 };

  for (int i = 0; i < REEVE_LATENCY_BUCKETS; i++)
    stats.latency[i] = row->latency[i];
  g_assert_cmpuint (reeve_procedure_stats_get_quantile (&stats, row->share), ==,
                    row->expected_us);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (quantile_cases); i++) {
    g_autofree char *path = g_strconcat ("/rpc/server-stats/quantile/",
                                         quantile_cases[i].name, NULL);

    g_test_add_data_func (path, &quantile_cases[i], test_quantile);
  }
  return g_test_run ();
}
