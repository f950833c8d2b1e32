/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/server.h"

G_BEGIN_DECLS

/**
 * ReeveCallMonitor:
 *
 * Tells clients of the admin server of each call that any server of the daemon
 * has answered, by the program `monitor`. While nobody asks for it, a call
 * costs one look at a flag; a watcher who does not keep up loses calls, and is
 * told how many.
 */
typedef struct _ReeveCallMonitor ReeveCallMonitor;

/* @admin: gets the program. Before it listens. */
ReeveCallMonitor *reeve_call_monitor_new (ReeveServer *admin);
void reeve_call_monitor_free (ReeveCallMonitor *self);

/* Its calls are told, too. Before @server listens. */
void reeve_call_monitor_add (ReeveCallMonitor *self, ReeveServer *server);

G_END_DECLS
