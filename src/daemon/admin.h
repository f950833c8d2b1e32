/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"
#include "rpc/job-pool.h"

G_BEGIN_DECLS

/**
 * ReeveAdmin:
 *
 * The program `admin` and the server that has it: a small one of its own, so
 * that an operator gets through when the daemon's clients have taken all that
 * there is for them.
 */
typedef struct _ReeveAdmin ReeveAdmin;

/* Thread: loop. */
ReeveAdmin *reeve_admin_new (ReeveDaemon *daemon);
/* After its server was stopped. */
void reeve_admin_free (ReeveAdmin *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveAdmin, reeve_admin_free)

/* (transfer none) */
ReeveServer *reeve_admin_get_server (ReeveAdmin *self);

/* Changes what it is told of a pool's size. */
typedef gboolean (*ReeveAdminWorkersFunc) (ReeveJobPoolSize *size,
                                           gconstpointer data,
                                           GError **error);

/* Makes the workers of @server as many as @change says, of how many there are
 * to be now. Nobody else changes them meanwhile. Thread: any but the loop's.
 * Errors: %REEVE_ERROR_INVALID_ARG, and those of @change. */
gboolean reeve_admin_change_workers (ReeveAdmin *self,
                                     ReeveServer *server,
                                     ReeveAdminWorkersFunc change,
                                     gconstpointer data,
                                     GError **error);

G_END_DECLS
