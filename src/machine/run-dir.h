/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * ReeveRunDir:
 *
 * The directory of a machine that runs, named after its uuid:
 *
 * - `lock`: locked for as long as the machine's QEMU lives, for QEMU inherits
 *   the descriptor. Whoever gets the lock knows that there is no QEMU; whoever
 *   does not, starts none. No pid is asked, so none can lie.
 * - `pid`: written by QEMU's process before it becomes QEMU.
 * - `status`: a #ReeveStatus.
 * - `monitor`: the socket of QEMU's monitor.
 * - `consoles/`: what QEMU writes of each terminal, see #ReeveConsole.
 *
 * Immutable. All functions but the path getters may wait for a disk.
 */
typedef struct {
  char *path;
  char *lock_path;
  char *pid_path;
  char *status_path;
  char *monitor_path;
  char *console_dir;
} ReeveRunDir;

void reeve_run_dir_init (ReeveRunDir *self,
                         const char *run_dir,
                         const uint8_t uuid[16]);
void reeve_run_dir_clear (ReeveRunDir *self);

/**
 * reeve_run_dir_lock:
 * @create: whether to make the directory when it is not there
 * @is_taken: (out): whether it failed because a QEMU holds the lock
 *
 * Returns: a descriptor that holds the lock, close-on-exec; -1 with @error
 */
int reeve_run_dir_lock (ReeveRunDir *self,
                        gboolean create,
                        gboolean *is_taken,
                        GError **error);

/* The pid that a process wrote; 0 when there is none. */
pid_t reeve_run_dir_read_pid (ReeveRunDir *self);

/* Makes the directory of the consoles. */
gboolean reeve_run_dir_make_console_dir (ReeveRunDir *self, GError **error);

/* Removes what a run left; the lock's holder alone may call it. */
void reeve_run_dir_remove (ReeveRunDir *self);

/* A socket that listens at the monitor's path, which must be free; -1 with
 * @error. */
int reeve_run_dir_listen (ReeveRunDir *self, GError **error);

/* A non-blocking connection to the monitor; -1 with @error. Never waits. */
int reeve_run_dir_connect (ReeveRunDir *self, GError **error);

G_END_DECLS
