/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/call-task.h"
#include "client/connection-private.h"
#include "event/intl.h"
#include "protocol/watch.h"
#include "rpc/error.h"

#include <pthread.h>

/*
 * A connection that comes back when it was lost. Its I/O thread says when to
 * try; a thread of the attempt's own opens another connection, whose stream
 * then becomes this one's, and makes the server tell again what it told.
 */

/* The server is on this host, or a short way off. */
#define MIN_BACKOFF_MS 100
#define MAX_BACKOFF_MS 8000

/* Of its thread; the I/O thread works on it while that waits. */
typedef struct {
  ReeveConnection *connection; /* (owned): one of its refs */
  ReeveConnectionFlags flags;
  int timeout_ms;
  GCancellable *cancellable; /* (owned) */
  ReeveConnection *other;    /* (owned) (nullable): that was opened */
  GError *failure;           /* (owned) (nullable) */
  unsigned link;             /* 0: it did not become the connection's */
  gboolean is_done;          /* under the connection's lock */
} Attempt;

/* What goes from one connection to the other. */
typedef struct {
  ReeveStream *stream; /* (owned) (nullable) */
  int watch;
  GByteArray *output; /* (owned) */
} Parts;

static void schedule (ReeveConnection *self);

static gint64
get_now_ms (void)
{
  return g_get_monotonic_time () / 1000;
}

void
reeve_connection_make_lasting (ReeveConnection *self,
                               ReeveConnectionFlags flags)
{
  gint64 now_ms = get_now_ms ();

  REEVE_LOCK_SCOPE (&self->lock);

  /* The I/O thread does not use it before the connection is lasting. */
  reeve_reconnect_init (&self->reconnect, now_ms);
  reeve_reconnect_set_backoff (&self->reconnect, MIN_BACKOFF_MS,
                               MAX_BACKOFF_MS);
  /* Keepalive asks for signs of life. */
  reeve_reconnect_set_probe_interval (&self->reconnect, 0);
  reeve_reconnect_connected (&self->reconnect, now_ms);
  self->flags = flags;
  self->is_lasting = TRUE;
}

/* ------------------------------------------------------------- attempt --- */

/* Trying again would change nothing. */
static gboolean
is_final (const GError *failure)
{
  static const int codes[] = {
    REEVE_ERROR_INVALID_ARG,      REEVE_ERROR_AUTH_FAILED,
    REEVE_ERROR_AUTH_CANCELLED,   REEVE_ERROR_AUTH_UNAVAILABLE,
    REEVE_ERROR_OPERATION_DENIED, REEVE_ERROR_ACCESS_DENIED,
  };

  for (size_t i = 0; i < G_N_ELEMENTS (codes); i++)
    if (g_error_matches (failure, REEVE_ERROR, codes[i]))
      return TRUE;

  return FALSE;
}

static void
take_parts (ReeveConnection *other, Parts *parts)
{
  REEVE_LOCK_SCOPE (&other->lock);

  if (other->closed != NULL)
    return;
  parts->stream = g_steal_pointer (&other->stream);
  parts->watch = other->watch;
  other->watch = 0;
  parts->output = g_steal_pointer (&other->output);
  other->output = g_byte_array_new ();
}

static void
take_input_of (ReeveConnection *self, ReeveConnection *other)
{
  g_free (self->input);
  self->input = g_steal_pointer (&other->input);
  self->input_size = other->input_size;
  self->input_capacity = other->input_capacity;
  other->input_size = other->input_capacity = 0;
  reeve_fd_inbox_clear (&self->inbox);
  self->inbox = other->inbox;
  other->inbox = (ReeveFdInbox){ 0 };
  self->keepalive = other->keepalive;
}

/* 0: it was closed meanwhile. */
static unsigned
set_stream (ReeveConnection *self, Parts *parts)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->closed != NULL)
    return 0;

  self->stream = g_steal_pointer (&parts->stream);
  g_byte_array_append (self->output, parts->output->data, parts->output->len);
  self->events = REEVE_EVENT_READABLE;
  if (self->output->len > 0 || reeve_stream_has_output (self->stream))
    self->events |= REEVE_EVENT_WRITABLE;
  self->watch = reeve_loop_add_handle (
      self->loop, reeve_stream_get_fd (self->stream), self->events,
      reeve_connection_take_ready, self, NULL);
  g_clear_error (&self->lost);
  self->is_restoring = TRUE;
  reeve_connection_resend_locked (self);
  reeve_connection_wake_keepalive_locked (self);
  return self->link;
}

