/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/server-inside.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <unistd.h>

/* Which clients a server has, and whom it refuses. */

/* Clients over the limit that hear so, at the same time; and of TLS, which
 * costs a handshake first. */
#define MAX_REFUSED 16
#define MAX_REFUSED_TLS 4
/* The alert of TLS. */
#define INTERNAL_ERROR 80

unsigned
reeve_server_count_clients (ReeveServer *self, unsigned *n_unauth)
{
  REEVE_LOCK_SCOPE (&self->lock);

  *n_unauth = self->unauth.length;
  return g_hash_table_size (self->clients) + self->n_coming;
}

static void
remember_locked (ReeveServer *self, ReeveServerClient *client)
    REEVE_REQUIRES (self->lock)
{
  g_hash_table_insert (self->clients,
                       (gpointer) reeve_server_client_get_key (client), client);
}

void
reeve_server_remember (ReeveServer *self, ReeveServerClient *client)
{
  REEVE_LOCK_SCOPE (&self->lock);

  remember_locked (self, client);
}

/* The same for one that was let in here. */
static void
remember (ReeveServer *self, ReeveServerClient *client)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->n_coming--;
  remember_locked (self, client);
}

void
reeve_server_note_refusal (ReeveServer *self,
                           ReeveRefusal kind,
                           const char *format,
                           ...)
{
  g_autofree char *text = NULL;
  guint64 n_unsaid;
  va_list arguments;

  if (!reeve_refusals_note (&self->refusals, kind, g_get_monotonic_time (),
                            &n_unsaid))
    return;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  if (n_unsaid == 0)
    g_message ("%s: %s", self->name, text);
  else
    g_message (_ ("%1$s: %2$s; and %3$" PRIu64 " more like that since"),
               self->name, text, n_unsaid);
}

/* Without a certificate there can be no handshake; the alert says that it is
 * not the client's fault. */
static void
refuse_tls (ReeveServer *self, ReeveStream *stream)
{
  static const uint8_t alert[] = { 0x15, 3, 3, 0, 2, 2, INTERNAL_ERROR };
  const struct iovec iov = { .iov_base = (void *) alert,
                             .iov_len = sizeof alert };

  reeve_stream_sendv (stream, &iov, 1);
  reeve_server_note_refusal (self, REEVE_REFUSAL_CLIENT,
                             _ ("there is no certificate to serve TLS with"));
  reeve_stream_free (stream);
}

typedef enum {
  ENTRY_FREE,
  ENTRY_FULL,        /* it is one too many, and hears so */
  ENTRY_FULL_SILENT, /* as many as may hear so are there */
} Entry;

static void
note_refused_locked (ReeveServer *self, gboolean is_tls)
    REEVE_REQUIRES (self->lock)
{
  self->n_refused++;
  self->n_refused_tls += is_tls;
}

/* Whether one more may come in; unless it is not even told, it has @id and is
 * counted from now on. */
static Entry
enter (ReeveServer *self, gboolean is_tls, uint64_t *id)
{
  gboolean is_full;

  REEVE_LOCK_SCOPE (&self->lock);

  is_full =
      g_hash_table_size (self->clients) + self->n_coming - self->n_refused >=
      REEVE_LIMIT (self, max_clients);
  if (is_full && (self->n_refused >= MAX_REFUSED ||
                  (is_tls && self->n_refused_tls >= MAX_REFUSED_TLS)))
    return ENTRY_FULL_SILENT;

  if (is_full)
    note_refused_locked (self, is_tls);
  self->n_coming++;
  *id = ++self->last_client_id;
  return is_full ? ENTRY_FULL : ENTRY_FREE;
}

void
reeve_server_note_refused (ReeveServer *self, ReeveTransport transport)
{
  REEVE_LOCK_SCOPE (&self->lock);

  note_refused_locked (self, transport == REEVE_TRANSPORT_TLS);
}

void
reeve_server_end_refused (ReeveServer *self, ReeveTransport transport)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->n_refused--;
  self->n_refused_tls -= transport == REEVE_TRANSPORT_TLS;
}

/* One client too many hears so as the answer to its first call, unless too many
 * do. */
