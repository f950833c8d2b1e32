/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-private.h"
#include "client/io-thread.h"
#include "event/fd-closer.h"
#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/wire-xdr.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

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
  GArray *fds; /* (element-type int) (owned) (nullable): of the reply */

  /* Of a synchronous call. */
  ReeveCond done;
  ReeveConnectionStream *stream; /* (nullable): which it opens */

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

  for (unsigned i = 0; self->fds != NULL && i < self->fds->len; i++)
    reeve_fd_close_elsewhere (g_array_index (self->fds, int, i));
  g_clear_pointer (&self->fds, g_array_unref);
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

static void
take_payload (Pending *pending, ReeveInputFrame *frame)
{
  pending->payload = g_malloc (MAX (frame->size, 1));
  memcpy (pending->payload, frame->payload, frame->size);
  pending->payload_size = frame->size;
  if (frame->n_fds == 0)
    return;

  pending->fds = g_array_new (FALSE, FALSE, sizeof *frame->fds);
  g_array_append_vals (pending->fds, frame->fds, frame->n_fds);
  frame->n_fds = 0;
}

/* What somebody has waited for: a stream is not left open. */
static gboolean
drop_abandoned_locked (ReeveConnection *self, const ReeveHeader *header)
    REEVE_REQUIRES (self->lock)
{
  gpointer opens_stream;

  if (!g_hash_table_steal_extended (self->abandoned,
                                    GUINT_TO_POINTER (header->serial), NULL,
                                    &opens_stream))
    return FALSE;

  if (opens_stream != NULL && header->status == REEVE_STATUS_OK)
    reeve_connection_abort_stream_locked (self, header);
  return TRUE;
}

/* FALSE: nobody ever made that call. */
static gboolean
match_reply (ReeveConnection *self, ReeveInputFrame *frame, GTask **task)
{
  const ReeveHeader *header = &frame->header;
  GError *failure = NULL;
  Pending *pending;

  REEVE_LOCK_SCOPE (&self->lock);

  if (drop_abandoned_locked (self, header))
    return TRUE;

  pending =
      g_hash_table_lookup (self->pending, GUINT_TO_POINTER (header->serial));
  if (pending == NULL || pending->program->number != header->program)
    return FALSE;

  if (header->status == REEVE_STATUS_ERROR) {
    failure = reeve_message_decode_error (frame->payload, frame->size);
  } else if (header->status != REEVE_STATUS_OK ||
             header->procedure != pending->procedure->number) {
    failure = g_error_new (REEVE_ERROR, REEVE_ERROR_RPC,
                           _ ("The reply to %s is not one"),
                           pending->procedure->name);
  } else {
    take_payload (pending, frame);
  }
  *task = settle_locked (self, pending, failure);
  return TRUE;
}

void
reeve_connection_take_reply (ReeveConnection *self, ReeveInputFrame *frame)
{
  GTask *task = NULL;

  if (!match_reply (self, frame, &task))
    reeve_connection_fail (
        self, REEVE_ERROR_RPC,
        _ ("The server answers a call that was not made (serial %u)"),
        frame->header.serial);
  if (task != NULL)
    reeve_connection_complete (self, task);
}

/* What is sent: a frame, and what goes behind it. */
typedef struct {
  uint8_t *data; /* (owned) */
  size_t size;
  unsigned n_fds;
  int fds[REEVE_MESSAGE_MAX_FDS]; /* (owned) */
} CallFrame;

static void
call_frame_clear (CallFrame *self)
{
  for (unsigned i = 0; i < self->n_fds; i++)
    reeve_fd_clear (&self->fds[i]);
  self->n_fds = 0;
  g_clear_pointer (&self->data, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CallFrame, call_frame_clear)

static gboolean
write_frame_locked (ReeveConnection *self, CallFrame *frame)
    REEVE_REQUIRES (self->lock)
{
  gboolean is_written =
      reeve_connection_write_locked (self, frame->data, frame->size);

  for (unsigned i = 0; is_written && i < frame->n_fds; i++)
    is_written =
        reeve_connection_write_fd_locked (self, g_steal_fd (&frame->fds[i]));
  return is_written;
}

static gboolean
check_open_locked (ReeveConnection *self,
                   const CallFrame *frame,
                   GError **error) REEVE_REQUIRES (self->lock)
{
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

  if (frame->n_fds > 0 && !reeve_stream_passes_fds (self->stream)) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                         _ ("File descriptors can be passed on a unix socket "
                            "alone"));
    return FALSE;
  }
  return TRUE;
}

