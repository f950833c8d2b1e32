/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/auth.h"

G_BEGIN_DECLS

/**
 * ReeveAuthenticator:
 *
 * What the program `auth` keeps for its server, which owns it.
 */
typedef struct _ReeveAuthenticator ReeveAuthenticator;

/**
 * reeve_authenticator_prepare:
 * @self: (nullable): the server has no program `auth`
 *
 * Before a service asks for @kind. May block. Thread: loop, or owner before
 * the loop runs.
 *
 * Errors: %REEVE_ERROR_NO_SUPPORT.
 */
gboolean reeve_authenticator_prepare (ReeveAuthenticator *self,
                                      ReeveAuth kind,
                                      GError **error);
/* Ends what runs, when no client is left. Thread: loop, or owner after the
 * loop. */
void reeve_authenticator_stop (ReeveAuthenticator *self);
void reeve_authenticator_free (ReeveAuthenticator *self);

G_END_DECLS
