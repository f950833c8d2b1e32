/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef enum {
  ALL_CORES,
  ONE_CORE,
  LAST_CORE,
  ALL_BUT_LAST, /* all where there is but one */
} Placement;

/* Those that this process may use. */
unsigned count_cores (void);
/* How long the host has kept them from us for others; it tells that in steps of
 * about 10 ms. */
double get_stolen_us (void);
/* Of the cores that this process may use, for all threads of another. */
void place_process (pid_t pid, Placement placement);
