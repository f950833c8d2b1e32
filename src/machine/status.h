/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * ReeveStatus:
 *
 * What a later daemon has to know of a machine that runs, as kept in a file of
 * its run directory.
 * @is_starting: written before QEMU is spawned; the pid is then in the file
 *   that QEMU's process writes itself
 * @start_ticks: of the process; 0 while starting
 * @is_start_paused: what was asked of the start: not to let the guest run
 * @is_rebooting: the guest was asked to power off in order to start again
 * @definition: (owned): the live definition, as XML
 */
typedef struct {
  uint8_t uuid[16];
  char *name;
  int id;
  gboolean is_starting;
  gboolean is_start_paused;
  gboolean is_autodestroy;
  gboolean is_rebooting;
  gboolean is_ending;
  pid_t pid;
  uint64_t start_ticks;
  int state;
  int reason;
  int64_t rtc_offset_s;
  char *definition;
} ReeveStatus;

#define REEVE_STATUS_MAX_BYTES (16u * 1024 * 1024)

void reeve_status_clear (ReeveStatus *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReeveStatus, reeve_status_clear)

/**
 * reeve_status_write:
 *
 * Replaces the file at once as a whole. It is not synced: it has to outlive
 * this process, not the host, whose end ends every QEMU too.
 */
gboolean
reeve_status_write (const ReeveStatus *self, const char *path, GError **error);

/**
 * reeve_status_read:
 *
 * Errors: %REEVE_ERROR_SYSTEM, %REEVE_ERROR_CONFIG_SYNTAX
 */
gboolean
reeve_status_read (ReeveStatus *self, const char *path, GError **error);

G_END_DECLS
