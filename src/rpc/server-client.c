/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/server-client.h"

#include "event/intl.h"
#include "event/refs.h"
#include "protocol/keepalive.h"
#include "rpc/error.h"
#include "rpc/server-private.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client's own input buffer starts with, and grows in, this size. */
#define INPUT_SIZE 65536
/* Replies are held back up to this size. */
#define HELD_SIZE 16384

typedef struct {
  gpointer data;
  GDestroyNotify close_func; /* (nullable) */
  GDestroyNotify free_func;
} Attached;

typedef struct {
  GQueue frames; /* (element-type GBytes) (owned) */
  size_t n_bytes;
} Output;

struct _ReeveServerClient {
  ReeveRefs refs;
  ReeveServer *server; /* (owned) */
  uint64_t id;         /* immutable, as what follows */
  gint64 connect_time;
  ReeveTransport transport;
  gboolean has_peer;
  struct ucred peer;
  char *address; /* (owned) (nullable) */
  atomic_bool is_read_only;

  /* Of the loop's thread: what was read and not taken yet. */
  uint8_t *input; /* (owned) (nullable) */
  size_t input_size;
  size_t input_capacity;
  GArray *fds; /* (element-type int) (owned) (nullable) */

  atomic_uint n_waiting; /* jobs in the pool that did not begin */

  ReeveMutex lock;
  ReeveStream *stream REEVE_GUARDED; /* (owned); NULL once closed */
  int watch REEVE_GUARDED;
  ReeveEvents events REEVE_GUARDED; /* that are watched for */
  GQueue calls REEVE_GUARDED;     /* (element-type ReeveCall): in flight, oldest
                                     first */
  GByteArray *held REEVE_GUARDED; /* (owned): replies that go with the next */
  gboolean is_watched REEVE_GUARDED; /* the loop writes what is held, soon */
  Output replies REEVE_GUARDED;
  Output event_queue REEVE_GUARDED;
  GBytes *current REEVE_GUARDED; /* (owned) (nullable): partly written */
  size_t current_offset REEVE_GUARDED;
  gboolean is_throttled REEVE_GUARDED; /* we do not read */
  gboolean is_resuming REEVE_GUARDED;  /* the loop was told to go on */
  gboolean closes_when_written REEVE_GUARDED;
  gboolean is_closing REEVE_GUARDED;  /* the loop was told to close it */
  GHashTable *attached REEVE_GUARDED; /* key -> Attached (owned) */
};

static void go_on (ReeveServerClient *self);
static void take_ready (ReeveLoop *loop,
                        int watch,
                        int fd,
                        ReeveEvents events,
                        gpointer data);

/* ------------------------------------------------------------ identity --- */

static void
attached_free (gpointer data)
{
  Attached *self = data;

  if (self->free_func != NULL)
    self->free_func (self->data);
  g_free (self);
}

