/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * reeve_admin_uri_get_stream:
 * @uri: (nullable): one of
 *   - the URI or the stream's name of a connection by a unix socket, whose
 *     daemon is meant: its admin socket has its place beside it
 *     (`reeved.sock` and `reeved-admin.sock`, `libvirt-sock` and
 *     `libvirt-admin-sock`);
 *   - the admin socket itself, `unix:PATH`;
 *   - a daemon, `DAEMON:///system` or `DAEMON:///session`, as virt-admin has
 * it, with DAEMON `reeved`, `libvirtd` or one of libvirt's others, and with
 *     `?socket=PATH` for an admin socket in another place;
 *   - %NULL for what reeve_uri_get_default() says.
 *
 * Where the program `admin` is to be had.
 *
 * Errors: %REEVE_ERROR_INVALID_ARG: it is no unix socket, or none beside which
 * there would be another.
 *
 * Returns: (transfer full): the name of a stream
 */
char *reeve_admin_uri_get_stream (const char *uri, GError **error);

G_END_DECLS
