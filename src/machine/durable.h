/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * Changes that are on the disk when the function returns, and are there as a
 * whole or not at all, whenever the host stops.
 *
 * Thread: any that may wait for a disk.
 * Errors: REEVE_ERROR_SYSTEM; then what was there is there, if the file system
 * can exchange two files.
 */

/* What a file that is being written has behind its name. */
#define REEVE_DURABLE_SUFFIX ".new"

/* Makes or replaces a file (0600) of that text and a newline. */
gboolean
reeve_durable_write (const char *path, const char *text, GError **error);

/* Without it, what a directory names may be gone after a power cut. */
gboolean reeve_durable_sync_dir (const char *path, GError **error);

G_END_DECLS
