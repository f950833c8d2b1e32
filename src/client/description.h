/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/connection.h"

G_BEGIN_DECLS

/**
 * ReeveDescription:
 *
 * A program as a server describes it by the program `reeve`, so that its
 * procedures can be called without having been compiled in.
 */
typedef struct _ReeveDescription ReeveDescription;

/**
 * reeve_description_fetch:
 * @name: of the program
 *
 * Blocks; as reeve_connection_call().
 *
 * Errors: those of the call; %REEVE_ERROR_RPC for a description that makes no
 * sense.
 */
ReeveDescription *reeve_description_fetch (ReeveConnection *connection,
                                           const char *name,
                                           int timeout_ms,
                                           GError **error);
void reeve_description_free (ReeveDescription *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveDescription, reeve_description_free)

/* (transfer none): lives as long as @self. */
const ReeveProgram *reeve_description_get_program (ReeveDescription *self);

G_END_DECLS
