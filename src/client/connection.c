/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection.h"

#include "client/call-task.h"
#include "client/connection-private.h"
#include "client/io-thread.h"
#include "event/intl.h"
#include "event/refs.h"
#include "protocol/remote.h"
#include "rpc/error.h"
#include "rpc/stream-layer.h"

/* The life of a connection. */

typedef struct {
  ReeveCloseFunc func;
  gpointer data;
  GDestroyNotify free_func;
} CloseCall;

/* FALSE if it was closed before. */
static gboolean
mark_closed (ReeveConnection *self,
             GError *reason,
             GPtrArray **tasks,
             CloseCall *close_call)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->closed != NULL) {
    g_error_free (reason);
    return FALSE;
  }

  self->closed = reason;
  g_cancellable_cancel (self->attempt);
  *tasks = reeve_connection_fail_calls_locked (self, reason, FALSE);
  reeve_connection_fail_streams_locked (self, reason);
  close_call->func = self->close_func;
  close_call->data = self->close_data;
  close_call->free_func = self->close_free;
  self->close_func = NULL;
  self->close_free = NULL;
  return TRUE;
}

static ReeveStream *
steal_stream (ReeveConnection *self, int watches[4])
{
  REEVE_LOCK_SCOPE (&self->lock);

  watches[0] = self->watch;
  watches[1] = self->pause_timer;
  watches[2] = self->keepalive_watch;
  watches[3] = self->retry_timer;
  return g_steal_pointer (&self->stream);
}

void
reeve_connection_release (ReeveConnection *self) REEVE_UNCHECKED
{
  if (!reeve_refs_dec (&self->refs))
    return;

  /* Nobody knows the connection any more. */
  reeve_connection_clear_subscriptions (self);
  reeve_registrations_clear (self);
  g_byte_array_unref (self->output);
  g_array_unref (self->output_fds);
  g_hash_table_unref (self->abandoned);
  g_hash_table_unref (self->pending);
  g_hash_table_unref (self->streams);
  reeve_cond_clear (&self->drained);
  g_clear_error (&self->closed);
  g_clear_error (&self->lost);
  g_clear_object (&self->attempt);
  reeve_cond_clear (&self->went_on);
  reeve_mutex_clear (&self->lock);
  g_free (self->input);
  g_free (self->uri);
  g_free (self);
}

/* In the I/O thread, whose callbacks live as long as the stream. */
static void
drop_stream (ReeveLoop *loop, gpointer data)
{
  ReeveConnection *self = data;
  int watches[4];
  ReeveStream *stream = steal_stream (self, watches);

  for (size_t i = 0; i < G_N_ELEMENTS (watches); i++)
    reeve_loop_remove (loop, watches[i]);
  reeve_stream_free (stream);
  reeve_connection_clear_fds (self);
  reeve_connection_release (self);
}

void
reeve_connection_end (ReeveConnection *self, GError *reason)
{
  g_autoptr (GPtrArray) tasks = NULL;
  g_autoptr (GError) copy = g_error_copy (reason);
  CloseCall close_call = { 0 };

  if (!mark_closed (self, reason, &tasks, &close_call))
    return;

  reeve_loop_invoke (self->loop, drop_stream, self);
  for (unsigned i = 0; i < tasks->len; i++)
    reeve_call_task_complete (tasks->pdata[i]);
  if (close_call.func != NULL)
    close_call.func (self, copy, close_call.data);
  if (close_call.free_func != NULL)
    close_call.free_func (close_call.data);
}

void
reeve_connection_fail (ReeveConnection *self, int code, const char *format, ...)
{
  va_list arguments;
  GError *reason;

  va_start (arguments, format);
  reason = g_error_new_valist (REEVE_ERROR, code, format, arguments);
  va_end (arguments);
  reeve_connection_end (self, reason);
}

void
reeve_connection_close (ReeveConnection *self)
{
  reeve_connection_fail (self, REEVE_ERROR_CLOSED,
                         _ ("The connection was closed"));
}

