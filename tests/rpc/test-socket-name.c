/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/socket-name.h"

#include "rpc/error.h"
#include "rpc/stream.h"

#include <string.h>
#include <unistd.h>

#define SECONDS(n) (g_get_monotonic_time () + (n) *G_USEC_PER_SEC)

/* 107 bytes are the most that a socket's path may have. */
#define TEN "0123456789"
#define PATH_106 "/" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "abcde"

typedef struct {
  const char *name;
  const char *text;
  /* as it is written; of one that is refused, a part of the reason */
  const char *result;
} NameCase;

static const NameCase active_cases[] = {
  { "unix", "unix:/tmp/a", "unix:/tmp/a" },
  { "unix-relative", "unix:a/b", "unix:a/b" },
  { "unix-with-colons", "unix:/a:b:c", "unix:/a:b:c" },
  { "unix-with-brackets", "unix:[a", "unix:[a" },
  { "unix-abstract", "unix:@a", "unix:@a" },
  { "unix-file-with-at", "unix:./@a", "unix:./@a" },
  { "unix-longest", "unix:" PATH_106 "f", "unix:" PATH_106 "f" },
  { "unix-abstract-longest", "unix:@" PATH_106 "f", "unix:@" PATH_106 "f" },
  { "tcp", "tcp:127.0.0.1:6640", "tcp:127.0.0.1:6640" },
  { "tcp-host", "tcp:db.example.org:1", "tcp:db.example.org:1" },
  { "tcp-v6", "tcp:[::1]:6640", "tcp:[::1]:6640" },
  { "tcp-v6-scope", "tcp:[fe80::1%lo]:6640", "tcp:[fe80::1%lo]:6640" },
  { "tcp-v6-mapped", "tcp:[::ffff:1.2.3.4]:1", "tcp:[::ffff:1.2.3.4]:1" },
  { "tcp-without-port", "tcp:127.0.0.1", "tcp:127.0.0.1:16509" },
  { "tcp-v6-without-port", "tcp:[::1]", "tcp:[::1]:16509" },
  { "tcp-empty-port", "tcp:127.0.0.1:", "tcp:127.0.0.1:16509" },
  { "tcp-v6-empty-port", "tcp:[::1]:", "tcp:[::1]:16509" },
  { "tcp-last-port", "tcp:a:65535", "tcp:a:65535" },
  { "tcp-leading-zeros", "tcp:a:00080", "tcp:a:80" },
  { "tls", "tls:a:7", "tls:a:7" },
  { "tls-without-port", "tls:a", "tls:a:16514" },
  { "ssl-is-tls", "ssl:[::1]:7", "tls:[::1]:7" },
  { "fd", "fd:7", "fd:7" },
  { "exec", "exec:nc a:b 'c", "exec:nc a:b 'c" },
};

static const NameCase active_refusals[] = {
  { "empty", "", "a stream is" },
  { "no-colon", "unix", "a stream is" },
  { "unknown", "udp:a:1", "a stream is" },
  { "upper-case", "TCP:a:1", "a stream is" },
  { "prefix-of-a-scheme", "un:/a", "a stream is" },
  { "longer-than-a-scheme", "unixx:/a", "a stream is" },
  { "space", " tcp:a:1", "a stream is" },
  { "listener", "ptcp:1", "a stream is" },
  { "unix-empty", "unix:", "path is missing" },
  { "unix-abstract-empty", "unix:@", "path is missing" },
  { "unix-too-long", "unix:" PATH_106 "fg", "may have 107" },
  { "unix-abstract-too-long", "unix:@" PATH_106 "fg", "may have 108" },
  { "tcp-empty", "tcp:", "host is missing" },
  { "tcp-port-alone", "tcp:6640", "host is missing" },
  { "tcp-empty-host", "tcp::6640", "host is missing" },
  { "tcp-ovs-order-is-of-listeners", "tcp:6640:a", "a port is" },
  { "tcp-port-0", "tcp:a:0", "port 0" },
  { "tcp-port-too-big", "tcp:a:65536", "a port is" },
  { "tcp-port-wraps", "tcp:a:18446744073709551617", "a port is" },
  { "tcp-port-negative", "tcp:a:-1", "a port is" },
  { "tcp-port-signed", "tcp:a:+1", "a port is" },
  { "tcp-port-space", "tcp:a: 1", "a port is" },
  { "tcp-port-name", "tcp:a:http", "a port is" },
  { "tcp-port-hex", "tcp:a:0x10", "a port is" },
  { "tcp-v6-bare", "tcp:::1", "IPv6 address stands in brackets" },
  { "tcp-v6-bare-port", "tcp:::1:6640", "IPv6 address stands in brackets" },
  { "tcp-v6-bare-full", "tcp:fe80:1::2", "IPv6 address stands in brackets" },
  { "tcp-open-bracket", "tcp:[::1", "not closed" },
  { "tcp-open-bracket-port", "tcp:[::1:6640", "not closed" },
  { "tcp-closed-alone", "tcp:::1]:6640", "do not match" },
  { "tcp-brackets-twice", "tcp:[[::1]]:6640", "do not match" },
  { "tcp-behind-bracket", "tcp:[::1]5", "in brackets" },
  { "tcp-before-bracket", "tcp:a[::1]:5", "not the name of a host" },
  { "tcp-bracketed-twice", "tcp:[::1][::2]:5", "in brackets" },
  { "tcp-empty-brackets", "tcp:[]:5", "in brackets" },
  { "tcp-bracketed-name", "tcp:[localhost]:5", "in brackets" },
  { "tcp-bracketed-v4", "tcp:[127.0.0.1]:5", "in brackets" },
  { "tcp-uri", "tcp://a:5", "not the name of a host" },
  { "fd-empty", "fd:", "is a number" },
  { "fd-negative", "fd:-1", "is a number" },
  { "fd-word", "fd:stdin", "is a number" },
  { "fd-beyond-int", "fd:4294967296", "is a number" },
  { "exec-empty", "exec: ", "command is missing" },
};

