/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * ReeveJobPool:
 *
 * Worker threads that run jobs. The numbers are those of a QNX thread pool:
 * `lo_water` threads always wait; when fewer wait, `increment` more are made,
 * up to `maximum` in all and up to `hi_water` that wait; a thread that would
 * wait while `hi_water` do ends. With a
 * `lo_water` of 0 a thread is made when there is work for it. Priority workers
 * are a second, fixed set that takes priority jobs alone, so that those are
 * served while every ordinary worker is busy.
 *
 * A push takes the lock once and wakes at most one worker; a worker that takes
 * work wakes the next one only if work is left. Normal and priority jobs take
 * turns, too: neither kind keeps ordinary workers from the other.
 */
typedef struct _ReeveJobPool ReeveJobPool;

typedef struct {
  unsigned lo_water;
  unsigned hi_water;
  unsigned increment;
  unsigned maximum;
  unsigned n_priority;
} ReeveJobPoolSize;

/**
 * ReeveJobGroup:
 *
 * What jobs have in common that come from one place, a client for instance.
 * Groups take turns, so that the one job of a group never waits for many of
 * another; and the normal jobs of one group leave a quarter of the workers to
 * others, whatever they wait for. A group belongs to one pool.
 */
typedef struct _ReeveJobGroup ReeveJobGroup;

ReeveJobGroup *reeve_job_group_new (void);
/* Not while jobs of it are queued. Thread: any. */
void reeve_job_group_unref (ReeveJobGroup *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveJobGroup, reeve_job_group_unref)

/**
 * ReeveJob:
 * @is_priority: never blocks, and may be run by a priority worker
 * @is_short: a normal job that is expected to take microseconds: a worker may
 *   take several of one name at once
 * @group: (nullable) (transfer none): whose turn it takes; jobs without one
 *   take turns as one group
 * @run: (nullable): runs this job, in place of the pool's function; not for a
 *   priority job
 * @name: (nullable): what it is, for people; lives as long as the pool
 *
 * To embed; the pool does not own it.
 */
typedef struct _ReeveJob ReeveJob;
struct _ReeveJob {
  GList link;     /* of the pool, while it is queued; link.data is the job */
  bool is_queued; /* of the pool, as the link */
  bool is_priority;
  bool is_short;
  ReeveJobGroup *group;
  void (*run) (ReeveJob *self);
  const char *name;
};

/* The most jobs that a worker takes at once. */
#define REEVE_JOB_BATCH 16

/* The largest pool that reeve_job_pool_resize() makes. */
#define REEVE_JOB_POOL_MAX_WORKERS 1024
#define REEVE_JOB_POOL_MAX_PRIORITY 64

/**
 * ReeveJobFunc:
 * @jobs: (array length=n_jobs): one job; or several of one group, either
 *   priority jobs or short ones
 *
 * Runs jobs, on a worker thread, with no lock held. As a priority job never
 * blocks, what the first of several wants to write may wait for the last. A
 * short job may last all the same: before each but the first it asks
 * reeve_job_begin_next().
 */
typedef void (*ReeveJobFunc) (ReeveJob *const *jobs,
                              unsigned n_jobs,
                              gpointer user_data);

typedef struct {
  unsigned n_threads;  /* ordinary ones */
  unsigned n_waiting;  /* of them */
  unsigned n_priority; /* priority ones */
  unsigned n_queued;
  unsigned max_queued; /* since the pool was made */
  guint64 n_done;
} ReeveJobPoolStats;

/* Of several short jobs, whether the next is still this worker's; if not,
 * neither are those behind it. Thread: a worker, in its function. */
gboolean reeve_job_begin_next (void);

/* Starts lo_water threads and the priority ones. Thread: owner. */
ReeveJobPool *reeve_job_pool_new (const ReeveJobPoolSize *size,
                                  ReeveJobFunc func,
                                  gpointer user_data);
/* Runs what is queued, then ends the threads and waits for them. */
void reeve_job_pool_free (ReeveJobPool *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveJobPool, reeve_job_pool_free)

/**
 * reeve_job_pool_push:
 * @jobs: (transfer none): #ReeveJob.link of a batch, in order; left empty
 *
 * Thread: any.
 */
void reeve_job_pool_push (ReeveJobPool *self, GQueue *jobs);

/**
 * reeve_job_pool_take_back:
 * @job: one that was pushed
 *
 * Thread: any.
 *
 * Returns: whether it still was queued, and will not run; else a worker has it,
 * or had it
 */
gboolean reeve_job_pool_take_back (ReeveJobPool *self, ReeveJob *job);

/**
 * reeve_job_pool_look:
 * @now_us: of the monotonic clock
 *
 * What a worker has taken besides a job that was running at the last look, and
 * still is, goes back to the queue, for others. To be called each millisecond
 * or so while there are short jobs; several threads may, as one that comes
 * within 500 µs after the last one does nothing. Thread: any.
 */
void reeve_job_pool_look (ReeveJobPool *self, gint64 now_us);

/**
 * reeve_job_pool_resize:
 *
 * Threads that are missing are made at once; those that are too many end as
 * soon as they are done with what they run. Nothing that is queued is lost.
 *
 * Thread: any.
 * Errors: %REEVE_ERROR_INVALID_ARG unless lo_water <= hi_water <= maximum,
 * 1 <= maximum <= %REEVE_JOB_POOL_MAX_WORKERS, increment >= 1 and n_priority
 * <= %REEVE_JOB_POOL_MAX_PRIORITY.
 */
gboolean reeve_job_pool_resize (ReeveJobPool *self,
                                const ReeveJobPoolSize *size,
                                GError **error);
void reeve_job_pool_get_size (ReeveJobPool *self, ReeveJobPoolSize *size);
void reeve_job_pool_get_stats (ReeveJobPool *self, ReeveJobPoolStats *stats);

/* Whether a worker waits that could take the next job. Thread: any. */
gboolean reeve_job_pool_has_spare (ReeveJobPool *self);

/**
 * reeve_job_pool_go_on:
 * @jobs: (array length=n_jobs): normal ones that were never pushed, of one
 *   group; several only if they are short
 * @n_jobs: up to %REEVE_JOB_BATCH; 0: it waits for jobs
 *
 * The worker that calls is done with its jobs and would run @jobs, which came
 * to it by another way, as if it had taken them. Not while it is the last one
 * that others could have, nor when there are too many.
 *
 * Thread: a worker, in #ReeveJobFunc with normal jobs.
 *
 * Returns: whether it may
 */
gboolean reeve_job_pool_go_on (ReeveJobPool *self,
                               ReeveJob *const *jobs,
                               unsigned n_jobs);

/* Whether no job is queued, and none runs. Thread: any. */
gboolean reeve_job_pool_is_idle (ReeveJobPool *self);

/* A job that runs. */
typedef struct {
  const char *name; /* (nullable): of the first, where several run at once */
  gint64 start_us;  /* of g_get_monotonic_time(), to some milliseconds */
  pid_t thread;     /* as the kernel numbers it */
} ReeveJobPoolOldest;

/* Which job has run for the longest time; FALSE if none runs. Thread: any. */
gboolean
reeve_job_pool_get_oldest (ReeveJobPool *self, ReeveJobPoolOldest *oldest);

G_END_DECLS
