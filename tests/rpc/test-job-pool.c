/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/thread.h"
#include "rpc/error.h"
#include "rpc/job-pool.h"

#include <stdatomic.h>

#define WAIT_US (20 * G_USEC_PER_SEC)

/* One row: from which size to which, with that many jobs that block. */
typedef struct {
  const char *name;
  ReeveJobPoolSize from;
  ReeveJobPoolSize to;
  unsigned n_blocked;
  unsigned n_threads; /* there are in the end */
} ResizeCase;

typedef struct {
  const char *name;
  ReeveJobPoolSize size;
} RefusalCase;

/* One row: many jobs of one group come before one of another. */
typedef struct {
  const char *name;
  gboolean is_priority_many;
  gboolean is_priority_one;
  unsigned max_place; /* of the one among all that are done */
} TurnCase;

/* One row: three normal jobs wait for one worker. */
typedef struct {
  const char *name;
  gboolean is_short;
  const char *names[3];
  unsigned n_together; /* that it takes at once */
} TogetherCase;

typedef struct {
  ReeveJobPool *pool; /* (owned) */

  ReeveMutex lock;
  ReeveCond changed;
  unsigned n_running REEVE_GUARDED;
  unsigned n_done REEVE_GUARDED;
  unsigned place REEVE_GUARDED;      /* of the job that is marked */
  unsigned n_together REEVE_GUARDED; /* at most, so far */
  gboolean may_end REEVE_GUARDED;
} Fixture;

typedef struct {
  ReeveJob job;
  gboolean blocks;
  gboolean is_marked;
} Job;

/* lo_water, hi_water, increment, maximum, n_priority */
static const ResizeCase resize_cases[] = {
  { "idle-ones-are-added", { 1, 2, 1, 4, 1 }, { 3, 4, 1, 4, 1 }, 0, 3 },
  { "idle-ones-go", { 8, 8, 1, 8, 1 }, { 2, 2, 1, 8, 1 }, 0, 2 },
  { "priority-ones-are-added", { 1, 1, 1, 1, 1 }, { 1, 1, 1, 1, 5 }, 0, 1 },
  { "priority-ones-go", { 1, 1, 1, 1, 5 }, { 1, 1, 1, 1, 2 }, 0, 1 },
  { "all-priority-ones-go", { 1, 1, 1, 1, 5 }, { 1, 1, 1, 1, 0 }, 0, 1 },
  { "nobody-waits", { 2, 2, 1, 4, 0 }, { 0, 0, 1, 4, 0 }, 0, 0 },
  { "busy-ones-beyond-the-maximum-go",
    { 1, 8, 1, 8, 1 },
    { 1, 1, 1, 2, 1 },
    8,
    1 },
  { "a-raised-maximum-serves-what-waits",
    { 1, 1, 1, 1, 1 },
    { 1, 1, 1, 4, 1 },
    4,
    1 },
};

static const TurnCase turn_cases[] = {
  { "one-normal-before-many", FALSE, FALSE, 2 },
  { "one-priority-before-many", TRUE, TRUE, REEVE_JOB_BATCH + 1 },
  { "one-normal-before-many-priority", TRUE, FALSE, REEVE_JOB_BATCH + 1 },
  { "one-priority-before-many-normal", FALSE, TRUE, 2 },
};

static const TogetherCase together_cases[] = {
  { "short-ones", TRUE, { "a", "a", "a" }, 3 },
  { "not-those-that-may-last", FALSE, { "a", "a", "a" }, 1 },
  { "not-those-of-another-name", TRUE, { "a", "a", "b" }, 2 },
};

static const RefusalCase refusal_cases[] = {
  { "no-worker", { 0, 0, 1, 0, 0 } },
  { "more-wait-than-may-be", { 1, 3, 1, 2, 0 } },
  { "low-above-high", { 3, 2, 1, 4, 0 } },
  { "no-increment", { 1, 1, 0, 1, 0 } },
  { "one-worker-over-the-limit",
    { 1, 1, 1, REEVE_JOB_POOL_MAX_WORKERS + 1, 0 } },
  { "one-priority-worker-over-the-limit",
    { 1, 1, 1, 1, REEVE_JOB_POOL_MAX_PRIORITY + 1 } },
};