/* In the I/O thread. Returns whether the connection has a stream again. */
static gboolean
adopt (ReeveConnection *self, Attempt *attempt)
{
  Parts parts = { 0 };

  take_parts (attempt->other, &parts);
  if (parts.stream == NULL)
    return FALSE;

  reeve_loop_remove (self->loop, parts.watch);
  take_input_of (self, attempt->other);
  attempt->link = set_stream (self, &parts);
  reeve_stream_free (parts.stream);
  g_byte_array_unref (parts.output);
  if (attempt->link == 0)
    return TRUE;

  reeve_reconnect_connected (&self->reconnect, get_now_ms ());
  reeve_connection_take_rest (self);
  return TRUE;
}

static void
tell_done (ReeveConnection *self, Attempt *attempt)
{
  REEVE_LOCK_SCOPE (&self->lock);

  g_clear_object (&self->attempt);
  attempt->is_done = TRUE;
  reeve_cond_broadcast (&self->went_on);
}

/* In the I/O thread. */
static void
finish_attempt (ReeveLoop *loop, gpointer data)
{
  Attempt *attempt = data;
  ReeveConnection *self = attempt->connection;
  GError *end = NULL;
  gboolean is_back;

  reeve_refs_inc (&self->refs);
  is_back = attempt->other != NULL && adopt (self, attempt);
  if (!is_back) {
    reeve_reconnect_connect_failed (&self->reconnect, get_now_ms ());
    if (attempt->failure != NULL && is_final (attempt->failure))
      end = g_error_copy (attempt->failure);
  }
  tell_done (self, attempt);
  /* The attempt is its thread's from here on. */
  if (end != NULL)
    reeve_connection_end (self, end);
  else if (!is_back)
    schedule (self);
  reeve_connection_release (self);
}

static void
wait_until_done (ReeveConnection *self, const Attempt *attempt)
{
  REEVE_LOCK_SCOPE (&self->lock);

  while (!attempt->is_done)
    reeve_cond_wait (&self->went_on, &self->lock);
}

typedef struct {
  ReeveConnection *connection;
  unsigned link;
} Unmarked;

static gboolean
is_unmarked (const Unmarked *self)
{
  REEVE_LOCK_SCOPE (&self->connection->lock);

  return self->connection->link == self->link &&
         self->connection->is_restoring && self->connection->closed == NULL;
}

/* In the I/O thread. */
static void
mark_all (ReeveLoop *loop, gpointer data)
{
  Unmarked *self = data;

  if (is_unmarked (self))
    reeve_connection_mark_all (self->connection);
  reeve_connection_release (self->connection);
  g_free (self);
}

static void
restore (Attempt *attempt)
{
  ReeveConnection *self = attempt->connection;
  Unmarked *unmarked;

  reeve_registrations_restore (self, attempt->link,
                               REEVE_CONNECTION_TIMEOUT_MS);
  if (reeve_connection_sync (self, attempt->link, REEVE_CONNECTION_TIMEOUT_MS,
                             NULL))
    return;

  /* The server has no marks, or is gone again. */
  unmarked = g_new0 (Unmarked, 1);
  unmarked->connection = self;
  unmarked->link = attempt->link;
  reeve_refs_inc (&self->refs);
  reeve_loop_invoke (self->loop, mark_all, unmarked);
}

static void *
run_attempt (void *data)
{
  Attempt *attempt = data;
  ReeveConnection *self = attempt->connection;

  attempt->other = reeve_connection_open (
      self->uri, attempt->flags & ~REEVE_CONNECTION_RECONNECT,
      attempt->timeout_ms, attempt->cancellable, &attempt->failure);
  reeve_loop_invoke (self->loop, finish_attempt, attempt);
  wait_until_done (self, attempt);
  if (attempt->link != 0) {
    attempt->other->is_opened = FALSE; /* it goes on as ours */
    restore (attempt);
  }

  reeve_connection_unref (attempt->other);
  g_clear_error (&attempt->failure);
  g_object_unref (attempt->cancellable);
  reeve_connection_release (self);
  g_free (attempt);
  return NULL;
}

