/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveJobPool:
 *
 * Worker threads that run jobs. The numbers are those of a QNX thread pool:
 * `lo_water` threads always wait; when fewer wait, `increment` more are made,
 * up to `maximum`; a thread that would wait as more than `hi_water` do ends.
 * Priority workers are a second, fixed set that takes priority jobs alone, so
 * that those are served while every ordinary worker is busy.
 *
 * A batch is queued under one lock and wakes at most one worker; a worker that
 * takes a job wakes the next one only if work is left.
 */
typedef struct _ReeveJobPool ReeveJobPool;

typedef struct {
  unsigned lo_water;
  unsigned hi_water;
  unsigned increment;
  unsigned maximum;
  unsigned n_priority;
} ReeveJobPoolSize;

/* A job: embed it, the pool does not own it. */
typedef struct _ReeveJob ReeveJob;
struct _ReeveJob {
  GList link; /* of the pool, while queued; link.data is the job */
  gboolean is_priority;
};

/**
 * ReeveJobFunc:
 *
 * Runs one job, on a worker thread, with no lock held.
 */
typedef void (*ReeveJobFunc) (ReeveJob *job, gpointer user_data);

typedef struct {
  unsigned n_threads;
  unsigned n_waiting;
  unsigned n_priority;
  unsigned n_queued;
  unsigned max_queued; /* since the pool was made */
  guint64 n_done;
  gint64 oldest_us; /* when the longest running job began; 0: none */
} ReeveJobPoolStats;

/* Starts lo_water and the priority threads. Thread: owner. */
ReeveJobPool *reeve_job_pool_new (const ReeveJobPoolSize *size,
                                  ReeveJobFunc func,
                                  gpointer user_data);
/* Runs what is queued, then ends the threads and waits for them. */
void reeve_job_pool_free (ReeveJobPool *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveJobPool, reeve_job_pool_free)

/**
 * reeve_job_pool_push:
 * @jobs: (transfer none): a batch, in order; left empty
 *
 * Thread: any.
 */
void reeve_job_pool_push (ReeveJobPool *self, GQueue *jobs);

/**
 * reeve_job_pool_resize:
 *
 * Errors: %REEVE_ERROR_INVALID_ARG unless 1 <= lo_water <= hi_water <=
 * maximum and increment >= 1.
 */
gboolean reeve_job_pool_resize (ReeveJobPool *self,
                                const ReeveJobPoolSize *size,
                                GError **error);
void reeve_job_pool_get_size (ReeveJobPool *self, ReeveJobPoolSize *size);
void reeve_job_pool_get_stats (ReeveJobPool *self, ReeveJobPoolStats *stats);

G_END_DECLS
