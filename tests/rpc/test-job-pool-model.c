/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/thread.h"
#include "rpc/job-pool.h"

#include <stdatomic.h>

/*
 * A pool beside a model of it, which has four numbers and no threads: whatever
 * comes in whatever order, both have as many threads, as many that wait, and as
 * many jobs that do.
 */

#define WAIT_US (60 * G_USEC_PER_SEC)
#define N_SEQUENCES 200
#define N_EVENTS 60
#define MAX_JOBS 120

/* ----------------------------------------------------------------- model -- */

typedef struct {
  ReeveJobPoolSize size;
  unsigned n_threads;
  unsigned n_waiting; /* of them */
  unsigned n_running; /* of them, and of the jobs */
  unsigned n_queued;
} Model;

static void
model_add_threads (Model *self, unsigned n_more)
{
  n_more = MIN (n_more, self->size.maximum - self->n_threads);
  self->n_threads += n_more;
  self->n_waiting += n_more;
}

static void
model_init (Model *self, const ReeveJobPoolSize *size)
{
  *self = (Model){ .size = *size };
  model_add_threads (self, size->lo_water);
}

/* A thread that waited, or was to wait, has a job. */
static void
model_leave (Model *self)
{
  self->n_queued--;
  self->n_waiting--;
  self->n_running++;
  if (self->n_waiting < self->size.lo_water)
    model_add_threads (self, MIN (self->size.increment,
                                  self->size.hi_water - self->n_waiting));
}

static void
model_push (Model *self, unsigned n_jobs)
{
  self->n_queued += n_jobs;
  while (self->n_queued > 0) {
    if (self->n_waiting == 0 && self->size.lo_water == 0)
      model_add_threads (self, 1);
    if (self->n_waiting == 0)
      return;
    model_leave (self);
  }
}

/* A job ends, and its thread comes back. */
static void
model_end (Model *self)
{
  self->n_running--;
  if (self->n_queued > 0) {
    self->n_waiting++;
    model_leave (self);
  } else if (self->n_waiting >= self->size.hi_water) {
    self->n_threads--;
  } else {
    self->n_waiting++;
  }
}

/* ------------------------------------------------------------------ pool -- */

typedef struct _Fixture Fixture;

/* Runs until it is told to end. */
typedef struct {
  ReeveJob job;
  Fixture *fixture;
  gboolean has_begun; /* under the fixture's lock */
  gboolean may_end;   /* under the fixture's lock */
  gboolean is_over; /* of the test's thread: it has ended, or never will run */
} Job;

struct _Fixture {
  ReeveJobPool *pool; /* (owned) */
  Model model;
  Job *jobs[MAX_JOBS]; /* (owned) */
  unsigned n_jobs;
  unsigned n_ended;

  ReeveMutex lock;
  ReeveCond changed;
  unsigned n_begun REEVE_GUARDED;
};

static void
run (ReeveJob *job)
{
  Job *self = job->link.data;
  Fixture *fixture = self->fixture;

  REEVE_LOCK_SCOPE (&fixture->lock);

  self->has_begun = TRUE;
  fixture->n_begun++;
  reeve_cond_broadcast (&fixture->changed);
  while (!self->may_end)
    reeve_cond_wait (&fixture->changed, &fixture->lock);
}

static void
fixture_init (Fixture *self, const ReeveJobPoolSize *size) REEVE_UNCHECKED
{
  *self = (Fixture){ 0 };
  reeve_mutex_init (&self->lock);
  reeve_cond_init (&self->changed);
  model_init (&self->model, size);
  self->pool = reeve_job_pool_new (size, NULL, NULL);
}

static void
fixture_clear (Fixture *self)
{
  reeve_job_pool_free (self->pool);
  for (unsigned i = 0; i < self->n_jobs; i++)
    g_free (self->jobs[i]);
  reeve_cond_clear (&self->changed);
  reeve_mutex_clear (&self->lock);
}

static void
wait_for_begun (Fixture *self, unsigned n_begun)
{
  gint64 end_us = g_get_monotonic_time () + WAIT_US;

  REEVE_LOCK_SCOPE (&self->lock);

  while (self->n_begun < n_begun)
    g_assert_true (reeve_cond_wait_until (&self->changed, &self->lock, end_us));
  g_assert_cmpuint (self->n_begun, ==, n_begun);
}

/* A thread that ended a job goes or waits in the same moment, for others. */
static void
wait_for_ended (Fixture *self, ReeveJobPoolStats *stats)
{
  gint64 end_us = g_get_monotonic_time () + WAIT_US;

  for (;;) {
    reeve_job_pool_get_stats (self->pool, stats);
    if (stats->n_done == self->n_ended)
      return;
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
    g_usleep (20);
  }
}