static const NameCase passive_cases[] = {
  { "unix", "punix:a", "punix:a" },
  { "unix-abstract", "punix:@a", "punix:@a" },
  { "port", "ptcp:6640", "ptcp:6640" },
  { "port-0", "ptcp:0", "ptcp:0" },
  { "ovs-order", "ptcp:6640:127.0.0.1", "ptcp:127.0.0.1:6640" },
  { "ovs-order-v6", "ptcp:6640:[::1]", "ptcp:[::1]:6640" },
  { "ovs-order-port-0", "ptcp:0:localhost", "ptcp:localhost:0" },
  { "ovs-order-empty-host", "ptcp:6640:", "ptcp:6640" },
  { "our-order", "ptcp:127.0.0.1:6640", "ptcp:127.0.0.1:6640" },
  { "our-order-v6", "ptcp:[::]:6640", "ptcp:[::]:6640" },
  { "our-order-empty-host", "ptcp::6640", "ptcp:6640" },
  { "without-port", "ptcp:127.0.0.1", "ptcp:127.0.0.1:16509" },
  { "v6-without-port", "ptcp:[::1]", "ptcp:[::1]:16509" },
  { "nothing", "ptcp:", "ptcp:16509" },
  { "tls-nothing", "ptls:", "ptls:16514" },
  { "tls-host", "ptls:[::1]", "ptls:[::1]:16514" },
  { "pssl-is-ptls", "pssl:7:a", "ptls:a:7" },
  { "fd", "pfd:0", "pfd:0" },
};

static const NameCase passive_refusals[] = {
  { "empty", "", "a listener is" },
  { "p-alone", "p:1", "a listener is" },
  { "stream", "tcp:a:1", "a listener is" },
  { "exec", "pexec:nc", "a listener is" },
  { "unix-empty", "punix:", "path is missing" },
  { "empty-port-is-no-65535", "ptcp::127.0.0.1", "a port is" },
  { "two-numbers", "ptcp:1:2", "two numbers" },
  { "three-parts", "ptcp:1:2:3", "IPv6 address stands in brackets" },
  { "v6-bare", "ptcp:0:::1", "IPv6 address stands in brackets" },
  { "v6-bare-our-order", "ptcp:::1:0", "IPv6 address stands in brackets" },
  { "port-too-big", "ptcp:65536", "a port is" },
  { "port-name", "ptcp:127.0.0.1:http", "a port is" },
  { "open-bracket", "ptls:7:[::1", "not closed" },
  { "fd-empty", "pfd:", "is a number" },
};

static void
check_name (const NameCase *row, gboolean is_passive)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveSocketName) name =
      reeve_socket_name_parse (row->text, is_passive, &error);
  g_autofree char *text = NULL;

  g_assert_no_error (error);
  text = reeve_socket_name_to_string (name);
  g_assert_cmpstr (text, ==, row->result);
}

static void
test_active (gconstpointer data)
{
  check_name (data, FALSE);
}

static void
test_passive (gconstpointer data)
{
  check_name (data, TRUE);
}

