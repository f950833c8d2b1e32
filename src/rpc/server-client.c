/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/server-client.h"

#include "event/debug.h"
#include "event/intl.h"
#include "event/refs.h"
#include "rpc/data-stream-private.h"
#include "rpc/error.h"
#include "rpc/wire.h"

#include <inttypes.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

/* How long a handshake of TLS may take. */
#define HANDSHAKE_TIMEOUT_MS 15000

/* Immutable, as the list is but for its head. */
struct _ReeveClientAttached {
  ReeveClientAttached *next;
  gconstpointer key;
  gpointer data;
  GDestroyNotify close_func; /* (nullable) */
  GDestroyNotify free_func;  /* (nullable) */
};

/* ------------------------------------------------------------ identity --- */

static void
attached_free (ReeveClientAttached *self)
{
  if (self->free_func != NULL)
    self->free_func (self->data);
  g_free (self);
}

/* Asks the kernel, which no look-up by name is needed for. Few have more groups
 * than the first question has room for. */
static void
read_groups (ReeveServerClient *self, int fd)
{
  gid_t few[32];
  socklen_t size = sizeof few;
  gboolean is_read =
      getsockopt (fd, SOL_SOCKET, SO_PEERGROUPS, few, &size) == 0;

  if (!is_read && errno != ERANGE)
    size = 0;
  self->groups = g_malloc (sizeof (gid_t) + size);
  self->groups[0] = self->peer.gid;
  if (is_read)
    memcpy (self->groups + 1, few, size);
  else if (size > 0 && getsockopt (fd, SOL_SOCKET, SO_PEERGROUPS,
                                   self->groups + 1, &size) < 0)
    size = 0;
  self->n_groups = 1 + size / sizeof (gid_t);
}

