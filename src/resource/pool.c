/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/pool.h"

#include "resource/request-private.h"

struct _ReeveResourcePool {
  ReeveLoop *loop;    /* (owned) */
  ReeveJobPool *jobs; /* (owned) */
};

/* A request's way to a thread of the pool and back. Until it is pushed, and
 * from the time that it is back, it is the loop's; in between the worker's that
 * took it. The cancellable is for both. */
struct _ReeveResourceErrand {
  ReeveJob job;
  ReeveResourcePool *pool; /* immutable, as what follows */
  ReeveResourceRequest *request;
  ReeveResourcePoolFunc func;
  gpointer data;
  GCancellable *cancellable; /* (owned) */

  /* What is left to do, in the loop's thread. */
  ReeveResourceHomeFunc home;
  GBytes *bytes; /* (owned) (nullable) */
  int64_t number;
};

const ReeveJobPoolSize reeve_resource_pool_size = {
  .lo_water = 2,
  .hi_water = 4,
  .increment = 1,
  .maximum = 50,
};

static void
errand_free (ReeveResourceErrand *self)
{
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_object_unref (self->cancellable);
  g_free (self);
}

static void
run_errand (ReeveJob *job)
{
  ReeveResourceErrand *self = job->link.data;
  /* The answer may free the errand. */
  g_autoptr (GCancellable) cancellable = g_object_ref (self->cancellable);

  self->func (self->request, cancellable, self->data);
}

/* Every job has its own function. */
static void
run_none (ReeveJob *const *jobs, unsigned n_jobs, gpointer data)
{
  g_assert_not_reached ();
}

ReeveResourcePool *
reeve_resource_pool_new (ReeveLoop *loop, const ReeveJobPoolSize *size)
{
  ReeveResourcePool *self = g_new0 (ReeveResourcePool, 1);

  self->loop = reeve_loop_ref (loop);
  self->jobs = reeve_job_pool_new (size, run_none, NULL);
  return self;
}

void
reeve_resource_pool_free (ReeveResourcePool *self)
{
  if (self == NULL)
    return;

  reeve_job_pool_free (self->jobs);
  /* Those that come back now are dropped. */
  reeve_loop_catch_up (self->loop);
  reeve_loop_unref (self->loop);
  g_free (self);
}

ReeveJobPool *
reeve_resource_pool_get_jobs (ReeveResourcePool *self)
{
  return self->jobs;
}

void
reeve_resource_request_run (ReeveResourceRequest *request,
                            ReeveResourcePool *pool,
                            ReeveResourcePoolFunc func,
                            gpointer data)
{
  ReeveResourceErrand *self = NULL;
  GQueue jobs = G_QUEUE_INIT;

  if (reeve_resource_request_is_answered (request)) {
    reeve_resource_request_drop (request);
    return;
  }

  self = g_new0 (ReeveResourceErrand, 1);
  self->job.link.data = self;
  self->job.run = run_errand;
  self->job.name = "resource";
  self->pool = pool;
  self->request = request;
  self->func = func;
  self->data = data;
  self->cancellable = g_cancellable_new ();
  reeve_resource_request_set_errand (request, self);
  g_queue_push_tail_link (&jobs, &self->job.link);
  reeve_job_pool_push (pool->jobs, &jobs);
}

gboolean
reeve_resource_errand_cancel (ReeveResourceErrand *self)
{
  if (!reeve_job_pool_take_back (self->pool->jobs, &self->job)) {
    g_cancellable_cancel (self->cancellable);
    return FALSE;
  }

  errand_free (self);
  return TRUE;
}

static void
come_home (ReeveLoop *loop, gpointer data)
{
  ReeveResourceErrand *self = data;

  reeve_resource_request_set_errand (self->request, NULL);
  self->home (self->request, self->bytes, self->number);
  errand_free (self);
}

void
reeve_resource_errand_go_home (ReeveResourceErrand *self,
                               ReeveResourceHomeFunc home,
                               GBytes *bytes,
                               int64_t number)
{
  self->home = home;
  self->bytes = bytes;
  self->number = number;
  reeve_loop_invoke (self->pool->loop, come_home, self);
}
