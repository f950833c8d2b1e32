/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* What all threads of the machine have done but those of a server and our own,
 * those of the kernel as well; only differences say something. */
typedef struct {
  double run_us;    /* less than 0: the kernel does not tell */
  double n_started; /* processes and threads, of whomever */
} Others;

Others others_get (pid_t server);

/* Whether they ran for more than @us in between, so far as is known: of what
 * was started nobody knows how long it ran, and what ended takes along what it
 * had run. */
gboolean others_ran (const Others *before, const Others *after, double us);
