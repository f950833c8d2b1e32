/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/call-frame.h"
#include "client/call-task.h"
#include "client/connection-private.h"
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
  ReeveCallTask async; /* if it is asynchronous */
  uint32_t serial;
  const ReeveProgram *program;
  const ReeveProcedure *procedure;
  unsigned link; /* for which alone it is; 0: whichever there is */
  const ReeveRegistrationKind *registration; /* (nullable): that it makes */
  gboolean ends_registration;                /* or ends */

  /* Under the connection's lock, which is what hands them over. */
  ReeveCallFrame frame; /* until it is sent, or, if it is kept, done */
  gboolean is_sent;     /* by the present stream */
  gboolean was_sent;    /* or an earlier one */
  gboolean is_kept;     /* it can be sent again */
  gboolean is_done;
  GError *failure;  /* (owned) (nullable) */
  uint8_t *payload; /* (owned) (nullable): of the reply */
  size_t payload_size;
  GArray *fds; /* (element-type int) (owned) (nullable): of the reply */

  /* Of a synchronous call. */
  ReeveCond done;
  ReeveConnectionStream *stream; /* (nullable): which it opens */
} Pending;

static Pending *
pending_new (const ReeveProgram *program, const ReeveProcedure *procedure)
{
  Pending *self = g_new0 (Pending, 1);

  self->program = program;
  self->procedure = procedure;
  self->registration = reeve_registration_kind_find (program, procedure,
                                                     &self->ends_registration);
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
  reeve_call_frame_clear (&self->frame);
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
  gpointer serial = GUINT_TO_POINTER (pending->serial);

  /* One that was not sent has no serial yet. */
  if (g_hash_table_lookup (self->pending, serial) == pending)
    g_hash_table_remove (self->pending, serial);
  if (pending->is_kept)
    self->kept_size -= pending->frame.size;
  pending->is_kept = FALSE;
  pending->is_done = TRUE;
  pending->failure = failure;
  reeve_cond_signal (&pending->done);
  return g_steal_pointer (&pending->async.task);
}

/* A call that ends by itself as the server forgot what it was to end. Its reply
 * is one of zeros. */
static GTask *
settle_as_done_locked (ReeveConnection *self, Pending *pending)
    REEVE_REQUIRES (self->lock)
{
  pending->payload_size =
      pending->procedure->ret->kind == REEVE_KIND_VOID ? 0 : sizeof (uint32_t);
  pending->payload = g_malloc0 (sizeof (uint32_t));
  return settle_locked (self, pending, NULL);
}

static GError *
make_lost_error (const Pending *pending, const GError *reason)
{
  if (!pending->was_sent)
    return g_error_new (REEVE_ERROR, REEVE_ERROR_CLOSED, "%s", reason->message);

  return g_error_new (REEVE_ERROR, REEVE_ERROR_OUTCOME_UNKNOWN,
                      _ ("The connection was lost before the reply came: %s"),
                      reason->message);
}

/* (element-type GTask): what is to be told that the connection is gone. */
GPtrArray *
reeve_connection_fail_calls_locked (ReeveConnection *self,
                                    const GError *reason,
                                    gboolean keeps) REEVE_REQUIRES (self->lock)
{
  GPtrArray *tasks = g_ptr_array_new ();
  g_autoptr (GList) all = g_hash_table_get_values (self->pending);

  for (GList *link = all; link != NULL; link = link->next) {
    Pending *pending = link->data;
    gboolean is_kept = keeps && pending->is_kept && pending->link == 0;
    GTask *task = NULL;

    if (is_kept)
      pending->is_sent = FALSE;
    else if (keeps && pending->ends_registration)
      task = settle_as_done_locked (self, pending);
    else
      task = settle_locked (self, pending, make_lost_error (pending, reason));
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

/* Before an event of it can come. */
static void
note_registration_locked (ReeveConnection *self, Pending *pending)
    REEVE_REQUIRES (self->lock)
{
  if (!self->is_lasting || pending->registration == NULL ||
      pending->ends_registration || pending->link != 0)
    return;

  reeve_registration_add_locked (self, pending->registration,
                                 pending->frame.data + REEVE_PAYLOAD_OFFSET,
                                 pending->frame.size - REEVE_PAYLOAD_OFFSET,
                                 pending->payload, pending->payload_size);
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
    note_registration_locked (self, pending);
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
    reeve_call_task_complete (task);
}

static gboolean
write_frame_locked (ReeveConnection *self, ReeveCallFrame *frame)
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
                   const Pending *pending,
                   GError **error) REEVE_REQUIRES (self->lock)
{
  size_t waiting = self->output->len + self->kept_size;

  if (self->closed != NULL ||
      (pending->link != 0 && pending->link != self->link)) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_CLOSED,
                         self->closed != NULL ? self->closed->message
                                              : _ ("The connection was lost"));
    return FALSE;
  }

  if (waiting > OUTPUT_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("%zu bytes wait for the server to read them"), waiting);
    return FALSE;
  }

  if (pending->frame.n_fds > 0 && self->stream != NULL &&
      !reeve_stream_passes_fds (self->stream)) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                         _ ("File descriptors can be passed on a unix socket "
                            "alone"));
    return FALSE;
  }
  return TRUE;
}