static void
read_peer (ReeveServerClient *self, int fd)
{
  struct sockaddr_storage storage = { 0 };
  socklen_t size = sizeof storage;
  char host[NI_MAXHOST], port[NI_MAXSERV];

  if (getpeername (fd, (struct sockaddr *) &storage, &size) == 0 &&
      (storage.ss_family == AF_INET || storage.ss_family == AF_INET6)) {
    self->transport = REEVE_TRANSPORT_TCP;
    if (getnameinfo ((struct sockaddr *) &storage, size, host, sizeof host,
                     port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
      self->address = g_strdup_printf (
          strchr (host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
    return;
  }

  size = sizeof self->peer;
  self->transport = REEVE_TRANSPORT_UNIX;
  self->has_peer =
      getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &self->peer, &size) == 0;
}

ReeveServerClient *
reeve_server_client_new (ReeveServer *server,
                         ReeveStream *stream,
                         uint64_t id,
                         ReeveServiceFlags flags) REEVE_UNCHECKED
{
  ReeveServerClient *self = g_new0 (ReeveServerClient, 1);

  reeve_refs_init (&self->refs);
  self->server = reeve_server_ref (server);
  self->id = id;
  self->connect_time = g_get_real_time () / G_USEC_PER_SEC;
  atomic_init (&self->is_read_only, (flags & REEVE_SERVICE_READ_ONLY) != 0);
  reeve_mutex_init (&self->lock);
  self->stream = stream;
  self->held = g_byte_array_new ();
  self->attached = g_hash_table_new_full (NULL, NULL, NULL, attached_free);
  read_peer (self, reeve_stream_get_fd (stream));

  REEVE_LOCK_SCOPE (&self->lock);

  self->events = REEVE_EVENT_READABLE;
  self->watch = reeve_loop_add_handle (
      reeve_server_get_loop (server), reeve_stream_get_fd (stream),
      self->events, take_ready, reeve_server_client_ref (self),
      (GDestroyNotify) reeve_server_client_unref);
  return self;
}

ReeveServerClient *
reeve_server_client_ref (ReeveServerClient *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_server_client_unref (ReeveServerClient *self) REEVE_UNCHECKED
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  g_assert (self->stream == NULL);
  g_assert (g_queue_is_empty (&self->calls));
  g_clear_pointer (&self->attached, g_hash_table_unref);
  g_byte_array_unref (self->held);
  g_free (self->input);
  g_free (self->address);
  reeve_mutex_clear (&self->lock);
  reeve_server_unref (self->server);
  g_free (self);
}

ReeveServer *
reeve_server_client_get_server (ReeveServerClient *self)
{
  return self->server;
}

uint64_t
reeve_server_client_get_id (ReeveServerClient *self)
{
  return self->id;
}

gint64
reeve_server_client_get_connect_time (ReeveServerClient *self)
{
  return self->connect_time;
}

ReeveTransport
reeve_server_client_get_transport (ReeveServerClient *self)
{
  return self->transport;
}

gboolean
reeve_server_client_is_read_only (ReeveServerClient *self)
{
  return atomic_load (&self->is_read_only);
}

void
reeve_server_client_set_read_only (ReeveServerClient *self)
{
  atomic_store (&self->is_read_only, TRUE);
}

gboolean
reeve_server_client_get_unix_peer (ReeveServerClient *self,
                                   uid_t *uid,
                                   gid_t *gid,
                                   pid_t *pid)
{
  if (!self->has_peer)
    return FALSE;

  *uid = self->peer.uid;
  *gid = self->peer.gid;
  *pid = self->peer.pid;
  return TRUE;
}

const char *
reeve_server_client_get_address (ReeveServerClient *self)
{
  return self->address;
}

/* (nullable): what the key has already; else it has @new. */
static Attached *
add_attached (ReeveServerClient *self,
              gconstpointer key,
              Attached *new,
              gboolean *is_closed)
{
  Attached *old;

  REEVE_LOCK_SCOPE (&self->lock);

  *is_closed = self->stream == NULL;
  old = g_hash_table_lookup (self->attached, key);
  if (old == NULL)
    g_hash_table_insert (self->attached, (gpointer) key, new);
  return old;
}

gpointer
reeve_server_client_attach (ReeveServerClient *self,
                            gconstpointer key,
                            gpointer data,
                            GDestroyNotify close_func,
                            GDestroyNotify free_func)
{
  Attached *new = g_new (Attached, 1);
  Attached *old;
  gboolean is_closed;

  *new = (Attached){ data, close_func, free_func };
  old = add_attached (self, key, new, &is_closed);
  if (old != NULL)
    attached_free (new);
  else if (is_closed && close_func != NULL)
    close_func (data);
  return old != NULL ? old->data : data;
}

gpointer
reeve_server_client_get_data (ReeveServerClient *self, gconstpointer key)
{
  Attached *attached;

  REEVE_LOCK_SCOPE (&self->lock);

  attached = g_hash_table_lookup (self->attached, key);
  return attached == NULL ? NULL : attached->data;
}

/* -------------------------------------------------------------- output --- */

static void
update_events_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  ReeveEvents events =
      (self->is_throttled ? REEVE_EVENT_NONE : REEVE_EVENT_READABLE) |
      (self->current != NULL ? REEVE_EVENT_WRITABLE : REEVE_EVENT_NONE);

  if (self->is_closing)
    events = REEVE_EVENT_NONE;
  if (events == self->events)
    return;

  self->events = events;
  reeve_loop_update_handle (reeve_server_get_loop (self->server), self->watch,
                            events);
}

/* The next frame becomes the current one: replies never wait behind events. */
static void
start_frame_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  Output *output =
      self->replies.n_bytes > 0 ? &self->replies : &self->event_queue;

  self->current = g_queue_pop_head (&output->frames);
  self->current_offset = 0;
  if (self->current != NULL)
    output->n_bytes -= g_bytes_get_size (self->current);
}

static gboolean
has_room_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  const ReeveServerLimits *limits = reeve_server_get_limits (self->server);

  return self->calls.length < limits->max_client_calls &&
         self->replies.n_bytes < limits->max_client_reply_bytes;
}