static void
note_too_many (ReeveServer *self)
{
  reeve_server_note_refusal (
      self, REEVE_REFUSAL_CLIENT,
      _ ("there are %u clients already; more are refused"),
      REEVE_LIMIT (self, max_clients));
}

/* (nullable): of too many that did not authenticate the oldest that said
 * nothing yet, else the oldest; it is not one of them any more. The newest is
 * not chosen: whoever comes has a chance. */
static ReeveServerClient *
steal_one_too_many (ReeveServer *self)
{
  ReeveServerClient *client;
  unsigned n_old;
  GList *link;

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->unauth.length <= REEVE_LIMIT (self, max_unauth_clients))
    return NULL;

  n_old = self->unauth.length - 1;
  for (link = self->unauth.head; n_old > 0; link = link->next, n_old--)
    if (!reeve_server_client_has_spoken (link->data))
      break;
  if (n_old == 0)
    link = self->unauth.head;
  client = reeve_server_client_ref (link->data);
  *reeve_server_client_get_unauth (client) = NULL;
  g_queue_delete_link (&self->unauth, link);
  return client;
}

/* @loop: whose thread this is */
static void
limit_unauth (ReeveServer *self, ReeveServerLoop *loop)
{
  ReeveServerClient *client;

  while ((client = steal_one_too_many (self)) != NULL) {
    reeve_server_note_refusal (self, REEVE_REFUSAL_UNAUTH,
                               _ ("client %1$" PRIu64
                                  " has to go: more than %2$u did not "
                                  "authenticate yet"),
                               reeve_server_client_get_id (client),
                               REEVE_LIMIT (self, max_unauth_clients));
    if (reeve_server_client_get_home (client) == loop)
      reeve_server_client_close_now (client);
    else
      reeve_server_client_close (client);
    reeve_server_client_unref (client);
  }
}

/* A connection on its way to the loop that it is to be of. */
typedef struct {
  ReeveStream *stream; /* (owned) */
  ReeveServiceOptions options;
} Newcomer;

/* FALSE: nobody is let in. */
static gboolean
let_in (ReeveServerLoop *home,
        ReeveStream *stream,
        const ReeveServiceOptions *options,
        ReeveTlsContext *tls)
{
  ReeveServer *self = home->server;
  ReeveServerClient *client;
  uint64_t id;
  Entry entry = enter (self, tls != NULL, &id);

  if (entry != ENTRY_FREE)
    note_too_many (self);
  if (entry == ENTRY_FULL_SILENT)
    return FALSE;

  client = reeve_server_client_new (home, stream, id, options, tls);
  remember (self, client);
  /* Whoever sees that number finds the client, and others' order. */
  if (entry == ENTRY_FREE)
    atomic_fetch_add (&self->n_accepted, 1);
  if (entry == ENTRY_FULL)
    reeve_server_client_refuse (client);
  reeve_server_client_begin (client);
  if (entry != ENTRY_FULL)
    limit_unauth (self, home);
  return TRUE;
}

/* In the thread of @home. */
static void
take_newcomer (ReeveServerLoop *home,
               ReeveStream *stream,
               const ReeveServiceOptions *options)
{
  g_autoptr (ReeveTlsContext) tls =
      options->tls == NULL ? NULL : reeve_tls_slot_dup_context (options->tls);

  if (options->tls != NULL && tls == NULL)
    refuse_tls (home->server, stream);
  else if (let_in (home, stream, options, tls))
    return;
  else
    reeve_stream_free (stream);
  reeve_server_leave_loop (home->server, home);
}

static void
receive_newcomer (ReeveServerLoop *home, gpointer data)
{
  Newcomer *newcomer = data;

  if (atomic_load (&home->server->is_stopped)) {
    reeve_stream_free (newcomer->stream);
    reeve_server_leave_loop (home->server, home);
  } else {
    take_newcomer (home, newcomer->stream, &newcomer->options);
  }
  reeve_tls_slot_unref (newcomer->options.tls);
  g_free (newcomer);
}

