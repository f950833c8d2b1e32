/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection.h"

#include "client/connection-private.h"
#include "client/io-thread.h"
#include "client/uri.h"
#include "event/intl.h"
#include "event/loop.h"
#include "event/thread.h"
#include "protocol/keepalive.h"
#include "protocol/remote.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "rpc/stream.h"
#include "rpc/wire-xdr.h"

#include <errno.h>
#include <string.h>

#define INPUT_SIZE 65536

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

typedef struct {
  unsigned id;
  const ReeveProgram *program;
  const ReeveProcedure *event; /* (nullable) */
  ReeveEventFunc func;
  gpointer data;
  GDestroyNotify free_func;
  unsigned n_running; /* calls on the I/O thread's stack */
  gboolean is_removed;
} Subscription;

struct _ReeveConnection {
  gatomicrefcount refs;
  char *uri; /* immutable */
  ReeveLoop *loop;
  gboolean is_opened; /* connect_open was answered; of the opening thread */

  /* Of the I/O thread. */
  uint8_t *input; /* (owned) (nullable) */
  size_t input_size;
  size_t input_capacity;

  ReeveMutex lock;
  ReeveStream *stream REEVE_GUARDED; /* (owned) (nullable) */
  int watch REEVE_GUARDED;
  gboolean wants_write REEVE_GUARDED;
  GError *closed REEVE_GUARDED; /* (owned) (nullable): why */
  uint32_t next_serial REEVE_GUARDED;
  GHashTable *pending REEVE_GUARDED;   /* serial -> Pending */
  GHashTable *abandoned REEVE_GUARDED; /* serials of calls nobody waits for */
  GByteArray *output REEVE_GUARDED;    /* what waits to be written */
  GPtrArray *subscriptions REEVE_GUARDED; /* (element-type Subscription) */
  unsigned last_subscription REEVE_GUARDED;
  ReeveCloseFunc close_func REEVE_GUARDED;
  gpointer close_data REEVE_GUARDED;
  GDestroyNotify close_free REEVE_GUARDED;
};

