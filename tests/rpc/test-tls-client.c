/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server-loops.h"

#include "event/thread.h"
#include "rpc/error.h"
#include "rpc/server.h"
#include "rpc/tls-client.h"
#include "tls-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_US (20 * G_USEC_PER_SEC)

static void
copy_file (const char *name, const char *suffix, const char *to)
{
  g_autofree char *text = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (tls_fixture_get_path (name, suffix),
                                      &text, &size, NULL));
  g_assert_true (g_file_set_contents (to, text, (gssize) size, NULL));
}

/* (transfer full): a folder as a client has it. @certificate: (nullable) */
static char *
make_pki (const char *certificate)
{
  char *folder = g_dir_make_tmp ("reeve-pki-XXXXXX", NULL);
  g_autofree char *ca = g_build_filename (folder, "cacert.pem", NULL);
  g_autofree char *path = g_build_filename (folder, "clientcert.pem", NULL);
  g_autofree char *key = g_build_filename (folder, "clientkey.pem", NULL);

  copy_file ("ca", ".pem", ca);
  if (certificate != NULL) {
    copy_file (certificate, ".pem", path);
    copy_file (certificate, ".key", key);
  }
  return folder;
}

static void
remove_pki (char *folder)
{
  g_autofree char *command = g_strdup_printf ("rm -r '%s'", folder);

  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  g_free (folder);
}

/* -------------------------------------------------------------- server --- */

typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  ReeveTlsSlot *slot;
  pthread_t thread;
  char *name; /* (owned): to connect to */
} Fixture;

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveTlsContext) context =
      tls_fixture_make_context (REEVE_TLS_SERVER, "server", 0);
  ReeveServiceOptions options = { 0 };
  g_autoptr (GError) error = NULL;
  const char *actual;

  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, NULL);
  self->slot = reeve_tls_slot_new (context);
  options.tls = self->slot;
  actual =
      reeve_server_listen (self->server, "ptls:127.0.0.1:0", &options, &error);
  g_assert_no_error (error);
  self->name = g_strdup (actual + 1);
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
  reeve_server_stop (self->server);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  reeve_tls_slot_unref (self->slot);
  g_free (self->name);
}

/* What each side's file makes of the connection. */
typedef struct {
  const char *name;
  const char *certificate; /* (nullable): of the client */
  const char *server;      /* (nullable): its certificate, if not the usual */
  ReeveTlsFlags flags;
  int code; /* 0: it is open */
  const char *text;
} OpenCase;

#define SKIP REEVE_TLS_NO_SANITY

static const OpenCase open_cases[] = {
  { "accepted", "client", NULL, 0, 0, NULL },
  { "no-certificate", NULL, NULL, 0, REEVE_ERROR_AUTH_FAILED,
    "does not accept the certificate of this client: there is none" },
  { "other-ca", "stranger", NULL, SKIP, REEVE_ERROR_AUTH_FAILED,
    "it is not signed by a CA that the server trusts" },
  { "expired", "old", NULL, SKIP, REEVE_ERROR_AUTH_FAILED, "it expired" },
  { "own-file-is-expired", "old", NULL, 0, REEVE_ERROR_INVALID_ARG,
    "clientcert.pem: the certificate expired" },
  { "early", "early", NULL, SKIP, REEVE_ERROR_AUTH_FAILED,
    "it is not valid yet" },
  { "revoked", "gone", NULL, 0, REEVE_ERROR_AUTH_FAILED, "it was revoked" },
  { "server-as-client", "server", NULL, SKIP, REEVE_ERROR_AUTH_FAILED,
    "it is too weak, or not meant for clients" },
  { "other-host", "client", "elsewhere", 0, REEVE_ERROR_AUTH_FAILED,
    "is not accepted: it is for example.org, and not for 127.0.0.1" },
  { "other-host-that-is-not-verified", "client", "elsewhere",
    REEVE_TLS_NO_VERIFY, 0, NULL },
};

static ReeveStream *
open_stream (const char *name,
             const char *pki,
             ReeveTlsFlags flags,
             GError **error)
{
  const ReeveTlsClientOptions options = { .pki_path = pki, .flags = flags };

  return reeve_tls_client_open (
      name, &options, g_get_monotonic_time () + PATIENCE_US, NULL, error);
}

static void
set_certificate (Fixture *self, const char *name)
{
  g_autoptr (ReeveTlsContext) context =
      tls_fixture_make_context (REEVE_TLS_SERVER, name, 0);

  reeve_tls_slot_set_context (self->slot, context);
}

static void
test_open (Fixture *self, gconstpointer data)
{
  const OpenCase *row = data;
  char *pki = make_pki (row->certificate);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveStream) stream = NULL;

  if (row->server != NULL)
    set_certificate (self, row->server);
  stream = open_stream (self->name, pki, row->flags, &error);
  if (row->code == 0) {
    g_assert_no_error (error);
    g_assert_nonnull (stream);
  } else {
    g_assert_error (error, REEVE_ERROR, row->code);
    if (strstr (error->message, row->text) == NULL)
      g_error ("“%s” is not in “%s”", row->text, error->message);
  }
  remove_pki (pki);
}