/* Whether the server may run the call twice, and we have all that it needs. */
static gboolean
is_repeatable (const Pending *pending)
{
  return pending->link == 0 && pending->stream == NULL &&
         pending->frame.n_fds == 0 && !pending->ends_registration &&
         ((pending->procedure->flags & REEVE_PROCEDURE_REPEATABLE) != 0 ||
          pending->registration != NULL);
}

static void
keep_locked (ReeveConnection *self, Pending *pending)
    REEVE_REQUIRES (self->lock)
{
  if (!pending->is_kept)
    self->kept_size += pending->frame.size;
  pending->is_kept = TRUE;
}

/* Drops the frame, unless it may have to be sent again. */
static void
note_sent_locked (ReeveConnection *self,
                  Pending *pending,
                  const ReeveHeader *header) REEVE_REQUIRES (self->lock)
{
  pending->is_sent = pending->was_sent = TRUE;
  if (pending->stream != NULL)
    reeve_connection_register_stream_locked (self, pending->stream, header);
  if (self->is_lasting && is_repeatable (pending)) {
    keep_locked (self, pending);
    return;
  }

  if (pending->is_kept)
    self->kept_size -= pending->frame.size;
  pending->is_kept = FALSE;
  reeve_call_frame_clear (&pending->frame);
}

/* Gives the frame its serial and sends it. FALSE: errno. */
static gboolean
send_call_locked (ReeveConnection *self, Pending *pending)
    REEVE_REQUIRES (self->lock)
{
  const ReeveHeader header = {
    .program = pending->program->number,
    .version = pending->program->version,
    .procedure = pending->procedure->number,
    .serial = pending->serial,
    .type = pending->frame.n_fds > 0 ? REEVE_MESSAGE_CALL_WITH_FDS
                                     : REEVE_MESSAGE_CALL,
  };

  reeve_header_encode (&header, pending->frame.data + REEVE_LENGTH_SIZE);
  if (!write_frame_locked (self, &pending->frame))
    return FALSE;

  note_sent_locked (self, pending, &header);
  return TRUE;
}

static gint
compare_serials (gconstpointer a, gconstpointer b)
{
  const Pending *first = a, *second = b;

  return first->serial < second->serial ? -1 : 1;
}

void
reeve_connection_resend_locked (ReeveConnection *self)
{
  g_autoptr (GList) all =
      g_list_sort (g_hash_table_get_values (self->pending), compare_serials);

  for (GList *link = all; link != NULL; link = link->next) {
    Pending *pending = link->data;

    /* Should it fail, the socket's watch will tell. */
    if (!pending->is_sent && !send_call_locked (self, pending))
      return;
  }
}

/* Whether the call is to be sent; if not, it is done. */
static gboolean
end_registration_locked (ReeveConnection *self, Pending *pending, GTask **ended)
    REEVE_REQUIRES (self->lock)
{
  if (!self->is_lasting || !pending->ends_registration || pending->link != 0 ||
      reeve_registration_remove_locked (
          self, pending->registration,
          pending->frame.data + REEVE_PAYLOAD_OFFSET,
          pending->frame.size - REEVE_PAYLOAD_OFFSET))
    return TRUE;

  *ended = settle_as_done_locked (self, pending);
  return FALSE;
}

/* Sends the call, or keeps it until it can be sent; neither if it was given up
 * before. *@ended: the task of a call that is done already. */
static gboolean
start_call (ReeveConnection *self,
            Pending *pending,
            GTask **ended,
            GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (pending->is_done)
    return TRUE;
  pending->is_done = !check_open_locked (self, pending, error);
  if (pending->is_done)
    return FALSE;

  pending->serial = self->next_serial++;
  if (!end_registration_locked (self, pending, ended))
    return TRUE;
  if (self->stream == NULL || !send_call_locked (self, pending)) {
    pending->is_done = !self->is_lasting;
    if (pending->is_done)
      return reeve_error_from_errno (error, errno,
                                     _ ("Cannot send the call of %s"),
                                     pending->procedure->name);
    keep_locked (self, pending);
  }
  g_hash_table_insert (self->pending, GUINT_TO_POINTER (pending->serial),
                       pending);
  reeve_connection_wake_keepalive_locked (self);
  return TRUE;
}