static void fail (ReeveConnection *self, int code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* ------------------------------------------------------------- pending --- */

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
static void
complete (ReeveConnection *self, GTask *task)
{
  Pending *pending = g_task_get_task_data (task);

  if (pending->timeout >= 0)
    reeve_loop_remove (self->loop, pending->timeout);
  g_cancellable_disconnect (g_task_get_cancellable (task),
                            pending->cancel_handler);
  g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

/* ------------------------------------------------------------- closing --- */

/* (element-type GTask): what is to be told that the connection is gone. */
static GPtrArray *
fail_all_locked (ReeveConnection *self) REEVE_REQUIRES (self->lock)
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
  *tasks = fail_all_locked (self);
  close_call->func = self->close_func;
  close_call->data = self->close_data;
  close_call->free_func = self->close_free;
  self->close_func = NULL;
  self->close_free = NULL;
  return TRUE;
}

static ReeveStream *
steal_stream (ReeveConnection *self, int *watch)
{
  REEVE_LOCK_SCOPE (&self->lock);

  *watch = self->watch;
  return g_steal_pointer (&self->stream);
}

/* In the I/O thread. */
static void
drop_stream (ReeveLoop *loop, gpointer data)
{
  ReeveConnection *self = data;
  ReeveStream *stream;
  int watch;

  stream = steal_stream (self, &watch);
  if (stream != NULL) {
    reeve_loop_remove (loop, watch);
    reeve_stream_free (stream);
  }
  reeve_connection_unref (self);
}

static void
close_with (ReeveConnection *self, GError *reason)
{
  g_autoptr (GPtrArray) tasks = NULL;
  g_autoptr (GError) copy = g_error_copy (reason);
  CloseCall close_call = { 0 };

  if (!mark_closed (self, reason, &tasks, &close_call))
    return;

  reeve_loop_invoke (self->loop, drop_stream, reeve_connection_ref (self));
  for (unsigned i = 0; i < tasks->len; i++)
    complete (self, tasks->pdata[i]);
  if (close_call.func != NULL)
    close_call.func (self, copy, close_call.data);
  if (close_call.free_func != NULL)
    close_call.free_func (close_call.data);
}

static void
fail (ReeveConnection *self, int code, const char *format, ...)
{
  va_list arguments;
  GError *reason;

  va_start (arguments, format);
  reason = g_error_new_valist (REEVE_ERROR, code, format, arguments);
  va_end (arguments);
  close_with (self, reason);
}

void
reeve_connection_close (ReeveConnection *self)
{
  fail (self, REEVE_ERROR_CLOSED, _ ("The connection was closed"));
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

/* -------------------------------------------------------------- output --- */

static void
update_events_locked (ReeveConnection *self) REEVE_REQUIRES (self->lock)
{
  gboolean wants_write = self->output->len > 0;

  if (wants_write == self->wants_write)
    return;

  self->wants_write = wants_write;
  reeve_loop_update_handle (self->loop, self->watch,
                            REEVE_EVENT_READABLE |
                                (wants_write ? REEVE_EVENT_WRITABLE : 0));
}

/* Writes at once where nothing waits; the rest is kept. FALSE: errno. */
static gboolean
write_locked (ReeveConnection *self, const uint8_t *data, size_t size)
    REEVE_REQUIRES (self->lock)
{
  struct iovec vector = { .iov_base = (void *) data, .iov_len = size };
  gssize n_written = 0;

  if (self->output->len == 0) {
    n_written = reeve_stream_sendv (self->stream, &vector, 1);
    if (n_written < 0 && errno != EAGAIN && errno != EINTR)
      return FALSE;
    n_written = MAX (n_written, 0);
  }

  g_byte_array_append (self->output, data + n_written,
                       (guint) (size - (size_t) n_written));
  update_events_locked (self);
  return TRUE;
}

static gboolean
flush_locked (ReeveConnection *self) REEVE_REQUIRES (self->lock)
{
  struct iovec vector = { .iov_base = self->output->data,
                          .iov_len = self->output->len };
  gssize n_written;

  if (self->stream == NULL || vector.iov_len == 0)
    return TRUE;

  n_written = reeve_stream_sendv (self->stream, &vector, 1);
  if (n_written < 0)
    return errno == EAGAIN || errno == EINTR;

  g_byte_array_remove_range (self->output, 0, (guint) n_written);
  update_events_locked (self);
  return TRUE;
}

static gboolean
flush (ReeveConnection *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return flush_locked (self);
}

static gboolean
send_bytes (ReeveConnection *self, GBytes *frame)
{
  gsize size;
  const void *data = g_bytes_get_data (frame, &size);

  REEVE_LOCK_SCOPE (&self->lock);

  return self->stream == NULL || write_locked (self, data, size);
}

/* --------------------------------------------------------------- calls --- */

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

  header.serial = pending->serial = self->next_serial++;
  reeve_header_encode (&header, frame + REEVE_LENGTH_SIZE);
  if (!write_locked (self, frame, size))
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

/* Ends an asynchronous call from our side, if it has not ended. */
static void
give_up (ReeveConnection *self,
         Pending *pending,
         GError *(*make_error) (const Pending *pending))
{
  GTask *task = NULL;

  {
    REEVE_LOCK_SCOPE (&self->lock);

    if (!pending->is_done) {
      abandon_locked (self, pending);
      task = settle_locked (self, pending, make_error (pending));
    }
  }
  if (task != NULL)
    complete (self, task);
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
    complete (self, g_object_ref (task));
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

/* ------------------------------------------------------- subscriptions --- */

static void
subscription_free (Subscription *self)
{
  if (self->free_func != NULL)
    self->free_func (self->data);
  g_free (self);
}

unsigned
reeve_connection_subscribe (ReeveConnection *self,
                            const ReeveProgram *program,
                            const ReeveProcedure *event,
                            ReeveEventFunc func,
                            gpointer data,
                            GDestroyNotify free_func)
{
  Subscription *subscription = g_new0 (Subscription, 1);

  subscription->program = program;
  subscription->event = event;
  subscription->func = func;
  subscription->data = data;
  subscription->free_func = free_func;

  REEVE_LOCK_SCOPE (&self->lock);

  subscription->id = ++self->last_subscription;
  g_ptr_array_add (self->subscriptions, subscription);
  return subscription->id;
}

/* (nullable): the subscription if nobody uses it; else its user frees it. */
static Subscription *
steal_subscription (ReeveConnection *self, unsigned id)
{
  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < self->subscriptions->len; i++) {
    Subscription *subscription = self->subscriptions->pdata[i];

    if (subscription->id != id)
      continue;
    g_ptr_array_remove_index (self->subscriptions, i);
    subscription->is_removed = TRUE;
    return subscription->n_running == 0 ? subscription : NULL;
  }

  return NULL;
}

void
reeve_connection_unsubscribe (ReeveConnection *self, unsigned id)
{
  Subscription *subscription = steal_subscription (self, id);

  if (subscription != NULL)
    subscription_free (subscription);
}

/* (element-type Subscription): those for an event, each held. */
static GPtrArray *
hold_subscriptions (ReeveConnection *self, const ReeveHeader *header)
{
  GPtrArray *held = g_ptr_array_new ();

  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < self->subscriptions->len; i++) {
    Subscription *subscription = self->subscriptions->pdata[i];

    if (subscription->program->number != header->program ||
        subscription->program->version != header->version ||
        (subscription->event != NULL &&
         subscription->event->number != header->procedure))
      continue;
    subscription->n_running++;
    g_ptr_array_add (held, subscription);
  }

  return held;
}

static gboolean
is_removed (ReeveConnection *self, Subscription *subscription)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return subscription->is_removed;
}

