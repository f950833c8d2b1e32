/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/job-pool.h"

#include "event/intl.h"
#include "event/thread.h"
#include "rpc/error.h"

#include <string.h>

/* One kind of workers: those who wait share a condition. */
typedef struct {
  ReeveCond work;
  unsigned n_threads;
  unsigned n_waiting;
  unsigned n_woken; /* signalled, and not running yet */
} Crew;

struct _ReeveJobPool {
  ReeveJobFunc func; /* immutable */
  gpointer user_data;

  ReeveMutex lock;
  ReeveJobPoolSize size REEVE_GUARDED;
  GQueue normal REEVE_GUARDED;   /* (element-type ReeveJob) */
  GQueue priority REEVE_GUARDED; /* (element-type ReeveJob) */
  Crew ordinary_crew REEVE_GUARDED;
  Crew priority_crew REEVE_GUARDED;
  ReeveCond ended; /* a thread did */
  unsigned max_queued REEVE_GUARDED;
  guint64 n_done REEVE_GUARDED;
  gboolean is_stopping REEVE_GUARDED;
};

typedef struct {
  ReeveJob *jobs[REEVE_JOB_BATCH];
  unsigned n_jobs;
} Batch;

static void *run_ordinary (void *data);
static void *run_priority (void *data);

static gboolean
start_thread (ReeveJobPool *self, void *(*run) (void *) )
{
  pthread_attr_t attributes;
  pthread_t thread;
  int failure;

  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  failure = pthread_create (&thread, &attributes, run, self);
  pthread_attr_destroy (&attributes);
  if (failure == 0)
    pthread_setname_np (thread, run == run_ordinary ? "worker" : "priority");
  return failure == 0;
}

/* Makes up to @n_more workers; returns whether it made one. A thread that
 * cannot be made is no error: those that are there do the work. */
static gboolean
add_ordinary_locked (ReeveJobPool *self, unsigned n_more)
    REEVE_REQUIRES (self->lock)
{
  Crew *crew = &self->ordinary_crew;
  unsigned n_made = 0;

  while (n_made < n_more && crew->n_threads < self->size.maximum &&
         start_thread (self, run_ordinary)) {
    n_made++;
    crew->n_threads++;
    /* It will wait, or take work that would have woken another one. */
    crew->n_waiting++;
  }

  return n_made > 0;
}

/* Makes more workers when too few wait. */
static gboolean
grow_locked (ReeveJobPool *self) REEVE_REQUIRES (self->lock)
{
  return !self->is_stopping &&
         self->ordinary_crew.n_waiting < self->size.lo_water &&
         add_ordinary_locked (self, self->size.increment);
}

static void
wake_locked (Crew *crew)
{
  if (crew->n_woken > 0)
    return;
  crew->n_woken++;
  reeve_cond_signal (&crew->work);
}

static void
wake_one_locked (ReeveJobPool *self) REEVE_REQUIRES (self->lock)
{
  Crew *ordinary = &self->ordinary_crew;
  Crew *priority = &self->priority_crew;

  if (ordinary->n_waiting > 0)
    wake_locked (ordinary);
  else if (self->priority.length > 0 && priority->n_waiting > 0)
    wake_locked (priority);
  else if (self->size.lo_water == 0 && add_ordinary_locked (self, 1))
    wake_locked (ordinary); /* nobody was to wait for it */
}

static gboolean
has_work_locked (ReeveJobPool *self) REEVE_REQUIRES (self->lock)
{
  return self->normal.length > 0 || self->priority.length > 0;
}

static void
take_one_locked (GQueue *queue, Batch *batch)
{
  batch->jobs[batch->n_jobs++] = g_queue_pop_head_link (queue)->data;
}

