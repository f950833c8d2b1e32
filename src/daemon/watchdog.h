/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/notify.h"
#include "rpc/server.h"

G_BEGIN_DECLS

/**
 * ReeveWatchdog:
 *
 * Says that the daemon is alive, as often as its supervisor wants to hear it:
 * from the loop, so that it turns, and only while no worker has been in one job
 * for too long. Such a job is named in the log, once, whoever supervises.
 */
typedef struct _ReeveWatchdog ReeveWatchdog;

/**
 * reeve_watchdog_new:
 * @notify: (transfer none): must outlive it, as @servers
 * @servers: (array zero-terminated=1)
 * @overdue_ms: how long a job may keep a worker; 0: for ever
 *
 * Thread: loop, or owner before it runs.
 */
ReeveWatchdog *reeve_watchdog_new (ReeveLoop *loop,
                                   const ReeveNotify *notify,
                                   ReeveServer *const *servers,
                                   unsigned overdue_ms);
/* Before the servers stop. Thread: loop, or owner when it does not run. */
void reeve_watchdog_free (ReeveWatchdog *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveWatchdog, reeve_watchdog_free)

G_END_DECLS
