/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/server.h"

G_BEGIN_DECLS

/**
 * reeve_auth_register:
 *
 * Adds the program `auth`: the procedures by which the clients of a server say
 * who they are, where the service they came in by asks for it
 * (#ReeveServiceOptions.auth). Until then they can call nothing else. Before
 * the server listens. Thread: owner.
 */
void reeve_auth_register (ReeveServer *server);

G_END_DECLS
