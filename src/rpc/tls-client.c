/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/tls-client.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/socket-name.h"
#include "rpc/stream-layer.h"
#include "rpc/tls-private.h"
#include "rpc/tls-session.h"
#include "rpc/tls-tickets.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

/* --------------------------------------------------------------- files --- */

/* libvirt's places. */
#define SYSTEM_CA "/etc/pki/CA"
#define SYSTEM_PKI "/etc/pki/libvirt"

static gboolean
exists (const char *path)
{
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* (transfer full) (nullable): it is there. */
static char *
find (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  return exists (path) ? g_steal_pointer (&path) : NULL;
}

/* Takes what is in @folder in the place of what is missing. Of certificate and
 * key, one without the other is a mistake that is to be seen. */
static void
find_in (ReeveTlsClientFiles *self, const char *folder)
{
  g_autofree char *certificate =
      g_build_filename (folder, "clientcert.pem", NULL);
  g_autofree char *key = g_build_filename (folder, "clientkey.pem", NULL);

  if (self->ca == NULL)
    self->ca = find (folder, "cacert.pem");
  if (self->crl == NULL)
    self->crl = find (folder, "cacrl.pem");
  if (self->certificate == NULL && (exists (certificate) || exists (key))) {
    self->certificate = g_steal_pointer (&certificate);
    self->key = g_steal_pointer (&key);
  }
}

static void
find_in_system (ReeveTlsClientFiles *self)
{
  const char *certificate = SYSTEM_PKI "/clientcert.pem";
  const char *key = SYSTEM_PKI "/private/clientkey.pem";

  if (self->ca == NULL)
    self->ca = g_strdup (SYSTEM_CA "/cacert.pem");
  if (self->crl == NULL)
    self->crl = find (SYSTEM_CA, "cacrl.pem");
  if (self->certificate == NULL && (exists (certificate) || exists (key))) {
    self->certificate = g_strdup (certificate);
    self->key = g_strdup (key);
  }
}

void
reeve_tls_client_files_find (ReeveTlsClientFiles *self, const char *pki_path)
{
  *self = (ReeveTlsClientFiles){ 0 };
  if (pki_path != NULL) {
    find_in (self, pki_path);
    if (self->ca == NULL)
      self->ca = g_build_filename (pki_path, "cacert.pem", NULL);
    return;
  }

  if (geteuid () != 0) {
    g_autofree char *folder =
        g_build_filename (g_get_home_dir (), ".pki", "libvirt", NULL);

    find_in (self, folder);
  }
  find_in_system (self);
}

void
reeve_tls_client_files_clear (ReeveTlsClientFiles *self)
{
  g_free (self->certificate);
  g_free (self->key);
  g_free (self->ca);
  g_free (self->crl);
}

static ReeveTlsContext *
make_context (const ReeveTlsClientOptions *options, GError **error)
{
  g_auto (ReeveTlsClientFiles) files = { 0 };
  ReeveTlsSettings settings = { .priority = options->priority,
                                .flags = options->flags };

  reeve_tls_client_files_find (&files, options->pki_path);
  settings.certificate = files.certificate;
  settings.key = files.key;
  settings.ca = files.ca;
  settings.crl = files.crl;
  /* Without anything to verify they need not be there. */
  if ((options->flags & REEVE_TLS_NO_VERIFY) != 0 && !exists (files.ca))
    settings.ca = settings.crl = NULL;
  return reeve_tls_context_new (REEVE_TLS_CLIENT, &settings, error);
}

/* ------------------------------------------------------------- waiting --- */

typedef struct {
  const char *name;
  ReeveTlsSession *session; /* (owned by the caller) */
  int fd;
  gint64 deadline_us;
  GCancellable *cancellable;    /* (nullable) */
  ReeveTlsClientReport *report; /* (nullable) */
  char *ticket_key;             /* (owned) (nullable) */
} Opening;

static void
begin (Opening *self, ReeveTlsStep step)
{
  if (self->report != NULL)
    self->report->step = step;
}

static gboolean
fail_closed (Opening *self, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_CONNECT,
               _ ("Cannot connect to %s: the server closed the connection"),
               self->name);
  return FALSE;
}

