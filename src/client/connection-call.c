/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-private.h"
#include "client/io-thread.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/wire-xdr.h"

#include <errno.h>

/* Calls, and what becomes of them. */

#define OUTPUT_MAX (64u * 1024 * 1024)

/* One call that waits for its reply. */
typedef struct {
  uint32_t serial;
  const ReeveProgram *program;
  const ReeveProcedure *procedure;

  /* Under the connection's lock, which is what hands them over. */
  gboolean is_done;
  GError *failure;  /* (owned) (nullable) */
  uint8_t *payload; /* (owned) (nullable): of the reply */
  size_t payload_size;

  /* Of a synchronous call. */
  ReeveCond done;

  /* Of an asynchronous one. */
  GTask *task; /* (owned) (nullable) */
  int timeout; /* of the I/O loop; -1 for none */
  gulong cancel_handler;
} Pending;

static Pending *
pending_new (const ReeveProgram *program, const ReeveProcedure *procedure)
{
  Pending *self = g_new0 (Pending, 1);

  self->program = program;
  self->procedure = procedure;
  self->timeout = -1;
  reeve_cond_init (&self->done);
  return self;
}

static void
pending_free (gpointer data)
{
  Pending *self = data;

  g_clear_error (&self->failure);
  g_free (self->payload);
  reeve_cond_clear (&self->done);
  g_free (self);
}

/* Takes the call off the list; what is left is its caller's. (nullable): the
 * task to complete, without the lock. */
static GTask *
settle_locked (ReeveConnection *self, Pending *pending, GError *failure)
    REEVE_REQUIRES (self->lock)
{
  g_hash_table_remove (self->pending, GUINT_TO_POINTER (pending->serial));
  pending->is_done = TRUE;
  pending->failure = failure;
  reeve_cond_signal (&pending->done);
  return g_steal_pointer (&pending->task);
}

/* The task's own data is the pending call, which it frees. */
void
reeve_connection_complete (ReeveConnection *self, GTask *task)
{
  Pending *pending = g_task_get_task_data (task);

  if (pending->timeout >= 0)
    reeve_loop_remove (self->loop, pending->timeout);
  g_cancellable_disconnect (g_task_get_cancellable (task),
                            pending->cancel_handler);
  g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

/* (element-type GTask): what is to be told that the connection is gone. */
GPtrArray *
reeve_connection_fail_calls_locked (ReeveConnection *self)
    REEVE_REQUIRES (self->lock)
{
  GPtrArray *tasks = g_ptr_array_new ();
  g_autoptr (GList) all = g_hash_table_get_values (self->pending);

  for (GList *link = all; link != NULL; link = link->next) {
    GError *lost =
        g_error_new (REEVE_ERROR, REEVE_ERROR_OUTCOME_UNKNOWN,
                     _ ("The connection was lost before the reply came: %s"),
                     self->closed->message);
    GTask *task = settle_locked (self, link->data, lost);

    if (task != NULL)
      g_ptr_array_add (tasks, task);
  }

  return tasks;
}

/* FALSE: nobody ever made that call. */
static gboolean
match_reply (ReeveConnection *self,
             const ReeveHeader *header,
             const uint8_t *payload,
             size_t size,
             GTask **task)
{
  GError *failure = NULL;
  Pending *pending;

  REEVE_LOCK_SCOPE (&self->lock);

  if (g_hash_table_remove (self->abandoned, GUINT_TO_POINTER (header->serial)))
    return TRUE;

  pending =
      g_hash_table_lookup (self->pending, GUINT_TO_POINTER (header->serial));
  if (pending == NULL || pending->program->number != header->program)
    return FALSE;

  if (header->status == REEVE_STATUS_ERROR) {
    failure = reeve_message_decode_error (payload, size);
  } else if (header->status != REEVE_STATUS_OK ||
             header->procedure != pending->procedure->number) {
    failure = g_error_new (REEVE_ERROR, REEVE_ERROR_RPC,
                           _ ("The reply to %s is not one"),
                           pending->procedure->name);
  } else {
    pending->payload = g_memdup2 (payload, MAX (size, 1));
    pending->payload_size = size;
  }
  *task = settle_locked (self, pending, failure);
  return TRUE;
}

void
reeve_connection_take_reply (ReeveConnection *self,
                             const ReeveHeader *header,
                             const uint8_t *payload,
                             size_t size)
{
  GTask *task = NULL;

  if (!match_reply (self, header, payload, size, &task))
    reeve_connection_fail (
        self, REEVE_ERROR_RPC,
        _ ("The server answers a call that was not made (serial %u)"),
        header->serial);
  if (task != NULL)
    reeve_connection_complete (self, task);
}

/* Gives the frame its serial and sends it. */
static gboolean
start_call (ReeveConnection *self,
            Pending *pending,
            uint8_t *frame,
            size_t size,
            GError **error)
{
  ReeveHeader header = {
    .program = pending->program->number,
    .version = pending->program->version,
    .procedure = pending->procedure->number,
    .type = REEVE_MESSAGE_CALL,
  };

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->closed != NULL || self->stream == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CLOSED, "%s",
                 self->closed != NULL ? self->closed->message
                                      : _ ("The connection is not open"));
    return FALSE;
  }

  if (self->output->len > OUTPUT_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("%u bytes wait for the server to read them"),
                 self->output->len);
    return FALSE;
  }

  header.serial = pending->serial = self->next_serial++;
  reeve_header_encode (&header, frame + REEVE_LENGTH_SIZE);
  if (!reeve_connection_write_locked (self, frame, size))
    return reeve_error_from_errno (error, errno,
                                   _ ("Cannot send the call of %s"),
                                   pending->procedure->name);
  g_hash_table_insert (self->pending, GUINT_TO_POINTER (pending->serial),
                       pending);
  return TRUE;
}

