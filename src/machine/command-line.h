/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/config.h"

G_BEGIN_DECLS

/**
 * reeve_command_line_build:
 * @monitor_fd: number under which QEMU inherits its monitor's listener
 *
 * Errors: %REEVE_ERROR_CONFIG_UNSUPPORTED for what cannot be run
 *
 * Thread: any.
 *
 * Returns: (transfer full): QEMU's argument vector, the emulator first
 */
char **
reeve_command_line_build (ReeveConfig *config, int monitor_fd, GError **error);

G_END_DECLS
