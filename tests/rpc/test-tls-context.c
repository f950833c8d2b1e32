/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/error.h"
#include "tls-fixture.h"

#include <gnutls/x509.h>
#include <locale.h>
#include <string.h>

/* --------------------------------------------------------------- files --- */

/* Names of files in the fixture's folder; NULL: none. */
typedef struct {
  const char *name;
  ReeveTlsSide side;
  const char *certificate; /* with its key */
  const char *key;         /* instead of the certificate's */
  const char *ca;
  const char *crl;
  const char *priority;
  ReeveTlsFlags flags;
  int code;         /* 0: it is accepted */
  const char *text; /* in the message */
} FileCase;

static const FileCase file_cases[] = {
  { "server", REEVE_TLS_SERVER, "server", NULL, "ca", NULL, NULL, 0, 0, NULL },
  { "client", REEVE_TLS_CLIENT, "client", NULL, "ca", NULL, NULL, 0, 0, NULL },
  { "client-without-certificate", REEVE_TLS_CLIENT, NULL, NULL, "ca", NULL,
    NULL, 0, 0, NULL },
  { "server-with-crl", REEVE_TLS_SERVER, "server", NULL, "ca", "ca", NULL, 0, 0,
    NULL },
  { "server-that-verifies-nobody", REEVE_TLS_SERVER, "server", NULL, NULL, NULL,
    NULL, REEVE_TLS_NO_VERIFY, 0, NULL },
  { "priority", REEVE_TLS_SERVER, "server", NULL, "ca", NULL,
    "SECURE256:-VERS-ALL:+VERS-TLS1.3", 0, 0, NULL },
  { "refuses-bad-priority", REEVE_TLS_SERVER, "server", NULL, "ca", NULL,
    "NORMAL:+COFFEE", 0, REEVE_ERROR_INVALID_ARG, "+COFFEE" },
  { "refuses-server-without-certificate", REEVE_TLS_SERVER, NULL, NULL, "ca",
    NULL, NULL, 0, REEVE_ERROR_INVALID_ARG, "needs a certificate" },
  { "refuses-server-without-ca", REEVE_TLS_SERVER, "server", NULL, NULL, NULL,
    NULL, 0, REEVE_ERROR_INVALID_ARG, "the CA that signed" },
  { "refuses-missing-file", REEVE_TLS_SERVER, "nobody", "server", "ca", NULL,
    NULL, 0, REEVE_ERROR_SYSTEM, "nobody.pem" },
  { "refuses-no-certificate-in-file", REEVE_TLS_SERVER, "empty", "server", "ca",
    NULL, NULL, 0, REEVE_ERROR_INVALID_ARG, "empty.pem: there is no cert" },
  { "refuses-no-key-in-file", REEVE_TLS_SERVER, "server", "empty", "ca", NULL,
    NULL, 0, REEVE_ERROR_INVALID_ARG, "empty.key: there is no key" },
  { "refuses-key-of-another", REEVE_TLS_SERVER, "server", "client", "ca", NULL,
    NULL, 0, REEVE_ERROR_INVALID_ARG,
    "client.key: it is not the key of the certificate in" },
  { "refuses-expired", REEVE_TLS_SERVER, "old", NULL, "ca", NULL, NULL, 0,
    REEVE_ERROR_INVALID_ARG, "old.pem: the certificate expired on" },
  { "refuses-not-yet-valid", REEVE_TLS_SERVER, "early", NULL, "ca", NULL, NULL,
    0, REEVE_ERROR_INVALID_ARG, "early.pem: the certificate is not valid b" },
  { "refuses-ca-as-server", REEVE_TLS_SERVER, "ca", NULL, "ca", NULL, NULL, 0,
    REEVE_ERROR_INVALID_ARG, "ca.pem: it is the certificate of a CA" },
  { "refuses-client-as-server", REEVE_TLS_SERVER, "critical", NULL, "ca", NULL,
    NULL, 0, REEVE_ERROR_INVALID_ARG, "critical.pem: it is not meant for ser" },
  { "refuses-server-as-ca", REEVE_TLS_SERVER, "server", NULL, "server", NULL,
    NULL, 0, REEVE_ERROR_INVALID_ARG, "it is not the certificate of a CA" },
  { "refuses-other-ca", REEVE_TLS_SERVER, "server", NULL, "other", NULL, NULL,
    0, REEVE_ERROR_INVALID_ARG, "server.pem: it is not signed by the CA in" },
  { "refuses-expired-ca", REEVE_TLS_CLIENT, NULL, NULL, "old-ca", NULL, NULL, 0,
    REEVE_ERROR_INVALID_ARG, "old-ca.pem: the certificate expired on" },
  { "refuses-crl-of-other-ca", REEVE_TLS_SERVER, "server", NULL, "ca", "other",
    NULL, 0, REEVE_ERROR_INVALID_ARG, "is not signed by the CA in" },
  { "refuses-crl-out-of-date", REEVE_TLS_SERVER, "server", NULL, "ca", "stale",
    NULL, 0, REEVE_ERROR_INVALID_ARG, "is out of date since" },
  { "takes-expired-without-sanity", REEVE_TLS_SERVER, "old", NULL, "ca", NULL,
    NULL, REEVE_TLS_NO_SANITY, 0, NULL },
};

