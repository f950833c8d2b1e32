/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/*
 * The daemon of a user's own machines, which nobody starts: the first client
 * that finds none starts it, and it ends when nobody needs it any more.
 */

/* How long it stays when nobody needs it, in seconds. */
#define REEVE_AUTOSTART_TIMEOUT_S 60

/**
 * reeve_autostart_is_for:
 * @stream: the name of a stream
 *
 * Returns: whether the stream leads to the daemon of this user, that is not
 *   root, and clients are to start it ($REEVED_PATH is not empty)
 */
gboolean reeve_autostart_is_for (const char *stream);

/**
 * reeve_autostart_run:
 * @stream: one of those
 * @deadline_us: in g_get_monotonic_time()'s time
 *
 * Starts the daemon unless one listens, and returns when it does. Of many
 * clients that come at the same time, one starts it and the others wait. The
 * daemon is $REEVED_PATH, or the one that was installed with the library. It
 * logs to reeved.log in the user's state directory. Thread: any that may block.
 *
 * Errors: %REEVE_ERROR_NO_CONNECT with the reason that the daemon gives;
 * %REEVE_ERROR_TIMED_OUT, and then it may still come; %REEVE_ERROR_ABORTED.
 */
gboolean reeve_autostart_run (const char *stream,
                              gint64 deadline_us,
                              GCancellable *cancellable,
                              GError **error);

G_END_DECLS
