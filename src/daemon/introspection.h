/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"

G_BEGIN_DECLS

/* Adds the program `reeve`, which describes the programs of @server, one of the
 * daemon's, as data. Before the server listens. */
void reeve_introspection_register (ReeveDaemon *daemon, ReeveServer *server);

G_END_DECLS
