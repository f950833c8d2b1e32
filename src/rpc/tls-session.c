/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/tls-session.h"

#include "event/intl.h"
#include "event/refs.h"
#include "rpc/stream-layer.h"
#include "rpc/tls-private.h"
#include "rpc/tls-tickets.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* What one read of the socket takes at most: four records. */
#define READ_SIZE (64 * 1024)
/* What one reeve_stream_sendv() takes at most. */
#define SEND_SIZE (64 * 1024)
/* The data in a record. */
#define RECORD_SIZE (16 * 1024)
/* With all that is around the data. */
#define WHOLE_RECORD_SIZE (RECORD_SIZE + 512)
/* Bytes for the peer that are held at most: what was sent, and what the
 * protocol says by itself to a peer that does not listen. */
#define MAX_OUTPUT (SEND_SIZE + 64 * 1024)
/* What a peer may say without saying anything to us: several times what chains
 * of certificates come to. GnuTLS would keep a message of 16 MiB. */
#define MAX_OVERHEAD (64 * 1024)
/* An empty buffer above this size is given back. */
#define KEPT_SIZE 4096

struct _ReeveTlsSession {
  ReeveRefs refs;
  ReeveTlsContext *context; /* (owned) */
  gnutls_session_t session; /* (owned) */
  char *host;               /* (owned) (nullable) */
  char *peer_name;          /* (owned) (nullable) */
  GBytes *ticket;           /* (owned) (nullable): that it began with */
  char *ticket_key;         /* (owned) (nullable): for those that come */
  int fd;                   /* of the stream that it is a layer of; else -1 */

  const uint8_t *window; /* bytes of the peer that GnuTLS may take */
  size_t window_size;
  GByteArray *input;  /* (owned): those of them that have to be kept */
  GByteArray *output; /* (owned): bytes for the peer */
  size_t n_written;   /* of them */
  size_t n_overhead;  /* bytes of the peer since its last that were for us */
  gboolean is_ended;  /* the peer said that nothing more comes */
  gboolean is_broken;
};

/* ----------------------------------------- the transport, as GnuTLS has it */

static ssize_t
pull (gnutls_transport_ptr_t data, void *bytes, size_t size)
{
  ReeveTlsSession *self = data;

  if (self->window_size == 0) {
    gnutls_transport_set_errno (self->session, EAGAIN);
    return -1;
  }

  size = MIN (size, self->window_size);
  memcpy (bytes, self->window, size);
  self->window += size;
  self->window_size -= size;
  return (ssize_t) size;
}

static int
wait_to_pull (gnutls_transport_ptr_t data, unsigned timeout_ms)
{
  ReeveTlsSession *self = data;

  return self->window_size > 0;
}

static ssize_t
push (gnutls_transport_ptr_t data, const void *bytes, size_t size)
{
  ReeveTlsSession *self = data;

  if (size > MAX_OUTPUT - MIN (self->output->len, MAX_OUTPUT)) {
    gnutls_transport_set_errno (self->session, ENOBUFS);
    return -1;
  }

  g_byte_array_append (self->output, bytes, (guint) size);
  return (ssize_t) size;
}

static void
empty (GByteArray **bytes)
{
  if ((*bytes)->len > KEPT_SIZE) {
    g_byte_array_unref (*bytes);
    *bytes = g_byte_array_new ();
  }
  g_byte_array_set_size (*bytes, 0);
}

/* The window is on what is kept, until close_window(). */
static void
open_window (ReeveTlsSession *self)
{
  self->window = self->input->data;
  self->window_size = self->input->len;
}

/* Keeps what GnuTLS did not take. */
static void
close_window (ReeveTlsSession *self)
{
  if (self->window_size == 0) {
    empty (&self->input);
  } else if (self->input->len == 0) {
    g_byte_array_append (self->input, self->window, (guint) self->window_size);
  } else {
    g_byte_array_remove_range (self->input, 0,
                               (guint) (self->input->len - self->window_size));
  }
  self->window = NULL;
  self->window_size = 0;
}

gssize
reeve_tls_session_fill (ReeveTlsSession *self, int fd)
{
  uint8_t room[READ_SIZE];
  gssize n_read = recv (fd, room, sizeof room, MSG_DONTWAIT);

  if (n_read > 0)
    g_byte_array_append (self->input, room, (guint) n_read);
  return n_read;
}

gboolean
reeve_tls_session_flush (ReeveTlsSession *self, int fd)
{
  while (self->n_written < self->output->len) {
    gssize n_written =
        send (fd, self->output->data + self->n_written,
              self->output->len - self->n_written, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n_written < 0)
      return FALSE;
    self->n_written += (size_t) n_written;
  }

  self->n_written = 0;
  empty (&self->output);
  return TRUE;
}

