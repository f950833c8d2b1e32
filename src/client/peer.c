/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/peer.h"

#include "client/io-thread.h"
#include "client/peer-private.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/stream-layer.h"

/* The life of a peer. */

static void
clear_handlers (const ReevePeerHandlers *handlers)
{
  if (handlers->free_func != NULL)
    handlers->free_func (handlers->data);
}

void
reeve_peer_release (ReevePeer *self) REEVE_UNCHECKED
{
  if (!reeve_refs_dec (&self->refs))
    return;

  /* Nobody knows the peer any more. */
  g_hash_table_unref (self->pending);
  g_queue_clear (&self->unsent);
  g_byte_array_unref (self->output);
  g_byte_array_unref (self->input);
  g_clear_error (&self->closed);
  reeve_mutex_clear (&self->lock);
  clear_handlers (&self->handlers);
  g_free (self);
}

/* ----------------------------------------------------------------- end --- */

typedef struct {
  ReeveStream *stream; /* (owned) */
  int watch;
  GError *reason; /* (owned) (nullable): nobody is to be told */
} Ending;

static void
take_ending (ReevePeer *self, Ending *ending)
{
  REEVE_LOCK_SCOPE (&self->lock);

  ending->stream = g_steal_pointer (&self->stream);
  ending->watch = self->watch;
  ending->reason = self->is_left ? NULL : g_error_copy (self->closed);
}

/* In the I/O thread, whose callbacks live as long as the stream. */
static void
drop_stream (ReeveLoop *loop, gpointer data)
{
  ReevePeer *self = data;
  Ending ending;

  take_ending (self, &ending);
  reeve_loop_remove (loop, ending.watch);
  reeve_stream_free (ending.stream);
  if (ending.reason != NULL && self->handlers.closed != NULL)
    self->handlers.closed (self, ending.reason, self->handlers.data);
  g_clear_error (&ending.reason);
  reeve_peer_release (self);
}

/* (element-type GTask) (nullable): those that are to be told; %NULL if it was
 * closed before. */
static GPtrArray *
mark_closed (ReevePeer *self, GError *reason)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->closed != NULL) {
    g_error_free (reason);
    return NULL;
  }

  self->closed = reason;
  return reeve_peer_fail_calls_locked (self, reason);
}

void
reeve_peer_fail (ReevePeer *self, int code, const char *format, ...)
{
  g_autoptr (GPtrArray) tasks = NULL;
  va_list arguments;
  GError *reason;

  va_start (arguments, format);
  reason = g_error_new_valist (REEVE_ERROR, code, format, arguments);
  va_end (arguments);
  tasks = mark_closed (self, reason);
  if (tasks == NULL)
    return;

  reeve_loop_invoke (self->loop, drop_stream, self);
  for (unsigned i = 0; i < tasks->len; i++)
    reeve_call_task_complete (tasks->pdata[i]);
}

void
reeve_peer_close (ReevePeer *self)
{
  reeve_peer_fail (self, REEVE_ERROR_CLOSED, _ ("The connection was closed"));
}

gboolean
reeve_peer_is_closed (ReevePeer *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->closed != NULL;
}

static void
leave (ReevePeer *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_left = TRUE;
}

ReevePeer *
reeve_peer_ref (ReevePeer *self)
{
  reeve_refs_inc (&self->users);
  return self;
}

void
reeve_peer_unref (ReevePeer *self)
{
  if (self == NULL || !reeve_refs_dec (&self->users))
    return;

  leave (self);
  reeve_peer_close (self);
  reeve_peer_release (self);
}

/* --------------------------------------------------------------- begin --- */

static void
take_early_input (ReeveLoop *loop, gpointer data)
{
  reeve_peer_take_ready (loop, 0, -1, REEVE_EVENT_READABLE, data);
  reeve_peer_release (data);
}

/* What was handed over is watched from now on. */
static void
start (ReevePeer *self, ReeveStream *stream)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->stream = stream;
  self->events = REEVE_EVENT_READABLE;
  self->watch =
      reeve_loop_add_handle (self->loop, reeve_stream_get_fd (stream),
                             self->events, reeve_peer_take_ready, self, NULL);
  /* A layer may have read more than what opened it. */
  if (reeve_stream_has_input (stream)) {
    reeve_refs_inc (&self->refs);
    reeve_loop_invoke (self->loop, take_early_input, self);
  }
}

static ReevePeer *
peer_new (const ReevePeerWire *wire,
          ReevePeerForm form,
          const ReevePeerHandlers *handlers) REEVE_UNCHECKED
{
  ReevePeer *self = g_new0 (ReevePeer, 1);

  reeve_refs_init (&self->users);
  reeve_refs_init (&self->refs);
  reeve_refs_inc (&self->refs);
  self->wire = wire;
  self->form = form;
  self->handlers = *handlers;
  self->loop = reeve_io_thread_get_loop ();
  self->input = g_byte_array_new ();
  reeve_mutex_init (&self->lock);
  self->output = g_byte_array_new ();
  self->next_id = 1;
  self->pending = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_queue_init (&self->unsent);
  return self;
}

ReevePeer *
reeve_peer_open (const char *stream,
                 const ReevePeerWire *wire,
                 ReevePeerForm form,
                 const ReevePeerHandlers *handlers,
                 gint64 deadline_us,
                 GCancellable *cancellable,
                 GError **error)
{
  static const ReevePeerHandlers none = { 0 };
  ReeveStream *opened =
      reeve_stream_open (stream, deadline_us, cancellable, error);
  ReevePeer *self;

  if (handlers == NULL)
    handlers = &none;
  if (opened == NULL) {
    clear_handlers (handlers);
    return NULL;
  }

  self = peer_new (wire, form, handlers);
  start (self, opened);
  return self;
}