void
reeve_server_add_client (ReeveServer *self,
                         ReeveStream *stream,
                         const ReeveServiceOptions *options)
{
  ReeveServerLoop *home = reeve_server_choose_loop (self);
  Newcomer *newcomer;

  if (home->index == 0 || reeve_server_loop_is_elsewhere (home)) {
    take_newcomer (home, stream, options);
    return;
  }

  newcomer = g_new (Newcomer, 1);
  *newcomer = (Newcomer){ stream, *options };
  if (options->tls != NULL)
    reeve_tls_slot_ref (options->tls);
  reeve_server_loop_send (home, receive_newcomer, newcomer);
}

/* Whether the peer may do as our own user does; errs on the safe side. */
static gboolean
is_owner (ReeveStream *stream)
{
  struct ucred peer;
  socklen_t size = sizeof peer;

  return getsockopt (reeve_stream_get_fd (stream), SOL_SOCKET, SO_PEERCRED,
                     &peer, &size) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid ());
}

static void
refuse_stranger (ReeveServer *self, ReeveService *service, ReeveStream *stream)
{
  reeve_server_note_refusal (
      self, REEVE_REFUSAL_CLIENT,
      _ ("%s: refused a client that is neither root nor our own user"),
      reeve_service_get_name (service));
  reeve_stream_free (stream);
}

void
reeve_server_refuse_connection (ReeveService *service,
                                ReeveRefusal kind,
                                const char *why,
                                gpointer data)
{
  ReeveServer *self = data;

  if (kind == REEVE_REFUSAL_RATE)
    reeve_server_note_refusal (
        self, kind,
        _ ("%1$s: more than %2$u connections in a second; the next have to "
           "wait"),
        reeve_service_get_name (service),
        REEVE_LIMIT (self, max_accepts_per_second));
  else
    reeve_server_note_refusal (self, kind,
                               _ ("%1$s: cannot accept a connection: %2$s"),
                               reeve_service_get_name (service), why);
}

void
reeve_server_take_stream (ReeveService *service,
                          ReeveStream *stream,
                          gpointer data)
{
  const ReeveServiceOptions *options = reeve_service_get_options (service);

  if ((options->flags & REEVE_SERVICE_OWNER_ONLY) != 0 && !is_owner (stream))
    refuse_stranger (data, service, stream);
  else
    reeve_server_add_client (data, stream, options);
}

void
reeve_server_add_unauth (ReeveServer *self,
                         ReeveServerClient *client,
                         GList **link)
{
  REEVE_LOCK_SCOPE (&self->lock);

  g_queue_push_tail (&self->unauth, client);
  *link = self->unauth.tail;
}

void
reeve_server_remove_unauth (ReeveServer *self, GList **link)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (*link != NULL)
    g_queue_delete_link (&self->unauth, g_steal_pointer (link));
}

static gboolean
steal_client (ReeveServer *self, ReeveServerClient *client)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (!g_hash_table_steal (self->clients, reeve_server_client_get_key (client)))
    return FALSE;

  reeve_server_client_get_home (client)->n_clients--;
  return TRUE;
}

void
reeve_server_forget (ReeveServer *self, ReeveServerClient *client)
{
  if (steal_client (self, client))
    reeve_server_client_unref (client);
}

/* (element-type ReeveServerClient) (transfer full) */
GPtrArray *
reeve_server_dup_clients (ReeveServer *self)
{
  GPtrArray *clients = g_ptr_array_new_with_free_func (
      (GDestroyNotify) reeve_server_client_unref);
  GHashTableIter iter;
  gpointer client;

  REEVE_LOCK_SCOPE (&self->lock);

  g_hash_table_iter_init (&iter, self->clients);
  while (g_hash_table_iter_next (&iter, NULL, &client))
    g_ptr_array_add (clients, reeve_server_client_ref (client));
  return clients;
}

void
reeve_server_foreach_client (ReeveServer *self,
                             ReeveServerClientFunc func,
                             gpointer data)
{
  g_autoptr (GPtrArray) clients = reeve_server_dup_clients (self);

  for (unsigned i = 0; i < clients->len; i++)
    func (clients->pdata[i], data);
}

ReeveServerClient *
reeve_server_find_client (ReeveServer *self, uint64_t id)
{
  ReeveServerClient *client;

  REEVE_LOCK_SCOPE (&self->lock);

  client = g_hash_table_lookup (self->clients, &id);
  return client == NULL ? NULL : reeve_server_client_ref (client);
}
