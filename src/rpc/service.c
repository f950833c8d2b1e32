/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/service.h"

#include "event/intl.h"

#include <errno.h>

/* Connections that are accepted before others get their turn. */
#define MAX_ACCEPTS 64
/* How long to wait when there are no file descriptors left. */
#define PAUSE_MS 100

struct _ReeveService {
  ReeveLoop *loop;             /* (owned) */
  ReevePStream *pstream;       /* (owned) */
  ReeveServiceOptions options; /* immutable */
  ReeveServiceFunc func;
  gpointer data;
  int watch;
  int pause; /* a timeout, disabled unless we wait */
  gboolean is_paused;
};

static void
go_on (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveService *self = data;

  self->is_paused = FALSE;
  reeve_loop_update_timeout (loop, watch, -1);
  reeve_loop_update_handle (loop, self->watch, REEVE_EVENT_READABLE);
}

static void
wait_for_fds (ReeveService *self)
{
  if (!self->is_paused)
    g_warning (_ ("%1$s: cannot accept a connection: %2$s"),
               reeve_pstream_get_name (self->pstream), g_strerror (errno));
  self->is_paused = TRUE;
  reeve_loop_update_handle (self->loop, self->watch, REEVE_EVENT_NONE);
  reeve_loop_update_timeout (self->loop, self->pause, PAUSE_MS);
}

static void
accept_some (ReeveLoop *loop,
             int watch,
             int fd,
             ReeveEvents events,
             gpointer data)
{
  ReeveService *self = data;

  for (int i = 0; i < MAX_ACCEPTS; i++) {
    ReeveStream *stream = reeve_pstream_accept (self->pstream);

    if (stream != NULL) {
      self->func (self, stream, self->data);
      continue;
    }
    /* Everything but these is about one connection that is gone again. */
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
        errno == ENOMEM)
      wait_for_fds (self);
    if (errno != ECONNABORTED && errno != EINTR)
      return;
  }
}

ReeveService *
reeve_service_new (ReeveLoop *loop,
                   ReevePStream *pstream,
                   const ReeveServiceOptions *options,
                   ReeveServiceFunc func,
                   gpointer data)
{
  ReeveService *self = g_new0 (ReeveService, 1);

  self->loop = reeve_loop_ref (loop);
  self->pstream = pstream;
  self->options = *options;
  if (options->tls != NULL)
    reeve_tls_slot_ref (options->tls);
  self->func = func;
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
  reeve_tls_slot_unref (self->options.tls);
  g_free (self);
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