static void
block (Fixture *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->n_running++;
  reeve_cond_broadcast (&self->changed);
  while (!self->may_end)
    reeve_cond_wait (&self->changed, &self->lock);
  self->n_running--;
}

static void
count (Fixture *self, Job *job)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (job->is_marked)
    self->place = self->n_done;
  self->n_done++;
  reeve_cond_broadcast (&self->changed);
}

static void
note_together (Fixture *self, unsigned n_jobs)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->n_together = MAX (self->n_together, n_jobs);
}

static void
run (ReeveJob *const *jobs, unsigned n_jobs, gpointer data)
{
  gboolean is_priority = jobs[0]->is_priority;

  if (!is_priority)
    note_together (data, n_jobs);
  for (unsigned i = 0;
       i < n_jobs && (i == 0 || is_priority || reeve_job_begin_next ()); i++) {
    Job *job = (Job *) jobs[i];

    if (job->blocks)
      block (data);
    count (data, job);
    g_free (job);
  }
}

static void
push_job (Fixture *self, Job *job)
{
  GQueue jobs = G_QUEUE_INIT;

  job->job.link.data = job;
  g_queue_push_tail_link (&jobs, &job->job.link);
  reeve_job_pool_push (self->pool, &jobs);
}

static void
push (Fixture *self, gboolean is_priority, gboolean blocks)
{
  Job *job = g_new0 (Job, 1);

  job->job.is_priority = is_priority;
  job->blocks = blocks;
  push_job (self, job);
}

static void
push_to_group (Fixture *self,
               ReeveJobGroup *group,
               gboolean is_priority,
               gboolean blocks,
               gboolean is_marked)
{
  Job *job = g_new0 (Job, 1);

  job->job.group = group;
  job->job.is_priority = is_priority;
  job->blocks = blocks;
  job->is_marked = is_marked;
  push_job (self, job);
}

static void
set_may_end (Fixture *self, gboolean may_end)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->may_end = may_end;
  reeve_cond_broadcast (&self->changed);
}

static void
wait_for_done (Fixture *self, unsigned n_done)
{
  gint64 end_us = g_get_monotonic_time () + WAIT_US;

  REEVE_LOCK_SCOPE (&self->lock);

  while (self->n_done < n_done)
    g_assert_true (reeve_cond_wait_until (&self->changed, &self->lock, end_us));
}

static void
wait_for_running (Fixture *self, unsigned n_running)
{
  gint64 end_us = g_get_monotonic_time () + WAIT_US;

  REEVE_LOCK_SCOPE (&self->lock);

  while (self->n_running < n_running)
    g_assert_true (reeve_cond_wait_until (&self->changed, &self->lock, end_us));
}

/* Threads come and go by themselves. */
static void
wait_for_threads (Fixture *self, unsigned n_threads, unsigned n_priority)
{
  gint64 end_us = g_get_monotonic_time () + WAIT_US;
  ReeveJobPoolStats stats;

  do {
    reeve_job_pool_get_stats (self->pool, &stats);
    if (stats.n_threads == n_threads && stats.n_waiting == n_threads &&
        stats.n_priority == n_priority)
      return;
    g_usleep (100);
  } while (g_get_monotonic_time () < end_us);

  g_assert_cmpuint (stats.n_threads, ==, n_threads);
  g_assert_cmpuint (stats.n_waiting, ==, n_threads);
  g_assert_cmpuint (stats.n_priority, ==, n_priority);
}

static void
fixture_init (Fixture *self, const ReeveJobPoolSize *size) REEVE_UNCHECKED
{
  *self = (Fixture){ 0 };
  reeve_mutex_init (&self->lock);
  reeve_cond_init (&self->changed);
  self->pool = reeve_job_pool_new (size, run, self);
}

static void
fixture_clear (Fixture *self)
{
  reeve_job_pool_free (self->pool);
  reeve_cond_clear (&self->changed);
  reeve_mutex_clear (&self->lock);
}

