/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/job-pool.h"

#include "event/intl.h"
#include "event/refs.h"
#include "event/thread.h"
#include "rpc/error.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* Between two looks at what workers run. */
#define MIN_LOOK_US 500

/* One kind of workers: those who wait share a condition. */
typedef struct {
  ReeveCond work;
  unsigned n_threads;
  unsigned n_waiting;
  unsigned n_woken; /* signalled, and not running yet */
} Crew;

/* Jobs of one group and kind that wait, in their order. */
typedef struct {
  GList link; /* in the backlog, when it may have a turn */
  GQueue jobs;
} Line;

/* Under the pool's lock, but for the references. */
struct _ReeveJobGroup {
  ReeveRefs refs;
  Line normal;
  Line priority;
  unsigned n_running; /* of normal jobs */
  gboolean is_parked; /* so many that the next waits until one ends */
};

/* The jobs of one kind. */
typedef struct {
  GQueue lines; /* (element-type Line): whose turn comes, in order */
  unsigned n_jobs;
} Backlog;

struct _ReeveJobPool {
  ReeveJobFunc func; /* immutable */
  gpointer user_data;

  ReeveMutex lock;
  ReeveJobPoolSize size REEVE_GUARDED;
  Backlog normal REEVE_GUARDED;
  Backlog priority REEVE_GUARDED;
  gboolean is_normal_next REEVE_GUARDED;  /* for an ordinary worker */
  ReeveJobGroup *ungrouped REEVE_GUARDED; /* (owned): of jobs without one */
  Crew ordinary_crew REEVE_GUARDED;
  Crew priority_crew REEVE_GUARDED;
  ReeveCond ended;                /* a thread did */
  GQueue running REEVE_GUARDED;   /* (element-type Run): the oldest first */
  gint64 looked_us REEVE_GUARDED; /* at them */
  unsigned max_queued REEVE_GUARDED;
  guint64 n_done REEVE_GUARDED;
  gboolean is_stopping REEVE_GUARDED;
};

typedef struct {
  ReeveJob *jobs[REEVE_JOB_BATCH];
  unsigned n_jobs;
  ReeveJobGroup *group; /* (owned) (nullable): of a normal job */
} Batch;

/* What a worker runs just now; on its stack. */
typedef struct {
  GList link;
  ReeveJobPoolOldest what;
  Batch *batch;
  /* How many of the batch began, and, in the upper half, how many are this
   * worker's: it begins the next, or those that did not begin are taken back,
   * at once. */
  atomic_uint turn;
  unsigned seen; /* of that, at the last look */
} Run;

#define TURN_BITS 16
#define TURN(n_begun, n_own) ((n_own) << TURN_BITS | (n_begun))
#define GET_BEGUN(turn) ((turn) & ((1u << TURN_BITS) - 1))
#define GET_OWN(turn) ((turn) >> TURN_BITS)

/* Of the worker that this thread is, while it runs jobs. */
static _Thread_local Run *current_run;

static void *run_ordinary (void *data);
static void *run_priority (void *data);

ReeveJobGroup *
reeve_job_group_new (void)
{
  ReeveJobGroup *self = g_new0 (ReeveJobGroup, 1);

  reeve_refs_init (&self->refs);
  self->normal.link.data = &self->normal;
  self->priority.link.data = &self->priority;
  return self;
}

void
reeve_job_group_unref (ReeveJobGroup *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  g_assert (g_queue_is_empty (&self->normal.jobs));
  g_assert (g_queue_is_empty (&self->priority.jobs));
  g_free (self);
}

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
static void
grow_locked (ReeveJobPool *self) REEVE_REQUIRES (self->lock)
{
  unsigned n_waiting = self->ordinary_crew.n_waiting;

  if (!self->is_stopping && n_waiting < self->size.lo_water)
    add_ordinary_locked (
        self, MIN (self->size.increment, self->size.hi_water - n_waiting));
}

