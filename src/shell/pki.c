/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/tls-issue.h"
#include "shell/command.h"
#include "shell/output.h"
#include "shell/pki-check.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

/* Certificates for TLS. The files have the names under which libvirt's clients
 * (by pkipath=DIR) and a daemon's configuration look for them. */

#define DAY_S (24 * 60 * 60)
/* Clocks differ: what is made now is valid elsewhere, too. */
#define EARLY_S (60 * 60)
#define CA_DAYS 3650
#define DAYS 365
#define MAX_DAYS 36500

/* A request whose texts are owned. */
typedef struct {
  char *folder;
  char *name;
  char *ca;
  char *ca_key;
  char *certificate;
  char *key;
  ReeveCertificateRequest request;
} Order;

static void
order_clear (Order *self)
{
  g_free (self->folder);
  g_free (self->name);
  g_free (self->ca);
  g_free (self->ca_key);
  g_free (self->certificate);
  g_free (self->key);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Order, order_clear)

static gboolean
fail_usage (const char *option, const char *why, GError **error)
{
  g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
               "pki: --%s: %s", option, why);
  return FALSE;
}

/* --------------------------------------------------------------- options -- */

static gboolean
get_key_kind (const ReeveArguments *arguments,
              ReeveKeyKind *kind,
              GError **error)
{
  static const char *const names[] = {
    [REEVE_KEY_RSA] = "rsa",
    [REEVE_KEY_ECDSA] = "ecdsa",
    [REEVE_KEY_ED25519] = "ed25519",
  };
  const char *text = reeve_arguments_get (arguments, "key");

  *kind = REEVE_KEY_ECDSA;
  if (text == NULL)
    return TRUE;
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (names[i], text)) {
      *kind = (ReeveKeyKind) i;
      return TRUE;
    }

  return fail_usage ("key", _ ("it is one of rsa, ecdsa and ed25519"), error);
}

/* A day, or a moment, of ISO 8601. */
static gboolean
get_start (const ReeveArguments *arguments, gint64 *start, GError **error)
{
  const char *text = reeve_arguments_get (arguments, "start");
  g_autofree char *midnight = g_strconcat (text, "T00:00:00Z", NULL);
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) time = NULL;

  *start = g_get_real_time () / G_USEC_PER_SEC - EARLY_S;
  if (text == NULL)
    return TRUE;

  time = g_date_time_new_from_iso8601 (text, utc);
  if (time == NULL)
    time = g_date_time_new_from_iso8601 (midnight, utc);
  if (time == NULL)
    return fail_usage ("start", _ ("it is a day as in 2030-12-31"), error);
  *start = g_date_time_to_unix (time);
  return TRUE;
}

/* A certificate is valid no longer than its CA. */
static gboolean
get_times (const ReeveArguments *arguments,
           int64_t days,
           ReeveCertificateRequest *request,
           GError **error)
{
  gint64 ca_end;

  if (!reeve_arguments_get_number (arguments, "days", 1, MAX_DAYS, &days,
                                   error) ||
      !get_start (arguments, &request->start, error))
    return FALSE;

  request->end = request->start + days * DAY_S;
  if (request->ca == NULL)
    return TRUE;
  ca_end = reeve_tls_read_expiry (request->ca, error);
  request->end = MIN (request->end, ca_end);
  return ca_end >= 0;
}

/* ----------------------------------------------------------------- files -- */

static gboolean
check_free (const ReeveArguments *arguments, const char *path, GError **error)
{
  if (reeve_arguments_has (arguments, "overwrite") ||
      !g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
               _ ("%s is there already; --overwrite replaces it"), path);
  return FALSE;
}

/* Another CA's certificate is not replaced unless that is wanted. */
static gboolean
check_ca_is_same (const ReeveArguments *arguments,
                  const Order *order,
                  GError **error)
{
  g_autofree char *path = g_build_filename (order->folder, "cacert.pem", NULL);
  g_autofree char *here = NULL;
  g_autofree char *there = NULL;

  return order->ca == NULL || !g_file_get_contents (path, &here, NULL, NULL) ||
         !g_file_get_contents (order->ca, &there, NULL, NULL) ||
         g_str_equal (here, there) || check_free (arguments, path, error);
}

/* What goes with a certificate that is used elsewhere than where its CA is. */
static gboolean
copy_from_ca (const Order *self,
              const char *ca_folder,
              const char *name,
              GError **error)
{
  g_autofree char *from = g_build_filename (ca_folder, name, NULL);
  g_autofree char *to = g_build_filename (self->folder, name, NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) why = NULL;
  gsize size;

  if (g_file_get_contents (from, &text, &size, &why) &&
      g_file_set_contents_full (to, text, (gssize) size,
                                G_FILE_SET_CONTENTS_CONSISTENT, 0644, &why))
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_SYSTEM, why->message);
  return FALSE;
}

