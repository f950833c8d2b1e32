/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Somebody else's daemon, in a folder of its own. */
typedef struct {
  char *directory; /* (owned) */
  char *stream;    /* (owned): the name of its socket `socket` there */
  pid_t pid;       /* 0 before it is started */
} StockDaemon;

/* FALSE where the program is missing: then the test is skipped. */
gboolean stock_daemon_init (StockDaemon *self, const char *program);
/* (transfer full) */
char *stock_daemon_path (StockDaemon *self, const char *name);
/* Runs a program and waits for its end, which has to be a good one. */
void stock_daemon_run (const char *const *argv);
/* Starts it, and waits until it listens. */
void stock_daemon_start (StockDaemon *self, const char *const *argv);
/* Ends it. */
void stock_daemon_end (StockDaemon *self);
/* Ends it and removes its folder. */
void stock_daemon_clear (StockDaemon *self);