static const char *
get_file (const char *name, const char *suffix)
{
  return name == NULL ? NULL : tls_fixture_get_path (name, suffix);
}

static void
test_files (gconstpointer data)
{
  const FileCase *row = data;
  const char *key = row->key != NULL ? row->key : row->certificate;
  const ReeveTlsSettings settings = {
    .certificate = get_file (row->certificate, ".pem"),
    .key = get_file (key, ".key"),
    .ca = get_file (row->ca, ".pem"),
    .crl = get_file (row->crl, ".crl"),
    .priority = row->priority,
    .flags = row->flags,
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveTlsContext) context =
      reeve_tls_context_new (row->side, &settings, &error);

  if (row->code == 0) {
    g_assert_no_error (error);
    g_assert_nonnull (context);
    return;
  }
  g_assert_null (context);
  g_assert_error (error, REEVE_ERROR, row->code);
  if (strstr (error->message, row->text) == NULL)
    g_error ("“%s” is not in “%s”", row->text, error->message);
}

static void
test_says_what_it_shows (void)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  g_autoptr (ReeveTlsContext) server =
      tls_fixture_make_context (REEVE_TLS_SERVER, "server", 0);
  g_autoptr (ReeveTlsContext) nobody =
      tls_fixture_make_context (REEVE_TLS_CLIENT, NULL, 0);

  g_assert_cmpstr (reeve_tls_context_get_name (server), ==,
                   "C=GB,O=Acme,CN=server");
  g_assert_cmpint (reeve_tls_context_get_expiry (server), >,
                   now + 8 * 24 * 60 * 60);
  g_assert_cmpint (reeve_tls_context_get_expiry (server), <,
                   now + 10 * 24 * 60 * 60);
  g_assert_null (reeve_tls_context_get_name (nobody));
  g_assert_cmpint (reeve_tls_context_get_expiry (nobody), ==, -1);
}

static void
test_revokes_once (void)
{
  g_autoptr (GError) error = NULL;

  tls_fixture_issue ("twice", REEVE_CERTIFICATE_CLIENT, "other", -1, 9);
  tls_fixture_revoke ("other", "twice");
  reeve_tls_revoke (get_file ("other", ".pem"), get_file ("other", ".key"),
                    get_file ("other", ".crl"), get_file ("twice", ".pem"),
                    &error);
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
  g_clear_error (&error);
  reeve_tls_revoke (get_file ("other", ".pem"), get_file ("other", ".key"),
                    get_file ("other", ".crl"), get_file ("client", ".pem"),
                    &error);
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
}

static void
test_slot_exchanges (void)
{
  g_autoptr (ReeveTlsContext) server =
      tls_fixture_make_context (REEVE_TLS_SERVER, "server", 0);
  g_autoptr (ReeveTlsSlot) slot = reeve_tls_slot_new (NULL);
  g_autoptr (ReeveTlsContext) found = reeve_tls_slot_dup_context (slot);

  g_assert_null (found);
  reeve_tls_slot_set_context (slot, server);
  found = reeve_tls_slot_dup_context (slot);
  g_assert_true (found == server);
}

/* --------------------------------------------------------------- names --- */

typedef struct {
  const char *name;
  const char *patterns[3];
  const char *subject;
  gboolean is_allowed;
} NameCase;

static const NameCase name_cases[] = {
  { "same", { "C=GB,O=Acme,CN=web" }, "C=GB,O=Acme,CN=web", TRUE },
  { "other", { "C=GB,O=Acme,CN=web" }, "C=GB,O=Acme,CN=web2", FALSE },
  { "any-end", { "C=GB,O=Acme,CN=*" }, "C=GB,O=Acme,CN=web", TRUE },
  { "any-end-of-other", { "C=GB,O=Acme,CN=*" }, "C=GB,O=Acne,CN=web", FALSE },
  { "any-middle", { "C=GB,*,CN=web" }, "C=GB,O=Acme,OU=x,CN=web", TRUE },
  { "any-start", { "*,CN=web" }, "C=GB,O=Acme,CN=web", TRUE },
  { "one-character", { "CN=web?" }, "CN=web1", TRUE },
  { "one-character-is-not-two", { "CN=web?" }, "CN=web12", FALSE },
  { "one-character-is-not-none", { "CN=web?" }, "CN=web", FALSE },
  { "not-a-part", { "O=Acme" }, "C=GB,O=Acme,CN=web", FALSE },
  { "case-counts", { "CN=Web" }, "CN=web", FALSE },
  { "second-of-two", { "CN=mail", "CN=web" }, "CN=web", TRUE },
  { "all", { "*" }, "CN=web", TRUE },
  { "nobody", { NULL }, "CN=web", FALSE },
  { "no-text", { "*C*N*b" }, "CNaaaaaa\373b", FALSE },
  { "no-text-in-the-pattern", { "*C\377*b" }, "CN=web", FALSE },
};