gboolean
reeve_tls_session_has_output (ReeveTlsSession *self)
{
  return self->output->len > 0;
}

/* ------------------------------------------------------ life, handshake -- */

/* Without saying of which CA: then a client shows what it has, and can be told
 * what is wrong with it. */
static void
ask_for_certificate (ReeveTlsSession *self)
{
  gnutls_certificate_server_set_request (
      self->session, reeve_tls_context_verifies (self->context)
                         ? GNUTLS_CERT_REQUEST
                         : GNUTLS_CERT_IGNORE);
  gnutls_certificate_send_x509_rdn_sequence (self->session, 1);
}

static unsigned
get_flags (ReeveTlsContext *context)
{
  return (reeve_tls_context_get_side (context) == REEVE_TLS_SERVER
              ? GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET
              : GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT) |
         (reeve_tls_context_has_tickets (context) ? 0 : GNUTLS_NO_TICKETS) |
         GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL;
}

ReeveTlsSession *
reeve_tls_session_new (ReeveTlsContext *context, const char *host)
{
  ReeveTlsSession *self = g_new0 (ReeveTlsSession, 1);
  gboolean is_server = reeve_tls_context_get_side (context) == REEVE_TLS_SERVER;

  reeve_refs_init (&self->refs);
  self->context = reeve_tls_context_ref (context);
  self->host = g_strdup (host);
  self->fd = -1;
  self->input = g_byte_array_new ();
  self->output = g_byte_array_new ();

  /* These fail for want of memory alone. */
  gnutls_init (&self->session, get_flags (context));
  gnutls_priority_set (self->session, reeve_tls_context_get_priority (context));
  gnutls_credentials_set (self->session, GNUTLS_CRD_CERTIFICATE,
                          reeve_tls_context_get_credentials (context));
  if (is_server && reeve_tls_context_has_tickets (context))
    gnutls_session_ticket_enable_server (
        self->session, reeve_tls_context_get_ticket_key (context));
  if (is_server)
    ask_for_certificate (self);
  else if (host != NULL && !g_hostname_is_ip_address (host))
    gnutls_server_name_set (self->session, GNUTLS_NAME_DNS, host,
                            strlen (host));

  gnutls_transport_set_ptr (self->session, self);
  gnutls_transport_set_pull_function (self->session, pull);
  gnutls_transport_set_pull_timeout_function (self->session, wait_to_pull);
  gnutls_transport_set_push_function (self->session, push);
  return self;
}

