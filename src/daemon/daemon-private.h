/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of a daemon know of each other. */

#include "daemon/daemon.h"
#include "daemon/policy.h"
#include "rpc/tls-context.h"

G_BEGIN_DECLS

/* Immutable. Thread: any. */
ReeveDaemonPolicy *reeve_daemon_get_policy (ReeveDaemon *self);

/* (transfer none): Thread: any. Errors: %REEVE_ERROR_NO_SERVER */
ReeveServer *
reeve_daemon_find_server (ReeveDaemon *self, const char *name, GError **error);

/* (nullable): without a listener that speaks TLS. Immutable once the loop runs.
 * Thread: any, then. */
ReeveTlsSlot *reeve_daemon_get_tls_slot (ReeveDaemon *self);

G_END_DECLS