static void
resume (ReeveLoop *loop, gpointer data)
{
  ReeveServerClient *self = data;

  go_on (self);
  reeve_server_client_unref (self);
}

/* We stopped reading and can go on: what was read already comes first, and
 * that is the loop's to take. */
static void
resume_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  if (!self->is_throttled || self->is_resuming || self->stream == NULL ||
      !has_room_locked (self))
    return;

  self->is_resuming = TRUE;
  reeve_loop_invoke (reeve_server_get_loop (self->server), resume,
                     reeve_server_client_ref (self));
}

/* Nothing more is read or written; the loop closes it soon. */
static void
close_later_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  self->is_closing = TRUE;
  update_events_locked (self);
  reeve_server_client_close (self);
}

static void
queue_locked (Output *output, GBytes *frame)
{
  output->n_bytes += g_bytes_get_size (frame);
  g_queue_push_tail (&output->frames, frame);
}

static void
queue_held_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  if (self->held->len == 0)
    return;

  queue_locked (&self->replies,
                g_bytes_new (self->held->data, self->held->len));
  g_byte_array_set_size (self->held, 0);
}

/* Writes what the socket takes. */
static void
write_locked (ReeveServerClient *self) REEVE_REQUIRES (self->lock)
{
  queue_held_locked (self);
  while (self->stream != NULL && !self->is_closing) {
    struct iovec vector;
    gsize size;
    gssize n_written;

    if (self->current == NULL) {
      start_frame_locked (self);
      if (self->current == NULL)
        break;
    }

    vector.iov_base =
        (char *) g_bytes_get_data (self->current, &size) + self->current_offset;
    vector.iov_len = size - self->current_offset;
    n_written = reeve_stream_sendv (self->stream, &vector, 1);
    if (n_written < 0) {
      if (errno != EAGAIN && errno != EINTR)
        close_later_locked (self);
      break;
    }
    self->current_offset += (size_t) n_written;
    if (self->current_offset == size)
      g_clear_pointer (&self->current, g_bytes_unref);
  }

  if (self->current == NULL && self->closes_when_written)
    close_later_locked (self);
  update_events_locked (self);
  resume_locked (self);
}

/* Writes @iov at once where nothing waits; else, and what is left, is copied
 * and queued. */
static void
write_replies_locked (ReeveServerClient *self,
                      const struct iovec *iov,
                      int n_iov) REEVE_REQUIRES (self->lock)
{
  gssize n_written = 0;

  if (self->current == NULL && self->replies.n_bytes == 0) {
    n_written = reeve_stream_sendv (self->stream, iov, n_iov);
    if (n_written < 0 && errno != EAGAIN && errno != EINTR) {
      close_later_locked (self);
      return;
    }
    n_written = MAX (n_written, 0);
  }

  for (int i = 0; i < n_iov; i++) {
    size_t skip = MIN ((size_t) n_written, iov[i].iov_len);

    n_written -= (gssize) skip;
    if (skip == iov[i].iov_len)
      continue;
    /* What follows a frame that was written in part comes behind it. */
    if (skip > 0) {
      self->current =
          g_bytes_new ((char *) iov[i].iov_base + skip, iov[i].iov_len - skip);
      self->current_offset = 0;
    } else {
      queue_locked (&self->replies,
                    g_bytes_new (iov[i].iov_base, iov[i].iov_len));
    }
  }

  if (self->current == NULL && self->replies.n_bytes > 0)
    start_frame_locked (self);
  if (self->current == NULL && self->closes_when_written)
    close_later_locked (self);
  update_events_locked (self);
}

/* Whether a reply may go with the next one: another call of this client waits
 * for a worker. Should that take longer than the call is worth, the loop
 * writes what is held. */
