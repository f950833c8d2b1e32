/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/server.h"
#include "rpc/stream.h"

G_BEGIN_DECLS

/**
 * ReeveService:
 *
 * A listener of a server: accepts connections in the loop's thread and hands
 * them over. When the process is out of file descriptors it pauses, rather
 * than spin or lose the listener.
 */
typedef struct _ReeveService ReeveService;

/* Takes @stream. */
typedef void (*ReeveServiceFunc) (ReeveService *service,
                                  ReeveStream *stream,
                                  gpointer data);

/* @pstream: (transfer full). (nullable): NULL with errno set. */
ReeveService *reeve_service_new (ReeveLoop *loop,
                                 ReevePStream *pstream,
                                 const ReeveServiceOptions *options,
                                 ReeveServiceFunc func,
                                 gpointer data);
/* Thread: loop, or owner when the loop does not run. */
void reeve_service_free (ReeveService *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveService, reeve_service_free)

const char *reeve_service_get_name (ReeveService *self);
/* (transfer none) */
const ReeveServiceOptions *reeve_service_get_options (ReeveService *self);

G_END_DECLS
