/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * reeve_scope_adopt:
 * @name: of the machine, for people
 *
 * Asks systemd to move a process into a transient scope of its own,
 * `reeve-machine-UUID.scope`, so that it is not part of the daemon's service:
 * of the host's systemd for root, else of the user's. Where none can be asked,
 * or it does not want to, the process stays where it is, and a line of level
 * debug says why. Waits for the bus, for 2 seconds at most.
 *
 * Thread: worker.
 */
void reeve_scope_adopt (pid_t pid, const uint8_t *uuid, const char *name);

G_END_DECLS