static gboolean
may_hold_locked (ReeveServerClient *self, size_t size)
    REEVE_REQUIRES (self->lock)
{
  return atomic_load (&self->n_waiting) > 0 && self->is_watched &&
         !self->closes_when_written && self->current == NULL &&
         self->held->len + size <= HELD_SIZE;
}

static void
hold_locked (ReeveServerClient *self, const struct iovec *iov, int n_iov)
    REEVE_REQUIRES (self->lock)
{
  for (int i = 0; i < n_iov; i++)
    g_byte_array_append (self->held, iov[i].iov_base, (guint) iov[i].iov_len);
}

/* @iov has room for what is held in front. */
static void
write_with_held_locked (ReeveServerClient *self, struct iovec *iov, int n_iov)
    REEVE_REQUIRES (self->lock)
{
  gboolean is_held = self->held->len > 0;

  iov->iov_base = self->held->data;
  iov->iov_len = self->held->len;
  write_replies_locked (self, iov + !is_held, n_iov - !is_held);
  g_byte_array_set_size (self->held, 0);
}

/* Takes a call out of those in flight; FALSE if it was answered. */
static gboolean
settle_locked (ReeveServerClient *self, ReeveCall *call)
    REEVE_REQUIRES (self->lock)
{
  if (atomic_load_explicit (&call->is_answered, memory_order_relaxed))
    return FALSE;

  atomic_store_explicit (&call->is_answered, TRUE, memory_order_relaxed);
  g_queue_unlink (&self->calls, &call->link);
  if (call->closes)
    self->closes_when_written = TRUE;
  return TRUE;
}

void
reeve_server_client_answer (ReeveServerClient *self,
                            ReeveCall *const *calls,
                            const size_t *ends,
                            unsigned n_calls,
                            const uint8_t *bytes)
{
  struct iovec iov[1 + REEVE_JOB_BATCH]; /* the first is for what is held */
  size_t start = 0;
  size_t size = 0;
  int n_iov = 1;

  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < n_calls; i++) {
    if (settle_locked (self, calls[i])) {
      iov[n_iov].iov_base = (void *) (bytes + start);
      iov[n_iov].iov_len = ends[i] - start;
      size += iov[n_iov].iov_len;
      n_iov++;
    }
    start = ends[i];
  }

  if (n_iov == 1 || self->stream == NULL || self->is_closing)
    return;
  if (may_hold_locked (self, size))
    hold_locked (self, iov + 1, n_iov - 1);
  else
    write_with_held_locked (self, iov, n_iov);
  resume_locked (self);
}

void
reeve_server_client_begin_job (ReeveServerClient *self)
{
  atomic_fetch_sub (&self->n_waiting, 1);
}

gboolean
reeve_server_client_flush (ReeveServerClient *self)
{
  struct iovec iov;

  REEVE_LOCK_SCOPE (&self->lock);

  self->is_watched =
      self->held->len > 0 && self->stream != NULL && !self->is_closing;
  if (self->is_watched)
    write_with_held_locked (self, &iov, 1);
  return self->is_watched;
}

/* For what is no answer to a call in flight. */
static void
send_frame (ReeveServerClient *self, GBytes *frame)
{
  struct iovec iov;
  gsize size;

  REEVE_LOCK_SCOPE (&self->lock);

  iov.iov_base = (void *) g_bytes_get_data (frame, &size);
  iov.iov_len = size;
  if (self->stream != NULL && !self->is_closing)
    write_replies_locked (self, &iov, 1);
  g_bytes_unref (frame);
}

static gboolean
queue_event (ReeveServerClient *self, GBytes *frame)
{
  size_t limit = reeve_server_get_limits (self->server)->max_client_event_bytes;

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL ||
      self->event_queue.n_bytes + g_bytes_get_size (frame) > limit)
    return FALSE;

  queue_locked (&self->event_queue, g_bytes_ref (frame));
  if (self->current == NULL)
    write_locked (self);
  return TRUE;
}

gboolean
reeve_server_client_send_event_frame (ReeveServerClient *self, GBytes *frame)
{
  gboolean is_queued = queue_event (self, frame);

  reeve_server_count_event (self->server, !is_queued);
  return is_queued;
}