/* Whether it is one of TCP. */
static gboolean
read_address (ReeveServerClient *self, int fd)
{
  struct sockaddr_storage storage = { 0 };
  socklen_t size = sizeof storage;
  char host[NI_MAXHOST], port[NI_MAXSERV];

  if (getpeername (fd, (struct sockaddr *) &storage, &size) < 0 ||
      (storage.ss_family != AF_INET && storage.ss_family != AF_INET6))
    return FALSE;

  self->transport = REEVE_TRANSPORT_TCP;
  if (getnameinfo ((struct sockaddr *) &storage, size, host, sizeof host, port,
                   sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
    self->address = g_strdup_printf (
        strchr (host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
  return TRUE;
}

static void
read_peer (ReeveServerClient *self, ReeveStream *stream)
{
  int fd = reeve_stream_get_fd (stream);
  socklen_t size = sizeof self->peer;

  if (!reeve_stream_passes_fds (stream) && read_address (self, fd))
    return;

  self->transport = REEVE_TRANSPORT_UNIX;
  self->has_peer =
      getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &self->peer, &size) == 0;
  if (self->has_peer)
    read_groups (self, fd);
}

static void
note_peer (const ReeveServerClient *self)
{
  if (self->address != NULL)
    REEVE_DEBUG ("%s: client %" PRIu64 " came from %s",
                 reeve_server_get_name (self->server), self->id, self->address);
  else
    REEVE_DEBUG ("%s: client %" PRIu64 " is process %d of user %d",
                 reeve_server_get_name (self->server), self->id,
                 (int) self->peer.pid, (int) self->peer.uid);
}

/* What is not watched from the start is handed over from the start. */
static gboolean
begins_at_once (ReeveServer *server, const ReeveTlsContext *tls)
{
  return tls != NULL &&
         reeve_handshakes_has_spare (reeve_server_get_handshakes (server));
}

ReeveServerClient *
reeve_server_client_new (ReeveServerLoop *home,
                         ReeveStream *stream,
                         uint64_t id,
                         const ReeveServiceOptions *options,
                         ReeveTlsContext *tls) REEVE_UNCHECKED
{
  ReeveServer *server = home->server;
  ReeveServerClient *self = g_new0 (ReeveServerClient, 1);
  int fd = reeve_stream_get_fd (stream);

  reeve_refs_init (&self->refs);
  self->server = reeve_server_ref (server);
  self->home = home;
  self->jobs = reeve_job_group_new ();
  self->id = id;
  self->connect_time = g_get_real_time () / G_USEC_PER_SEC;
  self->auth = options->auth;
  self->wires = options->wires;
  self->wire = &reeve_xdr_wire;
  self->n_plain_due = REEVE_READER_PLAIN;
  atomic_init (&self->is_read_only,
               (options->flags & REEVE_SERVICE_READ_ONLY) != 0);
  reeve_mutex_init (&self->lock);
  self->stream = stream;
  read_peer (self, stream);
  if (tls != NULL)
    self->transport = REEVE_TRANSPORT_TLS;
  if (self->wires == REEVE_WIRE_DEFAULT)
    self->wires = self->transport == REEVE_TRANSPORT_UNIX ? REEVE_WIRE_ALL
                                                          : REEVE_WIRE_XDR;
  note_peer (self);
  reeve_server_client_init_auth (self);

  REEVE_LOCK_SCOPE (&self->lock);

  self->events = reeve_server_is_frozen (server) || begins_at_once (server, tls)
                     ? REEVE_EVENT_NONE
                     : REEVE_EVENT_READABLE;
  self->watch = reeve_loop_add_handle (
      home->loop, fd, self->events, reeve_server_client_take_ready,
      reeve_server_client_ref (self),
      (GDestroyNotify) reeve_server_client_unref);
  if (tls != NULL)
    reeve_server_client_init_handshake_locked (
        self, tls,
        options->handshake_timeout_ms == 0 ? HANDSHAKE_TIMEOUT_MS
                                           : options->handshake_timeout_ms);
  return self;
}

void
reeve_server_client_set_wire (ReeveServerClient *self, const ReeveWire *wire)
{
  if (self->wire != wire)
    self->wire = wire;
  self->has_wire = TRUE;
  self->wire_state = g_malloc0 (wire->state_size);
}

ReeveServerClient *
reeve_server_client_ref (ReeveServerClient *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

static void
client_free (ReeveServerClient *self) REEVE_UNCHECKED
{
  ReeveClientAttached *attached;

  g_assert (self->stream == NULL);
  g_assert (g_queue_is_empty (&self->calls));
  g_assert (self->streams == NULL || g_queue_is_empty (&self->streams->live));
  g_free (self->streams);
  while ((attached = self->attached) != NULL) {
    self->attached = attached->next;
    attached_free (attached);
  }
  if (self->wire->clear_state != NULL)
    self->wire->clear_state (self->wire_state);
  g_free (self->wire_state);
  g_clear_pointer (&self->held, g_byte_array_unref);
  reeve_client_handshake_free (self->handshake);
  g_free (self->input);
  g_free (self->address);
  g_free (self->groups);
  g_free (self->sasl_name);
  g_free (self->x509_name);
  reeve_mutex_clear (&self->lock);
  reeve_job_group_unref (self->jobs);
  reeve_server_unref (self->server);
  g_free (self);
}

void
reeve_server_client_unref (ReeveServerClient *self)
{
  if (self != NULL)
    reeve_server_client_drop (self, 1);
}

void
reeve_server_client_drop (ReeveServerClient *self, unsigned n_refs)
{
  if (n_refs > 0 && reeve_refs_sub (&self->refs, (int) n_refs))
    client_free (self);
}

ReeveServerLoop *
reeve_server_client_get_home (ReeveServerClient *self)
{
  return self->home;
}

ReeveLoop *
reeve_server_client_get_loop (ReeveServerClient *self)
{
  return self->home->loop;
}

ReeveServer *
reeve_server_client_get_server (ReeveServerClient *self)
{
  return self->server;
}

ReeveJobGroup *
reeve_server_client_get_jobs (ReeveServerClient *self)
{
  return self->jobs;
}

GList **
reeve_server_client_get_unauth (ReeveServerClient *self)
{
  return &self->unauth;
}

gboolean
reeve_server_client_has_spoken (ReeveServerClient *self)
{
  return atomic_load_explicit (&self->has_spoken, memory_order_relaxed);
}

uint64_t
reeve_server_client_get_id (ReeveServerClient *self)
{
  return self->id;
}

const uint64_t *
reeve_server_client_get_key (ReeveServerClient *self)
{
  return &self->id;
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
reeve_server_client_speaks_xdr (ReeveServerClient *self)
{
  return self->wire == &reeve_xdr_wire;
}

ReeveAuth
reeve_server_client_get_auth (ReeveServerClient *self)
{
  return self->auth;
}

gboolean
reeve_server_client_is_authenticated (ReeveServerClient *self)
{
  return atomic_load (&self->is_authenticated);
}

void
reeve_server_client_set_authenticated (ReeveServerClient *self,
                                       const char *sasl_name)
{
  g_return_if_fail (!atomic_load (&self->is_authenticated));

  self->sasl_name = g_strdup (sasl_name);
  atomic_store (&self->is_authenticated, TRUE);
  reeve_server_remove_unauth (self->server, &self->unauth);
}

const char *
reeve_server_client_get_sasl_name (ReeveServerClient *self)
{
  return atomic_load (&self->is_authenticated) ? self->sasl_name : NULL;
}

const char *
reeve_server_client_get_x509_name (ReeveServerClient *self)
{
  return atomic_load (&self->is_authenticated) ? self->x509_name : NULL;
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

const gid_t *
reeve_server_client_get_unix_groups (ReeveServerClient *self, size_t *n_groups)
{
  *n_groups = self->n_groups;
  return self->groups;
}

const char *
reeve_server_client_get_address (ReeveServerClient *self)
{
  return self->address;
}

static ReeveClientAttached *
find_attached_locked (ReeveServerClient *self, gconstpointer key)
    REEVE_REQUIRES (self->lock)
{
  ReeveClientAttached *attached = self->attached;

  while (attached != NULL && attached->key != key)
    attached = attached->next;
  return attached;
}

/* (nullable): what the key has already; else it has @new. */
static ReeveClientAttached *
add_attached (ReeveServerClient *self,
              ReeveClientAttached *new,
              gboolean *is_closed)
{
  ReeveClientAttached *old;

  REEVE_LOCK_SCOPE (&self->lock);

  *is_closed = self->stream == NULL;
  old = find_attached_locked (self, new->key);
  if (old == NULL) {
    new->next = self->attached;
    self->attached = new;
  }
  return old;
}

gpointer
reeve_server_client_attach (ReeveServerClient *self,
                            gconstpointer key,
                            gpointer data,
                            GDestroyNotify close_func,
                            GDestroyNotify free_func)
{
  ReeveClientAttached *new = g_new (ReeveClientAttached, 1);
  ReeveClientAttached *old;
  gboolean is_closed;

  *new = (ReeveClientAttached){ NULL, key, data, close_func, free_func };
  old = add_attached (self, new, &is_closed);
  if (old != NULL)
    attached_free (new);
  else if (is_closed && close_func != NULL)
    close_func (data);
  return old != NULL ? old->data : data;
}

gpointer
reeve_server_client_get_data (ReeveServerClient *self, gconstpointer key)
{
  const ReeveClientAttached *attached;

  REEVE_LOCK_SCOPE (&self->lock);

  attached = find_attached_locked (self, key);
  return attached == NULL ? NULL : attached->data;
}

/* ------------------------------------------------------ calls in flight -- */

void
reeve_server_client_begin_call_locked (ReeveServerClient *self, ReeveCall *call)
{
  call->is_in_flight = TRUE;
  self->n_call_bytes += call->payload_size;
  g_queue_push_tail_link (&self->calls, &call->link);
}

gboolean
reeve_server_client_settle_locked (ReeveServerClient *self, ReeveCall *call)
{
  if (atomic_load_explicit (&call->is_answered, memory_order_relaxed))
    return FALSE;

  atomic_store_explicit (&call->is_answered, TRUE, memory_order_relaxed);
  if (call->is_in_flight) {
    g_queue_unlink (&self->calls, &call->link);
    self->n_call_bytes -= call->payload_size;
  }
  if (call->closes)
    self->closes_when_written = TRUE;
  return TRUE;
}

unsigned
reeve_server_client_count_calls (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->calls.length;
}

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

/* (transfer full) (nullable): the oldest call if it is overdue. @is_left:
 * whether there are calls, or may be without the loop's knowing. */
static ReeveCall *
find_overdue (ReeveServerClient *self, gint64 now_us, gboolean *is_left)
{
  ReeveCall *call;

  REEVE_LOCK_SCOPE (&self->lock);

  call = g_queue_peek_head (&self->calls);
  *is_left = call != NULL || atomic_load (&self->reader) != REEVE_READER_LOOP;
  return call == NULL || call->deadline_us > now_us ? NULL
                                                    : reeve_call_ref (call);
}

/* (transfer full) (nullable): settles the oldest call. */
static ReeveCall *
steal_call (ReeveServerClient *self)
{
  ReeveCall *call;

  REEVE_LOCK_SCOPE (&self->lock);

  call = g_queue_peek_head (&self->calls);
  if (call == NULL)
    return NULL;

  /* A worker that finds the call settled drops it without our lock. */
  reeve_call_ref (call);
  reeve_server_client_settle_locked (self, call);
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

/* Does nothing for a call that was answered meanwhile. */
static void
answer_overdue (ReeveServerClient *self, ReeveCall *call)
{
  g_autoptr (GBytes) message = NULL;
  g_autoptr (GError) error = g_error_new (
      REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
      _ ("%1$s was not answered within %2$d seconds"), call->procedure->name,
      (int) ((call->deadline_us - call->start_us) / G_USEC_PER_SEC));
  const uint8_t *bytes;
  gsize size;

  message = self->wire->encode_error (call, error);
  bytes = g_bytes_get_data (message, &size);
  if (reeve_server_client_answer (self, &call, &size, 1, bytes, NULL) > 0)
    g_warning (_ ("Client %1$" PRIu64 ": %2$s"), self->id, error->message);
}

gboolean
reeve_server_client_expire (ReeveServerClient *self, gint64 now_us)
{
  gboolean is_left;
  ReeveCall *call;

  while ((call = find_overdue (self, now_us, &is_left)) != NULL) {
    answer_overdue (self, call);
    cancel (self, call);
    reeve_call_unref (call);
  }

  self->is_swept = is_left;
  return is_left;
}

/* --------------------------------------------------------------- close --- */

typedef struct {
  ReeveStream *stream;
  int watch;
  GBytes *current;
  GQueue frames[2];
  GList *fds;
  const ReeveClientAttached *attached;
} Remains;

static gboolean
steal_remains (ReeveServerClient *self, Remains *remains)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL)
    return FALSE;

  reeve_server_client_withdraw_locked (self);
  remains->stream = g_steal_pointer (&self->stream);
  remains->watch = self->watch;
  remains->current = g_steal_pointer (&self->current);
  reeve_data_stream_lose_client_locked (self);
  remains->frames[0] = self->replies.frames;
  remains->frames[1] = self->event_queue.frames;
  self->replies = (ReeveClientOutput){ .frames = G_QUEUE_INIT };
  self->event_queue = (ReeveClientOutput){ .frames = G_QUEUE_INIT };
  remains->fds = g_steal_pointer (&self->fds);
  remains->attached = self->attached;
  return TRUE;
}

/* What programs keep for a client that has ended. */
typedef struct {
  ReeveServerClient *client; /* (owned) */
  const ReeveClientAttached *first;
} Ended;

static void
close_attached (ReeveServerLoop *loop, gpointer data)
{
  Ended *ended = data;

  for (const ReeveClientAttached *row = ended->first; row != NULL;
       row = row->next)
    if (row->close_func != NULL)
      row->close_func (row->data);
  reeve_server_client_unref (ended->client);
  g_free (ended);
}

/* They hear of it in the daemon's thread. */
static void
end_attached (ReeveServerClient *self, const ReeveClientAttached *first)
{
  Ended *ended;

  if (first == NULL)
    return;

  ended = g_new (Ended, 1);
  *ended = (Ended){ reeve_server_client_ref (self), first };
  if (reeve_server_loop_is_elsewhere (self->home))
    reeve_server_loop_send (reeve_server_get_own_loop (self->server),
                            close_attached, ended);
  else
    close_attached (NULL, ended);
}

void
reeve_server_client_close_now (ReeveServerClient *self)
{
  Remains remains;
  ReeveCall *call;

  if (!steal_remains (self, &remains))
    return;

  self->is_gone = TRUE;
  REEVE_DEBUG ("%s: client %" PRIu64 " ended",
               reeve_server_get_name (self->server), self->id);
  reeve_server_client_ref (self);
  reeve_server_client_stop_handshake (self);
  reeve_server_client_stop_patience (self);
  reeve_server_client_stop_keepalive (self);
  reeve_loop_remove (self->home->loop, remains.watch);
  reeve_stream_free (remains.stream);
  g_clear_pointer (&remains.current, g_bytes_unref);
  for (int i = 0; i < 2; i++)
    g_queue_clear_full (&remains.frames[i], (GDestroyNotify) g_bytes_unref);
  g_list_free_full (remains.fds, reeve_client_fds_free);

  while ((call = steal_call (self)) != NULL) {
    cancel (self, call);
    reeve_call_unref (call);
  }
  end_attached (self, remains.attached);

  reeve_fd_inbox_clear (&self->inbox);
  reeve_server_remove_unauth (self->server, &self->unauth);
  if (self->is_refused)
    reeve_server_end_refused (self->server, self->transport);
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
  reeve_loop_invoke (self->home->loop, close_invoked,
                     reeve_server_client_ref (self));
}

gboolean
reeve_server_client_is_closed (ReeveServerClient *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->stream == NULL;
}