/* The pool has the size that was asked for, and serves as before. */
static void
test_resize (gconstpointer data)
{
  const ResizeCase *row = data;
  ReeveJobPoolSize size;
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_init (&fixture, &row->from);
  for (unsigned i = 0; i < row->n_blocked; i++)
    push (&fixture, FALSE, TRUE);
  wait_for_running (&fixture, MIN (row->n_blocked, row->from.maximum));

  g_assert_true (reeve_job_pool_resize (fixture.pool, &row->to, &error));
  g_assert_no_error (error);
  reeve_job_pool_get_size (fixture.pool, &size);
  g_assert_cmpmem (&size, sizeof size, &row->to, sizeof row->to);

  if (row->to.maximum > row->from.maximum)
    wait_for_running (&fixture, MIN (row->n_blocked, row->to.maximum));
  set_may_end (&fixture, TRUE);
  wait_for_done (&fixture, row->n_blocked);
  wait_for_threads (&fixture, row->n_threads, row->to.n_priority);

  push (&fixture, FALSE, FALSE);
  push (&fixture, TRUE, FALSE);
  wait_for_done (&fixture, row->n_blocked + 2);
  fixture_clear (&fixture);
}

static void
test_refusal (gconstpointer data)
{
  static const ReeveJobPoolSize before = { 1, 2, 1, 3, 1 };
  const RefusalCase *row = data;
  ReeveJobPoolSize size;
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_init (&fixture, &before);
  g_assert_false (reeve_job_pool_resize (fixture.pool, &row->size, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
  reeve_job_pool_get_size (fixture.pool, &size);
  g_assert_cmpmem (&size, sizeof size, &before, sizeof before);
  fixture_clear (&fixture);
}

static unsigned
get_place (Fixture *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->place;
}

/* The one does not wait until the many are done. */
static void
test_turn (gconstpointer data)
{
  static const ReeveJobPoolSize one_worker = { 1, 1, 1, 1, 0 };
  enum { N_MANY = 10 * REEVE_JOB_BATCH };
  const TurnCase *row = data;
  g_autoptr (ReeveJobGroup) many = reeve_job_group_new ();
  g_autoptr (ReeveJobGroup) one = reeve_job_group_new ();
  Fixture fixture;

  fixture_init (&fixture, &one_worker);
  push (&fixture, FALSE, TRUE);
  wait_for_running (&fixture, 1);
  for (unsigned i = 0; i < N_MANY; i++)
    push_to_group (&fixture, many, row->is_priority_many, FALSE, FALSE);
  push_to_group (&fixture, one, row->is_priority_one, FALSE, TRUE);
  set_may_end (&fixture, TRUE);
  wait_for_done (&fixture, N_MANY + 2);

  g_assert_cmpuint (get_place (&fixture), >, 0);
  g_assert_cmpuint (get_place (&fixture), <=, row->max_place);
  fixture_clear (&fixture);
}

static GQueue
make_three (const TogetherCase *row, ReeveJobGroup *group)
{
  GQueue jobs = G_QUEUE_INIT;

  for (unsigned i = 0; i < 3; i++) {
    Job *job = g_new0 (Job, 1);

    job->job.link.data = job;
    job->job.group = group;
    job->job.is_short = row->is_short;
    job->job.name = row->names[i];
    g_queue_push_tail_link (&jobs, &job->job.link);
  }
  return jobs;
}

static unsigned
get_together (Fixture *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->n_together;
}

static void
test_together (gconstpointer data)
{
  static const ReeveJobPoolSize one_worker = { 1, 1, 1, 1, 0 };
  const TogetherCase *row = data;
  g_autoptr (ReeveJobGroup) group = reeve_job_group_new ();
  GQueue jobs = make_three (row, group);
  ReeveJobPoolStats stats;
  Fixture fixture;

  fixture_init (&fixture, &one_worker);
  reeve_job_pool_push (fixture.pool, &jobs);
  wait_for_done (&fixture, 3);
  g_assert_cmpuint (get_together (&fixture), ==, row->n_together);
  wait_for_threads (&fixture, 1, 0);
  reeve_job_pool_get_stats (fixture.pool, &stats);
  g_assert_cmpuint (stats.n_done, ==, 3);
  fixture_clear (&fixture);
}

static unsigned
count_done (Fixture *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->n_done;
}

/* A short one lasts: others run those that were taken with it. */
static void
test_one_lasts (void)
{
  static const ReeveJobPoolSize two_workers = { 2, 2, 1, 2, 0 };
  g_autoptr (ReeveJobGroup) group = reeve_job_group_new ();
  GQueue jobs = make_three (&together_cases[0], group);
  gint64 end_us = g_get_monotonic_time () + WAIT_US;
  ReeveJobPoolStats stats;
  Fixture fixture;

  fixture_init (&fixture, &two_workers);
  ((Job *) jobs.head->data)->blocks = TRUE;
  reeve_job_pool_push (fixture.pool, &jobs);
  wait_for_running (&fixture, 1);
  /* Looks of several threads at once are one. */
  for (int i = 0; i < 3; i++)
    reeve_job_pool_look (fixture.pool, end_us);
  reeve_job_pool_get_stats (fixture.pool, &stats);
  g_assert_cmpuint (stats.n_queued + count_done (&fixture), ==, 0);
  for (int i = 1; count_done (&fixture) < 2; i++) {
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
    reeve_job_pool_look (fixture.pool, end_us + 1000 * i);
    g_usleep (1000);
  }

  set_may_end (&fixture, TRUE);
  wait_for_done (&fixture, 3);
  wait_for_threads (&fixture, 2, 0);
  reeve_job_pool_get_stats (fixture.pool, &stats);
  g_assert_cmpuint (stats.n_done, ==, 3);
  fixture_clear (&fixture);
}

/* However many of one group wait for something, another has its turn. */
static void
test_share (void)
{
  static const ReeveJobPoolSize eight_workers = { 1, 8, 1, 8, 0 };
  g_autoptr (ReeveJobGroup) many = reeve_job_group_new ();
  g_autoptr (ReeveJobGroup) one = reeve_job_group_new ();
  Fixture fixture;

  fixture_init (&fixture, &eight_workers);
  for (unsigned i = 0; i < 20; i++)
    push_to_group (&fixture, many, FALSE, TRUE, FALSE);
  wait_for_running (&fixture, 6);
  push_to_group (&fixture, one, FALSE, FALSE, TRUE);
  wait_for_done (&fixture, 1);

  set_may_end (&fixture, TRUE);
  wait_for_done (&fixture, 21);
  fixture_clear (&fixture);
}

/* No job is lost while the pool shrinks and grows under load. */
static void
test_resize_under_load (void)
{
  static const ReeveJobPoolSize sizes[] = {
    { 4, 4, 1, 8, 4 },
    { 0, 0, 1, 1, 0 },
    { 1, 1, 1, 2, 1 },
    { 0, 2, 1, 4, 2 },
  };
  enum { N_JOBS = 20000 };
  Fixture fixture;

  fixture_init (&fixture, &sizes[0]);
  for (unsigned i = 0; i < N_JOBS; i++) {
    push (&fixture, i % 3 == 0, FALSE);
    if (i % 50 == 0)
      g_assert_true (reeve_job_pool_resize (
          fixture.pool, &sizes[i / 50 % G_N_ELEMENTS (sizes)], NULL));
  }
  wait_for_done (&fixture, N_JOBS);
  fixture_clear (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (resize_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/job-pool/resize/", resize_cases[i].name, NULL);

    g_test_add_data_func (path, &resize_cases[i], test_resize);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (turn_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/job-pool/turns/", turn_cases[i].name, NULL);

    g_test_add_data_func (path, &turn_cases[i], test_turn);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (together_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/job-pool/together/", together_cases[i].name, NULL);

    g_test_add_data_func (path, &together_cases[i], test_together);
  }
  g_test_add_func ("/rpc/job-pool/together/none-waits-for-one-that-lasts",
                   test_one_lasts);
  g_test_add_func ("/rpc/job-pool/share/leaves-workers-to-others", test_share);
  for (size_t i = 0; i < G_N_ELEMENTS (refusal_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/job-pool/refuses/", refusal_cases[i].name, NULL);

    g_test_add_data_func (path, &refusal_cases[i], test_refusal);
  }
  g_test_add_func ("/rpc/job-pool/resize/loses-no-job", test_resize_under_load);
  return g_test_run ();
}
