/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/access-rules.h"

G_BEGIN_DECLS

/**
 * reeve_access_caller_parse:
 * @who: `user:NAME`, `uid:N`, `group:NAME`, `gid:N`, `dn:NAME`, `sasl:NAME`, or
 *   `any`: nobody in particular
 * @from: (nullable): `unix`, `tcp`, `tls`, `tcp:ADDRESS` or `tls:ADDRESS`; if
 *   %NULL, a unix socket for users and groups, TLS for a certificate's name
 *   and TCP for others
 *
 * Somebody to ask about who is not there. Looks up users and the groups they
 * are in, so it may block.
 *
 * Errors: %REEVE_ERROR_INVALID_ARG.
 */
gboolean reeve_access_caller_parse (ReeveAccessCaller *self,
                                    const char *who,
                                    const char *from,
                                    GError **error);

/* Of a client; what it has is the client's but for the address. */
void
reeve_access_caller_init (ReeveAccessCaller *self, ReeveServerClient *client);

/* @self: made by reeve_access_caller_parse() */
void reeve_access_caller_clear (ReeveAccessCaller *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReeveAccessCaller, reeve_access_caller_clear)

/* Whether it is root or @owner, on a unix socket. */
gboolean
reeve_access_caller_is_owner (const ReeveAccessCaller *self, uid_t owner);

/* (transfer full) (nullable): of "HOST:PORT", "[HOST]:PORT" or "HOST", all
 * numeric; an IPv4 address that is written as an IPv6 one is an IPv4 one. */
GInetAddress *reeve_access_parse_address (const char *text);

/* A user or group by its name; *@errnum is 0 if there is none. May block. */
gboolean
reeve_access_find_user (const char *name, uid_t *uid, gid_t *gid, int *errnum);
gboolean reeve_access_find_group (const char *name, gid_t *gid, int *errnum);

G_END_DECLS
