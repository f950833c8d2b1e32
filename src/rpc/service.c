/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/service.h"

#include "event/fd.h"
#include "event/thread.h"
#include "rpc/accept-rate.h"

#include <errno.h>
#include <fcntl.h>

/* Connections that are accepted before others get their turn. */
#define MAX_ACCEPTS 8
/* How long to wait when there are no file descriptors left. */
#define PAUSE_MS 100

/* One loop's side of it; of that loop's thread. */
typedef struct {
  ReeveService *service;
  ReeveLoop *loop; /* (owned) */
  int watch;       /* 0: there is none */
  int pause;       /* a timeout, disabled unless we wait */
} Door;

struct _ReeveService {
  ReevePStream *pstream;         /* (owned) */
  ReeveServiceOptions options;   /* immutable */
  const ReeveLiveLimits *limits; /* the server's */
  ReeveServiceFunc func;
  ReeveServiceRefuseFunc refuse;
  gpointer data;
  atomic_bool is_frozen;

  ReeveMutex lock;
  ReeveAcceptRate rate REEVE_GUARDED;
  int spare_fd REEVE_GUARDED; /* (owned): closed, so that a connection can be
                                 refused */

  unsigned n_doors;
  Door doors[];
};

/* Returns whether there is one. */
static gboolean
keep_spare_locked (ReeveService *self) REEVE_REQUIRES (self->lock)
{
  if (self->spare_fd < 0)
    self->spare_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  return self->spare_fd >= 0;
}

static gboolean
keep_spare (ReeveService *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return keep_spare_locked (self);
}

/* --------------------------------------------------------------- doors --- */

static void accept_some (ReeveLoop *loop,
                         int watch,
                         int fd,
                         ReeveEvents events,
                         gpointer data);

/* Of several loops that wait one is woken, which epoll promises to those alone
 * that do not change what they wait for. FALSE with errno set. */
static gboolean
open_door (Door *self)
{
  const ReeveService *service = self->service;

  if (self->watch > 0) {
    reeve_loop_update_handle (self->loop, self->watch, REEVE_EVENT_READABLE);
    return TRUE;
  }

  self->watch = reeve_loop_add_handle (
      self->loop, reeve_pstream_get_fd (service->pstream),
      service->n_doors > 1 ? REEVE_EVENT_READABLE | REEVE_EVENT_EXCLUSIVE
                           : REEVE_EVENT_READABLE,
      accept_some, self, NULL);
  return self->watch > 0;
}

static void
close_door (Door *self)
{
  if (self->service->n_doors == 1) {
    reeve_loop_update_handle (self->loop, self->watch, REEVE_EVENT_NONE);
  } else if (self->watch > 0) {
    reeve_loop_remove (self->loop, self->watch);
    self->watch = 0;
  }
}

static void
go_on (ReeveLoop *loop, int watch, gpointer data)
{
  Door *self = data;
  gboolean is_done = TRUE;

  keep_spare (self->service);
  if (atomic_load (&self->service->is_frozen))
    close_door (self);
  else
    is_done = open_door (self);
  reeve_loop_update_timeout (loop, watch, is_done ? -1 : PAUSE_MS);
}

static void
pause_for (Door *self, int interval_ms)
{
  close_door (self);
  reeve_loop_update_timeout (self->loop, self->pause, interval_ms);
}

/* ----------------------------------------------------------- accepting --- */

/* There are no file descriptors left: the connection that comes next takes the
 * spare one. (nullable): if none comes. @has_spare: (out): whether there is
 * another one by now */
static ReeveStream *
accept_with_spare (ReeveService *self, gboolean *has_spare)
{
  ReeveStream *stream = NULL;

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->spare_fd >= 0) {
    reeve_fd_clear (&self->spare_fd);
    stream = reeve_pstream_accept (self->pstream);
  }
  *has_spare = keep_spare_locked (self);
  return stream;
}

/* (nullable): with errno set; or with how long the next one has to wait. */
static ReeveStream *
accept_one (ReeveService *self,
            unsigned per_second,
            gint64 now_us,
            gint64 *wait_us)
{
  ReeveStream *stream;

  REEVE_LOCK_SCOPE (&self->lock);

  *wait_us = reeve_accept_rate_get_wait (&self->rate, per_second, now_us);
  if (*wait_us > 0)
    return NULL;

  stream = reeve_pstream_accept (self->pstream);
  if (stream != NULL)
    reeve_accept_rate_count (&self->rate, per_second, now_us);
  return stream;
}

/* @reason: an errno. Refuses the next connection, unless there are files again;
 * returns whether the one behind it may be tried at once. */
