/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "plan.h"

#include <stdio.h>

#define MAX_ROUNDS 15

/* What one round measured. */
typedef struct {
  Run run;
  double cpu_us;     /* of a call, a connection, in the server */
  double n_switches; /* of contexts, for it, in the server */
  double steal;      /* share of our cores' time that the host kept */
} Sample;

/* What was measured, in all rounds. */
typedef struct {
  const Plan *plan;
  const char *why_not;       /* (nullable): why it was not measured */
  unsigned io_threads;       /* of the server */
  double n_system_calls;     /* for a call; -1: not counted */
  double idle_heap_bytes;    /* for an idle client; -1: not asked */
  double idle_private_bytes; /* the same of the process's own memory */
  Sample samples[MAX_ROUNDS];
} Figure;

/* As JSON; docs/speed.md has the keys. */
void figures_print (FILE *file,
                    const Figure *figures,
                    unsigned n_figures,
                    unsigned n_rounds);