/* Whether it is ours to free now. */
static gboolean
release_subscription (ReeveConnection *self, Subscription *subscription)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return --subscription->n_running == 0 && subscription->is_removed;
}

static void
deliver (ReeveConnection *self,
         GPtrArray *held,
         const ReeveHeader *header,
         const uint8_t *payload,
         size_t size)
{
  const ReeveProgram *program = ((Subscription *) held->pdata[0])->program;
  const ReeveProcedure *event = reeve_program_find (program, header->procedure);
  g_autoptr (GError) error = NULL;
  void *body;

  if (event == NULL || event->dispatch != REEVE_DISPATCH_EVENT)
    return;

  body = reeve_type_new (event->args);
  if (!reeve_xdr_decode (event->args, payload, size, body, NULL, &error)) {
    g_warning ("%s: %s", event->name, error->message);
  } else {
    for (unsigned i = 0; i < held->len; i++) {
      Subscription *subscription = held->pdata[i];

      if (!is_removed (self, subscription))
        subscription->func (self, event, body, subscription->data);
    }
  }
  reeve_type_free (event->args, body);
}

static void
take_event (ReeveConnection *self,
            const ReeveHeader *header,
            const uint8_t *payload,
            size_t size)
{
  g_autoptr (GPtrArray) held = hold_subscriptions (self, header);

  if (held->len > 0)
    deliver (self, held, header, payload, size);
  for (unsigned i = 0; i < held->len; i++)
    if (release_subscription (self, held->pdata[i]))
      subscription_free (held->pdata[i]);
}

/* --------------------------------------------------------------- input --- */

static void
take_keepalive (ReeveConnection *self, const ReeveHeader *header)
{
  ReeveHeader pong = *header;
  g_autoptr (GBytes) frame = NULL;

  if (header->procedure != KEEPALIVE_PROC_PING)
    return;

  pong.procedure = KEEPALIVE_PROC_PONG;
  frame = reeve_message_encode (&pong, NULL, NULL, NULL);
  if (!send_bytes (self, frame))
    fail (self, REEVE_ERROR_CLOSED, _ ("The connection was lost: %s"),
          g_strerror (errno));
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

static void
take_reply (ReeveConnection *self,
            const ReeveHeader *header,
            const uint8_t *payload,
            size_t size)
{
  GTask *task = NULL;

  if (!match_reply (self, header, payload, size, &task))
    fail (self, REEVE_ERROR_RPC,
          _ ("The server answers a call that was not made (serial %u)"),
          header->serial);
  if (task != NULL)
    complete (self, task);
}

static void
take_frame (ReeveConnection *self, const uint8_t *data, size_t length)
{
  const uint8_t *payload = data + REEVE_PAYLOAD_OFFSET;
  size_t size = length - REEVE_PAYLOAD_OFFSET;
  ReeveHeader header;

  reeve_header_decode (&header, data + REEVE_LENGTH_SIZE);
  switch (header.type) {
  case REEVE_MESSAGE_REPLY:
    take_reply (self, &header, payload, size);
    break;
  case REEVE_MESSAGE_EVENT:
    if (header.program == keepalive_program.number)
      take_keepalive (self, &header);
    else
      take_event (self, &header, payload, size);
    break;
  default:
    /* We open no streams and ask for no file descriptors. */
    fail (self, REEVE_ERROR_RPC,
          _ ("The server sent a message of the unexpected type %u"),
          header.type);
    break;
  }
}

/* Takes the whole frames; returns how many bytes they were. */
static size_t
take_frames (ReeveConnection *self)
{
  size_t used = 0;

  while (self->input_size - used >= REEVE_LENGTH_SIZE) {
    uint32_t length = reeve_length_decode (self->input + used);

    if (length < REEVE_PAYLOAD_OFFSET || length > REEVE_MESSAGE_MAX) {
      fail (self, REEVE_ERROR_RPC,
            _ ("The server sent a message of %u bytes, which cannot be"),
            length);
      return self->input_size;
    }
    if (length > self->input_size - used)
      break;
    take_frame (self, self->input + used, length);
    used += length;
  }

  return used;
}

static gssize
receive (ReeveConnection *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL || self->closed != NULL) {
    errno = EAGAIN;
    return -1;
  }
  return reeve_stream_recv (self->stream, self->input + self->input_size,
                            self->input_capacity - self->input_size, NULL);
}

