/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/worker.h"

#include "event/thread.h"

#include <pthread.h>

/* A disk that hangs holds up the lanes whose tasks wait for it; the others
 * have threads left. */
#define N_THREADS 4

struct _ReeveWorker {
  ReeveLoop *loop; /* immutable (owned) */

  ReeveMutex lock;
  ReeveCond cond;
  GQueue tasks REEVE_GUARDED; /* (element-type Task) */
  gboolean is_closed REEVE_GUARDED;

  /* loop's */
  pthread_t threads[N_THREADS];
  unsigned n_threads;
  gboolean was_started;
};

typedef struct {
  ReeveWorkerLane *lane;
  ReeveWorkerFunc func;
  ReeveWorkerFunc done;
  gpointer data;
} Task;

static void lane_run_next (ReeveWorkerLane *lane);

static void
on_task_done (ReeveLoop *loop, gpointer data)
{
  Task *task = data;
  ReeveWorkerLane *lane = task->lane;

  /* The next one starts first: after done() the lane may be gone. */
  lane->is_busy = FALSE;
  lane_run_next (lane);
  if (task->done != NULL)
    task->done (task->data);
  g_free (task);
}

static void
run_task (ReeveWorker *self, Task *task)
{
  task->func (task->data);
  reeve_loop_invoke (self->loop, on_task_done, task);
}

/* NULL: there will be no more. */
static Task *
wait_for_task (ReeveWorker *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  while (g_queue_is_empty (&self->tasks) && !self->is_closed)
    reeve_cond_wait (&self->cond, &self->lock);
  return g_queue_pop_head (&self->tasks);
}

static void *
run_thread (void *data)
{
  ReeveWorker *self = data;
  Task *task;

  while ((task = wait_for_task (self)) != NULL)
    run_task (self, task);
  return NULL;
}

/* Returns FALSE once the worker is closed. */
static gboolean
push (ReeveWorker *self, Task *task)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->is_closed)
    return FALSE;
  g_queue_push_tail (&self->tasks, task);
  reeve_cond_signal (&self->cond);
  return TRUE;
}

/* A daemon without machines needs no threads. */
static void
start_threads (ReeveWorker *self)
{
  self->was_started = TRUE;
  while (self->n_threads < N_THREADS &&
         pthread_create (&self->threads[self->n_threads], NULL, run_thread,
                         self) == 0)
    self->n_threads++;
}

static void
lane_run_next (ReeveWorkerLane *lane)
{
  ReeveWorker *self = lane->worker;
  Task *task;

  if (lane->is_busy || (task = g_queue_pop_head (&lane->tasks)) == NULL)
    return;

  lane->is_busy = TRUE;
  if (!self->was_started)
    start_threads (self);
  if (self->n_threads == 0 || !push (self, task))
    run_task (self, task);
}

REEVE_UNCHECKED ReeveWorker *
reeve_worker_new (ReeveLoop *loop)
{
  ReeveWorker *self = g_new0 (ReeveWorker, 1);

  self->loop = reeve_loop_ref (loop);
  reeve_mutex_init (&self->lock);
  reeve_cond_init (&self->cond);
  g_queue_init (&self->tasks);
  return self;
}

static void
set_closed (ReeveWorker *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_closed = TRUE;
  reeve_cond_broadcast (&self->cond);
}

void
reeve_worker_close (ReeveWorker *self)
{
  set_closed (self);
  for (unsigned i = 0; i < self->n_threads; i++)
    pthread_join (self->threads[i], NULL);
  self->n_threads = 0;
}

REEVE_UNCHECKED void
reeve_worker_free (ReeveWorker *self)
{
  if (self == NULL)
    return;

  reeve_worker_close (self);
  reeve_cond_clear (&self->cond);
  reeve_mutex_clear (&self->lock);
  reeve_loop_unref (self->loop);
  g_free (self);
}

void
reeve_worker_lane_init (ReeveWorkerLane *self, ReeveWorker *worker)
{
  self->worker = worker;
  g_queue_init (&self->tasks);
  self->is_busy = FALSE;
}

void
reeve_worker_lane_push (ReeveWorkerLane *self,
                        ReeveWorkerFunc func,
                        ReeveWorkerFunc done,
                        gpointer data)
{
  Task *task = g_new0 (Task, 1);

  task->lane = self;
  task->func = func;
  task->done = done;
  task->data = data;
  g_queue_push_tail (&self->tasks, task);
  lane_run_next (self);
}
