/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How calls, or connections, went. */
typedef struct {
  double us;     /* each took, while the clock ran */
  double n_runs; /* were made, before the clock ran and after it, too */
  double p50_us; /* how long a reply took; 0 unless paced */
  double p99_us;
  double p999_us;
} Run;