/* (nullable): who is to be woken, by wake(), for the work that there is. */
static Crew *
choose_crew_locked (ReeveJobPool *self) REEVE_REQUIRES (self->lock)
{
  Crew *crew = NULL;

  if (self->ordinary_crew.n_waiting > 0)
    crew = &self->ordinary_crew;
  else if (self->priority.lines.length > 0 && self->priority_crew.n_waiting > 0)
    crew = &self->priority_crew;
  else if (self->size.lo_water == 0 && add_ordinary_locked (self, 1))
    crew = &self->ordinary_crew; /* nobody was to wait for it */

  if (crew == NULL || crew->n_woken > 0)
    return NULL;
  crew->n_woken++;
  return crew;
}

/* Best without the pool's lock: who wakes on the same core runs at once, and
 * would have to wait for it. */
static void
wake (Crew *crew)
{
  if (crew != NULL)
    reeve_cond_signal (&crew->work);
}

/* Work that may be taken. */
static gboolean
has_work_locked (ReeveJobPool *self) REEVE_REQUIRES (self->lock)
{
  return self->normal.lines.length > 0 || self->priority.lines.length > 0;
}

static ReeveJobGroup *
get_group_locked (ReeveJobPool *self, const ReeveJob *job)
    REEVE_REQUIRES (self->lock)
{
  return job->group != NULL ? job->group : self->ungrouped;
}

/* Whether another normal job of the group may run. */
static gboolean
may_run_locked (ReeveJobPool *self, const ReeveJobGroup *group)
    REEVE_REQUIRES (self->lock)
{
  return group == self->ungrouped ||
         group->n_running < self->size.maximum - self->size.maximum / 4;
}

/* The normal jobs of the group have their turn, or are parked. */
static void
queue_normal_locked (ReeveJobPool *self, ReeveJobGroup *group)
    REEVE_REQUIRES (self->lock)
{
  group->is_parked = !may_run_locked (self, group);
  if (!group->is_parked)
    g_queue_push_tail_link (&self->normal.lines, &group->normal.link);
}

/* Whether a worker may take it behind another one of its line. */
static gboolean
may_follow (const ReeveJob *self, const ReeveJob *first)
{
  return self->is_priority ||
         (self->is_short && first->is_short && self->name == first->name &&
          self->run == NULL && first->run == NULL);
}

/* Takes one or several of the line whose turn it is. */
static Line *
take_turn_locked (Backlog *self, Batch *batch)
{
  Line *line = g_queue_pop_head_link (&self->lines)->data;

  do {
    ReeveJob *job = g_queue_pop_head_link (&line->jobs)->data;

    job->is_queued = FALSE;
    batch->jobs[batch->n_jobs++] = job;
  } while (batch->n_jobs < REEVE_JOB_BATCH && line->jobs.length > 0 &&
           may_follow (line->jobs.head->data, batch->jobs[0]));
  self->n_jobs -= batch->n_jobs;
  return line;
}

static void
take_priority_locked (ReeveJobPool *self, Batch *batch)
    REEVE_REQUIRES (self->lock)
{
  Line *line = take_turn_locked (&self->priority, batch);

  if (line->jobs.length > 0)
    g_queue_push_tail_link (&self->priority.lines, &line->link);
}

/* The batch has the turn of its group, until end_turn_locked(). */
static void
begin_turn_locked (Batch *batch, ReeveJobGroup *group)
{
  group->n_running++;
  reeve_refs_inc (&group->refs);
  batch->group = group;
}

static void
take_normal_locked (ReeveJobPool *self, Batch *batch)
    REEVE_REQUIRES (self->lock)
{
  Line *line = take_turn_locked (&self->normal, batch);
  ReeveJobGroup *group = get_group_locked (self, batch->jobs[0]);

  begin_turn_locked (batch, group);
  if (line->jobs.length > 0)
    queue_normal_locked (self, group);
}

