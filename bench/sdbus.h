/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "run.h"
#include "server.h"

/* A peer: sd-bus without a bus between its ends. A server as of rpc-server.h,
 * and a client that keeps @depth calls of a method without arguments in
 * flight. */
typedef struct _SdBusClient SdBusClient;

void serve_sdbus (const ServeOptions *options);

SdBusClient *sdbus_client_new (const char *path);
void sdbus_client_free (SdBusClient *self);
Run sdbus_client_run (SdBusClient *self, unsigned depth, gint64 duration_us);
