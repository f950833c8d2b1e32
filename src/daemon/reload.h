/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"
#include "daemon/notify.h"

G_BEGIN_DECLS

/**
 * ReeveReload:
 *
 * What a daemon reads anew when it is told to, in a thread of its own, as
 * files and look-ups of users may take long.
 */
typedef struct _ReeveReload ReeveReload;

/* @notify: (transfer none): hears of each reload. Thread: loop, as of the
 * functions that follow. */
ReeveReload *reeve_reload_new (ReeveLoop *loop, const ReeveNotify *notify);
/* Waits for a reload that runs. */
void reeve_reload_free (ReeveReload *self);

/* As reeve_daemon_add_reload(). */
void reeve_reload_add (ReeveReload *self,
                       const char *name,
                       ReeveDaemonReloadFunc func,
                       gpointer data);

gboolean reeve_reload_is_running (ReeveReload *self);

/* Begins; while one runs, another is made after it. */
void reeve_reload_start (ReeveReload *self);

G_END_DECLS