static gboolean
take_without_files (Door *self, int reason)
{
  ReeveService *service = self->service;
  gboolean has_spare;
  ReeveStream *stream = accept_with_spare (service, &has_spare);

  if (has_spare) {
    if (stream != NULL)
      service->func (service, stream, service->data);
    return stream != NULL;
  }

  service->refuse (service, REEVE_REFUSAL_FILES, g_strerror (reason),
                   service->data);
  reeve_stream_free (stream);
  if (keep_spare (service))
    return TRUE;
  pause_for (self, PAUSE_MS);
  return FALSE;
}

/* No stream came of it; returns whether the next may be tried at once. */
static gboolean
take_failure (Door *self, gint64 wait_us)
{
  ReeveService *service = self->service;
  int reason = errno;

  if (wait_us > 0) {
    service->refuse (service, REEVE_REFUSAL_RATE, NULL, service->data);
    pause_for (self, (int) (wait_us / 1000) + 1);
    return FALSE;
  }
  /* These are about one connection that is gone again. */
  if (reason != EMFILE && reason != ENFILE && reason != ENOBUFS &&
      reason != ENOMEM)
    return reason == ECONNABORTED || reason == EINTR;

  return take_without_files (self, reason);
}

static void
accept_some (ReeveLoop *loop,
             int watch,
             int fd,
             ReeveEvents events,
             gpointer data)
{
  Door *door = data;
  ReeveService *self = door->service;
  unsigned per_second = atomic_load_explicit (
      &self->limits->max_accepts_per_second, memory_order_relaxed);
  gint64 now_us = g_get_monotonic_time ();

  for (int i = 0; i < MAX_ACCEPTS && !atomic_load (&self->is_frozen); i++) {
    gint64 wait_us;
    ReeveStream *stream = accept_one (self, per_second, now_us, &wait_us);

    if (stream != NULL)
      self->func (self, stream, self->data);
    else if (!take_failure (door, wait_us))
      return;
  }
}

/* ---------------------------------------------------------------- life --- */

static gboolean
make_door (ReeveService *self, Door *door, ReeveLoop *loop)
{
  door->service = self;
  door->loop = reeve_loop_ref (loop);
  door->pause = reeve_loop_add_timeout (loop, -1, go_on, door, NULL);
  return open_door (door);
}

ReeveService *
reeve_service_new (ReeveLoop *const *loops,
                   unsigned n_loops,
                   ReevePStream *pstream,
                   const ReeveServiceOptions *options,
                   const ReeveLiveLimits *limits,
                   ReeveServiceFunc func,
                   ReeveServiceRefuseFunc refuse,
                   gpointer data) REEVE_UNCHECKED
{
  ReeveService *self =
      g_malloc0 (sizeof (ReeveService) + n_loops * sizeof (Door));
  gboolean is_made = TRUE;

  self->pstream = pstream;
  self->options = *options;
  if (options->tls != NULL)
    reeve_tls_slot_ref (options->tls);
  self->limits = limits;
  self->func = func;
  self->refuse = refuse;
  self->data = data;
  reeve_mutex_init (&self->lock);
  self->spare_fd = -1;
  keep_spare (self);
  self->n_doors = n_loops;
  for (unsigned i = 0; i < n_loops; i++)
    is_made = make_door (self, &self->doors[i], loops[i]) && is_made;
  if (!is_made)
    g_clear_pointer (&self, reeve_service_free);
  return self;
}

void
reeve_service_free (ReeveService *self) REEVE_UNCHECKED
{
  if (self == NULL)
    return;

  for (unsigned i = 0; i < self->n_doors; i++) {
    Door *door = &self->doors[i];

    reeve_loop_remove (door->loop, door->pause);
    reeve_loop_remove (door->loop, door->watch);
    reeve_loop_unref (door->loop);
  }
  reeve_pstream_free (self->pstream);
  reeve_fd_clear (&self->spare_fd);
  reeve_mutex_clear (&self->lock);
  reeve_tls_slot_unref (self->options.tls);
  g_free (self);
}

void
reeve_service_set_frozen (ReeveService *self, gboolean is_frozen)
{
  atomic_store (&self->is_frozen, is_frozen);
  for (unsigned i = 0; i < self->n_doors; i++)
    go_on (self->doors[i].loop, self->doors[i].pause, &self->doors[i]);
}

const char *
reeve_service_get_name (ReeveService *self)
{
  return reeve_pstream_get_name (self->pstream);
}

const ReeveServiceOptions *
reeve_service_get_options (ReeveService *self)
{
  return &self->options;
}
