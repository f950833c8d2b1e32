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
  Quantiles undisturbed; /* the same, of calls that the caller attended, while
                            no others had the cores; zeros: too few */
  Quantiles late;        /* how late the caller was */
  double unattended; /* share of calls during which the caller stood still */
  double disturbed;  /* share of those, and of calls while others had the
                        cores */
} Run;