/* Takes one job, or several priority or short jobs. */
static void
take_locked (ReeveJobPool *self, gboolean is_ordinary, Batch *batch)
    REEVE_REQUIRES (self->lock)
{
  gboolean takes_normal =
      is_ordinary && self->normal.lines.length > 0 &&
      (self->priority.lines.length == 0 || self->is_normal_next);

  *batch = (Batch){ 0 };
  if (is_ordinary)
    self->is_normal_next = !takes_normal;
  if (takes_normal)
    take_normal_locked (self, batch);
  else if (self->priority.lines.length > 0)
    take_priority_locked (self, batch);
}

static void
end_normal_locked (ReeveJobPool *self, ReeveJobGroup *group)
    REEVE_REQUIRES (self->lock)
{
  group->n_running--;
  if (group->is_parked)
    queue_normal_locked (self, group);
  reeve_job_group_unref (group);
}

/* To a tick of the clock, without the cost of a precise one: whoever looks for
 * jobs that last counts in seconds. */
static gint64
get_rough_time_us (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC_COARSE, &now);
  return (gint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* What the worker took is done, and so is its group's turn. */
static void
end_turn_locked (ReeveJobPool *self, Run *run) REEVE_REQUIRES (self->lock)
{
  Batch *batch = run->batch;

  self->n_done += batch->group == NULL ? batch->n_jobs
                                       : GET_BEGUN (atomic_load (&run->turn));
  if (batch->group != NULL)
    end_normal_locked (self, g_steal_pointer (&batch->group));
}

/* The lock is given up while jobs run. */
static void
run_batch_locked (ReeveJobPool *self, Batch *batch, Run *run) REEVE_UNCHECKED
{
  Crew *next = has_work_locked (self) ? choose_crew_locked (self) : NULL;

  run->what.name = batch->jobs[0]->name;
  run->what.start_us = get_rough_time_us ();
  run->link.data = run;
  run->batch = batch;
  run->seen = 0;
  atomic_store_explicit (&run->turn, TURN (1u, batch->n_jobs),
                         memory_order_relaxed);
  g_queue_push_tail_link (&self->running, &run->link);
  current_run = run;

  pthread_mutex_unlock (&self->lock.impl);
  wake (next);
  if (batch->jobs[0]->run != NULL)
    batch->jobs[0]->run (batch->jobs[0]);
  else
    self->func (batch->jobs, batch->n_jobs, self->user_data);
  pthread_mutex_lock (&self->lock.impl);

  g_queue_unlink (&self->running, &run->link);
  end_turn_locked (self, run);
}

gboolean
reeve_job_begin_next (void)
{
  atomic_uint *turn = &current_run->turn;
  unsigned now = atomic_load (turn);

  do
    if (GET_BEGUN (now) == GET_OWN (now))
      return FALSE;
  while (!atomic_compare_exchange_weak (turn, &now, now + 1));
  return TRUE;
}

/* The jobs of the batch from @first to @end are at the head of their line. */
static void
put_back_locked (ReeveJobPool *self,
                 const Batch *batch,
                 unsigned first,
                 unsigned end) REEVE_REQUIRES (self->lock)
{
  Line *line = &batch->group->normal;
  gboolean had_turn = line->jobs.length > 0;

  self->normal.n_jobs += end - first;
  while (end > first) {
    ReeveJob *job = batch->jobs[--end];

    job->is_queued = TRUE;
    g_queue_push_head_link (&line->jobs, &job->link);
  }
  if (!had_turn)
    queue_normal_locked (self, batch->group);
}

/* Whether jobs were taken back from the worker. */
static gboolean
look_locked (ReeveJobPool *self, Run *run) REEVE_REQUIRES (self->lock)
{
  unsigned turn = atomic_load (&run->turn);
  unsigned seen = run->seen;

  run->seen = turn;
  if (run->batch->group == NULL || GET_BEGUN (turn) == GET_OWN (turn) ||
      turn != seen ||
      !atomic_compare_exchange_strong (
          &run->turn, &turn, TURN (GET_BEGUN (turn), GET_BEGUN (turn))))
    return FALSE;

  put_back_locked (self, run->batch, GET_BEGUN (turn), GET_OWN (turn));
  return TRUE;
}

/* Returns who is to be woken. */
static Crew *
look_at_all (ReeveJobPool *self, gint64 now_us)
{
  gboolean has_more = FALSE;

  REEVE_LOCK_SCOPE (&self->lock);

  if (now_us - self->looked_us < MIN_LOOK_US)
    return NULL;

  self->looked_us = now_us;
  for (GList *link = self->running.head; link != NULL; link = link->next)
    has_more = look_locked (self, link->data) || has_more;
  return has_more ? choose_crew_locked (self) : NULL;
}

void
reeve_job_pool_look (ReeveJobPool *self, gint64 now_us)
{
  wake (look_at_all (self, now_us));
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
    wake (choose_crew_locked (self));
  reeve_cond_signal (&self->ended);
}

static void *
run_ordinary (void *data) REEVE_UNCHECKED
{
  ReeveJobPool *self = data;
  Crew *crew = &self->ordinary_crew;
  Run run = { .what.thread = gettid () };
  Batch batch;

  pthread_mutex_lock (&self->lock.impl);
  arrive_locked (crew); /* whoever made us counted us as waiting */
  while (crew->n_threads <= self->size.maximum) {
    take_locked (self, TRUE, &batch);
    if (batch.n_jobs > 0) {
      grow_locked (self);
      run_batch_locked (self, &batch, &run);
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
  Run run = { .what.thread = gettid () };
  Batch batch;

  pthread_mutex_lock (&self->lock.impl);
  while (crew->n_threads <= self->size.n_priority) {
    take_locked (self, FALSE, &batch);
    if (batch.n_jobs > 0) {
      run_batch_locked (self, &batch, &run);
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

/* As many as are to wait always. */
static void
add_ordinary_threads_locked (ReeveJobPool *self) REEVE_REQUIRES (self->lock)
{
  unsigned n_waiting = self->ordinary_crew.n_waiting;

  if (n_waiting < self->size.lo_water)
    add_ordinary_locked (self, self->size.lo_water - n_waiting);
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
  self->ungrouped = reeve_job_group_new ();
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
reeve_job_pool_free (ReeveJobPool *self) REEVE_UNCHECKED
{
  if (self == NULL)
    return;

  wait_for_threads (self);
  reeve_cond_clear (&self->ordinary_crew.work);
  reeve_cond_clear (&self->priority_crew.work);
  reeve_cond_clear (&self->ended);
  reeve_mutex_clear (&self->lock);
  reeve_job_group_unref (self->ungrouped);
  g_free (self);
}

static void
add_normal_locked (ReeveJobPool *self, ReeveJobGroup *group, GList *link)
    REEVE_REQUIRES (self->lock)
{
  g_queue_push_tail_link (&group->normal.jobs, link);
  self->normal.n_jobs++;
  if (group->normal.jobs.length == 1)
    queue_normal_locked (self, group);
}

static void
add_priority_locked (ReeveJobPool *self, ReeveJobGroup *group, GList *link)
    REEVE_REQUIRES (self->lock)
{
  g_queue_push_tail_link (&group->priority.jobs, link);
  self->priority.n_jobs++;
  if (group->priority.jobs.length == 1)
    g_queue_push_tail_link (&self->priority.lines, &group->priority.link);
}

/* Returns who is to be woken. */
static Crew *
add_all (ReeveJobPool *self, GQueue *jobs)
{
  GList *link;

  REEVE_LOCK_SCOPE (&self->lock);

  while ((link = g_queue_pop_head_link (jobs)) != NULL) {
    ReeveJob *job = link->data;
    ReeveJobGroup *group = get_group_locked (self, job);

    job->is_queued = TRUE;
    if (job->is_priority)
      add_priority_locked (self, group, link);
    else
      add_normal_locked (self, group, link);
  }
  self->max_queued =
      MAX (self->max_queued, self->normal.n_jobs + self->priority.n_jobs);
  return choose_crew_locked (self);
}

void
reeve_job_pool_push (ReeveJobPool *self, GQueue *jobs)
{
  if (!g_queue_is_empty (jobs))
    wake (add_all (self, jobs));
}

gboolean
reeve_job_pool_take_back (ReeveJobPool *self, ReeveJob *job)
{
  ReeveJobGroup *group;
  Backlog *backlog;
  Line *line;

  REEVE_LOCK_SCOPE (&self->lock);

  if (!job->is_queued)
    return FALSE;

  group = get_group_locked (self, job);
  backlog = job->is_priority ? &self->priority : &self->normal;
  line = job->is_priority ? &group->priority : &group->normal;
  job->is_queued = FALSE;
  g_queue_unlink (&line->jobs, &job->link);
  backlog->n_jobs--;
  if (line->jobs.length > 0)
    return TRUE;
  /* A group without jobs has no turn, and is not parked for one. */
  if (job->is_priority || !group->is_parked)
    g_queue_unlink (&backlog->lines, &line->link);
  else
    group->is_parked = FALSE;
  return TRUE;
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
    wake (choose_crew_locked (self));
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
    .n_queued = self->normal.n_jobs + self->priority.n_jobs,
    .max_queued = self->max_queued,
    .n_done = self->n_done,
  };
}

gboolean
reeve_job_pool_has_spare (ReeveJobPool *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->ordinary_crew.n_waiting > 0;
}

/* Jobs that nobody queued have the turn of their group all the same. */
static void
fill_locked (ReeveJobPool *self,
             Batch *batch,
             ReeveJob *const *jobs,
             unsigned n_jobs) REEVE_REQUIRES (self->lock)
{
  batch->n_jobs = n_jobs;
  if (n_jobs == 0)
    return;

  memcpy (batch->jobs, jobs, n_jobs * sizeof jobs[0]);
  begin_turn_locked (batch, get_group_locked (self, jobs[0]));
}

gboolean
reeve_job_pool_go_on (ReeveJobPool *self,
                      ReeveJob *const *jobs,
                      unsigned n_jobs)
{
  Run *run = current_run;
  Crew *crew = &self->ordinary_crew;

  REEVE_LOCK_SCOPE (&self->lock);

  if (crew->n_waiting == 0 || crew->n_threads > self->size.maximum ||
      self->is_stopping)
    return FALSE;

  end_turn_locked (self, run);
  fill_locked (self, run->batch, jobs, n_jobs);
  atomic_store (&run->turn, TURN (MIN (n_jobs, 1), n_jobs));
  run->seen = 0;
  run->what.name = n_jobs == 0 ? NULL : jobs[0]->name;
  run->what.start_us = get_rough_time_us ();
  g_queue_unlink (&self->running, &run->link);
  g_queue_push_tail_link (&self->running, &run->link);
  return TRUE;
}

static gboolean
is_crew_idle (const Crew *crew)
{
  return crew->n_waiting == crew->n_threads;
}

gboolean
reeve_job_pool_is_idle (ReeveJobPool *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->normal.n_jobs + self->priority.n_jobs == 0 &&
         is_crew_idle (&self->ordinary_crew) &&
         is_crew_idle (&self->priority_crew);
}

gboolean
reeve_job_pool_get_oldest (ReeveJobPool *self, ReeveJobPoolOldest *oldest)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (g_queue_is_empty (&self->running))
    return FALSE;

  *oldest = ((const Run *) g_queue_peek_head (&self->running))->what;
  return TRUE;
}
