/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/uri.h"

#include "rpc/error.h"

typedef struct {
  const char *name;
  const char *uri;
  const char *stream; /* NULL: it is refused */
  const char *asked;  /* what connect_open is given */
} UriCase;

static const UriCase uri_cases[] = {
  { "socket", "qemu+unix:///system?socket=/tmp/a", "unix:/tmp/a",
    "qemu:///system" },
  { "socket-without-transport", "qemu:///system?socket=/tmp/a", "unix:/tmp/a",
    "qemu:///system" },
  { "names-are-case-insensitive", "qemu:///system?SOCKET=/tmp/a", "unix:/tmp/a",
    "qemu:///system" },
  { "escaped-socket", "qemu:///system?socket=/tmp/a%20b", "unix:/tmp/a b",
    "qemu:///system" },
  { "foreign-parameters-are-kept", "test:///default?a=b&socket=/s&c=d%26",
    "unix:/s", "test:///default?a=b&c=d%26" },
  { "chosen-name", "qemu:///system?socket=/s&name=test:///default", "unix:/s",
    "test:///default" },
  { "tcp", "qemu+tcp://host/system", "tcp:host:16509", "qemu:///system" },
  { "tcp-port", "qemu+tcp://host:7/system", "tcp:host:7", "qemu:///system" },
  { "tcp-v6", "qemu+tcp://[::1]:7/system", "tcp:[::1]:7", "qemu:///system" },
  { "tcp-without-host", "qemu+tcp:///system", "tcp:localhost:16509",
    "qemu:///system" },
  { "tls", "qemu+tls://host/system", "tls:host:16514", "qemu:///system" },
  { "host-alone-is-tls", "qemu://host/system", "tls:host:16514",
    "qemu:///system" },
  { "tls-port", "qemu+tls://[::1]:7/system", "tls:[::1]:7", "qemu:///system" },
  { "tls-without-host", "qemu+tls:///system", "tls:localhost:16514",
    "qemu:///system" },
  { "tls-parameters-are-ours", "qemu+tls://host/system?pkipath=/p&no_verify=1",
    "tls:host:16514", "qemu:///system" },
  { "remote-asks-for-nothing", "remote+tcp://host/", "tcp:host:16509", "" },
  { "ext", "qemu+ext:///system?command=/bin/my%20nc", "exec:exec '/bin/my nc'",
    "qemu:///system" },
  { "stream-unix", "unix:/tmp/a", "unix:/tmp/a", "" },
  { "stream-tcp", "tcp:[::1]:5", "tcp:[::1]:5", "" },
  { "stream-tls", "tls:host", "tls:host:16514", "" },
  { "stream-ssl", "ssl:host:7", "tls:host:7", "" },
  { "stream-without-port", "tcp:host", "tcp:host:16509", "" },
  { "stream-abstract", "unix:@a", "unix:@a", "" },
  { "stream-without-host", "tcp::5", NULL, NULL },
  { "stream-to-listen-at", "punix:/tmp/a", NULL, NULL },
  { "stream-exec", "exec:nc a 5", "exec:nc a 5", "" },
  { "authentication-is-ours", "qemu+tcp://a@host/?auth=sasl.X&authfile=/f",
    "tcp:host:16509", "qemu:///" },
  { "unknown-authentication", "qemu+tcp://host/?auth=none", NULL, NULL },
  { "unix-with-host", "qemu+unix://host/system", NULL, NULL },
  { "ext-without-command", "qemu+ext:///system", NULL, NULL },
  { "ssh-without-host", "qemu+ssh:///system", NULL, NULL },
  { "unknown-transport", "qemu+smoke://host/system", NULL, NULL },
  { "port-too-big", "qemu+tcp://host:65536/system", NULL, NULL },
  { "no-uri", "nonsense", NULL, NULL },
  { "empty", "", NULL, NULL },
  { "parameter-without-value", "qemu:///system?socket", NULL, NULL },
  { "broken-escape", "qemu:///system?socket=%zz", NULL, NULL },
};

static void
test_uri (gconstpointer data)
{
  const UriCase *row = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveUri) uri = reeve_uri_parse (row->uri, FALSE, &error);

  if (row->stream == NULL) {
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
    g_assert_nonnull (g_strrstr (error->message, row->uri));
    g_assert_null (uri);
    return;
  }

  g_assert_no_error (error);
  g_assert_cmpstr (uri->stream, ==, row->stream);
  g_assert_cmpstr (uri->name, ==, row->asked);
}

/* What a host, a user or a key file is called does not get to the shell. */
static void
test_ssh_quotes (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveUri) uri = reeve_uri_parse (
      "qemu+ssh://me%3Bid@host:22/system?keyfile=/k%27%3Bid&socket=/s", FALSE,
      &error);
  g_auto (GStrv) words = NULL;
  int n_words;

  g_assert_no_error (error);
  g_assert_true (g_str_has_prefix (uri->stream, "exec:exec "));
  g_assert_true (g_shell_parse_argv (uri->stream + 5, &n_words, &words, NULL));
  g_assert_cmpstr (words[1], ==, "ssh");
  g_assert_true (g_strv_contains ((const char *const *) words, "me;id"));
  g_assert_true (g_strv_contains ((const char *const *) words, "host"));
  g_assert_true (g_strv_contains ((const char *const *) words, "--"));
}

static void
test_tls (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveUri) uri = reeve_uri_parse (
      "qemu+tls://host/system?pkipath=/p%20q&no_verify=1&no_sanity=0&"
      "tls_priority=NORMAL:-VERS-ALL:%2BVERS-TLS1.2",
      FALSE, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (uri->pki_path, ==, "/p q");
  g_assert_cmpstr (uri->tls_priority, ==, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
  g_assert_cmpint (uri->tls_flags, ==, REEVE_TLS_NO_VERIFY);
}

static void
test_default (void)
{
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *own = NULL;

  g_setenv ("LIBVIRT_DEFAULT_URI", "b:///", TRUE);
  second = reeve_uri_get_default (FALSE);
  g_assert_cmpstr (second, ==, "b:///");
  g_setenv ("REEVE_URI", "a:///", TRUE);
  first = reeve_uri_get_default (FALSE);
  g_assert_cmpstr (first, ==, "a:///");
  g_unsetenv ("REEVE_URI");
  g_unsetenv ("LIBVIRT_DEFAULT_URI");
  own = reeve_uri_get_default (TRUE);
  g_assert_true (g_str_has_prefix (own, "unix:/"));
  g_assert_true (g_str_has_suffix (own, "/reeved-ro.sock"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (uri_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/client/uri/parse/", uri_cases[i].name, NULL);

    g_test_add_data_func (path, &uri_cases[i], test_uri);
  }
  g_test_add_func ("/client/uri/ssh/quotes", test_ssh_quotes);
  g_test_add_func ("/client/uri/tls", test_tls);
  g_test_add_func ("/client/uri/default", test_default);
  return g_test_run ();
}
