/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"
#include "protocol/reeve.h"

G_BEGIN_DECLS

/* Limits and counters of all servers, as the program `reeve` gives them. */
void reeve_metrics_collect (ReeveDaemon *daemon, reeve_metrics_ret *ret);

/* What a server shows to clients that come by TLS. Errors: as of
 * reeve_daemon_find_server(); %REEVE_ERROR_OPERATION_INVALID without TLS. */
gboolean reeve_metrics_tell_tls (ReeveDaemon *daemon,
                                 const char *name,
                                 reeve_tls_info_ret *ret,
                                 GError **error);

G_END_DECLS