gboolean
reeve_connection_is_closed (ReeveConnection *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->closed != NULL;
}

static GError *
swap_close_func (ReeveConnection *self, const CloseCall *new, CloseCall *old)
{
  REEVE_LOCK_SCOPE (&self->lock);

  old->data = self->close_data;
  old->free_func = self->close_free;
  self->close_func = new->func;
  self->close_data = new->data;
  self->close_free = new->free_func;
  reeve_connection_wake_keepalive_locked (self);
  return self->closed == NULL ? NULL : g_error_copy (self->closed);
}

void
reeve_connection_set_close_func (ReeveConnection *self,
                                 ReeveCloseFunc func,
                                 gpointer data,
                                 GDestroyNotify free_func)
{
  const CloseCall new = { func, data, free_func };
  CloseCall old = { 0 };
  g_autoptr (GError) closed = swap_close_func (self, &new, &old);

  if (old.free_func != NULL)
    old.free_func (old.data);
  if (closed != NULL && func != NULL)
    func (self, closed, data);
}

static void
take_early_input (ReeveLoop *loop, gpointer data)
{
  reeve_connection_take_ready (loop, 0, -1, REEVE_EVENT_READABLE, data);
  reeve_connection_release (data);
}

ReeveConnection *
reeve_connection_new (const char *uri, ReeveStream *stream) REEVE_UNCHECKED
{
  ReeveConnection *self = g_new0 (ReeveConnection, 1);

  reeve_refs_init (&self->users);
  reeve_refs_init (&self->refs);
  reeve_refs_inc (&self->refs);
  self->uri = g_strdup (uri);
  self->loop = reeve_io_thread_get_loop ();
  reeve_mutex_init (&self->lock);
  reeve_cond_init (&self->went_on);
  self->pending = g_hash_table_new (NULL, NULL);
  self->streams = g_hash_table_new (NULL, NULL);
  reeve_cond_init (&self->drained);
  self->abandoned = g_hash_table_new (NULL, NULL);
  self->output = g_byte_array_new ();
  self->output_fds = g_array_new (FALSE, FALSE, sizeof (ReeveOutputFd));
  self->subscriptions = g_ptr_array_new ();
  self->registrations = g_ptr_array_new ();

  REEVE_LOCK_SCOPE (&self->lock);

  self->stream = stream;
  self->events = REEVE_EVENT_READABLE;
  self->watch = reeve_loop_add_handle (self->loop, reeve_stream_get_fd (stream),
                                       self->events,
                                       reeve_connection_take_ready, self, NULL);
  /* A layer may have read more than what opened it. */
  if (reeve_stream_has_input (stream)) {
    reeve_refs_inc (&self->refs);
    reeve_loop_invoke (self->loop, take_early_input, self);
  }
  return self;
}

void
reeve_connection_set_opened (ReeveConnection *self)
{
  self->is_opened = TRUE;
}

ReeveConnection *
reeve_connection_ref (ReeveConnection *self)
{
  reeve_refs_inc (&self->users);
  return self;
}

/* The polite end: the server answers, then closes. */
static void
say_goodbye (ReeveConnection *self)
{
  enum { PATIENCE_MS = 1000 };

  if (!self->is_opened || reeve_loop_is_current (self->loop) ||
      reeve_connection_is_closed (self))
    return;

  self->is_opened = FALSE;
  reeve_connection_call (
      self, &remote_program,
      reeve_program_find (&remote_program, REMOTE_PROC_CONNECT_CLOSE), NULL,
      NULL, PATIENCE_MS, NULL, NULL);
}

void
reeve_connection_unref (ReeveConnection *self)
{
  if (self == NULL || !reeve_refs_dec (&self->users))
    return;

  say_goodbye (self);
  reeve_connection_set_close_func (self, NULL, NULL, NULL);
  reeve_connection_close (self);
  reeve_connection_release (self);
}

const char *
reeve_connection_get_uri (ReeveConnection *self)
{
  return self->uri;
}