static uint8_t *
encode_call (const ReeveProcedure *procedure,
             gconstpointer args,
             size_t *size,
             GError **error)
{
  const ReeveHeader header = { .type = REEVE_MESSAGE_CALL };
  gssize measured = reeve_message_measure (procedure->args, args, error);
  uint8_t *frame;

  if (measured < 0) {
    g_prefix_error (error, "%s: ", procedure->name);
    return NULL;
  }

  *size = (size_t) measured;
  frame = g_malloc (*size);
  reeve_message_write (&header, procedure->args, args, frame, *size);
  return frame;
}

/* A reply that nobody waits for any more is dropped when it comes. */
static void
abandon_locked (ReeveConnection *self, Pending *pending)
    REEVE_REQUIRES (self->lock)
{
  g_hash_table_add (self->abandoned, GUINT_TO_POINTER (pending->serial));
}

static GError *
make_timeout_error (const Pending *pending)
{
  return g_error_new (REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                      _ ("No reply to %s came in time"),
                      pending->procedure->name);
}

static GError *
make_cancel_error (const Pending *pending)
{
  return g_error_new (REEVE_ERROR, REEVE_ERROR_ABORTED,
                      _ ("Waiting for the reply to %s was cancelled"),
                      pending->procedure->name);
}

static void
wait_for (ReeveConnection *self, Pending *pending, gint64 deadline_us)
{
  REEVE_LOCK_SCOPE (&self->lock);

  while (!pending->is_done) {
    if (reeve_cond_wait_until (&pending->done, &self->lock, deadline_us) ||
        pending->is_done)
      continue;
    abandon_locked (self, pending);
    settle_locked (self, pending, make_timeout_error (pending));
  }
}

typedef struct {
  ReeveConnection *connection;
  Pending *pending;
} Waiter;

static void
cancel_waiter (GCancellable *cancellable, gpointer data)
{
  Waiter *waiter = data;
  ReeveConnection *self = waiter->connection;
  Pending *pending = waiter->pending;

  REEVE_LOCK_SCOPE (&self->lock);

  if (pending->is_done)
    return;
  abandon_locked (self, pending);
  settle_locked (self, pending, make_cancel_error (pending));
}

/* What the reply says. Called when it is done. */
static gboolean
take_result (ReeveConnection *self,
             Pending *pending,
             gpointer ret,
             GError **error)
{
  const ReeveType *type = pending->procedure->ret;

  REEVE_LOCK_SCOPE (&self->lock);

  if (pending->failure != NULL) {
    g_propagate_error (error, g_steal_pointer (&pending->failure));
    return FALSE;
  }
  if (ret == NULL || type->kind == REEVE_KIND_VOID)
    return TRUE;
  if (reeve_xdr_decode (type, pending->payload, pending->payload_size, ret,
                        NULL, error))
    return TRUE;

  g_prefix_error (error, _ ("The reply to %s cannot be decoded: "),
                  pending->procedure->name);
  return FALSE;
}

static gint64
get_deadline (int timeout_ms)
{
  if (timeout_ms < 0)
    timeout_ms = REEVE_CONNECTION_TIMEOUT_MS;

  return g_get_monotonic_time () + (gint64) timeout_ms * 1000;
}

