/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/connection.h"
#include "rpc/stream.h"

G_BEGIN_DECLS

/* What connection-open.c needs of connection.c. */

/* A connection on a stream (transfer full) that is connected. */
ReeveConnection *reeve_connection_new (const char *uri, ReeveStream *stream);
/* The server waits for connect_close. */
void reeve_connection_set_opened (ReeveConnection *self);

G_END_DECLS
