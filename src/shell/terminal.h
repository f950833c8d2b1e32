/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <signal.h>
#include <termios.h>

G_BEGIN_DECLS

#define REEVE_TERMINAL_N_SIGNALS 6

/**
 * ReeveTerminal:
 *
 * The terminal of the standard input while it is raw: each key comes as it is,
 * and what is printed is not changed. Signals that would end or stop the
 * process are taken meanwhile, so that nothing leaves the terminal raw.
 *
 * Thread: owner; there is one at a time.
 */
typedef struct {
  struct termios before;
  int signals[2]; /* (owned): a pipe; the handler writes numbers into it */
  struct sigaction actions[REEVE_TERMINAL_N_SIGNALS]; /* that were there */
} ReeveTerminal;

/**
 * reeve_terminal_open:
 *
 * Makes it raw. Errors: %REEVE_ERROR_SYSTEM; nothing is changed then.
 */
gboolean reeve_terminal_open (ReeveTerminal *self, GError **error);

/* Makes it what it was. It does not wait for output that nobody takes. */
void reeve_terminal_close (ReeveTerminal *self);

/* Readable when reeve_terminal_take_signal() is to be called. */
int reeve_terminal_get_signal_fd (const ReeveTerminal *self);

/**
 * reeve_terminal_take_signal:
 *
 * Does what a signal is for, with the terminal as it was: the process ends, or
 * stops until it is continued, and then has the terminal raw again.
 *
 * Returns: 0; else the number of a signal that should have ended the process
 * and did not: the terminal is closed
 */
int reeve_terminal_take_signal (ReeveTerminal *self);

G_END_DECLS
