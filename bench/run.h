/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "histogram.h"

/* How calls, or connections, went; what follows the first two is zero unless
 * calls were paced: see PacedTimes. */
typedef struct {
  double us;             /* each took, while the clock ran */
  double n_runs;         /* were made, before the clock ran and after it, too */
  Quantiles from_due;    /* how long replies took */
  Quantiles from_sent;   /* the same, less what the caller was late */
  Quantiles undisturbed; /* the same, while no others had the cores; zeros:
                            there were too few such calls */
  Quantiles late;        /* how late the caller was */
  double disturbed;      /* share of the time in which others had the cores */
} Run;