gboolean
reeve_server_client_send_event (ReeveServerClient *self,
                                const ReeveProgram *program,
                                const ReeveProcedure *procedure,
                                gconstpointer body)
{
  const ReeveHeader header = {
    .program = program->number,
    .version = program->version,
    .procedure = procedure->number,
    .type = REEVE_MESSAGE_EVENT,
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) frame =
      reeve_message_encode (&header, procedure->args, body, &error);

  if (frame == NULL) {
    g_warning ("%s: %s", procedure->name, error->message);
    return FALSE;
  }
  return reeve_server_client_send_event_frame (self, frame);
}

/* ------------------------------------------------------ calls in flight -- */

GCancellable *
reeve_server_client_make_cancellable (ReeveServerClient *self, ReeveCall *call)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (call->cancellable == NULL) {
    call->cancellable = g_cancellable_new ();
    if (atomic_load (&call->is_answered) || self->stream == NULL)
      g_cancellable_cancel (call->cancellable);
  }
  return call->cancellable;
}

/* Settles the oldest call if it is overdue, or (@now_us is -1) anyway. */
static ReeveCall *
steal_overdue (ReeveServerClient *self, gint64 now_us, gboolean *is_left)
{
  ReeveCall *call;

  REEVE_LOCK_SCOPE (&self->lock);

  call = g_queue_peek_head (&self->calls);
  *is_left = call != NULL;
  if (call == NULL || (now_us >= 0 && call->deadline_us > now_us))
    return NULL;

  /* A worker that finds the call settled drops it without our lock. */
  reeve_call_ref (call);
  settle_locked (self, call);
  return call;
}

static GCancellable *
steal_cancellable (ReeveServerClient *self, ReeveCall *call)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return call->cancellable == NULL ? NULL : g_object_ref (call->cancellable);
}

static void
cancel (ReeveServerClient *self, ReeveCall *call)
{
  g_autoptr (GCancellable) cancellable = steal_cancellable (self, call);

  if (cancellable != NULL)
    g_cancellable_cancel (cancellable);
}

gboolean
reeve_server_client_expire (ReeveServerClient *self, gint64 now_us)
{
  gboolean is_left;
  ReeveCall *call;

  while ((call = steal_overdue (self, now_us, &is_left)) != NULL) {
    ReeveHeader reply = reeve_call_make_reply (call);
    g_autoptr (GError) error = g_error_new (
        REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
        _ ("%1$s was not answered within %2$d seconds"), call->procedure->name,
        (int) ((call->deadline_us - call->start_us) / G_USEC_PER_SEC));

    g_warning (_ ("Client %1$" PRIu64 ": %2$s"), self->id, error->message);
    send_frame (self, reeve_message_encode_error (&reply, error));
    cancel (self, call);
    reeve_call_unref (call);
  }

  return is_left;
}

/* --------------------------------------------------------------- close --- */

typedef struct {
  ReeveStream *stream;
  int watch;
  GBytes *current;
  GQueue frames[2];
  GList *attached; /* (element-type Attached) (transfer container) */
} Remains;

static gboolean
steal_remains (ReeveServerClient *self, Remains *remains)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL)
    return FALSE;

  remains->stream = g_steal_pointer (&self->stream);
  remains->watch = self->watch;
  remains->current = g_steal_pointer (&self->current);
  remains->frames[0] = self->replies.frames;
  remains->frames[1] = self->event_queue.frames;
  self->replies = (Output){ .frames = G_QUEUE_INIT };
  self->event_queue = (Output){ .frames = G_QUEUE_INIT };
  remains->attached = g_hash_table_get_values (self->attached);
  return TRUE;
}

static void
close_attached (GList *attached)
{
  for (GList *link = attached; link != NULL; link = link->next) {
    const Attached *row = link->data;

    if (row->close_func != NULL)
      row->close_func (row->data);
  }
  g_list_free (attached);
}

void
reeve_server_client_close_now (ReeveServerClient *self)
{
  Remains remains;
  gboolean is_left;
  ReeveCall *call;

  if (!steal_remains (self, &remains))
    return;

  reeve_server_client_ref (self);
  reeve_loop_remove (reeve_server_get_loop (self->server), remains.watch);
  reeve_stream_free (remains.stream);
  g_clear_pointer (&remains.current, g_bytes_unref);
  for (int i = 0; i < 2; i++)
    g_queue_clear_full (&remains.frames[i], (GDestroyNotify) g_bytes_unref);

  while ((call = steal_overdue (self, -1, &is_left)) != NULL) {
    cancel (self, call);
    reeve_call_unref (call);
  }
  close_attached (remains.attached);

  for (unsigned i = 0; self->fds != NULL && i < self->fds->len; i++)
    close (g_array_index (self->fds, int, i));
  g_clear_pointer (&self->fds, g_array_unref);
  reeve_server_forget (self->server, self);
  reeve_server_client_unref (self);
}