static gboolean
bring_ca (const Order *self, const char *ca_folder, GError **error)
{
  g_autofree char *crl = g_build_filename (ca_folder, "cacrl.pem", NULL);
  g_autofree char *own = g_canonicalize_filename (self->folder, NULL);
  g_autofree char *other = g_canonicalize_filename (ca_folder, NULL);

  if (g_str_equal (own, other))
    return TRUE;
  return copy_from_ca (self, ca_folder, "cacert.pem", error) &&
         (!g_file_test (crl, G_FILE_TEST_EXISTS) ||
          copy_from_ca (self, ca_folder, "cacrl.pem", error));
}

static void
tell (ReeveShell *shell, const Order *order)
{
  static const ReeveField fields[] = {
    { "certificate", N_ ("Certificate") },
    { "key", N_ ("Key") },
    { "name", N_ ("Name") },
    { "expires", N_ ("Valid until") },
  };
  g_autoptr (GDateTime) end =
      g_date_time_new_from_unix_utc (order->request.end);
  g_autofree char *text = g_date_time_format (end, "%Y-%m-%d");
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "certificate", order->certificate);
  json_object_set_string_member (object, "key", order->key);
  json_object_set_string_member (object, "name", order->name);
  json_object_set_string_member (object, "expires", text);
  reeve_output_object (shell, fields, G_N_ELEMENTS (fields), object);
}

/* @name: (transfer full) */
static gboolean
issue (ReeveShell *shell,
       const ReeveArguments *arguments,
       ReeveCertificateKind kind,
       char *name,
       const char *const *hosts,
       GError **error)
{
  static const char *const stems[] = {
    [REEVE_CERTIFICATE_CA] = "ca",
    [REEVE_CERTIFICATE_SERVER] = "server",
    [REEVE_CERTIFICATE_CLIENT] = "client",
  };
  gboolean is_ca = kind == REEVE_CERTIFICATE_CA;
  const char *folder = reeve_arguments_get (arguments, "directory");
  const char *ca_folder = is_ca || !reeve_arguments_has (arguments, "ca")
                              ? folder
                              : reeve_arguments_get (arguments, "ca");
  g_auto (Order) order = {
    .folder = g_strdup (folder),
    .name = name,
    .ca = is_ca ? NULL : g_build_filename (ca_folder, "cacert.pem", NULL),
    .ca_key = is_ca ? NULL : g_build_filename (ca_folder, "cakey.pem", NULL),
    .certificate = g_strdup_printf ("%s/%scert.pem", folder, stems[kind]),
    .key = g_strdup_printf ("%s/%skey.pem", folder, stems[kind]),
  };

  order.request = (ReeveCertificateRequest){
    .kind = kind,
    .name = order.name,
    .hosts = hosts,
    .ca = order.ca,
    .ca_key = order.ca_key,
    .certificate = order.certificate,
    .key = order.key,
  };
  if (!get_key_kind (arguments, &order.request.key_kind, error) ||
      !get_times (arguments, is_ca ? CA_DAYS : DAYS, &order.request, error) ||
      !check_free (arguments, order.certificate, error) ||
      !check_free (arguments, order.key, error) ||
      !check_ca_is_same (arguments, &order, error))
    return FALSE;
  if (g_mkdir_with_parents (folder, 0700) < 0)
    return reeve_error_from_errno (error, errno, "%s", folder);
  if (!reeve_tls_issue (&order.request, error) ||
      !bring_ca (&order, ca_folder, error))
    return FALSE;

  tell (shell, &order);
  return TRUE;
}

/* -------------------------------------------------------------- commands -- */

static gboolean
run_ca (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  const char *name = reeve_arguments_get (arguments, "name");

  return issue (shell, arguments, REEVE_CERTIFICATE_CA,
                name != NULL ? g_strdup (name)
                             : g_strdup_printf ("CA of %s", g_get_host_name ()),
                NULL, error);
}

static gboolean
run_server (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  const char *const local[] = { g_get_host_name (), "localhost", "127.0.0.1",
                                "::1", NULL };
  const char *const *hosts = reeve_arguments_get_rest (arguments);
  const char *name = reeve_arguments_get (arguments, "name");

  if (hosts[0] == NULL)
    hosts = local;
  return issue (shell, arguments, REEVE_CERTIFICATE_SERVER,
                g_strdup (name != NULL ? name : hosts[0]), hosts, error);
}

