/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "protocol/reeve.h"
#include "rpc/access-rules.h"

G_BEGIN_DECLS

/**
 * reeve_explain_access:
 * @rules: (nullable): %NULL for none, so that everybody may do everything
 * @programs: (array zero-terminated=1): whose procedures @args may name
 * @trusts_owner: root and @owner may do everything on unix sockets
 *
 * Answers the procedure `reeve.access_explain`. Looks up users, so it may
 * block.
 *
 * Thread: any.
 * Errors: %REEVE_ERROR_INVALID_ARG.
 */
gboolean reeve_explain_access (const ReeveAccessRules *rules,
                               const ReeveProgram *const *programs,
                               gboolean trusts_owner,
                               uid_t owner,
                               const reeve_access_explain_args *args,
                               reeve_access_explain_ret *ret,
                               GError **error);

/* Answers `reeve.access_list`. */
void reeve_describe_access (const ReeveAccessRules *rules,
                            gboolean trusts_owner,
                            reeve_access_list_ret *ret);

G_END_DECLS
