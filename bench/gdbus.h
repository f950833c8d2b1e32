/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "run.h"
#include "server.h"

/* GDBus without a bus in between, for comparison: a server as those of
 * rpc-server.h, and a client that keeps @depth calls of a method without
 * arguments in flight. */
typedef struct _GDBusClient GDBusClient;

void serve_gdbus (const ServeOptions *options);

GDBusClient *gdbus_client_new (const char *path);
void gdbus_client_free (GDBusClient *self);
Run gdbus_client_run (GDBusClient *self, unsigned depth, gint64 duration_us);
