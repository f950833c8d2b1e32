/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "load.h"
#include "server.h"

/* A peer: gRPC, by bench-grpc, whose path is in the environment: a program of
 * its own, as nothing else here is in C++. */
typedef struct _GrpcClient GrpcClient;

/* Returns: (nullable): of that program; it was not built */
const char *grpc_get_program (void);

void serve_grpc (const ServeOptions *options);

/* A process with as many connections as @load says. */
GrpcClient *grpc_client_new (const char *path, const Load *load);
void grpc_client_free (GrpcClient *self);
Run grpc_client_run (GrpcClient *self, gint64 duration_us);