static void
close_invoked (ReeveLoop *loop, gpointer data)
{
  reeve_server_client_close_now (data);
  reeve_server_client_unref (data);
}

void
reeve_server_client_close (ReeveServerClient *self)
{
  reeve_loop_invoke (reeve_server_get_loop (self->server), close_invoked,
                     reeve_server_client_ref (self));
}

gboolean
reeve_server_client_is_closed (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->stream == NULL;
}

/* --------------------------------------------------------------- input --- */

/* What one read leads to. */
typedef struct {
  GQueue jobs;
  GQueue calls;  /* (element-type ReeveCall): to be put in flight */
  unsigned room; /* for calls in flight */
  gboolean is_bad;
} Intake;

static void
take_keepalive (ReeveServerClient *self, const ReeveHeader *header)
{
  ReeveHeader pong = *header;

  if (header->type != REEVE_MESSAGE_EVENT ||
      header->version != keepalive_program.version ||
      header->procedure != KEEPALIVE_PROC_PING)
    return;

  pong.procedure = KEEPALIVE_PROC_PONG;
  pong.status = REEVE_STATUS_OK;
  pong.serial = 0;
  send_frame (self, reeve_message_encode (&pong, NULL, NULL, NULL));
}

static gboolean
check_call (ReeveServerClient *self,
            const ReeveHeader *header,
            const ReeveProcedure *procedure,
            GError **error)
{
  if (header->status != REEVE_STATUS_OK) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("A call has status %u"), header->status);
    return FALSE;
  }
  if (atomic_load (&self->is_read_only) &&
      (procedure->flags & REEVE_PROCEDURE_READ_ONLY) == 0) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_DENIED,
                 _ ("operation forbidden: read only access prevents %s"),
                 procedure->name);
    return FALSE;
  }

  return TRUE;
}

static void
take_call (ReeveServerClient *self,
           const ReeveHeader *header,
           const uint8_t *payload,
           size_t size,
           Intake *intake)
{
  g_autoptr (GError) error = NULL;
  ReeveServerProgram *program;
  const ReeveProcedure *procedure =
      reeve_server_find (self->server, header, &program, &error);
  ReeveCall *call;

  if (procedure == NULL || !check_call (self, header, procedure, &error)) {
    ReeveHeader reply = *header;

    reply.type = REEVE_MESSAGE_REPLY;
    send_frame (self, reeve_message_encode_error (&reply, error));
    return;
  }

  call = reeve_call_new (self, program, procedure, header, payload, size);
  g_queue_push_tail_link (&intake->calls, &call->link);
  intake->room--;
  if (procedure->dispatch != REEVE_DISPATCH_INLINE)
    g_queue_push_tail_link (&intake->jobs, &call->job.link);
}

/* How many bytes stand behind a frame to carry its file descriptors; -1 for a
 * frame that is wrong. */
static int
count_fds (const ReeveHeader *header, const uint8_t *payload, size_t size)
{
  uint32_t n_fds;

  if (header->type != REEVE_MESSAGE_CALL_WITH_FDS)
    return 0;
  if (size < 4)
    return -1;

  n_fds = reeve_length_decode (payload);
  return n_fds > REEVE_MESSAGE_MAX_FDS ? -1 : (int) n_fds;
}

/* No procedure takes any yet. */
static void
drop_fds (ReeveServerClient *self, unsigned n_fds)
{
  for (unsigned i = 0; i < n_fds && self->fds != NULL && self->fds->len > 0;
       i++) {
    close (g_array_index (self->fds, int, 0));
    g_array_remove_index (self->fds, 0);
  }
}

/* A frame's length, 0 while it is not all there; what is no frame sets
 * is_bad. */
