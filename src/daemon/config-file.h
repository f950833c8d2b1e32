/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveConfigFile:
 *
 * A key file that knows its lines.
 *
 * Immutable.
 */
typedef struct _ReeveConfigFile ReeveConfigFile;

/* What is longer is refused. */
#define REEVE_CONFIG_FILE_MAX_SIZE (1u << 20)

/**
 * reeve_config_file_load:
 *
 * Waits for the disk. Thread: any.
 *
 * Errors: %REEVE_ERROR_CONFIG_SYNTAX with path and line, %REEVE_ERROR_SYSTEM;
 * none where there is no such file, which is empty.
 */
ReeveConfigFile *reeve_config_file_load (const char *path, GError **error);
void reeve_config_file_free (ReeveConfigFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveConfigFile, reeve_config_file_free)

/* (transfer none) */
GKeyFile *reeve_config_file_get_keys (const ReeveConfigFile *self);

/* (transfer full): "PATH:LINE: [GROUP] KEY", of the last line that sets it. */
char *reeve_config_file_describe (const ReeveConfigFile *self,
                                  const char *group,
                                  const char *key);

G_END_DECLS
