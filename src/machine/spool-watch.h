/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"

G_BEGIN_DECLS

/**
 * ReeveSpoolWatch:
 *
 * Tells when files grow, for all consoles of a daemon. It asks inotify; where
 * the host has none left, it says ten times a second that any file may have.
 * Loop's.
 */
typedef struct _ReeveSpoolWatch ReeveSpoolWatch;

typedef void (*ReeveSpoolFunc) (gpointer data);

ReeveSpoolWatch *reeve_spool_watch_new (ReeveLoop *loop);
void reeve_spool_watch_free (ReeveSpoolWatch *self);

/**
 * reeve_spool_watch_add:
 * @path: of a file that exists; no file is added twice
 * @func: called when it may have grown since, at most each two milliseconds;
 *   what it held before is not told of. It adds and removes no file.
 *
 * Returns: an id, never 0
 */
unsigned reeve_spool_watch_add (ReeveSpoolWatch *self,
                                const char *path,
                                ReeveSpoolFunc func,
                                gpointer data);
void reeve_spool_watch_remove (ReeveSpoolWatch *self, unsigned id);

G_END_DECLS