static void
check_refusal (const NameCase *row, gboolean is_passive)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (reeve_socket_name_parse (row->text, is_passive, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
  g_test_message ("%s", error->message);
  g_assert_true (g_str_has_prefix (error->message, row->text));
  g_assert_nonnull (strstr (error->message + strlen (row->text), row->result));
}

static void
test_active_refusal (gconstpointer data)
{
  check_refusal (data, FALSE);
}

static void
test_passive_refusal (gconstpointer data)
{
  check_refusal (data, TRUE);
}

static void
test_resolve (void)
{
  static const char *const cases[][2] = {
    { "punix:a/../b", "punix:/run/x/b" },
    { "punix:/a", "punix:/a" },
    { "punix:./@a", "punix:/run/x/@a" },
    { "punix:@a", "punix:@a" },
    { "punix:", "punix:" },
    { "ptcp:1", "ptcp:1" },
    { "unix:a", "unix:a" },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *text = reeve_socket_name_resolve (cases[i][0], "/run/x");

    g_assert_cmpstr (text, ==, cases[i][1]);
  }
}

/* ---------------------------------------------------------------- opened ---
 */

static ReevePStream *
listen_at (const char *name)
{
  g_autoptr (GError) error = NULL;
  ReevePStream *self = reeve_pstream_open (name, 0600, (gid_t) -1, &error);

  g_assert_no_error (error);
  return self;
}

/* Connects to the name that the listener has; without its "p" that is one. */
static void
check_connects (ReevePStream *listener)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveStream) client = NULL;
  g_autoptr (ReeveStream) server = NULL;

  client = reeve_stream_open (reeve_pstream_get_name (listener) + 1,
                              SECONDS (30), NULL, &error);
  g_assert_no_error (error);
  server = reeve_pstream_accept (listener);
  g_assert_nonnull (server);
}

static void
test_open_ovs_order (void)
{
  g_autoptr (ReevePStream) listener = listen_at ("ptcp:0:127.0.0.1");

  g_assert_true (
      g_str_has_prefix (reeve_pstream_get_name (listener), "ptcp:127.0.0.1:"));
  g_assert_false (reeve_pstream_is_unix (listener));
  check_connects (listener);
}

/* It has no file, and a second listener does not push the first one out. */
static void
test_open_abstract (void)
{
  g_autofree char *name = g_strdup_printf ("punix:@reeve-test-%d", getpid ());
  g_autoptr (ReevePStream) listener = listen_at (name);
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (reeve_pstream_get_name (listener), ==, name);
  g_assert_true (reeve_pstream_is_unix (listener));
  g_assert_false (reeve_pstream_owns_path (listener));
  check_connects (listener);

  g_assert_null (reeve_pstream_open (name, 0600, (gid_t) -1, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
  check_connects (listener);
}

/* Passed on, it keeps the name under which it can be found. */
static void
test_open_abstract_fd (void)
{
  g_autofree char *name = g_strdup_printf ("punix:@reeve-fd-%d", getpid ());
  g_autoptr (ReevePStream) listener = listen_at (name);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReevePStream) second = reeve_pstream_new_for_fd (
      dup (reeve_pstream_get_fd (listener)), FALSE, TRUE, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (reeve_pstream_get_name (second), ==, name);
  g_assert_false (reeve_pstream_owns_path (second));
}

static void
test_open_closed_fd (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (reeve_stream_open ("fd:1000000", SECONDS (1), NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
  g_clear_error (&error);
  g_assert_null (reeve_pstream_open ("pfd:1000000", 0, (gid_t) -1, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
}

static void
add_cases (const char *folder,
           const NameCase *cases,
           size_t n_cases,
           GTestDataFunc func)
{
  for (size_t i = 0; i < n_cases; i++) {
    g_autofree char *path =
        g_strdup_printf ("/rpc/socket-name/%s/%s", folder, cases[i].name);

    g_test_add_data_func (path, &cases[i], func);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_cases ("active", active_cases, G_N_ELEMENTS (active_cases), test_active);
  add_cases ("active-refuses", active_refusals, G_N_ELEMENTS (active_refusals),
             test_active_refusal);
  add_cases ("passive", passive_cases, G_N_ELEMENTS (passive_cases),
             test_passive);
  add_cases ("passive-refuses", passive_refusals,
             G_N_ELEMENTS (passive_refusals), test_passive_refusal);
  g_test_add_func ("/rpc/socket-name/relative-paths", test_resolve);
  g_test_add_func ("/rpc/socket-name/open/ovs-order", test_open_ovs_order);
  g_test_add_func ("/rpc/socket-name/open/abstract", test_open_abstract);
  g_test_add_func ("/rpc/socket-name/open/abstract-fd", test_open_abstract_fd);
  g_test_add_func ("/rpc/socket-name/open/closed-fd", test_open_closed_fd);
  return g_test_run ();
}
