/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/pki-check.h"

#include "client/uri.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/socket-name.h"
#include "rpc/tls-client.h"
#include "rpc/tls-private.h"
#include "shell/output.h"

#include <sys/stat.h>

/* What expires this soon is worth a warning. */
#define SOON_S (30 * 24 * 60 * 60)

typedef struct {
  JsonArray *rows; /* (owned) */
  GError *error;   /* (owned) (nullable): of the first that failed */
} Check;

/* -------------------------------------------------------------------- rows */

static void
add_row (Check *self, const char *step, const char *result, const char *detail)
{
  JsonObject *row = json_object_new ();

  json_object_set_string_member (row, "check", step);
  json_object_set_string_member (row, "result", result);
  json_object_set_string_member (row, "detail", detail);
  json_array_add_object_element (self->rows, row);
}

/* @error: (transfer full) */
static void
add_failure (Check *self, const char *step, GError *error)
{
  add_row (self, step, "failed", error->message);
  if (self->error == NULL)
    self->error = error;
  else
    g_error_free (error);
}

static void
add_skipped (Check *self, const char *step)
{
  add_row (self, step, "skipped", "");
}

/* That it expires on some day, and whether that is soon. */
static void
add_expiry (Check *self, const char *step, const char *what, gint64 end)
{
  g_autofree char *time = reeve_tls_format_time (end);
  g_autofree char *text =
      g_strdup_printf (_ ("%1$s, valid until %2$s"), what, time);
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;

  add_row (self, step, end < now + SOON_S ? "warning" : "ok", text);
}

/* ------------------------------------------------------------------- files */

static void
check_ca (Check *self, const ReeveTlsClientFiles *paths, ReeveTlsFiles *files)
{
  GError *error = NULL;

  if (reeve_tls_read_certificates (paths->ca, &files->cas, &files->n_cas,
                                   &error) &&
      reeve_tls_check_cas (files, paths->ca, &error))
    add_expiry (self, "ca", paths->ca,
                gnutls_x509_crt_get_expiration_time (files->cas[0]));
  else
    add_failure (self, "ca", error);
}

static void
check_crl (Check *self, const ReeveTlsClientFiles *paths, ReeveTlsFiles *files)
{
  const ReeveTlsSettings settings = { .ca = paths->ca, .crl = paths->crl };
  GError *error = NULL;

  if (paths->crl == NULL)
    add_row (self, "crl", "ok", _ ("there is none"));
  else if (reeve_tls_read_crls (paths->crl, &files->crls, &files->n_crls,
                                &error) &&
           reeve_tls_check_crls (files, &settings, &error))
    add_row (self, "crl", "ok", paths->crl);
  else
    add_failure (self, "crl", error);
}

static gboolean
check_own (const ReeveTlsClientFiles *paths,
           ReeveTlsFiles *files,
           GError **error)
{
  const ReeveTlsSettings settings = { .certificate = paths->certificate,
                                      .ca = paths->ca };

  if (!reeve_tls_read_certificates (paths->certificate, &files->certificates,
                                    &files->n_certificates, error) ||
      !reeve_tls_check_dates (files->certificates[0], paths->certificate,
                              error) ||
      !reeve_tls_check_purpose (files->certificates[0], REEVE_TLS_CLIENT,
                                paths->certificate, error))
    return FALSE;

  return files->n_cas == 0 || reeve_tls_check_chain (files, &settings, error);
}

static void
check_certificate (Check *self,
                   const ReeveTlsClientFiles *paths,
                   ReeveTlsFiles *files)
{
  GError *error = NULL;

  if (paths->certificate == NULL) {
    add_row (self, "certificate", "warning",
             _ ("there is none: a server that asks for one lets nobody in"));
  } else if (check_own (paths, files, &error)) {
    g_autofree char *name = reeve_tls_dup_name (files->certificates[0]);
    g_autofree char *what =
        g_strdup_printf ("%s: %s", paths->certificate, name);

    add_expiry (self, "certificate", what,
                gnutls_x509_crt_get_expiration_time (files->certificates[0]));
  } else {
    add_failure (self, "certificate", error);
  }
}

static gboolean
is_private (const char *path)
{
  struct stat file;

  return stat (path, &file) < 0 || (file.st_mode & 077) == 0;
}

static void
check_key (Check *self, const ReeveTlsClientFiles *paths, ReeveTlsFiles *files)
{
  const ReeveTlsSettings settings = { .certificate = paths->certificate,
                                      .key = paths->key };
  GError *error = NULL;

  if (paths->key == NULL) {
    add_skipped (self, "key");
    return;
  }

  files->key = reeve_tls_read_key (paths->key, &error);
  if (files->key == NULL || (files->n_certificates > 0 &&
                             !reeve_tls_check_key (files, &settings, &error))) {
    add_failure (self, "key", error);
  } else if (is_private (paths->key)) {
    add_row (self, "key", "ok", paths->key);
  } else {
    g_autofree char *text = g_strdup_printf (
        _ ("%s: others than its owner may use it"), paths->key);

    add_row (self, "key", "warning", text);
  }
}

