/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/auth.h"

#include "protocol/auth.h"
#include "rpc/server-private.h"

/* The procedures of the program `auth`. */

static gboolean
list (ReeveCall *call, auth_list_ret *ret, GError **error)
{
  ReeveServerClient *client = reeve_call_get_client (call);

  ret->types.n_items = 1;
  ret->types.items = g_new0 (int32_t, 1);
  if (!reeve_server_client_is_authenticated (client))
    ret->types.items[0] = (int32_t) reeve_server_client_get_auth (client);
  return TRUE;
}

static const auth_handlers handlers = {
  .list = list,
};

void
reeve_auth_register (ReeveServer *server)
{
  reeve_server_add_program (server, &auth_program, &handlers, NULL);
}