static size_t
measure_frame (ReeveServerClient *self,
               const uint8_t *data,
               size_t size,
               Intake *intake)
{
  uint32_t length;

  if (size < REEVE_LENGTH_SIZE)
    return 0;

  length = reeve_length_decode (data);
  if (length < REEVE_PAYLOAD_OFFSET ||
      length > reeve_server_get_limits (self->server)->max_message_bytes) {
    if (memcmp (data, "GET ", 4) == 0 || memcmp (data, "HEAD", 4) == 0 ||
        memcmp (data, "POST", 4) == 0 || memcmp (data, "OPTI", 4) == 0)
      g_message (_ ("Client %" PRIu64 " speaks HTTP"), self->id);
    else if (data[0] == 0x16 && data[1] == 0x03)
      g_message (_ ("Client %" PRIu64 " speaks TLS"), self->id);
    else
      g_message (
          _ ("Client %1$" PRIu64 ": a message of %2$u bytes is not possible"),
          self->id, length);
    intake->is_bad = TRUE;
    return 0;
  }

  return length <= size ? length : 0;
}

/* Takes one frame; returns its size with what carries its file descriptors, 0
 * if it is not all there. */
static size_t
take_frame (ReeveServerClient *self,
            const uint8_t *data,
            size_t size,
            Intake *intake)
{
  size_t length = measure_frame (self, data, size, intake);
  const uint8_t *payload = data + REEVE_PAYLOAD_OFFSET;
  ReeveHeader header;
  int n_fds;

  if (length == 0)
    return 0;

  reeve_header_decode (&header, data + REEVE_LENGTH_SIZE);
  n_fds = count_fds (&header, payload, length - REEVE_PAYLOAD_OFFSET);
  if (n_fds < 0) {
    intake->is_bad = TRUE;
    return 0;
  }
  if (length + (size_t) n_fds > size)
    return 0;

  drop_fds (self, (unsigned) n_fds);
  if (header.program == keepalive_program.number &&
      header.type != REEVE_MESSAGE_CALL)
    take_keepalive (self, &header);
  else if (header.type == REEVE_MESSAGE_CALL ||
           header.type == REEVE_MESSAGE_CALL_WITH_FDS)
    take_call (self, &header, payload, length - REEVE_PAYLOAD_OFFSET, intake);
  return length + (size_t) n_fds;
}

static unsigned
get_room (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL || !has_room_locked (self))
    return 0;
  return reeve_server_get_limits (self->server)->max_client_calls -
         self->calls.length;
}

/* Returns whether the loop is to look for replies that are held, from now on.
 */
static gboolean
put_in_flight (ReeveServerClient *self, Intake *intake)
{
  unsigned n_jobs = intake->jobs.length;
  gboolean is_watched;
  GList *link;

  REEVE_LOCK_SCOPE (&self->lock);

  while ((link = g_queue_pop_head_link (&intake->calls)) != NULL)
    g_queue_push_tail_link (&self->calls, link);

  n_jobs += atomic_fetch_add (&self->n_waiting, n_jobs);
  is_watched = self->is_watched;
  self->is_watched = is_watched || n_jobs > 1;
  return self->is_watched && !is_watched;
}

/* Runs the inline calls of one read, whose replies leave together. */
static void
run_inline (ReeveServerClient *self, ReeveCall **calls, unsigned n_calls)
{
  ReeveReplyBatch *batch = reeve_server_get_batch (self->server);

  for (unsigned i = 0; i < n_calls; i++)
    reeve_reply_batch_run (batch, calls[i]);
  reeve_reply_batch_flush (batch);
}

static void
start_calls (ReeveServerClient *self, Intake *intake)
{
  unsigned n_calls = intake->calls.length;
  g_autofree ReeveCall **inline_calls = NULL;
  unsigned n_inline = 0;

  if (n_calls == 0)
    return;

  if (n_calls > intake->jobs.length)
    inline_calls = g_new (ReeveCall *, n_calls);
  for (GList *link = intake->calls.head; inline_calls != NULL && link != NULL;
       link = link->next)
    if (((ReeveCall *) link->data)->procedure->dispatch ==
        REEVE_DISPATCH_INLINE)
      inline_calls[n_inline++] = link->data;

  if (put_in_flight (self, intake))
    reeve_server_watch (self->server, self);
  reeve_server_push (self->server, &intake->jobs);
  if (n_inline > 0)
    run_inline (self, inline_calls, n_inline);
}

