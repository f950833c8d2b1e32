/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tls-fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define DAY_S (24 * 60 * 60)

static char *folder;
static GPtrArray *paths; /* (element-type utf8) (owned) */

const char *
tls_fixture_get_path (const char *name, const char *suffix)
{
  char *path = g_strdup_printf ("%s/%s%s", folder, name, suffix);

  g_ptr_array_add (paths, path);
  return path;
}

static void
issue (const char *name,
       ReeveCertificateKind kind,
       const char *const *hosts,
       const char *ca,
       int start_days,
       int end_days)
{
  g_autofree char *distinguished = g_strdup_printf ("C=GB,O=Acme,CN=%s", name);
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  g_autoptr (GError) error = NULL;
  const ReeveCertificateRequest request = {
    .kind = kind,
    .key_kind = REEVE_KEY_ECDSA,
    .name = distinguished,
    .hosts = hosts,
    .start = now + start_days * DAY_S,
    .end = now + end_days * DAY_S,
    .ca = ca == NULL ? NULL : tls_fixture_get_path (ca, ".pem"),
    .ca_key = ca == NULL ? NULL : tls_fixture_get_path (ca, ".key"),
    .certificate = tls_fixture_get_path (name, ".pem"),
    .key = tls_fixture_get_path (name, ".key"),
  };

  reeve_tls_issue (&request, &error);
  g_assert_no_error (error);
}

void
tls_fixture_issue (const char *name,
                   ReeveCertificateKind kind,
                   const char *ca,
                   int start_days,
                   int end_days)
{
  static const char *const hosts[] = { "localhost", "127.0.0.1", NULL };

  issue (name, kind, kind == REEVE_CERTIFICATE_SERVER ? hosts : NULL, ca,
         start_days, end_days);
}

void
tls_fixture_issue_for (const char *name, const char *host)
{
  issue (name, REEVE_CERTIFICATE_SERVER, (const char *const[]){ host, NULL },
         "ca", -1, 9);
}

void
tls_fixture_revoke (const char *ca, const char *name)
{
  g_autoptr (GError) error = NULL;

  reeve_tls_revoke (tls_fixture_get_path (ca, ".pem"),
                    tls_fixture_get_path (ca, ".key"),
                    tls_fixture_get_path (ca, ".crl"),
                    tls_fixture_get_path (name, ".pem"), &error);
  g_assert_no_error (error);
}

void
tls_fixture_set_up (void)
{
  folder = g_dir_make_tmp ("reeve-tls-XXXXXX", NULL);
  g_assert_nonnull (folder);
  paths = g_ptr_array_new_with_free_func (g_free);
  tls_fixture_issue ("ca", REEVE_CERTIFICATE_CA, NULL, -1, 10);
  tls_fixture_issue ("server", REEVE_CERTIFICATE_SERVER, "ca", -1, 9);
  tls_fixture_issue ("client", REEVE_CERTIFICATE_CLIENT, "ca", -1, 9);
}

void
tls_fixture_tear_down (void)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    g_unlink (tls_fixture_get_path (name, ""));
  g_rmdir (folder);
  g_clear_pointer (&folder, g_free);
  g_clear_pointer (&paths, g_ptr_array_unref);
}

ReeveTlsContext *
tls_fixture_make_context (ReeveTlsSide side,
                          const char *name,
                          ReeveTlsFlags flags)
{
  const char *crl = tls_fixture_get_path ("ca", ".crl");
  const ReeveTlsSettings settings = {
    .certificate = name == NULL ? NULL : tls_fixture_get_path (name, ".pem"),
    .key = name == NULL ? NULL : tls_fixture_get_path (name, ".key"),
    .ca = tls_fixture_get_path ("ca", ".pem"),
    .crl = g_file_test (crl, G_FILE_TEST_EXISTS) ? crl : NULL,
    .flags = flags,
  };
  g_autoptr (GError) error = NULL;
  ReeveTlsContext *context = reeve_tls_context_new (side, &settings, &error);

  g_assert_no_error (error);
  return context;
}

/* ---------------------------------------------------------------- pair --- */

void
tls_pair_init (TlsPair *self,
               ReeveTlsContext *client,
               ReeveTlsContext *server,
               const char *host)
{
  *self = (TlsPair){ 0 };
  g_assert_no_errno (
      socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->fds));
  self->sessions[0] = reeve_tls_session_new (client, host);
  self->sessions[1] = reeve_tls_session_new (server, NULL);
}

static void
step (TlsPair *self, int side)
{
  ReeveTlsSession *session = self->sessions[side];
  int fd = self->fds[side];

  if (self->progress[side] != REEVE_TLS_HANDSHAKE_WAITS)
    return;

  if (reeve_tls_session_fill (session, fd) < 0)
    g_assert_cmpint (errno, ==, EAGAIN);
  self->progress[side] =
      reeve_tls_session_handshake (session, &self->why[side]);
  reeve_tls_session_flush (session, fd);
}

void
tls_pair_handshake (TlsPair *self)
{
  for (int turn = 0; turn < 20; turn++)
    step (self, turn % 2);
}

void
tls_pair_clear (TlsPair *self)
{
  for (int side = 0; side < 2; side++) {
    reeve_tls_session_unref (self->sessions[side]);
    g_free (self->why[side]);
    close (self->fds[side]);
  }
}