static void
compare (Fixture *self)
{
  const Model *model = &self->model;
  ReeveJobPoolStats stats;

  wait_for_begun (self, self->n_ended + model->n_running);
  wait_for_ended (self, &stats);
  g_assert_cmpuint (stats.n_threads, ==, model->n_threads);
  g_assert_cmpuint (stats.n_waiting, ==, model->n_waiting);
  g_assert_cmpuint (stats.n_queued, ==, model->n_queued);
}

static void
push (Fixture *self, unsigned n_jobs)
{
  GQueue jobs = G_QUEUE_INIT;

  for (unsigned i = 0; i < n_jobs; i++) {
    Job *job = g_new0 (Job, 1);

    job->fixture = self;
    job->job.link.data = job;
    job->job.run = run;
    g_queue_push_tail_link (&jobs, &job->job.link);
    self->jobs[self->n_jobs++] = job;
  }
  reeve_job_pool_push (self->pool, &jobs);
  model_push (&self->model, n_jobs);
  compare (self);
}

static gboolean
has_begun (Fixture *self, const Job *job)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return job->has_begun;
}

/* (nullable): one by chance that runs, or that waits. */
static Job *
choose (Fixture *self, gboolean is_running)
{
  unsigned first =
      self->n_jobs == 0
          ? 0
          : (unsigned) g_test_rand_int_range (0, (gint32) self->n_jobs);

  for (unsigned i = 0; i < self->n_jobs; i++) {
    Job *job = self->jobs[(first + i) % self->n_jobs];

    if (!job->is_over && has_begun (self, job) == is_running)
      return job;
  }
  return NULL;
}

static void
let_end (Fixture *self, Job *job)
{
  REEVE_LOCK_SCOPE (&self->lock);

  job->may_end = TRUE;
  reeve_cond_broadcast (&self->changed);
}

static gboolean
end_one (Fixture *self)
{
  Job *job = choose (self, TRUE);

  if (job == NULL)
    return FALSE;
  let_end (self, job);
  job->is_over = TRUE;
  self->n_ended++;
  model_end (&self->model);
  compare (self);
  return TRUE;
}

static void
take_one_back (Fixture *self)
{
  Job *job = choose (self, FALSE);
  Job *running = choose (self, TRUE);

  if (running != NULL)
    g_assert_false (reeve_job_pool_take_back (self->pool, &running->job));
  if (job == NULL)
    return;
  g_assert_true (reeve_job_pool_take_back (self->pool, &job->job));
  g_assert_false (reeve_job_pool_take_back (self->pool, &job->job));
  job->is_over = TRUE;
  self->model.n_queued--;
  compare (self);
}

static void
end_all (Fixture *self)
{
  while (end_one (self))
    ;
  g_assert_cmpuint (self->model.n_queued, ==, 0);
}

/* ----------------------------------------------------------------- tests -- */

static unsigned
choose_number (unsigned lowest, unsigned highest)
{
  return (unsigned) g_test_rand_int_range ((gint32) lowest,
                                           (gint32) highest + 1);
}

static void
test_sequence (void)
{
  ReeveJobPoolSize size = { .increment = choose_number (1, 5) };
  Fixture fixture;

  size.maximum = choose_number (1, 12);
  size.hi_water = choose_number (0, size.maximum);
  size.lo_water = choose_number (0, size.hi_water);
  fixture_init (&fixture, &size);
  compare (&fixture);
  for (int i = 0; i < N_EVENTS; i++) {
    unsigned kind = choose_number (0, 9);
    unsigned n_jobs = kind == 0 ? choose_number (2, 8) : 1;

    if (kind < 4 && fixture.n_jobs + n_jobs <= MAX_JOBS)
      push (&fixture, n_jobs);
    else if (kind == 4)
      take_one_back (&fixture);
    else
      end_one (&fixture);
  }
  end_all (&fixture);
  fixture_clear (&fixture);
}

static void
test_sequences (void)
{
  for (int i = 0; i < N_SEQUENCES; i++)
    test_sequence ();
}

/* What the numbers of QNX's own example lead to. */
static void
test_example (void)
{
  static const ReeveJobPoolSize size = { 2, 4, 1, 50, 0 };
  Fixture fixture;

  fixture_init (&fixture, &size);
  g_assert_cmpuint (fixture.model.n_threads, ==, 2);
  for (int i = 0; i < 20; i++) {
    push (&fixture, 1);
    g_assert_cmpuint (fixture.model.n_threads, ==, 3);
    end_one (&fixture);
  }
  push (&fixture, 60);
  g_assert_cmpuint (fixture.model.n_threads, ==, 50);
  g_assert_cmpuint (fixture.model.n_queued, ==, 10);
  end_all (&fixture);
  g_assert_cmpuint (fixture.model.n_threads, ==, 4);
  fixture_clear (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rpc/job-pool-model/numbers-of-the-example", test_example);
  g_test_add_func ("/rpc/job-pool-model/random-sequences", test_sequences);
  return g_test_run ();
}
