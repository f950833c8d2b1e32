/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/peer-private.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <errno.h>

/* Calls of a peer, and what becomes of them. */

gint64
reeve_peer_get_deadline (int timeout_ms)
{
  if (timeout_ms < 0)
    timeout_ms = REEVE_PEER_TIMEOUT_MS;

  return g_get_monotonic_time () + (gint64) timeout_ms * 1000;
}

static uint64_t
take_id (ReevePeer *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->next_id++;
}

ReevePeerCall *
reeve_peer_call_new (ReevePeer *self, const char *name)
{
  ReevePeerCall *call = g_new0 (ReevePeerCall, 1);

  call->id = take_id (self);
  call->name = g_strdup (name);
  reeve_cond_init (&call->done);
  return call;
}

void
reeve_peer_call_free (ReevePeerCall *self)
{
  g_bytes_unref (self->message);
  g_bytes_unref (self->answer);
  g_clear_error (&self->failure);
  reeve_cond_clear (&self->done);
  g_free (self->name);
  g_free (self);
}

/* ------------------------------------------------------------- settling -- */

/* Takes the call off the lists; what is left is its caller's. (nullable): the
 * task to complete, without the lock. */
static GTask *
settle_locked (ReevePeer *self, ReevePeerCall *call, GError *failure)
    REEVE_REQUIRES (self->lock)
{
  g_hash_table_remove (self->pending, &call->id);
  if (call->message != NULL && g_queue_remove (&self->unsent, call))
    self->unsent_size -= g_bytes_get_size (call->message);
  call->is_done = TRUE;
  call->failure = failure;
  reeve_cond_signal (&call->done);
  return g_steal_pointer (&call->async.task);
}

GPtrArray *
reeve_peer_fail_calls_locked (ReevePeer *self, const GError *reason)
{
  GPtrArray *tasks = g_ptr_array_new ();
  g_autoptr (GList) all = g_hash_table_get_values (self->pending);

  for (GList *link = all; link != NULL; link = link->next) {
    ReevePeerCall *call = link->data;
    GError *failure =
        call->message != NULL
            ? g_error_new_literal (REEVE_ERROR, REEVE_ERROR_CLOSED,
                                   reason->message)
            : g_error_new (
                  REEVE_ERROR, REEVE_ERROR_OUTCOME_UNKNOWN,
                  _ ("The connection was lost before the reply came: %s"),
                  reason->message);
    GTask *task = settle_locked (self, call, failure);

    if (task != NULL)
      g_ptr_array_add (tasks, task);
  }

  return tasks;
}

static GError *
make_timeout_error (const ReevePeerCall *call)
{
  return g_error_new (
      REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
      call->message != NULL
          ? _ ("%s was not sent, as no reply to what was sent before came in "
               "time")
          : _ ("No reply to %s came in time"),
      call->name);
}

static GError *
make_cancel_error (const ReevePeerCall *call)
{
  return g_error_new (REEVE_ERROR, REEVE_ERROR_ABORTED,
                      _ ("Waiting for the reply to %s was cancelled"),
                      call->name);
}

/* -------------------------------------------------------------- sending -- */

/* FALSE: errno. */
static gboolean
send_locked (ReevePeer *self, ReevePeerCall *call) REEVE_REQUIRES (self->lock)
{
  if (!reeve_peer_write_locked (self, call->message))
    return FALSE;

  g_clear_pointer (&call->message, g_bytes_unref);
  if (self->wire->is_ordered)
    self->busy_id = call->id;
  return TRUE;
}

/* @message: (transfer full) */
static gboolean
start_call (ReevePeer *self,
            ReevePeerCall *call,
            GBytes *message,
            GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  call->message = message;
  if (call->is_done)
    return TRUE;
  call->is_done = !reeve_peer_check_locked (self, error);
  if (call->is_done)
    return FALSE;

  if (self->busy_id != 0) {
    g_queue_push_tail (&self->unsent, call);
    self->unsent_size += g_bytes_get_size (message);
  } else if (!send_locked (self, call)) {
    call->is_done = TRUE;
    return reeve_error_from_errno (
        error, errno, _ ("Cannot send the call of %s"), call->name);
  }
  g_hash_table_insert (self->pending, &call->id, call);
  return TRUE;
}

static void
send_next_locked (ReevePeer *self) REEVE_REQUIRES (self->lock)
{
  ReevePeerCall *call = g_queue_pop_head (&self->unsent);

  if (call == NULL)
    return;
  self->unsent_size -= g_bytes_get_size (call->message);
  /* Should it fail, the socket's watch will tell. */
  if (self->closed == NULL)
    send_locked (self, call);
}

/* ------------------------------------------------------------- answers --- */