static gboolean
begin_attempt (ReeveConnection *self, Attempt *attempt)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->closed != NULL)
    return FALSE;

  attempt->flags = self->flags;
  g_clear_object (&self->attempt);
  self->attempt = g_object_ref (attempt->cancellable);
  return TRUE;
}

static void
start_attempt (ReeveConnection *self)
{
  Attempt *attempt = g_new0 (Attempt, 1);
  pthread_t thread;

  reeve_reconnect_connecting (&self->reconnect, get_now_ms ());
  attempt->connection = self;
  attempt->timeout_ms =
      reeve_reconnect_get_timeout (&self->reconnect, get_now_ms ());
  attempt->cancellable = g_cancellable_new ();
  if (begin_attempt (self, attempt)) {
    reeve_refs_inc (&self->refs);
    if (pthread_create (&thread, NULL, run_attempt, attempt) == 0) {
      pthread_detach (thread);
      return;
    }
    reeve_connection_release (self);
    reeve_reconnect_connect_failed (&self->reconnect, get_now_ms ());
    schedule (self);
  }
  g_object_unref (attempt->cancellable);
  g_free (attempt);
}

/* ---------------------------------------------------------------- time --- */

static void
look (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveConnection *self = data;

  reeve_loop_update_timeout (loop, watch, -1);
  if (reeve_reconnect_run (&self->reconnect, get_now_ms ()) ==
      REEVE_RECONNECT_STEP_CONNECT)
    start_attempt (self);
  else
    schedule (self);
}

/* In the I/O thread, which removes the timeout of a connection that is closed.
 */
static void
schedule (ReeveConnection *self)
{
  int delay_ms = reeve_reconnect_get_timeout (&self->reconnect, get_now_ms ());

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->closed != NULL || self->lost == NULL)
    return;
  if (self->retry_timer == 0)
    self->retry_timer =
        reeve_loop_add_timeout (self->loop, delay_ms, look, self, NULL);
  else
    reeve_loop_update_timeout (self->loop, self->retry_timer, delay_ms);
}

/* ---------------------------------------------------------------- lost --- */

/* (nullable): the stream, if it was there and the connection comes back. */
static ReeveStream *
detach_stream (ReeveConnection *self,
               const GError *reason,
               int *watch,
               GPtrArray **tasks)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->closed != NULL || self->stream == NULL)
    return NULL;

  self->lost = g_error_copy (reason);
  self->link++;
  self->is_restoring = FALSE;
  *watch = self->watch;
  self->watch = 0;
  *tasks = reeve_connection_fail_calls_locked (self, reason, TRUE);
  reeve_connection_fail_streams_locked (self, reason);
  reeve_registrations_forget_locked (self);
  g_hash_table_remove_all (self->abandoned);
  g_byte_array_set_size (self->output, 0);
  self->holds = self->is_held = FALSE;
  reeve_cond_broadcast (&self->drained);
  return g_steal_pointer (&self->stream);
}

static gboolean
is_lasting (ReeveConnection *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->is_lasting;
}

static void
detach (ReeveConnection *self, const GError *reason)
{
  watch_lost_msg lost = { .reason = reason->message };
  g_autoptr (GPtrArray) tasks = NULL;
  int watch;
  ReeveStream *stream = detach_stream (self, reason, &watch, &tasks);

  if (stream == NULL)
    return;

  reeve_loop_remove (self->loop, watch);
  reeve_stream_free (stream);
  reeve_connection_clear_fds (self);
  for (unsigned i = 0; i < tasks->len; i++)
    reeve_call_task_complete (tasks->pdata[i]);
  reeve_reconnect_disconnected (&self->reconnect, get_now_ms ());
  reeve_connection_tell (self, &watch_program, WATCH_PROC_LOST, &lost);
  schedule (self);
}

void
reeve_connection_lose (ReeveConnection *self, const char *format, ...)
{
  va_list arguments;
  GError *reason;

  va_start (arguments, format);
  reason =
      g_error_new_valist (REEVE_ERROR, REEVE_ERROR_CLOSED, format, arguments);
  va_end (arguments);
  if (!is_lasting (self)) {
    reeve_connection_end (self, reason);
    return;
  }

  detach (self, reason);
  g_error_free (reason);
}
