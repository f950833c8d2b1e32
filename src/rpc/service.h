/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/refusals.h"
#include "rpc/server-limits.h"
#include "rpc/stream.h"

G_BEGIN_DECLS

/**
 * ReeveService:
 *
 * A listener of a server: accepts connections in the thread of a loop, that of
 * whichever waits if there are several, and hands them over. More than so many
 * in a second wait. When the process is out of file descriptors, a connection
 * is refused by means of one that was kept for this; without that one the
 * listener pauses, rather than spin or be lost.
 */
typedef struct _ReeveService ReeveService;

/* Takes @stream. */
typedef void (*ReeveServiceFunc) (ReeveService *service,
                                  ReeveStream *stream,
                                  gpointer data);

/* A connection that comes is refused, or has to wait; @why: of errno. */
typedef void (*ReeveServiceRefuseFunc) (ReeveService *service,
                                        ReeveRefusal kind,
                                        const char *why,
                                        gpointer data);

/* @loops: (array length=n_loops): that accept; @limits: (transfer none), of
 * which it looks at max_accepts_per_second.
 * @pstream: (transfer full). (nullable): NULL with errno set. */
ReeveService *reeve_service_new (ReeveLoop *const *loops,
                                 unsigned n_loops,
                                 ReevePStream *pstream,
                                 const ReeveServiceOptions *options,
                                 const ReeveLiveLimits *limits,
                                 ReeveServiceFunc func,
                                 ReeveServiceRefuseFunc refuse,
                                 gpointer data);
/* Thread: loop, while the others stand still, or owner when it does not run. */
void reeve_service_free (ReeveService *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveService, reeve_service_free)

/* Whether it accepts nothing for now. Thread: as above. */
void reeve_service_set_frozen (ReeveService *self, gboolean is_frozen);

const char *reeve_service_get_name (ReeveService *self);
/* (transfer none) */
const ReeveServiceOptions *reeve_service_get_options (ReeveService *self);

G_END_DECLS
