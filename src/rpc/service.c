/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/service.h"

#include "event/fd.h"
#include "rpc/accept-rate.h"

#include <errno.h>
#include <fcntl.h>

/* Connections that are accepted before others get their turn. */
#define MAX_ACCEPTS 8
/* How long to wait when there are no file descriptors left. */
#define PAUSE_MS 100

struct _ReeveService {
  ReeveLoop *loop;               /* (owned) */
  ReevePStream *pstream;         /* (owned) */
  ReeveServiceOptions options;   /* immutable */
  const ReeveLiveLimits *limits; /* the server's */
  ReeveServiceFunc func;
  ReeveServiceRefuseFunc refuse;
  gpointer data;
  int watch;
  int pause; /* a timeout, disabled unless we wait */
  gboolean is_frozen;
  ReeveAcceptRate rate;
  int spare_fd; /* (owned): closed, so that a connection can be refused */
};

static void
keep_spare (ReeveService *self)
{
  if (self->spare_fd < 0)
    self->spare_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
go_on (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveService *self = data;

  keep_spare (self);
  reeve_loop_update_timeout (loop, watch, -1);
  reeve_loop_update_handle (loop, self->watch,
                            self->is_frozen ? REEVE_EVENT_NONE
                                            : REEVE_EVENT_READABLE);
}

static void
pause_for (ReeveService *self, int interval_ms)
{
  reeve_loop_update_handle (self->loop, self->watch, REEVE_EVENT_NONE);
  reeve_loop_update_timeout (self->loop, self->pause, interval_ms);
}

/* There are no file descriptors left. Returns whether the connection that comes
 * next was refused. */
static gboolean
refuse_next (ReeveService *self)
{
  self->refuse (self, REEVE_REFUSAL_FILES, g_strerror (errno), self->data);
  if (self->spare_fd >= 0) {
    reeve_fd_clear (&self->spare_fd);
    reeve_stream_free (reeve_pstream_accept (self->pstream));
    keep_spare (self);
  }
  if (self->spare_fd < 0)
    pause_for (self, PAUSE_MS);
  return self->spare_fd >= 0;
}

/* Whether the next one has to wait. */
static gboolean
is_too_fast (ReeveService *self, unsigned per_second, gint64 now_us)
{
  gint64 wait_us = reeve_accept_rate_get_wait (&self->rate, per_second, now_us);

  if (wait_us == 0)
    return FALSE;

  self->refuse (self, REEVE_REFUSAL_RATE, NULL, self->data);
  pause_for (self, (int) (wait_us / 1000) + 1);
  return TRUE;
}

static void
accept_some (ReeveLoop *loop,
             int watch,
             int fd,
             ReeveEvents events,
             gpointer data)
{
  ReeveService *self = data;
  unsigned per_second = atomic_load_explicit (
      &self->limits->max_accepts_per_second, memory_order_relaxed);
  gint64 now_us = g_get_monotonic_time ();

  for (int i = 0; i < MAX_ACCEPTS; i++) {
    ReeveStream *stream;

    if (self->is_frozen || is_too_fast (self, per_second, now_us))
      return;
    stream = reeve_pstream_accept (self->pstream);
    if (stream != NULL) {
      reeve_accept_rate_count (&self->rate, per_second, now_us);
      self->func (self, stream, self->data);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
        errno == ENOMEM) {
      if (!refuse_next (self))
        return;
      continue;
    }
    /* These are about one connection that is gone again. */
    if (errno != ECONNABORTED && errno != EINTR)
      return;
  }
}

ReeveService *
reeve_service_new (ReeveLoop *loop,
                   ReevePStream *pstream,
                   const ReeveServiceOptions *options,
                   const ReeveLiveLimits *limits,
                   ReeveServiceFunc func,
                   ReeveServiceRefuseFunc refuse,
                   gpointer data)
{
  ReeveService *self = g_new0 (ReeveService, 1);

  self->loop = reeve_loop_ref (loop);
  self->pstream = pstream;
  self->options = *options;
  if (options->tls != NULL)
    reeve_tls_slot_ref (options->tls);
  self->limits = limits;
  self->func = func;
  self->refuse = refuse;
  self->spare_fd = -1;
  keep_spare (self);
  self->data = data;
  self->pause = reeve_loop_add_timeout (loop, -1, go_on, self, NULL);
  self->watch =
      reeve_loop_add_handle (loop, reeve_pstream_get_fd (pstream),
                             REEVE_EVENT_READABLE, accept_some, self, NULL);
  if (self->watch < 0)
    g_clear_pointer (&self, reeve_service_free);
  return self;
}

void
reeve_service_free (ReeveService *self)
{
  if (self == NULL)
    return;

  reeve_loop_remove (self->loop, self->pause);
  reeve_loop_remove (self->loop, self->watch);
  reeve_loop_unref (self->loop);
  reeve_pstream_free (self->pstream);
  reeve_fd_clear (&self->spare_fd);
  reeve_tls_slot_unref (self->options.tls);
  g_free (self);
}

void
reeve_service_set_frozen (ReeveService *self, gboolean is_frozen)
{
  self->is_frozen = is_frozen;
  go_on (self->loop, self->pause, self);
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
