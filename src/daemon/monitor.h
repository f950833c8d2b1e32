/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/inherited.h"
#include "daemon/notify.h"
#include "daemon/process-title.h"

G_BEGIN_DECLS

/**
 * ReeveMonitorPlan:
 * @name: of the daemon
 * @restart_interval_ms: the least time between two starts, but for the first
 *   one after a crash
 * @watchdog_ms: a daemon that has not said for so long that it is alive is
 *   killed, which is a crash; 0: whatever it does
 * @is_background: it lets go of the terminal, too, once the daemon is ready
 * @directory: (nullable): where it goes then
 * @title: (transfer none): where it shows what it does
 * @inherited: (transfer none): what listens already; takes what the daemon
 *   stores
 * @notify: (inout) (transfer none): who the monitor tells about the daemon; in
 *   the daemon, its monitor
 */
typedef struct {
  const char *name;
  unsigned restart_interval_ms;
  unsigned watchdog_ms;
  gboolean is_background;
  const char *directory;
  ReeveProcessTitle *title;
  ReeveInherited *inherited;
  ReeveNotify **notify;
} ReeveMonitorPlan;

/**
 * reeve_monitor_run:
 * @n_restarts: (out): of the daemon that this process is to be
 *
 * Forks a daemon and, whenever it crashes, another one: after SIGABRT, SIGALRM,
 * SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGPIPE, SIGSEGV, SIGXCPU and SIGXFSZ; not
 * after another end, and not if the very first one was not ready yet. After a
 * core dump no more are made. The sockets that a daemon stores stay open in the
 * monitor, so that whoever connects in between waits for the next.
 *
 * SIGTERM and SIGINT stop the daemon and, after it, the monitor; SIGHUP is
 * passed on.
 *
 * While there is no other thread.
 *
 * Returns: in each daemon, -1; in the monitor, an exit status: that of the last
 *   daemon, or 1 if it was killed
 */
int reeve_monitor_run (const ReeveMonitorPlan *plan, unsigned *n_restarts);

G_END_DECLS