static void
test_server_without_certificate (Fixture *self, gconstpointer data)
{
  char *pki = make_pki ("client");
  g_autoptr (GError) error = NULL;

  reeve_tls_slot_set_context (self->slot, NULL);
  g_assert_null (open_stream (self->name, pki, 0, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_NO_CONNECT);
  remove_pki (pki);
}

/* -------------------------------------------------- peers that say nothing */

/* A socket of which nobody takes a connection. */
static ReevePStream *
listen_and_wait (char **name)
{
  ReevePStream *pstream =
      reeve_pstream_open ("ptcp:127.0.0.1:0", 0600, (gid_t) -1, NULL);

  *name = g_strdup_printf ("tls:127.0.0.1%s",
                           strrchr (reeve_pstream_get_name (pstream), ':'));
  return pstream;
}

static void
test_silence (void)
{
  g_autofree char *name = NULL;
  g_autoptr (ReevePStream) pstream = listen_and_wait (&name);
  char *pki = make_pki ("client");
  const ReeveTlsClientOptions options = { .pki_path = pki };
  gint64 start_us = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (pstream);
  g_assert_null (
      reeve_tls_client_open (name, &options, start_us + 100000, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT);
  g_assert_cmpint (g_get_monotonic_time () - start_us, >=, 100000);
  remove_pki (pki);
}

static void *
cancel_soon (void *data)
{
  g_usleep (50000);
  g_cancellable_cancel (data);
  return NULL;
}

static void
test_cancel (void)
{
  g_autofree char *name = NULL;
  g_autoptr (ReevePStream) pstream = listen_and_wait (&name);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  char *pki = make_pki ("client");
  const ReeveTlsClientOptions options = { .pki_path = pki };
  g_autoptr (GError) error = NULL;
  pthread_t thread;

  g_assert_nonnull (pstream);
  /* It is made here, where ThreadSanitizer sees that the thread comes later. */
  g_assert_cmpint (g_cancellable_get_fd (cancellable), >=, 0);
  pthread_create (&thread, NULL, cancel_soon, cancellable);
  g_assert_null (reeve_tls_client_open (name, &options,
                                        g_get_monotonic_time () + PATIENCE_US,
                                        cancellable, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_ABORTED);
  pthread_join (thread, NULL);
  g_cancellable_release_fd (cancellable);
  remove_pki (pki);
}

/* --------------------------------------------------------------- files --- */

static void
test_files (void)
{
  char *pki = make_pki ("client");
  g_autofree char *key = g_build_filename (pki, "clientkey.pem", NULL);
  g_auto (ReeveTlsClientFiles) files = { 0 };
  g_auto (ReeveTlsClientFiles) nothing = { 0 };
  g_autoptr (GError) error = NULL;

  reeve_tls_client_files_find (&nothing, "/nonexistent");
  g_assert_cmpstr (nothing.ca, ==, "/nonexistent/cacert.pem");
  g_assert_null (nothing.certificate);

  reeve_tls_client_files_find (&files, pki);
  g_assert_true (g_str_has_prefix (files.ca, pki));
  g_assert_true (g_str_has_prefix (files.certificate, pki));
  g_assert_cmpstr (files.key, ==, key);
  g_assert_null (files.crl);

  /* One without the other is no "there is none". */
  g_unlink (key);
  g_assert_null (open_stream ("tls:127.0.0.1:1", pki, 0, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
  g_assert_nonnull (strstr (error->message, "clientkey.pem"));
  remove_pki (pki);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  tls_fixture_set_up ();
  tls_fixture_issue_for ("elsewhere", "example.org");
  tls_fixture_issue ("other", REEVE_CERTIFICATE_CA, NULL, -1, 10);
  tls_fixture_issue ("stranger", REEVE_CERTIFICATE_CLIENT, "other", -1, 9);
  tls_fixture_issue ("old", REEVE_CERTIFICATE_CLIENT, "ca", -9, -1);
  tls_fixture_issue ("early", REEVE_CERTIFICATE_CLIENT, "ca", 1, 9);
  tls_fixture_issue ("gone", REEVE_CERTIFICATE_CLIENT, "ca", -1, 9);
  tls_fixture_revoke ("ca", "gone");
  for (size_t i = 0; i < G_N_ELEMENTS (open_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/tls-client/open/", open_cases[i].name, NULL);

    g_test_add (path, Fixture, &open_cases[i], set_up, test_open, tear_down);
  }
  g_test_add ("/rpc/tls-client/open/server-without-certificate", Fixture, NULL,
              set_up, test_server_without_certificate, tear_down);
  g_test_add_func ("/rpc/tls-client/silence", test_silence);
  g_test_add_func ("/rpc/tls-client/cancel", test_cancel);
  g_test_add_func ("/rpc/tls-client/files", test_files);
  status = g_test_run ();
  tls_fixture_tear_down ();
  return status;
}