ReeveTlsSession *
reeve_tls_session_ref (ReeveTlsSession *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_tls_session_unref (ReeveTlsSession *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  gnutls_deinit (self->session);
  reeve_tls_context_unref (self->context);
  g_byte_array_unref (self->input);
  g_byte_array_unref (self->output);
  g_free (self->peer_name);
  g_bytes_unref (self->ticket);
  g_free (self->ticket_key);
  g_free (self->host);
  g_free (self);
}

static char *
explain (ReeveTlsSession *self, int status)
{
  const char *alert;

  if (status != GNUTLS_E_FATAL_ALERT_RECEIVED)
    return g_strdup (gnutls_strerror (status));

  alert = gnutls_alert_get_name (gnutls_alert_get (self->session));
  return g_strdup_printf (_ ("the peer says “%s”"), alert == NULL ? "" : alert);
}

ReeveTlsProgress
reeve_tls_session_handshake (ReeveTlsSession *self, char **why)
{
  int status;

  self->n_overhead += self->input->len;
  open_window (self);
  do
    status = gnutls_handshake (self->session);
  while (status < 0 && status != GNUTLS_E_AGAIN &&
         !gnutls_error_is_fatal (status));
  close_window (self);

  if (status >= 0)
    return REEVE_TLS_HANDSHAKE_DONE;
  if (status == GNUTLS_E_AGAIN) {
    if (self->n_overhead <= MAX_OVERHEAD)
      return REEVE_TLS_HANDSHAKE_WAITS;
    status = GNUTLS_E_HANDSHAKE_TOO_LARGE;
  }

  *why = explain (self, status);
  gnutls_alert_send_appropriate (self->session, status);
  return REEVE_TLS_HANDSHAKE_FAILED;
}

/* The certificate of a session that was taken up is in its ticket, and judged
 * as if it had been shown. */
ReeveTlsVerdict
reeve_tls_session_verify (ReeveTlsSession *self, char **why)
{
  if (!reeve_tls_context_verifies (self->context))
    return REEVE_TLS_ACCEPTED;

  g_clear_pointer (&self->peer_name, g_free);
  return reeve_tls_verify (self->session, self->context, self->host,
                           &self->peer_name, why);
}

static gboolean
makes_tickets (ReeveTlsSession *self)
{
  /* With TLS 1.2 that is part of the handshake. */
  return reeve_tls_context_get_side (self->context) == REEVE_TLS_SERVER &&
         reeve_tls_context_has_tickets (self->context) &&
         gnutls_protocol_get_version (self->session) >= GNUTLS_TLS1_3;
}

/* libvirt's clients take whatever comes before the verdict for a failure. */
void
reeve_tls_session_send_verdict (ReeveTlsSession *self, ReeveTlsVerdict verdict)
{
  const uint8_t byte = (uint8_t) verdict;

  if (gnutls_record_send (self->session, &byte, 1) < 0)
    self->is_broken = TRUE;
  else if (verdict == REEVE_TLS_ACCEPTED && makes_tickets (self))
    gnutls_session_ticket_send (self->session, 1, 0);
}

gboolean
reeve_tls_session_is_resumed (ReeveTlsSession *self)
{
  return gnutls_session_is_resumed (self->session) != 0;
}

static void
wipe (gpointer data)
{
  gnutls_datum_t *ticket = data;

  gnutls_memset (ticket->data, 0, ticket->size);
  gnutls_free (ticket->data);
  g_free (ticket);
}

GBytes *
reeve_tls_session_dup_ticket (ReeveTlsSession *self)
{
  gnutls_datum_t *ticket;

  if (!reeve_tls_context_has_tickets (self->context))
    return NULL;
  /* Without this, GnuTLS would wait for one. */
  if ((gnutls_session_get_flags (self->session) &
       GNUTLS_SFLAGS_SESSION_TICKET) == 0)
    return reeve_tls_session_is_resumed (self) &&
                   gnutls_protocol_get_version (self->session) < GNUTLS_TLS1_3
               ? g_bytes_ref (self->ticket)
               : NULL;

  ticket = g_new0 (gnutls_datum_t, 1);
  if (gnutls_session_get_data2 (self->session, ticket) < 0) {
    g_free (ticket);
    return NULL;
  }
  return g_bytes_new_with_free_func (ticket->data, ticket->size, wipe, ticket);
}

void
reeve_tls_session_set_ticket (ReeveTlsSession *self, GBytes *ticket)
{
  gsize size;
  const void *data = g_bytes_get_data (ticket, &size);

  self->ticket = g_bytes_ref (ticket);
  gnutls_session_set_data (self->session, data, size);
}

static void
keep_ticket (ReeveTlsSession *self)
{
  GBytes *ticket =
      self->ticket_key == NULL ? NULL : reeve_tls_session_dup_ticket (self);

  if (ticket != NULL)
    reeve_tls_tickets_keep (self->ticket_key, ticket);
}

void
reeve_tls_session_keep_tickets (ReeveTlsSession *self, const char *key)
{
  self->ticket_key = g_strdup (key);
  keep_ticket (self);
}

const char *
reeve_tls_session_get_peer_name (ReeveTlsSession *self)
{
  return self->peer_name;
}

char *
reeve_tls_session_dup_protocol (ReeveTlsSession *self)
{
  char *text = gnutls_session_get_desc (self->session);
  char *copy = g_strdup (text);

  gnutls_free (text);
  return copy;
}

void
reeve_tls_session_describe_peer (ReeveTlsSession *self, ReeveTlsPeer *peer)
{
  reeve_tls_describe (self->session, peer);
}

void
reeve_tls_peer_clear (ReeveTlsPeer *self)
{
  g_free (self->name);
  g_free (self->issuer);
  g_free (self->hosts);
  *self = (ReeveTlsPeer){ 0 };
}

/* --------------------------------------------------------------- layer --- */

static gboolean
layer_has_input (gpointer layer)
{
  ReeveTlsSession *self = layer;

  return self->input->len > 0 || self->is_ended || self->is_broken ||
         gnutls_record_check_pending (self->session) > 0;
}

/* Decodes what is there, as far as there is room for it. */
static size_t
decode (ReeveTlsSession *self, uint8_t *data, size_t size)
{
  size_t n_decoded = 0;

  while (n_decoded < size && !self->is_ended && !self->is_broken) {
    size_t before = self->window_size;
    ssize_t status =
        gnutls_record_recv (self->session, data + n_decoded, size - n_decoded);

    if (status > 0)
      n_decoded += (size_t) status;
    else if (status == GNUTLS_E_AGAIN && self->window_size == before)
      break;
    /* A message of the protocol; there may be more. */
    else if (status == GNUTLS_E_AGAIN)
      keep_ticket (self);
    else if (status == 0)
      self->is_ended = TRUE;
    /* A peer that wants another handshake does not get it. */
    else if (gnutls_error_is_fatal ((int) status) ||
             status == GNUTLS_E_REHANDSHAKE)
      self->is_broken = TRUE;
  }

  return n_decoded;
}

static gssize
layer_recv (gpointer layer, int fd, void *data, size_t size)
{
  ReeveTlsSession *self = layer;
  uint8_t room[READ_SIZE];
  size_t n_decoded;

  open_window (self);
  if (!layer_has_input (self)) {
    /* Whoever wants a few bytes gets the record that they are in. */
    size_t wanted = CLAMP (size, WHOLE_RECORD_SIZE, sizeof room);
    gssize n_read = recv (fd, room, wanted, MSG_DONTWAIT);

    if (n_read <= 0)
      return n_read;
    self->window = room;
    self->window_size = (size_t) n_read;
    self->n_overhead += (size_t) n_read;
  }
  n_decoded = decode (self, data, size);
  if (n_decoded > 0)
    self->n_overhead = 0;
  else if (self->n_overhead > MAX_OVERHEAD)
    self->is_broken = TRUE;
  close_window (self);
  /* An answer that the protocol made by itself; if it must wait, it goes with
   * what is sent next. */
  reeve_tls_session_flush (self, fd);

  if (n_decoded > 0)
    return (gssize) n_decoded;
  if (self->is_ended)
    return 0;
  errno = self->is_broken ? EBADMSG : EAGAIN;
  return -1;
}

/* Makes records of all that @iov has. */
static gboolean
encode (ReeveTlsSession *self, const uint8_t *data, size_t size)
{
  while (size > 0) {
    ssize_t status = gnutls_record_send (self->session, data, size);

    if (status < 0)
      return FALSE;
    data += status;
    size -= (size_t) status;
  }

  return TRUE;
}

/* Many small pieces go into few records. */
static gboolean
encode_pieces (ReeveTlsSession *self,
               const struct iovec *iov,
               int n_iov,
               size_t *n_taken)
{
  uint8_t record[RECORD_SIZE];
  size_t filled = 0;

  *n_taken = 0;
  for (int i = 0; i < n_iov && *n_taken < SEND_SIZE; i++) {
    const uint8_t *data = iov[i].iov_base;
    size_t left = MIN (iov[i].iov_len, SEND_SIZE - *n_taken);

    *n_taken += left;
    while (left > 0) {
      size_t size = MIN (left, sizeof record - filled);

      memcpy (record + filled, data, size);
      filled += size;
      data += size;
      left -= size;
      if (filled == sizeof record) {
        if (!encode (self, record, filled))
          return FALSE;
        filled = 0;
      }
    }
  }

  return encode (self, record, filled);
}

static gssize
layer_sendv (gpointer layer, int fd, const struct iovec *iov, int n_iov)
{
  ReeveTlsSession *self = layer;
  size_t n_taken;

  if (!reeve_tls_session_flush (self, fd))
    return -1;
  if (self->is_broken || !encode_pieces (self, iov, n_iov, &n_taken)) {
    self->is_broken = TRUE;
    errno = EBADMSG;
    return -1;
  }

  /* What the socket does not take is held. */
  if (!reeve_tls_session_flush (self, fd) && errno != EAGAIN && errno != EINTR)
    return -1;
  return (gssize) n_taken;
}

static gboolean
layer_flush (gpointer layer, int fd)
{
  return reeve_tls_session_flush (layer, fd);
}

static gboolean
layer_has_output (gpointer layer)
{
  return reeve_tls_session_has_output (layer);
}

/* Says goodbye, if the socket takes it. */
static void
layer_free (gpointer layer)
{
  ReeveTlsSession *self = layer;

  if (!self->is_broken && reeve_tls_session_flush (self, self->fd) &&
      gnutls_bye (self->session, GNUTLS_SHUT_WR) >= 0)
    reeve_tls_session_flush (self, self->fd);
  self->fd = -1;
  reeve_tls_session_unref (self);
}

static const ReeveStreamLayer layer_class = {
  .recv = layer_recv,
  .sendv = layer_sendv,
  .flush = layer_flush,
  .has_input = layer_has_input,
  .has_output = layer_has_output,
  .free = layer_free,
};

void
reeve_tls_session_attach (ReeveTlsSession *self, ReeveStream *stream)
{
  self->fd = reeve_stream_get_fd (stream);
  reeve_stream_set_layer (stream, &layer_class, self);
}
