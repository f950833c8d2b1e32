/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of a daemon know of each other. */

#include "daemon/daemon.h"
#include "daemon/policy.h"

G_BEGIN_DECLS

/* Immutable. Thread: any. */
ReeveDaemonPolicy *reeve_daemon_get_policy (ReeveDaemon *self);

G_END_DECLS
