/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"

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

G_END_DECLS