static gboolean
run_client (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  return issue (shell, arguments, REEVE_CERTIFICATE_CLIENT,
                g_strdup (reeve_arguments_get (arguments, "name")), NULL,
                error);
}

static gboolean
run_revoke (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  const char *folder = reeve_arguments_get (arguments, "directory");
  const char *certificate = reeve_arguments_get (arguments, "certificate");
  g_autofree char *ca = g_build_filename (folder, "cacert.pem", NULL);
  g_autofree char *key = g_build_filename (folder, "cakey.pem", NULL);
  g_autofree char *crl = g_build_filename (folder, "cacrl.pem", NULL);

  if (!reeve_tls_revoke (ca, key, crl, certificate, error))
    return FALSE;

  reeve_output_done (shell, certificate, _ ("%1$s is revoked in %2$s"),
                     certificate, crl);
  return TRUE;
}

#define DIRECTORY(text)                                                        \
  {                                                                            \
    "directory", REEVE_OPTION_STRING, TRUE,                                    \
        .completion = REEVE_COMPLETE_FILES, .help = (text)                     \
  }
#define CA                                                                     \
  {                                                                            \
    "ca", REEVE_OPTION_STRING,                                                 \
        .is_named_only = TRUE, .completion = REEVE_COMPLETE_FILES,             \
        .help = N_ ("the folder of the CA, if it is another one")              \
  }
#define COMMON                                                                 \
  { "days", REEVE_OPTION_NUMBER, .is_named_only = TRUE,                        \
    .help = N_ ("how many days it is valid") },                                \
      { "start", REEVE_OPTION_STRING, .is_named_only = TRUE,                   \
        .help = N_ ("from when it is valid, e.g. 2030-12-31") },               \
      { "key", REEVE_OPTION_STRING, .is_named_only = TRUE,                     \
        .help = N_ ("kind of the key: rsa, ecdsa (the default) or "            \
                    "ed25519") },                                              \
  {                                                                            \
    "overwrite", REEVE_OPTION_FLAG,                                            \
        .help = N_ ("replace what is there already")                           \
  }

static const ReeveOption ca_options[] = {
  DIRECTORY (N_ ("the folder to keep it in")),
  { "name", REEVE_OPTION_STRING,
    .help = N_ ("its name, e.g. Acme or O=Acme,CN=Acme CA") },
  COMMON,
};

static const ReeveOption server_options[] = {
  DIRECTORY (N_ ("the folder to put it in, e.g. /etc/reeve/pki")),
  CA,
  { "name", REEVE_OPTION_STRING, .is_named_only = TRUE,
    .help = N_ ("its name, if not the first host") },
  COMMON,
  { "hosts", REEVE_OPTION_REST,
    .help = N_ ("names and addresses by which clients reach it (those of this "
                "host)") },
};

static const ReeveOption client_options[] = {
  DIRECTORY (N_ ("the folder to put it in, for pkipath= of a URI")),
  { "name", REEVE_OPTION_STRING, TRUE,
    .help = N_ ("its name, e.g. alice or O=Acme,CN=alice") },
  CA,
  COMMON,
};

static const ReeveOption revoke_options[] = {
  DIRECTORY (N_ ("the folder of the CA")),
  { "certificate", REEVE_OPTION_STRING, TRUE,
    .completion = REEVE_COMPLETE_FILES,
    .help = N_ ("the file of the certificate") },
};

static const ReeveOption check_options[] = {
  { "uri", REEVE_OPTION_STRING, .help = N_ ("where to connect to") },
};

static const ReeveCommand commands[] = {
  { "pki ca", N_ ("make a CA, which signs certificates"), ca_options,
    G_N_ELEMENTS (ca_options), run_ca, .is_local = TRUE },
  { "pki server", N_ ("make the certificate of a server"), server_options,
    G_N_ELEMENTS (server_options), run_server, .is_local = TRUE },
  { "pki client", N_ ("make the certificate of a client"), client_options,
    G_N_ELEMENTS (client_options), run_client, .is_local = TRUE },
  { "pki revoke", N_ ("let a certificate not be trusted any more"),
    revoke_options, G_N_ELEMENTS (revoke_options), run_revoke,
    .is_local = TRUE },
  { "pki check", N_ ("say what is wrong with a connection by TLS"),
    check_options, G_N_ELEMENTS (check_options), reeve_pki_check,
    .is_local = TRUE },
};

const ReeveCommandGroup reeve_pki_commands = {
  N_ ("Certificates"),
  commands,
  G_N_ELEMENTS (commands),
};
