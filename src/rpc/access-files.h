/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/access-rules.h"

G_BEGIN_DECLS

/**
 * reeve_access_rules_read:
 * @path: of the main file
 * @is_found: (out): whether there is a file at all
 *
 * Reads the files of FILE.d, then the main one. A file that others than root
 * and the daemon's own user can write is refused.
 *
 * Errors: %REEVE_ERROR_CONFIG_SYNTAX, %REEVE_ERROR_SYSTEM.
 *
 * Returns: (transfer full): rules that are still to be prepared
 */
ReeveAccessRules *
reeve_access_rules_read (const char *path, gboolean *is_found, GError **error);

G_END_DECLS
