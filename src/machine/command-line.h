/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/config.h"

G_BEGIN_DECLS

/**
 * reeve_command_line_build:
 * @monitor_fd: number under which QEMU inherits its monitor's listener
 * @console_dir: where QEMU writes what each terminal prints, in a file named
 *   as the device is
 *
 * Errors: %REEVE_ERROR_CONFIG_UNSUPPORTED for what cannot be run
 *
 * Thread: any.
 *
 * Returns: (transfer full): QEMU's argument vector, the emulator first
 */
char **reeve_command_line_build (ReeveConfig *config,
                                 int monitor_fd,
                                 const char *console_dir,
                                 GError **error);

G_END_DECLS