static void
read_input (ReeveConnection *self)
{
  gssize n_read;
  size_t used;

  if (self->input_capacity - self->input_size < INPUT_SIZE / 2) {
    self->input_capacity = MAX (2 * self->input_capacity, INPUT_SIZE);
    self->input = g_realloc (self->input, self->input_capacity);
  }

  n_read = receive (self);
  if (n_read < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n_read <= 0) {
    fail (self, REEVE_ERROR_CLOSED,
          n_read == 0 ? _ ("The server closed the connection%s")
                      : _ ("The connection was lost: %s"),
          n_read == 0 ? "" : g_strerror (errno));
    return;
  }

  self->input_size += (size_t) n_read;
  used = take_frames (self);
  self->input_size -= used;
  memmove (self->input, self->input + used, self->input_size);
}

static void
take_ready (ReeveLoop *loop,
            int watch,
            int fd,
            ReeveEvents events,
            gpointer data)
{
  ReeveConnection *self = data;

  if ((events & REEVE_EVENT_WRITABLE) && !flush (self))
    fail (self, REEVE_ERROR_CLOSED, _ ("The connection was lost: %s"),
          g_strerror (errno));
  if (events & (REEVE_EVENT_READABLE | REEVE_EVENT_HANGUP | REEVE_EVENT_ERROR))
    read_input (self);
}

/* --------------------------------------------------------- the connection  */

ReeveConnection *
reeve_connection_new (const char *uri, ReeveStream *stream) REEVE_UNCHECKED
{
  ReeveConnection *self = g_new0 (ReeveConnection, 1);

  g_atomic_ref_count_init (&self->refs);
  self->uri = g_strdup (uri);
  self->loop = reeve_io_thread_get_loop ();
  reeve_mutex_init (&self->lock);
  self->pending = g_hash_table_new (NULL, NULL);
  self->abandoned = g_hash_table_new (NULL, NULL);
  self->output = g_byte_array_new ();
  self->subscriptions = g_ptr_array_new ();

  REEVE_LOCK_SCOPE (&self->lock);

  self->stream = stream;
  self->watch =
      reeve_loop_add_handle (self->loop, reeve_stream_get_fd (stream),
                             REEVE_EVENT_READABLE, take_ready, self, NULL);
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
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

/* In the I/O thread, where no callback of ours can be running. */
static void
finalize (ReeveLoop *loop, gpointer data) REEVE_UNCHECKED
{
  ReeveConnection *self = data;

  if (self->stream != NULL) {
    reeve_loop_remove (loop, self->watch);
    reeve_stream_free (self->stream);
  }
  for (unsigned i = 0; i < self->subscriptions->len; i++)
    subscription_free (self->subscriptions->pdata[i]);
  if (self->close_free != NULL)
    self->close_free (self->close_data);
  g_ptr_array_unref (self->subscriptions);
  g_byte_array_unref (self->output);
  g_hash_table_unref (self->abandoned);
  g_hash_table_unref (self->pending);
  g_clear_error (&self->closed);
  reeve_mutex_clear (&self->lock);
  g_free (self->input);
  g_free (self->uri);
  g_free (self);
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
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;

  g_atomic_ref_count_init (&self->refs);
  say_goodbye (self);
  reeve_loop_invoke (self->loop, finalize, self);
}

const char *
reeve_connection_get_uri (ReeveConnection *self)
{
  return self->uri;
}
