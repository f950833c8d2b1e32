/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"

G_BEGIN_DECLS

/* Adds the program `reeve`, which describes the programs of the daemon's
 * server as data. Before the server listens. */
void reeve_introspection_register (ReeveDaemon *daemon);

G_END_DECLS
