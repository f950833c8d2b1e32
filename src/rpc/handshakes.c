/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/handshakes.h"

#include "event/fd.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Most clients say more as soon as they have the server's answer. Who is called
 * leaves at once, so this need not be shorter than they take. The tests have
 * another one. */
#ifndef REEVE_HANDSHAKES_PATIENCE_MS
#define REEVE_HANDSHAKES_PATIENCE_MS 10
#endif
/* As many as there may be threads, and more. */
#define CALL_FOR_ALL 64

struct _ReeveHandshakes {
  ReeveJobPool *pool;    /* (owned) */
  int call_fd;           /* (owned): calls those who stay; -1: nobody stays */
  atomic_uint n_staying; /* threads */
  atomic_bool is_ending;
};

/* Each time wakes one, which then looks why. The counter is never full, as who
 * stays reads it. */
static void
call (ReeveHandshakes *self, uint64_t n_times)
{
  if (self->call_fd >= 0 && write (self->call_fd, &n_times, sizeof n_times) < 0)
    g_assert (errno == EAGAIN);
}

/* Another one may have heard it. */
static void
hear_call (ReeveHandshakes *self)
{
  uint64_t once;

  if (read (self->call_fd, &once, sizeof once) < 0)
    g_assert (errno == EAGAIN);
}

ReeveHandshakes *
reeve_handshakes_new (ReeveJobFunc func)
{
  unsigned n_threads = CLAMP (g_get_num_processors () / 2, 1, 8);
  const ReeveJobPoolSize size = {
    .lo_water = 1, .hi_water = n_threads, .increment = 1, .maximum = n_threads
  };
  ReeveHandshakes *self = g_new0 (ReeveHandshakes, 1);

  self->call_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
  self->pool = reeve_job_pool_new (&size, func, self);
  return self;
}

void
reeve_handshakes_free (ReeveHandshakes *self)
{
  if (self == NULL)
    return;

  atomic_store (&self->is_ending, TRUE);
  call (self, CALL_FOR_ALL);
  reeve_job_pool_free (self->pool);
  reeve_fd_clear (&self->call_fd);
  g_free (self);
}

/* Whether there are more jobs than threads that wait for one, or no more will
 * come. */
static gboolean
is_anybody_needed (ReeveHandshakes *self)
{
  ReeveJobPoolStats stats;

  reeve_job_pool_get_stats (self->pool, &stats);
  return stats.n_queued > stats.n_waiting || atomic_load (&self->is_ending);
}

/* Who is about to stay is counted before it looks for jobs: either it sees this
 * one, or it is seen here. */
void
reeve_handshakes_push (ReeveHandshakes *self, ReeveJob *job)
{
  GQueue jobs = G_QUEUE_INIT;

  g_queue_push_tail_link (&jobs, &job->link);
  reeve_job_pool_push (self->pool, &jobs);
  if (atomic_load (&self->n_staying) > 0 && is_anybody_needed (self))
    call (self, 1);
}

gboolean
reeve_handshakes_has_spare (ReeveHandshakes *self)
{
  return reeve_job_pool_has_spare (self->pool);
}

gboolean
reeve_handshakes_stay (ReeveHandshakes *self, int fd)
{
  struct pollfd files[] = {
    { .fd = fd, .events = POLLIN },
    { .fd = self->call_fd, .events = POLLIN },
  };
  int n_ready = 1;

  if (self->call_fd < 0)
    return FALSE;

  atomic_fetch_add (&self->n_staying, 1);
  while (files[0].revents == 0 && n_ready > 0 && !is_anybody_needed (self)) {
    n_ready = poll (files, G_N_ELEMENTS (files), REEVE_HANDSHAKES_PATIENCE_MS);
    if (files[1].revents != 0)
      hear_call (self);
  }
  atomic_fetch_sub (&self->n_staying, 1);
  return files[0].revents != 0;
}
