/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * reeve_fd_close_elsewhere:
 * @fd: (transfer full): that somebody else sent us
 *
 * Closes @fd in a thread that does nothing else. Closing a file is up to whom
 * it belongs to: a FUSE mount may never answer, a socket may linger.
 *
 * Thread: any. Never blocks.
 */
void reeve_fd_close_elsewhere (int fd);

G_END_DECLS
