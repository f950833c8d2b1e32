/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/notify.h"

G_BEGIN_DECLS

/**
 * reeve_background_start:
 * @name: of the daemon, before what it says
 * @notify: (inout): what the child tells its parent by
 *
 * Leaves the terminal: forks, and the child leads a session of its own. The
 * parent waits until the child is ready or has ended, and prints why it ended,
 * as the last STATUS= of the child has it. If the parent dies before that, the
 * child gets SIGTERM.
 *
 * While there is no other thread.
 *
 * Returns: in the child, -1; in the parent, an exit status: 0 once the child is
 *   ready, that of the child if it has one above 0, or 1
 */
int reeve_background_start (const char *name, ReeveNotify **notify);

/* Of the child, before it is ready: lets go of the terminal, and goes to
 * @directory (nullable). FALSE with errno. */
gboolean reeve_background_finish (const char *directory);

G_END_DECLS
