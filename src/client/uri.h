/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/tls-context.h"

G_BEGIN_DECLS

typedef enum {
  REEVE_URI_AUTH_ANY, /* as the server wants it */
  REEVE_URI_AUTH_SASL,
  REEVE_URI_AUTH_POLKIT,
} ReeveUriAuth;

/**
 * ReeveUri:
 * @stream: (owned): the name of the stream to open, see rpc/stream.h
 * @name: (owned): what `connect_open` of the program `remote` is given; ""
 *   lets the server choose
 * @pki_path: (owned) (nullable): for a stream with TLS, as what follows
 * @tls_priority: (owned) (nullable)
 * @tls_flags: what is taken for granted
 * @host: (owned): the server's, as the user calls it; "localhost" for none
 * @user: (owned) (nullable): who wants to connect
 * @auth: by what the user wants to authenticate
 * @sasl_mechanism: (owned) (nullable): and by which mechanism of SASL
 * @auth_file: (owned) (nullable): where names and passwords are
 * @is_protected: nobody between can read or change what is said
 * @is_plain: it was the name of a stream, where any daemon may listen, also one
 *   without the program `remote`
 *
 * Where to connect to, and what to ask for there.
 */
typedef struct {
  char *stream;
  char *name;
  char *pki_path;
  char *tls_priority;
  ReeveTlsFlags tls_flags;
  char *host;
  char *user;
  ReeveUriAuth auth;
  char *sasl_mechanism;
  char *auth_file;
  gboolean is_protected;
  gboolean is_plain;
} ReeveUri;

/**
 * reeve_uri_parse:
 * @uri: `DRIVER[+TRANSPORT]://[USER@][HOST][:PORT]/[PATH][?PARAM=VALUE&…]`
 *   with the transports unix, tcp, tls, ssh and ext; or a stream's name
 * @is_read_only: take the read-only socket where the URI names none
 *
 * Errors: %REEVE_ERROR_INVALID_ARG, naming what is wrong.
 *
 * Returns: (transfer full)
 */
ReeveUri *
reeve_uri_parse (const char *uri, gboolean is_read_only, GError **error);
void reeve_uri_free (ReeveUri *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveUri, reeve_uri_free)

/* (transfer full): the socket of this user's own daemon. */
char *reeve_uri_get_session (gboolean is_read_only);

/* (transfer full): $REEVE_URI, else $LIBVIRT_DEFAULT_URI, else the socket of
 * the daemon of this user, or of the host for root. */
char *reeve_uri_get_default (gboolean is_read_only);

G_END_DECLS
