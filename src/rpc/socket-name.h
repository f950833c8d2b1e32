/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The names of sockets: `unix:PATH`, `tcp:HOST:PORT`, `tcp:[V6]:PORT`. */

/* (nullable): what follows "@scheme:" in @name. */
const char *reeve_socket_name_skip (const char *name, const char *scheme);

/**
 * reeve_socket_name_parse:
 * @is_passive: `punix:` and `ptcp:`; a host may be left out
 *
 * Errors: %REEVE_ERROR_INVALID_ARG, naming what is wrong.
 *
 * Returns: (transfer full): to connect to, or to bind
 */
GSocketConnectable *
reeve_socket_name_parse (const char *name, gboolean is_passive, GError **error);

G_END_DECLS