static gboolean
fail_errno (Opening *self, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_CONNECT,
               _ ("Cannot connect to %1$s: %2$s"), self->name,
               g_strerror (errno));
  return FALSE;
}

static gboolean
wait_for (Opening *self, short events, GError **error)
{
  GPollFD cancel = { .fd = -1 };
  struct pollfd files[2] = { { .fd = self->fd, .events = events } };
  gint64 left_us;
  int n_ready;

  g_cancellable_make_pollfd (self->cancellable, &cancel);
  files[1].fd = cancel.fd;
  files[1].events = POLLIN;
  do {
    left_us = self->deadline_us - g_get_monotonic_time ();
    n_ready = left_us <= 0
                  ? 0
                  : poll (files, 2, (int) MIN (left_us / 1000 + 1, G_MAXINT));
  } while (n_ready < 0 && errno == EINTR);
  if (cancel.fd >= 0)
    g_cancellable_release_fd (self->cancellable);

  if (g_cancellable_is_cancelled (self->cancellable))
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_ABORTED,
                 _ ("Connecting to %s was cancelled"), self->name);
  else if (n_ready == 0)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                 _ ("Cannot connect to %s in time"), self->name);
  else
    return n_ready > 0 || fail_errno (self, error);
  return FALSE;
}

static gboolean
flush (Opening *self, GError **error)
{
  while (!reeve_tls_session_flush (self->session, self->fd)) {
    if (errno != EAGAIN && errno != EINTR)
      return fail_errno (self, error);
    if (!wait_for (self, POLLOUT, error))
      return FALSE;
  }

  return TRUE;
}

static gboolean
fill (Opening *self, GError **error)
{
  gssize n_read;

  do {
    if (!wait_for (self, POLLIN, error))
      return FALSE;
    n_read = reeve_tls_session_fill (self->session, self->fd);
  } while (n_read < 0 && (errno == EAGAIN || errno == EINTR));

  if (n_read < 0)
    return fail_errno (self, error);
  return n_read > 0 || fail_closed (self, error);
}

/* ----------------------------------------------------------- handshake --- */

static gboolean
shake (Opening *self, GError **error)
{
  g_autofree char *why = NULL;
  ReeveTlsProgress progress;

  while ((progress = reeve_tls_session_handshake (self->session, &why)) ==
         REEVE_TLS_HANDSHAKE_WAITS)
    if (!flush (self, error) || !fill (self, error))
      return FALSE;

  /* A failure is told to the server, if it takes it. */
  if (progress == REEVE_TLS_HANDSHAKE_DONE)
    return flush (self, error);
  reeve_tls_session_flush (self->session, self->fd);
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_CONNECT,
               _ ("Cannot connect to %1$s: the TLS handshake failed: %2$s"),
               self->name, why);
  return FALSE;
}

static gboolean
verify (Opening *self, GError **error)
{
  g_autofree char *why = NULL;

  if (self->report != NULL) {
    self->report->protocol = reeve_tls_session_dup_protocol (self->session);
    reeve_tls_session_describe_peer (self->session, &self->report->server);
  }
  if (reeve_tls_session_verify (self->session, &why) == REEVE_TLS_ACCEPTED)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
               _ ("The certificate of %1$s is not accepted: %2$s"), self->name,
               why);
  return FALSE;
}

static const char *
explain (ReeveTlsVerdict verdict)
{
  switch (verdict) {
  case REEVE_TLS_NO_CERTIFICATE:
    return _ ("there is none");
  case REEVE_TLS_UNTRUSTED:
    return _ ("it is not signed by a CA that the server trusts");
  case REEVE_TLS_EXPIRED:
    return _ ("it expired");
  case REEVE_TLS_NOT_YET_VALID:
    return _ ("it is not valid yet");
  case REEVE_TLS_REVOKED:
    return _ ("it was revoked");
  case REEVE_TLS_CRL_OUTDATED:
    return _ ("the server's list of revoked certificates is out of date");
  case REEVE_TLS_UNSUITABLE:
    return _ ("it is too weak, or not meant for clients");
  case REEVE_TLS_WRONG_NAME:
    return _ ("its name is not on the server's list of allowed names");
  default:
    return _ ("the server does not say why");
  }
}

/* The byte by which the server accepts us; a server that does not just closes,
 * or says more. */