/* Takes one job; of priority jobs those of the same group that follow, too. */
static void
take_locked (ReeveJobPool *self, gboolean is_ordinary, Batch *batch)
    REEVE_REQUIRES (self->lock)
{
  batch->n_jobs = 0;
  if (self->priority.length > 0) {
    take_one_locked (&self->priority, batch);
    while (batch->n_jobs < REEVE_JOB_BATCH && self->priority.length > 0 &&
           ((ReeveJob *) self->priority.head->data)->group ==
               batch->jobs[0]->group)
      take_one_locked (&self->priority, batch);
  } else if (is_ordinary && self->normal.length > 0) {
    take_one_locked (&self->normal, batch);
  }
}

/* The lock is given up while jobs run. */
static void
run_batch_locked (ReeveJobPool *self, const Batch *batch) REEVE_UNCHECKED
{
  if (has_work_locked (self))
    wake_one_locked (self);

  pthread_mutex_unlock (&self->lock.impl);
  if (batch->jobs[0]->run != NULL)
    batch->jobs[0]->run (batch->jobs[0]);
  else
    self->func (batch->jobs, batch->n_jobs, self->user_data);
  pthread_mutex_lock (&self->lock.impl);

  self->n_done += batch->n_jobs;
}

/* A thread comes, whether or not it was the one that a signal woke: a signal
 * that found nobody waiting yet was meant for one that was being made. */
static void
arrive_locked (Crew *crew)
{
  crew->n_waiting--;
  if (crew->n_woken > 0)
    crew->n_woken--;
}

/* A thread ends; it may have been woken for work that it leaves to others. */
static void
end_thread_locked (ReeveJobPool *self, Crew *crew) REEVE_REQUIRES (self->lock)
{
  crew->n_threads--;
  if (has_work_locked (self))
    wake_one_locked (self);
  reeve_cond_signal (&self->ended);
}

static void *
run_ordinary (void *data) REEVE_UNCHECKED
{
  ReeveJobPool *self = data;
  Crew *crew = &self->ordinary_crew;
  Batch batch;

  pthread_mutex_lock (&self->lock.impl);
  arrive_locked (crew); /* whoever made us counted us as waiting */
  while (crew->n_threads <= self->size.maximum) {
    take_locked (self, TRUE, &batch);
    if (batch.n_jobs > 0) {
      grow_locked (self);
      run_batch_locked (self, &batch);
      continue;
    }
    if (self->is_stopping || crew->n_waiting >= self->size.hi_water)
      break;
    crew->n_waiting++;
    reeve_cond_wait (&crew->work, &self->lock);
    arrive_locked (crew);
  }
  end_thread_locked (self, crew);
  pthread_mutex_unlock (&self->lock.impl);
  return NULL;
}

static void *
run_priority (void *data) REEVE_UNCHECKED
{
  ReeveJobPool *self = data;
  Crew *crew = &self->priority_crew;
  Batch batch;

  pthread_mutex_lock (&self->lock.impl);
  while (crew->n_threads <= self->size.n_priority) {
    take_locked (self, FALSE, &batch);
    if (batch.n_jobs > 0) {
      run_batch_locked (self, &batch);
      continue;
    }
    if (self->is_stopping)
      break;
    crew->n_waiting++;
    reeve_cond_wait (&crew->work, &self->lock);
    arrive_locked (crew);
  }
  end_thread_locked (self, crew);
  pthread_mutex_unlock (&self->lock.impl);
  return NULL;
}

static void
add_priority_threads_locked (ReeveJobPool *self) REEVE_REQUIRES (self->lock)
{
  while (self->priority_crew.n_threads < self->size.n_priority &&
         start_thread (self, run_priority))
    self->priority_crew.n_threads++;
}

static void
add_ordinary_threads_locked (ReeveJobPool *self) REEVE_REQUIRES (self->lock)
{
  while (grow_locked (self))
    ;
}