static void
check_files (Check *self, const ReeveUri *uri)
{
  g_auto (ReeveTlsClientFiles) paths = { 0 };
  g_auto (ReeveTlsFiles) files = { 0 };

  reeve_tls_client_files_find (&paths, uri->pki_path);
  check_ca (self, &paths, &files);
  check_crl (self, &paths, &files);
  check_certificate (self, &paths, &files);
  check_key (self, &paths, &files);
}

/* -------------------------------------------------------------- connection */

static void
add_server (Check *self, const ReeveTlsPeer *server)
{
  g_autofree char *what =
      g_strdup_printf (_ ("%1$s, for %2$s, signed by %3$s"), server->name,
                       server->hosts, server->issuer);

  add_expiry (self, "server", what, server->end);
}

/* What opening a connection shows; @error: (transfer full) (nullable): of the
 * step that failed. */
static void
add_steps (Check *self,
           const ReeveUri *uri,
           const ReeveTlsClientReport *report,
           GError *error)
{
  static const char *const names[] = {
    [REEVE_TLS_STEP_CONNECT] = "connect",
    [REEVE_TLS_STEP_HANDSHAKE] = "handshake",
    [REEVE_TLS_STEP_SERVER] = "server",
    [REEVE_TLS_STEP_ACCEPTED] = "accepted",
  };
  const char *const details[] = {
    [REEVE_TLS_STEP_CONNECT] = uri->stream,
    [REEVE_TLS_STEP_HANDSHAKE] = report->protocol,
    [REEVE_TLS_STEP_ACCEPTED] = _ ("the server lets this client in"),
  };

  for (ReeveTlsStep step = REEVE_TLS_STEP_CONNECT; step < REEVE_TLS_STEP_DONE;
       step++) {
    if (step > report->step)
      add_skipped (self, names[step]);
    else if (step == report->step)
      add_failure (self, names[step], error);
    else if (step == REEVE_TLS_STEP_SERVER)
      add_server (self, &report->server);
    else
      add_row (self, names[step], "ok", details[step]);
  }
}

static void
check_connection (Check *self, ReeveShell *shell, const ReeveUri *uri)
{
  g_auto (ReeveTlsClientReport) report = { 0 };
  const ReeveTlsClientOptions options = {
    .pki_path = uri->pki_path,
    .priority = uri->tls_priority,
    .flags = uri->tls_flags,
    .report = &report,
  };
  gint64 timeout_ms =
      shell->timeout_ms < 0 ? REEVE_CONNECTION_TIMEOUT_MS : shell->timeout_ms;
  g_autoptr (ReeveStream) stream = NULL;
  GError *error = NULL;

  stream = reeve_tls_client_open (uri->stream, &options,
                                  g_get_monotonic_time () + timeout_ms * 1000,
                                  NULL, &error);
  /* A priority that is not understood has no row of its own. */
  if (stream == NULL && report.step == REEVE_TLS_STEP_FILES)
    report.step = REEVE_TLS_STEP_CONNECT;
  add_steps (self, uri, &report, error);
}

static void
skip_connection (Check *self)
{
  static const char *const names[] = { "connect", "handshake", "server",
                                       "accepted" };

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    add_skipped (self, names[i]);
}

/* ----------------------------------------------------------------- command */

static ReeveUri *
parse_uri (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  const char *given = reeve_arguments_get (arguments, "uri");
  g_autofree char *fallback = given != NULL ? NULL
                              : shell->uri != NULL
                                  ? g_strdup (shell->uri)
                                  : reeve_uri_get_default (FALSE);
  const char *text = given != NULL ? given : fallback;
  g_autoptr (GError) why = NULL;
  g_autoptr (ReeveUri) uri = reeve_uri_parse (text, FALSE, &why);

  if (uri != NULL &&
      reeve_socket_name_is (uri->stream, FALSE, REEVE_SOCKET_TLS))
    return g_steal_pointer (&uri);

  if (uri != NULL)
    g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                 _ ("%s: it is no connection by TLS"), text);
  else
    g_set_error_literal (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                         why->message);
  return NULL;
}

static void
check (Check *self, ReeveShell *shell, const ReeveUri *uri)
{
  check_files (self, uri);
  if (self->error == NULL)
    check_connection (self, shell, uri);
  else
    skip_connection (self);
}

void
reeve_pki_check_uri (ReeveShell *shell, const ReeveUri *uri, JsonArray *rows)
{
  Check self = { .rows = rows };

  check (&self, shell, uri);
  g_clear_error (&self.error);
}

gboolean
reeve_pki_check (ReeveShell *shell,
                 const ReeveArguments *arguments,
                 GError **error)
{
  static const ReeveField columns[] = {
    { "check", N_ ("Check") },
    { "result", N_ ("Result") },
    { "detail", N_ ("Detail") },
  };
  g_autoptr (ReeveUri) uri = parse_uri (shell, arguments, error);
  Check self = { 0 };

  if (uri == NULL)
    return FALSE;

  self.rows = json_array_new ();
  check (&self, shell, uri);
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), self.rows);
  if (self.error == NULL)
    return TRUE;

  g_propagate_error (error, self.error);
  return FALSE;
}