gboolean
reeve_connection_call (ReeveConnection *self,
                       const ReeveProgram *program,
                       const ReeveProcedure *procedure,
                       gconstpointer args,
                       gpointer ret,
                       int timeout_ms,
                       GCancellable *cancellable,
                       GError **error)
{
  gint64 deadline_us = get_deadline (timeout_ms);
  size_t size;
  g_autofree uint8_t *frame = NULL;
  Pending *pending;
  Waiter waiter;
  gulong handler = 0;
  gboolean is_done;

  g_return_val_if_fail (!reeve_loop_is_current (self->loop), FALSE);

  frame = encode_call (procedure, args, &size, error);
  if (frame == NULL)
    return FALSE;

  pending = pending_new (program, procedure);
  if (!start_call (self, pending, frame, size, error)) {
    pending_free (pending);
    return FALSE;
  }

  waiter = (Waiter){ self, pending };
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (cancel_waiter),
                                     &waiter, NULL);
  wait_for (self, pending, deadline_us);
  g_cancellable_disconnect (cancellable, handler);
  is_done = take_result (self, pending, ret, error);
  pending_free (pending);
  return is_done;
}

typedef GError *(*MakeError) (const Pending *pending);

/* (nullable): the task of a call that has not ended, and ends now. */
static GTask *
settle_for_us (ReeveConnection *self, Pending *pending, MakeError make_error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (pending->is_done)
    return NULL;
  abandon_locked (self, pending);
  return settle_locked (self, pending, make_error (pending));
}

/* Ends an asynchronous call from our side, if it has not ended. */
static void
give_up (ReeveConnection *self, Pending *pending, MakeError make_error)
{
  GTask *task = settle_for_us (self, pending, make_error);

  if (task != NULL)
    reeve_connection_complete (self, task);
}

static void
time_out_task (ReeveLoop *loop, int watch, gpointer data)
{
  GTask *task = data;

  give_up (g_task_get_source_tag (task), g_task_get_task_data (task),
           make_timeout_error);
}

/* The handler must not disconnect itself, so the I/O thread does it. */
static void
cancel_task_in_loop (ReeveLoop *loop, gpointer data)
{
  GTask *task = data;

  give_up (g_task_get_source_tag (task), g_task_get_task_data (task),
           make_cancel_error);
  g_object_unref (task);
}

static void
cancel_task (GCancellable *cancellable, gpointer data)
{
  reeve_loop_invoke (reeve_io_thread_get_loop (), cancel_task_in_loop,
                     g_object_ref (data));
}

void
reeve_connection_call_async (ReeveConnection *self,
                             const ReeveProgram *program,
                             const ReeveProcedure *procedure,
                             gconstpointer args,
                             int timeout_ms,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);
  g_autofree uint8_t *frame = NULL;
  GError *error = NULL;
  Pending *pending;
  size_t size;

  g_task_set_source_tag (task, self);
  g_task_set_check_cancellable (task, FALSE);
  g_object_set_data_full (G_OBJECT (task), "connection",
                          reeve_connection_ref (self),
                          (GDestroyNotify) reeve_connection_unref);
  frame = encode_call (procedure, args, &size, &error);
  if (frame == NULL) {
    g_task_return_error (task, error);
    g_object_unref (task);
    return;
  }

  pending = pending_new (program, procedure);
  g_task_set_task_data (task, pending, pending_free);
  pending->task = g_object_ref (task);
  pending->timeout = reeve_loop_add_timeout (
      self->loop, timeout_ms < 0 ? REEVE_CONNECTION_TIMEOUT_MS : timeout_ms,
      time_out_task, g_object_ref (task), g_object_unref);
  if (cancellable != NULL)
    pending->cancel_handler = g_cancellable_connect (
        cancellable, G_CALLBACK (cancel_task), task, NULL);
  if (!start_call (self, pending, frame, size, &error)) {
    pending->failure = error;
    g_clear_object (&pending->task);
    reeve_connection_complete (self, g_object_ref (task));
  }
  g_object_unref (task);
}

gboolean
reeve_connection_call_finish (ReeveConnection *self,
                              GAsyncResult *result,
                              gpointer ret,
                              GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), FALSE);

  if (!g_task_propagate_boolean (G_TASK (result), error))
    return FALSE;
  return take_result (self, g_task_get_task_data (G_TASK (result)), ret, error);
}
