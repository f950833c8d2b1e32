/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * reeve_file_lock_take:
 * @path: is made if it is not there, for its owner alone
 * @deadline_us: in g_get_monotonic_time()'s time
 *
 * Waits until nobody else has the file locked, and locks it. Thread: any that
 * may block.
 *
 * Errors: %REEVE_ERROR_SYSTEM, %REEVE_ERROR_TIMED_OUT, %REEVE_ERROR_ABORTED.
 *
 * Returns: a descriptor whose close() unlocks it; -1 with @error
 */
int reeve_file_lock_take (const char *path,
                          gint64 deadline_us,
                          GCancellable *cancellable,
                          GError **error);

/**
 * reeve_wait_readable:
 * @fds: (array length=n_fds): that are waited for; 4 at most
 *
 * Waits until one of them can be read.
 *
 * Errors: as the above.
 */
gboolean reeve_wait_readable (const int *fds,
                              unsigned n_fds,
                              gint64 deadline_us,
                              GCancellable *cancellable,
                              GError **error);

G_END_DECLS