/* Nobody waits any more for an answer that finds no call. */
static GTask *
settle_answered_locked (ReevePeer *self,
                        uint64_t id,
                        gboolean is_refusal,
                        GBytes *answer) REEVE_REQUIRES (self->lock)
{
  ReevePeerCall *call = g_hash_table_lookup (self->pending, &id);

  if (call == NULL) {
    g_bytes_unref (answer);
    return NULL;
  }

  call->answer = answer;
  call->is_refusal = is_refusal;
  return settle_locked (self, call, NULL);
}

static gboolean
match_answer (ReevePeer *self,
              uint64_t id,
              gboolean is_refusal,
              GBytes *answer,
              GTask **task)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (id == 0 || id >= self->next_id) {
    g_bytes_unref (answer);
    return FALSE;
  }

  *task = settle_answered_locked (self, id, is_refusal, answer);
  return TRUE;
}

gboolean
reeve_peer_take_answer (ReevePeer *self,
                        uint64_t id,
                        gboolean is_refusal,
                        GBytes *answer)
{
  GTask *task = NULL;
  gboolean is_known = match_answer (self, id, is_refusal, answer, &task);

  if (task != NULL)
    reeve_call_task_complete (task);
  return is_known;
}

static gboolean
match_next (ReevePeer *self, GBytes *answer, GTask **task)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->busy_id == 0) {
    g_bytes_unref (answer);
    return FALSE;
  }

  *task = settle_answered_locked (self, self->busy_id, FALSE, answer);
  self->busy_id = 0;
  send_next_locked (self);
  return TRUE;
}

gboolean
reeve_peer_take_next_answer (ReevePeer *self, GBytes *answer)
{
  GTask *task = NULL;
  gboolean is_known = match_next (self, answer, &task);

  if (task != NULL)
    reeve_call_task_complete (task);
  return is_known;
}

/* -------------------------------------------------------------- waiting -- */

static void
wait_until (ReevePeer *self, ReevePeerCall *call, gint64 deadline_us)
{
  REEVE_LOCK_SCOPE (&self->lock);

  while (!call->is_done)
    if (!reeve_cond_wait_until (&call->done, &self->lock, deadline_us) &&
        !call->is_done)
      settle_locked (self, call, make_timeout_error (call));
}

typedef struct {
  ReevePeer *peer;
  ReevePeerCall *call;
} Waiter;

static void
cancel_waiter (GCancellable *cancellable, gpointer data)
{
  Waiter *waiter = data;
  ReevePeer *self = waiter->peer;

  REEVE_LOCK_SCOPE (&self->lock);

  if (!waiter->call->is_done)
    settle_locked (self, waiter->call, make_cancel_error (waiter->call));
}

/* What became of a call that is done. */
static gboolean
check_done (ReevePeer *self, ReevePeerCall *call, GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (call->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&call->failure));
  return FALSE;
}

gboolean
reeve_peer_call_wait (ReevePeer *self,
                      ReevePeerCall *call,
                      GBytes *message,
                      gint64 deadline_us,
                      GCancellable *cancellable,
                      GError **error)
{
  Waiter waiter = { self, call };
  gulong handler = 0;

  if (!start_call (self, call, message, error))
    return FALSE;

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (cancel_waiter),
                                     &waiter, NULL);
  wait_until (self, call, deadline_us);
  g_cancellable_disconnect (cancellable, handler);
  return check_done (self, call, error);
}

/* --------------------------------------------------------- asynchronous -- */

/* ReeveCallSettle */
static GTask *
settle_for_us (gpointer owner, gpointer data, gboolean is_late)
{
  ReevePeer *self = owner;
  ReevePeerCall *call = data;

  REEVE_LOCK_SCOPE (&self->lock);

  if (call->is_done)
    return NULL;
  return settle_locked (self, call,
                        is_late ? make_timeout_error (call)
                                : make_cancel_error (call));
}

static void
free_call (gpointer data)
{
  reeve_peer_call_free (data);
}

void
reeve_peer_call_start_async (ReevePeer *self,
                             ReevePeerCall *call,
                             GBytes *message,
                             GError *failure,
                             int timeout_ms,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  g_autoptr (GTask) task = reeve_call_task_new (
      reeve_peer_ref (self), (GDestroyNotify) reeve_peer_unref, cancellable,
      callback, user_data);

  call->is_done = message == NULL;
  reeve_call_task_arm (&call->async, task, free_call, settle_for_us,
                       timeout_ms < 0 ? REEVE_PEER_TIMEOUT_MS : timeout_ms);
  if (message != NULL && start_call (self, call, message, &failure))
    return;

  call->failure = failure;
  reeve_call_task_complete (g_steal_pointer (&call->async.task));
}

ReevePeerCall *
reeve_peer_call_wait_finish (GAsyncResult *result, GError **error)
{
  GTask *task = G_TASK (result);
  ReevePeerCall *call = g_task_get_task_data (task);

  return g_task_propagate_boolean (task, error) &&
                 check_done (g_task_get_source_tag (task), call, error)
             ? call
             : NULL;
}
