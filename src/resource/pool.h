/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"
#include "resource/request.h"
#include "rpc/job-pool.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * ReeveResourcePool:
 *
 * Threads for what nodes do that may block: a disk, a device, another program.
 * Everything else stays with the loop's thread, which never waits. Requests of
 * a mount and of the program `resource` share the threads, in their order.
 */
typedef struct _ReeveResourcePool ReeveResourcePool;

/* Two threads wait, and four at most; up to fifty there are. */
extern const ReeveJobPoolSize reeve_resource_pool_size;

/**
 * reeve_resource_pool_new:
 * @loop: whose thread has the nodes
 * @size: without priority workers
 *
 * Thread: loop, as the others.
 */
ReeveResourcePool *
reeve_resource_pool_new (ReeveLoop *loop, const ReeveJobPoolSize *size);
/* When all handles are closed: waits for what runs, which is cancelled by then.
 */
void reeve_resource_pool_free (ReeveResourcePool *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveResourcePool, reeve_resource_pool_free)

/* Its threads. Thread: any. */
ReeveJobPool *reeve_resource_pool_get_jobs (ReeveResourcePool *self);

/**
 * ReeveResourcePoolFunc:
 * @request: (transfer full): answered before this returns
 * @cancellable: set when the client gives up, who has his answer then. It has
 *   a file for poll(), and should end the wait
 *
 * Thread: of the pool. It may ask @request for its offset, bytes, size, code,
 * text and whether it may wait, and answers it with the functions that the
 * loop's thread uses; the node, the handle and the tree are that one's alone.
 * The answer is the last that it does with @data: the node may go with it.
 */
typedef void (*ReeveResourcePoolFunc) (ReeveResourceRequest *request,
                                       GCancellable *cancellable,
                                       gpointer data);

/**
 * reeve_resource_request_run:
 * @request: (transfer full)
 *
 * Hands @request over to a thread of @pool, for @func; or lets it wait for one
 * that is free. A client that gives up meanwhile has `EINTR` at once, and if
 * @func was not called by then, it is not.
 */
void reeve_resource_request_run (ReeveResourceRequest *request,
                                 ReeveResourcePool *pool,
                                 ReeveResourcePoolFunc func,
                                 gpointer data);

G_END_DECLS
