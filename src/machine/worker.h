/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"

G_BEGIN_DECLS

/**
 * ReeveWorker:
 *
 * Threads for what may wait for a disk, on behalf of the loop's thread. Tasks
 * come in lanes: those of one lane run one after the other, lanes run side by
 * side.
 */
typedef struct _ReeveWorker ReeveWorker;

/**
 * ReeveWorkerLane:
 *
 * An order of tasks; embed it. Loop's. It must stay until its tasks are done:
 * let their data hold what it is embedded in.
 */
typedef struct {
  ReeveWorker *worker;
  GQueue tasks;
  gboolean is_busy;
} ReeveWorkerLane;

typedef void (*ReeveWorkerFunc) (gpointer data);

/* Thread: loop. */
ReeveWorker *reeve_worker_new (ReeveLoop *loop);
/* Waits until what was begun is done, and ends the threads; what waits then in
 * a lane, and what is pushed later, runs in the loop's thread. */
void reeve_worker_close (ReeveWorker *self);
void reeve_worker_free (ReeveWorker *self);

void reeve_worker_lane_init (ReeveWorkerLane *self, ReeveWorker *worker);

/**
 * reeve_worker_lane_push:
 * @func: runs on a worker thread
 * @done: (nullable): runs in the loop's thread after it
 *
 * Thread: loop.
 */
void reeve_worker_lane_push (ReeveWorkerLane *self,
                             ReeveWorkerFunc func,
                             ReeveWorkerFunc done,
                             gpointer data);

G_END_DECLS
