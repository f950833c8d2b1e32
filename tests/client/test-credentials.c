/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/credentials.h"

#include "rpc/error.h"

#include <glib/gstdio.h>

typedef struct {
  const char *name;
  const char *text; /* NULL: there is no file */
  const char *user;
  const char *password;
  int code; /* of the error; 0: none */
} CredentialsCase;

#define OF_ALICE "[credentials-a]\nauthname=alice\npassword=won\\der=land\n"

static const CredentialsCase cases[] = {
  { "of-the-host", OF_ALICE "[auth-libvirt-host.test]\ncredentials=a\n",
    "alice", "won\\der=land", 0 },
  { "of-any-host", OF_ALICE "[auth-libvirt-default]\ncredentials=a\n", "alice",
    "won\\der=land", 0 },
  { "host-comes-first",
    OF_ALICE "[credentials-b]\nauthname=bob\n"
             "[auth-libvirt-default]\ncredentials=b\n"
             "[auth-libvirt-host.test]\ncredentials=a\n",
    "alice", "won\\der=land", 0 },
  { "of-another-host", OF_ALICE "[auth-libvirt-other]\ncredentials=a\n", NULL,
    NULL, 0 },
  { "empty", "", NULL, NULL, 0 },
  { "no-such-group", "[auth-libvirt-default]\ncredentials=a\n", NULL, NULL,
    REEVE_ERROR_CONFIG_SYNTAX },
  { "no-key-file", "alice:wonderland\n", NULL, NULL,
    REEVE_ERROR_CONFIG_SYNTAX },
  { "chosen-and-not-there", NULL, NULL, NULL, REEVE_ERROR_SYSTEM },
};

static void
test_load (gconstpointer data)
{
  const CredentialsCase *row = data;
  g_autofree char *folder = g_dir_make_tmp ("reeve-auth-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "auth.conf", NULL);
  g_auto (ReeveCredentials) self = { 0 };
  g_autoptr (GError) error = NULL;

  if (row->text != NULL)
    g_file_set_contents (path, row->text, -1, &error);
  g_assert_no_error (error);
  g_assert_cmpint (reeve_credentials_load (&self, path, "host.test", &error),
                   ==, row->code == 0);
  if (row->code != 0)
    g_assert_error (error, REEVE_ERROR, row->code);
  g_assert_cmpstr (self.name, ==, row->user);
  g_assert_cmpstr (self.password, ==, row->password);
  g_unlink (path);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_unsetenv ("LIBVIRT_AUTH_FILE");
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path =
        g_strconcat ("/client/credentials/load/", cases[i].name, NULL);

    g_test_add_data_func (path, &cases[i], test_load);
  }
  return g_test_run ();
}