/* Gives the frame its serial and sends it. */
static gboolean
start_call (ReeveConnection *self,
            Pending *pending,
            CallFrame *frame,
            GError **error)
{
  ReeveHeader header = {
    .program = pending->program->number,
    .version = pending->program->version,
    .procedure = pending->procedure->number,
    .type = frame->n_fds > 0 ? REEVE_MESSAGE_CALL_WITH_FDS : REEVE_MESSAGE_CALL,
  };

  REEVE_LOCK_SCOPE (&self->lock);

  if (!check_open_locked (self, frame, error))
    return FALSE;

  header.serial = pending->serial = self->next_serial++;
  reeve_header_encode (&header, frame->data + REEVE_LENGTH_SIZE);
  if (!write_frame_locked (self, frame))
    return reeve_error_from_errno (error, errno,
                                   _ ("Cannot send the call of %s"),
                                   pending->procedure->name);
  g_hash_table_insert (self->pending, GUINT_TO_POINTER (pending->serial),
                       pending);
  if (pending->stream != NULL)
    reeve_connection_register_stream_locked (self, pending->stream, &header);
  reeve_connection_wake_keepalive_locked (self);
  return TRUE;
}

/* Ours are sent when there is room, so they have to be our own. */
static gboolean
dup_fds (CallFrame *frame, const int *fds, unsigned n_fds, GError **error)
{
  for (unsigned i = 0; i < n_fds; i++) {
    int copy = fcntl (fds[i], F_DUPFD_CLOEXEC, 3);

    if (copy < 0)
      return reeve_error_from_errno (error, errno,
                                     _ ("The file descriptor %d cannot be "
                                        "passed"),
                                     fds[i]);
    frame->fds[frame->n_fds++] = copy;
  }
  return TRUE;
}

static gboolean
encode_call (CallFrame *frame,
             const ReeveProcedure *procedure,
             gconstpointer args,
             const int *fds,
             unsigned n_fds,
             GError **error)
{
  const ReeveHeader header = { .type = REEVE_MESSAGE_CALL };
  GBytes *bytes;
  gsize size;

  if (n_fds > REEVE_MESSAGE_MAX_FDS) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("A call has %u file descriptors at most"),
                 REEVE_MESSAGE_MAX_FDS);
    return FALSE;
  }
  if (!dup_fds (frame, fds, n_fds, error))
    return FALSE;

  bytes = n_fds > 0
              ? reeve_message_encode_with_fds (&header, n_fds, procedure->args,
                                               args, error)
              : reeve_message_encode (&header, procedure->args, args, error);
  if (bytes == NULL) {
    g_prefix_error (error, "%s: ", procedure->name);
    return FALSE;
  }

  frame->data = g_bytes_unref_to_data (bytes, &size);
  frame->size = size;
  return TRUE;
}

/* A reply that nobody waits for any more is dropped when it comes. */
static void
abandon_locked (ReeveConnection *self, Pending *pending)
    REEVE_REQUIRES (self->lock)
{
  g_hash_table_insert (self->abandoned, GUINT_TO_POINTER (pending->serial),
                       GINT_TO_POINTER (pending->stream != NULL));
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
             GArray *ret_fds,
             GError **error)
{
  const ReeveType *type = pending->procedure->ret;

  REEVE_LOCK_SCOPE (&self->lock);

  if (pending->failure != NULL) {
    g_propagate_error (error, g_steal_pointer (&pending->failure));
    return FALSE;
  }
  if (ret != NULL && type->kind != REEVE_KIND_VOID &&
      !reeve_xdr_decode (type, pending->payload, pending->payload_size, ret,
                         NULL, error)) {
    g_prefix_error (error, _ ("The reply to %s cannot be decoded: "),
                    pending->procedure->name);
    return FALSE;
  }

  if (ret_fds != NULL && pending->fds != NULL) {
    g_array_append_vals (ret_fds, pending->fds->data, pending->fds->len);
    g_array_set_size (pending->fds, 0);
  }
  return TRUE;
}