ReeveJobPool *
reeve_job_pool_new (const ReeveJobPoolSize *size,
                    ReeveJobFunc func,
                    gpointer user_data) REEVE_UNCHECKED
{
  ReeveJobPool *self = g_new0 (ReeveJobPool, 1);

  self->func = func;
  self->user_data = user_data;
  self->size = *size;
  reeve_mutex_init (&self->lock);
  reeve_cond_init (&self->ordinary_crew.work);
  reeve_cond_init (&self->priority_crew.work);
  reeve_cond_init (&self->ended);

  REEVE_LOCK_SCOPE (&self->lock);

  add_ordinary_threads_locked (self);
  add_priority_threads_locked (self);
  return self;
}

static void
wait_for_threads (ReeveJobPool *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_stopping = TRUE;
  reeve_cond_broadcast (&self->ordinary_crew.work);
  reeve_cond_broadcast (&self->priority_crew.work);
  while (self->ordinary_crew.n_threads + self->priority_crew.n_threads > 0)
    reeve_cond_wait (&self->ended, &self->lock);
}

void
reeve_job_pool_free (ReeveJobPool *self)
{
  if (self == NULL)
    return;

  wait_for_threads (self);
  reeve_cond_clear (&self->ordinary_crew.work);
  reeve_cond_clear (&self->priority_crew.work);
  reeve_cond_clear (&self->ended);
  reeve_mutex_clear (&self->lock);
  g_free (self);
}

void
reeve_job_pool_push (ReeveJobPool *self, GQueue *jobs)
{
  GList *link;

  if (g_queue_is_empty (jobs))
    return;

  REEVE_LOCK_SCOPE (&self->lock);

  while ((link = g_queue_pop_head_link (jobs)) != NULL) {
    ReeveJob *job = link->data;

    g_queue_push_tail_link (job->is_priority ? &self->priority : &self->normal,
                            link);
  }
  self->max_queued =
      MAX (self->max_queued, self->normal.length + self->priority.length);
  wake_one_locked (self);
}

static gboolean
check_size (const ReeveJobPoolSize *size, GError **error)
{
  if (size->maximum > REEVE_JOB_POOL_MAX_WORKERS ||
      size->n_priority > REEVE_JOB_POOL_MAX_PRIORITY) {
    g_set_error (
        error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
        _ ("A pool has at most %1$d workers and %2$d priority workers"),
        REEVE_JOB_POOL_MAX_WORKERS, REEVE_JOB_POOL_MAX_PRIORITY);
    return FALSE;
  }
  if (size->lo_water > size->hi_water || size->hi_water > size->maximum ||
      size->maximum < 1 || size->increment < 1) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("A pool with %1$u to %2$u waiting workers of at most %3$u, "
                    "in steps of %4$u, makes no sense"),
                 size->lo_water, size->hi_water, size->maximum,
                 size->increment);
    return FALSE;
  }

  return TRUE;
}

gboolean
reeve_job_pool_resize (ReeveJobPool *self,
                       const ReeveJobPoolSize *size,
                       GError **error)
{
  if (!check_size (size, error))
    return FALSE;

  REEVE_LOCK_SCOPE (&self->lock);

  self->size = *size;
  add_ordinary_threads_locked (self);
  add_priority_threads_locked (self);
  if (has_work_locked (self))
    wake_one_locked (self);
  /* Those that are too many see it when they wake. */
  reeve_cond_broadcast (&self->ordinary_crew.work);
  reeve_cond_broadcast (&self->priority_crew.work);
  return TRUE;
}

void
reeve_job_pool_get_size (ReeveJobPool *self, ReeveJobPoolSize *size)
{
  REEVE_LOCK_SCOPE (&self->lock);

  *size = self->size;
}

void
reeve_job_pool_get_stats (ReeveJobPool *self, ReeveJobPoolStats *stats)
{
  REEVE_LOCK_SCOPE (&self->lock);

  *stats = (ReeveJobPoolStats){
    .n_threads = self->ordinary_crew.n_threads,
    .n_waiting = self->ordinary_crew.n_waiting,
    .n_priority = self->priority_crew.n_threads,
    .n_queued = self->normal.length + self->priority.length,
    .max_queued = self->max_queued,
    .n_done = self->n_done,
  };
}
