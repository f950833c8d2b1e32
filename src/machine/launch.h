/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/console.h"
#include "machine/machine.h"
#include "machine/process.h"
#include "machine/run-dir.h"
#include "machine/status.h"

G_BEGIN_DECLS

/**
 * ReeveLaunch:
 *
 * The making of a QEMU process, which may wait for disks: a worker does it.
 * @status: what to write before there is a process
 * @config: (owned): what to run
 * @log_path: (owned)
 * @consoles: (owned) (element-type ReeveConsole): of @config's terminals
 * @process: (out) (owned)
 * @monitor_fd: (out) (owned): connected to the process's monitor, -1: not yet
 * @log_offset: (out): where this run's part of the log begins
 * @log_tail: (out) (owned) (nullable): what reeve_launch_read_log() found
 * @error: (out) (owned) (nullable): why there is no process
 */
typedef struct {
  ReeveMachine *machine;
  ReeveRunDir *dir;
  ReeveStatus status;
  ReeveConfig *config;
  char *log_path;
  GPtrArray *consoles;
  ReeveProcess *process;
  int monitor_fd;
  int64_t log_offset;
  GError *error;
} ReeveLaunch;

void reeve_launch_free (ReeveLaunch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveLaunch, reeve_launch_free)

/**
 * reeve_launch_run:
 *
 * Locks the run directory, writes the status, opens the log, makes the
 * consoles' spools and the monitor's socket, connects to it, and spawns QEMU.
 * After a failure nothing is left. Thread: worker.
 */
void reeve_launch_run (ReeveLaunch *self);

/**
 * reeve_launch_read_log:
 * @offset: where to begin
 *
 * Returns: (transfer full): the last lines of a log, without their time
 * stamps, for an error message; empty when there are none. Thread: worker.
 */
char *reeve_launch_read_log (const char *path, int64_t offset);

G_END_DECLS