static gint64
get_deadline (int timeout_ms)
{
  if (timeout_ms < 0)
    timeout_ms = REEVE_CONNECTION_TIMEOUT_MS;

  return g_get_monotonic_time () + (gint64) timeout_ms * 1000;
}

/* Sends the call and waits for its reply. @pending: (transfer full) */
static gboolean
call_and_wait (ReeveConnection *self,
               Pending *pending,
               CallFrame *frame,
               gpointer ret,
               GArray *ret_fds,
               int timeout_ms,
               GCancellable *cancellable,
               GError **error)
{
  gint64 deadline_us = get_deadline (timeout_ms);
  Waiter waiter = { self, pending };
  gulong handler = 0;
  gboolean is_done;

  if (!start_call (self, pending, frame, error)) {
    pending_free (pending);
    return FALSE;
  }

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (cancel_waiter),
                                     &waiter, NULL);
  wait_for (self, pending, deadline_us);
  g_cancellable_disconnect (cancellable, handler);
  is_done = take_result (self, pending, ret, ret_fds, error);
  pending_free (pending);
  return is_done;
}

gboolean
reeve_connection_call_with_fds (ReeveConnection *self,
                                const ReeveProgram *program,
                                const ReeveProcedure *procedure,
                                gconstpointer args,
                                const int *fds,
                                unsigned n_fds,
                                gpointer ret,
                                GArray *ret_fds,
                                int timeout_ms,
                                GCancellable *cancellable,
                                GError **error)
{
  g_auto (CallFrame) frame = { 0 };

  g_return_val_if_fail (!reeve_loop_is_current (self->loop), FALSE);

  return encode_call (&frame, procedure, args, fds, n_fds, error) &&
         call_and_wait (self, pending_new (program, procedure), &frame, ret,
                        ret_fds, timeout_ms, cancellable, error);
}

gboolean
reeve_connection_call_for_stream (ReeveConnection *self,
                                  const ReeveProgram *program,
                                  const ReeveProcedure *procedure,
                                  gconstpointer args,
                                  gpointer ret,
                                  ReeveConnectionStream *stream,
                                  int timeout_ms,
                                  GCancellable *cancellable,
                                  GError **error)
{
  g_auto (CallFrame) frame = { 0 };
  Pending *pending;

  g_return_val_if_fail (!reeve_loop_is_current (self->loop), FALSE);

  if (!encode_call (&frame, procedure, args, NULL, 0, error))
    return FALSE;
  pending = pending_new (program, procedure);
  pending->stream = stream;
  return call_and_wait (self, pending, &frame, ret, NULL, timeout_ms,
                        cancellable, error);
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
  return reeve_connection_call_with_fds (self, program, procedure, args, NULL,
                                         0, ret, NULL, timeout_ms, cancellable,
                                         error);
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
  g_auto (CallFrame) frame = { 0 };
  GError *error = NULL;
  Pending *pending;

  g_task_set_source_tag (task, self);
  g_task_set_check_cancellable (task, FALSE);
  g_object_set_data_full (G_OBJECT (task), "connection",
                          reeve_connection_ref (self),
                          (GDestroyNotify) reeve_connection_unref);
  if (!encode_call (&frame, procedure, args, NULL, 0, &error)) {
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
  if (!start_call (self, pending, &frame, &error)) {
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
  return take_result (self, g_task_get_task_data (G_TASK (result)), ret, NULL,
                      error);
}