static gboolean
wait_for_verdict (Opening *self, ReeveStream *stream, GError **error)
{
  uint8_t verdict = 0;
  gssize n_read;

  do {
    if (!reeve_stream_has_input (stream) && !wait_for (self, POLLIN, error))
      return FALSE;
    n_read = reeve_stream_recv (stream, &verdict, 1, NULL);
  } while (n_read < 0 && (errno == EAGAIN || errno == EINTR));

  if (n_read < 0 && errno != ECONNRESET)
    return fail_errno (self, error);
  if (n_read == 1 && verdict == REEVE_TLS_ACCEPTED)
    return TRUE;
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
               _ ("%1$s does not accept the certificate of this client: %2$s"),
               self->name, explain ((ReeveTlsVerdict) verdict));
  return FALSE;
}

/* ------------------------------------------------------------- tickets --- */

/* Whoever comes with other words or another certificate is somebody else to the
 * server, and a ticket would tell it the old ones. What is to be reported is a
 * whole handshake. */
static void
use_ticket (Opening *self,
            ReeveTlsContext *context,
            const ReeveTlsClientOptions *options)
{
  const char *fingerprint = reeve_tls_context_get_fingerprint (context);
  g_autoptr (GBytes) ticket = NULL;

  if (!reeve_tls_context_has_tickets (context) || self->report != NULL)
    return;

  self->ticket_key = g_strdup_printf (
      "%s %s %s %d", self->name, fingerprint != NULL ? fingerprint : "",
      options->priority != NULL ? options->priority : "", (int) options->flags);
  ticket = reeve_tls_tickets_take (self->ticket_key);
  if (ticket != NULL)
    reeve_tls_session_set_ticket (self->session, ticket);
}

/* ---------------------------------------------------------------- open --- */

static char *
get_host (const char *name, GError **error)
{
  g_autoptr (ReeveSocketName) parsed =
      reeve_socket_name_parse (name, FALSE, error);

  return parsed == NULL ? NULL : g_steal_pointer (&parsed->host);
}

static gboolean
open_session (Opening *self, ReeveStream *stream, GError **error)
{
  self->fd = reeve_stream_get_fd (stream);

  begin (self, REEVE_TLS_STEP_HANDSHAKE);
  if (!shake (self, error))
    return FALSE;
  begin (self, REEVE_TLS_STEP_SERVER);
  if (!verify (self, error))
    return FALSE;

  reeve_tls_session_attach (reeve_tls_session_ref (self->session), stream);
  begin (self, REEVE_TLS_STEP_ACCEPTED);
  if (!wait_for_verdict (self, stream, error))
    return FALSE;
  if (self->ticket_key != NULL)
    reeve_tls_session_keep_tickets (self->session, self->ticket_key);
  begin (self, REEVE_TLS_STEP_DONE);
  return TRUE;
}

ReeveStream *
reeve_tls_client_open (const char *name,
                       const ReeveTlsClientOptions *options,
                       gint64 deadline_us,
                       GCancellable *cancellable,
                       GError **error)
{
  static const ReeveTlsClientOptions defaults = { 0 };
  g_autofree char *host = get_host (name, error);
  g_autoptr (ReeveTlsContext) context = NULL;
  g_autoptr (ReeveStream) stream = NULL;
  g_autoptr (ReeveTlsSession) session = NULL;
  gboolean is_open;
  Opening self = { .name = name,
                   .deadline_us = deadline_us,
                   .cancellable = cancellable };

  if (options == NULL)
    options = &defaults;
  self.report = options->report;
  begin (&self, REEVE_TLS_STEP_FILES);
  context = host == NULL ? NULL : make_context (options, error);
  if (context == NULL)
    return NULL;

  begin (&self, REEVE_TLS_STEP_CONNECT);
  stream = reeve_stream_connect (name, deadline_us, cancellable, error);
  if (stream == NULL)
    return NULL;

  self.session = session = reeve_tls_session_new (context, host);
  use_ticket (&self, context, options);
  is_open = open_session (&self, stream, error);
  g_free (self.ticket_key);
  return is_open ? g_steal_pointer (&stream) : NULL;
}

void
reeve_tls_client_report_clear (ReeveTlsClientReport *self)
{
  g_free (self->protocol);
  reeve_tls_peer_clear (&self->server);
}
