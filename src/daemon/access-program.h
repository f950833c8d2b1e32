/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "protocol/reeve.h"
#include "rpc/call.h"

G_BEGIN_DECLS

/* What the program `reeve` says of the rules of access, and does with them. */

gboolean reeve_access_program_list (ReeveCall *call,
                                    reeve_access_list_ret *ret,
                                    GError **error);
gboolean reeve_access_program_explain (ReeveCall *call,
                                       const reeve_access_explain_args *args,
                                       reeve_access_explain_ret *ret,
                                       GError **error);
gboolean reeve_access_program_reload (ReeveCall *call, GError **error);

G_END_DECLS
