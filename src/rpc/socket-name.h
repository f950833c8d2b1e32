/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The names of sockets: `unix:PATH`, `tcp:HOST:PORT`, `tcp:[V6]:PORT`, and with
 * `tls:` the same. */

/* (nullable): what follows "@scheme:" in @name. */
const char *reeve_socket_name_skip (const char *name, const char *scheme);

/* (nullable): the port's digits at the end of HOST:PORT, of PORT. */
const char *reeve_socket_name_get_port (const char *text);

/**
 * reeve_socket_name_parse:
 * @is_passive: `punix:`, `ptcp:` and `ptls:`; a host may be left out. With TLS
 *   port may, too.
 *
 * A host that has a name is not looked up.
 *
 * Errors: %REEVE_ERROR_INVALID_ARG, naming what is wrong.
 *
 * Returns: (transfer full): to connect to, or to bind
 */
GSocketConnectable *
reeve_socket_name_parse (const char *name, gboolean is_passive, GError **error);

G_END_DECLS
