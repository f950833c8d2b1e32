/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"
#include "rpc/saved-state.h"

G_BEGIN_DECLS

/**
 * ReeveTakeover:
 *
 * The side of the daemon that runs: a socket at which another one asks to take
 * its place, and the steps of docs/takeover.md. Nobody but root and our own
 * user may ask.
 *
 * Thread: loop.
 */
typedef struct _ReeveTakeover ReeveTakeover;

/**
 * ReeveTakeoverFuncs:
 * @can_freeze: whether nothing goes on that could not end while all is frozen
 * @is_quiet: whether nothing runs any more. Both tell in @why (transfer full)
 *   what is in the way, if so
 * @save: writes all down. Called once it is quiet; what it adds is there until
 *   the daemon is thawed
 * @handed_over: process @pid goes on; never thawed again
 */
typedef struct {
  gboolean (*can_freeze) (gpointer data, char **why);
  void (*freeze) (gpointer data);
  void (*thaw) (gpointer data);
  gboolean (*is_quiet) (gpointer data, char **why);
  gboolean (*save) (gpointer data, ReeveSavedState *state, GError **error);
  void (*handed_over) (gpointer data, pid_t pid);
} ReeveTakeoverFuncs;

/**
 * reeve_takeover_new:
 * @name: of the daemon; another one is refused
 * @version: for the log of the other one
 * @path: of the socket; whatever is there is replaced
 * @funcs: a constant
 *
 * Errors: %REEVE_ERROR_INVALID_ARG for a path that is too long;
 * %REEVE_ERROR_SYSTEM
 */
ReeveTakeover *reeve_takeover_new (ReeveLoop *loop,
                                   const char *name,
                                   const char *version,
                                   const char *path,
                                   const ReeveTakeoverFuncs *funcs,
                                   gpointer data,
                                   GError **error);

/* @fd: (transfer full): the socket at @path, which listens already. */
ReeveTakeover *reeve_takeover_new_for_fd (ReeveLoop *loop,
                                          const char *name,
                                          const char *version,
                                          const char *path,
                                          int fd,
                                          const ReeveTakeoverFuncs *funcs,
                                          gpointer data);

/* Removes the file, unless it is another's now. */
void reeve_takeover_free (ReeveTakeover *self);

int reeve_takeover_get_fd (ReeveTakeover *self);
/* The file stays. */
void reeve_takeover_disown (ReeveTakeover *self);

G_END_DECLS