/* A reply that nobody waits for any more is dropped when it comes. */
static void
abandon_locked (ReeveConnection *self, Pending *pending)
    REEVE_REQUIRES (self->lock)
{
  if (pending->is_sent)
    g_hash_table_insert (self->abandoned, GUINT_TO_POINTER (pending->serial),
                         GINT_TO_POINTER (pending->stream != NULL));
}

static GError *
make_timeout_error_locked (ReeveConnection *self, const Pending *pending)
    REEVE_REQUIRES (self->lock)
{
  if (self->lost != NULL && !pending->is_sent)
    return g_error_new (REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                        _ ("The connection did not come back in time for %1$s: "
                           "%2$s"),
                        pending->procedure->name, self->lost->message);

  return g_error_new (REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                      _ ("No reply to %s came in time"),
                      pending->procedure->name);
}

static GError *
make_cancel_error_locked (ReeveConnection *self, const Pending *pending)
    REEVE_REQUIRES (self->lock)
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
    settle_locked (self, pending, make_timeout_error_locked (self, pending));
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
  settle_locked (self, pending, make_cancel_error_locked (self, pending));
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
               gpointer ret,
               GArray *ret_fds,
               int timeout_ms,
               GCancellable *cancellable,
               GError **error)
{
  gint64 deadline_us = get_deadline (timeout_ms);
  Waiter waiter = { self, pending };
  GTask *ended = NULL;
  gulong handler = 0;
  gboolean is_done;

  if (!start_call (self, pending, &ended, error)) {
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

/* (nullable) */
static Pending *
make_call (const ReeveProgram *program,
           const ReeveProcedure *procedure,
           gconstpointer args,
           const int *fds,
           unsigned n_fds,
           GError **error)
{
  Pending *pending = pending_new (program, procedure);

  if (reeve_call_frame_encode (&pending->frame, procedure, args, fds, n_fds,
                               error))
    return pending;

  pending_free (pending);
  return NULL;
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
  Pending *pending;

  g_return_val_if_fail (!reeve_loop_is_current (self->loop), FALSE);

  pending = make_call (program, procedure, args, fds, n_fds, error);
  return pending != NULL && call_and_wait (self, pending, ret, ret_fds,
                                           timeout_ms, cancellable, error);
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
  Pending *pending;

  g_return_val_if_fail (!reeve_loop_is_current (self->loop), FALSE);

  pending = make_call (program, procedure, args, NULL, 0, error);
  if (pending == NULL)
    return FALSE;
  pending->stream = stream;
  return call_and_wait (self, pending, ret, NULL, timeout_ms, cancellable,
                        error);
}

gboolean
reeve_connection_call_encoded (ReeveConnection *self,
                               unsigned link,
                               const ReeveProgram *program,
                               const ReeveProcedure *procedure,
                               const uint8_t *payload,
                               size_t size,
                               gpointer ret,
                               int timeout_ms,
                               GError **error)
{
  Pending *pending = pending_new (program, procedure);

  pending->link = link;
  reeve_call_frame_set_payload (&pending->frame, payload, size);
  return call_and_wait (self, pending, ret, NULL, timeout_ms, NULL, error);
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

/* ReeveCallSettle */
static GTask *
settle_for_us (gpointer owner, gpointer data, gboolean is_late)
{
  ReeveConnection *self = owner;
  Pending *pending = data;

  REEVE_LOCK_SCOPE (&self->lock);

  if (pending->is_done)
    return NULL;
  abandon_locked (self, pending);
  return settle_locked (self, pending,
                        is_late ? make_timeout_error_locked (self, pending)
                                : make_cancel_error_locked (self, pending));
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
  g_autoptr (GTask) task = reeve_call_task_new (
      reeve_connection_ref (self), (GDestroyNotify) reeve_connection_unref,
      cancellable, callback, user_data);
  GTask *ended = NULL;
  GError *error = NULL;
  Pending *pending = make_call (program, procedure, args, NULL, 0, &error);

  if (pending == NULL) {
    g_task_return_error (task, error);
    return;
  }

  reeve_call_task_arm (&pending->async, task, pending_free, settle_for_us,
                       timeout_ms < 0 ? REEVE_CONNECTION_TIMEOUT_MS
                                      : timeout_ms);
  if (!start_call (self, pending, &ended, &error)) {
    pending->failure = error;
    ended = g_steal_pointer (&pending->async.task);
  }
  if (ended != NULL)
    reeve_call_task_complete (ended);
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