/* Whether the client has no room, so that reading stops. */
static gboolean
throttle (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_resuming = FALSE;
  self->is_throttled = !has_room_locked (self);
  if (self->stream != NULL)
    update_events_locked (self);
  return self->is_throttled;
}

/* Takes the frames that are there, as far as there is room; returns how many
 * bytes were used. */
static size_t
take_frames (ReeveServerClient *self,
             const uint8_t *data,
             size_t size,
             gboolean *is_bad)
{
  size_t used = 0;
  size_t length;

  do {
    Intake intake = { .jobs = G_QUEUE_INIT, .calls = G_QUEUE_INIT };

    intake.room = get_room (self);
    do {
      length = intake.room == 0
                   ? 0
                   : take_frame (self, data + used, size - used, &intake);
      used += length;
    } while (length > 0);
    *is_bad = intake.is_bad;
    start_calls (self, &intake);
    /* No room any more: unless calls were answered meanwhile, stop. */
    if (intake.room > 0 || throttle (self))
      break;
  } while (!*is_bad && used < size);

  return used;
}

/* Keeps what was not taken for the next time. */
static void
keep_input (ReeveServerClient *self, const uint8_t *data, size_t size)
{
  if (size == 0) {
    g_clear_pointer (&self->input, g_free);
    self->input_size = self->input_capacity = 0;
    return;
  }

  if (self->input == NULL) {
    self->input_capacity = MAX (size, 4096);
    self->input = g_malloc (self->input_capacity);
    memcpy (self->input, data, size);
  } else if (data != self->input) {
    memmove (self->input, data, size);
  }
  self->input_size = size;
}

static void
take_input (ReeveServerClient *self, const uint8_t *data, size_t size)
{
  gboolean is_bad = FALSE;
  size_t used = take_frames (self, data, size, &is_bad);

  if (is_bad)
    reeve_server_client_close_now (self);
  else
    keep_input (self, data + used, size - used);
}

/* There was no room, and is again: what was read already comes first. */
static void
go_on (ReeveServerClient *self)
{
  if (!throttle (self) && self->input_size > 0)
    take_input (self, self->input, self->input_size);
}

/* Room behind what is kept: it grows with what has come, up to the frame. */
static void
grow_input (ReeveServerClient *self)
{
  size_t limit = reeve_server_get_limits (self->server)->max_message_bytes +
                 REEVE_MESSAGE_MAX_FDS;
  size_t wanted = MIN (MAX (2 * self->input_size, INPUT_SIZE), limit);

  if (self->input_capacity < wanted) {
    self->input = g_realloc (self->input, wanted);
    self->input_capacity = wanted;
  }
}

static gssize
receive (ReeveServerClient *self, void *data, size_t size)
{
  if (self->transport == REEVE_TRANSPORT_UNIX && self->fds == NULL)
    self->fds = g_array_new (FALSE, FALSE, sizeof (int));

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL)
    return 0;
  return reeve_stream_recv (self->stream, data, size, self->fds);
}

static void
read_input (ReeveServerClient *self)
{
  gboolean is_kept = self->input_size > 0;
  uint8_t *data;
  size_t size;
  gssize n_read;

  if (is_kept) {
    grow_input (self);
    data = self->input + self->input_size;
    size = self->input_capacity - self->input_size;
  } else {
    data = reeve_server_get_scratch (self->server, &size);
  }

  n_read = receive (self, data, size);
  if (n_read < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n_read <= 0) {
    reeve_server_client_close_now (self);
    return;
  }

  if (is_kept) {
    self->input_size += (size_t) n_read;
    take_input (self, self->input, self->input_size);
  } else {
    take_input (self, data, (size_t) n_read);
  }
}

static void
write_output (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  write_locked (self);
}

static void
take_ready (ReeveLoop *loop,
            int watch,
            int fd,
            ReeveEvents events,
            gpointer data)
{
  ReeveServerClient *self = data;

  if (events & REEVE_EVENT_WRITABLE)
    write_output (self);
  if (events & REEVE_EVENT_READABLE)
    read_input (self);
  else if (events & (REEVE_EVENT_ERROR | REEVE_EVENT_HANGUP))
    reeve_server_client_close_now (self);
}