static void
test_names (gconstpointer data)
{
  const NameCase *row = data;

  g_assert_cmpint (reeve_tls_name_is_allowed (row->subject, row->patterns), ==,
                   row->is_allowed);
}

static void
test_no_patterns (void)
{
  g_assert_true (reeve_tls_name_is_allowed ("CN=web", NULL));
}

/* ---------------------------------------------------------------- main --- */

/* What reeve_tls_issue() does not make: a list of critical purposes, and a
 * list of revoked certificates that was to be renewed yesterday. */
static void
sign_by_hand (void)
{
  time_t now = g_get_real_time () / G_USEC_PER_SEC;
  gnutls_x509_crt_t ca, certificate;
  gnutls_x509_privkey_t key;
  gnutls_x509_crl_t crl;
  gnutls_datum_t text;

  gnutls_x509_crt_init (&ca);
  gnutls_x509_crt_init (&certificate);
  gnutls_x509_privkey_init (&key);
  gnutls_x509_crl_init (&crl);

  gnutls_load_file (get_file ("ca", ".pem"), &text);
  gnutls_x509_crt_import (ca, &text, GNUTLS_X509_FMT_PEM);
  gnutls_free (text.data);
  gnutls_load_file (get_file ("ca", ".key"), &text);
  gnutls_x509_privkey_import2 (key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
  gnutls_free (text.data);
  gnutls_load_file (get_file ("client", ".pem"), &text);
  gnutls_x509_crt_import (certificate, &text, GNUTLS_X509_FMT_PEM);
  gnutls_free (text.data);

  gnutls_x509_crt_set_key_purpose_oid (certificate, GNUTLS_KP_TLS_WWW_CLIENT,
                                       1);
  g_assert_cmpint (
      gnutls_x509_crt_sign2 (certificate, ca, key, GNUTLS_DIG_SHA256, 0), >=,
      0);
  gnutls_x509_crt_export2 (certificate, GNUTLS_X509_FMT_PEM, &text);
  g_file_set_contents (get_file ("critical", ".pem"), (char *) text.data,
                       text.size, NULL);
  gnutls_free (text.data);

  gnutls_x509_crl_set_version (crl, 2);
  gnutls_x509_crl_set_this_update (crl, now - 2 * 24 * 60 * 60);
  gnutls_x509_crl_set_next_update (crl, now - 24 * 60 * 60);
  g_assert_cmpint (gnutls_x509_crl_sign2 (crl, ca, key, GNUTLS_DIG_SHA256, 0),
                   >=, 0);
  gnutls_x509_crl_export2 (crl, GNUTLS_X509_FMT_PEM, &text);
  g_file_set_contents (get_file ("stale", ".crl"), (char *) text.data,
                       text.size, NULL);
  gnutls_free (text.data);

  gnutls_x509_crl_deinit (crl);
  gnutls_x509_privkey_deinit (key);
  gnutls_x509_crt_deinit (certificate);
  gnutls_x509_crt_deinit (ca);
}

static void
make_files (void)
{
  g_autofree char *key = NULL;

  tls_fixture_set_up ();
  tls_fixture_issue ("other", REEVE_CERTIFICATE_CA, NULL, -1, 10);
  tls_fixture_issue ("old-ca", REEVE_CERTIFICATE_CA, NULL, -9, -1);
  tls_fixture_issue ("old", REEVE_CERTIFICATE_SERVER, "ca", -9, -1);
  tls_fixture_issue ("early", REEVE_CERTIFICATE_SERVER, "ca", 1, 9);
  tls_fixture_issue ("gone", REEVE_CERTIFICATE_CLIENT, "ca", -1, 9);
  tls_fixture_issue ("gone-too", REEVE_CERTIFICATE_CLIENT, "other", -1, 9);
  tls_fixture_revoke ("ca", "gone");
  tls_fixture_revoke ("other", "gone-too");
  g_file_set_contents (get_file ("empty", ".pem"), "", 0, NULL);
  g_file_set_contents (get_file ("empty", ".key"), "no key", -1, NULL);
  g_file_get_contents (get_file ("client", ".key"), &key, NULL, NULL);
  g_file_set_contents (get_file ("critical", ".key"), key, -1, NULL);
  sign_by_hand ();
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  make_files ();
  for (size_t i = 0; i < G_N_ELEMENTS (file_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/tls-context/files/", file_cases[i].name, NULL);

    g_test_add_data_func (path, &file_cases[i], test_files);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (name_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/tls-context/names/", name_cases[i].name, NULL);

    g_test_add_data_func (path, &name_cases[i], test_names);
  }
  g_test_add_func ("/rpc/tls-context/names/no-patterns", test_no_patterns);
  g_test_add_func ("/rpc/tls-context/says-what-it-shows",
                   test_says_what_it_shows);
  g_test_add_func ("/rpc/tls-context/revokes-once", test_revokes_once);
  g_test_add_func ("/rpc/tls-context/slot-exchanges", test_slot_exchanges);
  status = g_test_run ();
  tls_fixture_tear_down ();
  return status;
}
