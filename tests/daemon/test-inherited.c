/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/inherited.h"

#include "event/fd.h"
#include "rpc/error.h"
#include "rpc/stream.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ------------------------------------------------------------- sockets --- */

typedef enum {
  SOCKET_UNIX,
  SOCKET_INET,
  SOCKET_DEAF, /* does not listen */
  SOCKET_DATAGRAM,
  SOCKET_NONE,    /* a file */
  SOCKET_EARLIER, /* the one before it, by another number */
} SocketKind;

/* The kernel chooses an address. */
static int
make_socket (SocketKind kind, int earlier)
{
  int type = kind == SOCKET_DATAGRAM ? SOCK_DGRAM : SOCK_STREAM;
  int fd;

  if (kind == SOCKET_NONE)
    return open ("/dev/null", O_RDONLY);
  if (kind == SOCKET_EARLIER)
    return dup (earlier);

  fd = socket (kind == SOCKET_INET ? AF_INET : AF_UNIX, type, 0);
  g_assert_cmpint (fd, >=, 0);
  if (kind == SOCKET_UNIX) {
    const struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_assert_cmpint (bind (fd, (const struct sockaddr *) &address,
                           sizeof address.sun_family),
                     ==, 0);
  }
  if (kind == SOCKET_UNIX || kind == SOCKET_INET)
    g_assert_cmpint (listen (fd, 1), ==, 0);
  return fd;
}

typedef struct {
  const char *label;
  struct {
    const char *name;
    SocketKind kind;
  } sockets[3];
  const char *words; /* (nullable): of the error for the last one */
} AddCase;

static const AddCase add_cases[] = {
  { "takes-one", { { "rw", SOCKET_UNIX } }, NULL },
  { "takes-each-of-its-name",
    { { "rw", SOCKET_UNIX }, { "ro", SOCKET_UNIX }, { "admin", SOCKET_UNIX } },
    NULL },
  { "takes-several-of-the-network",
    { { "tcp", SOCKET_INET }, { "tcp", SOCKET_INET }, { "tls", SOCKET_INET } },
    NULL },
  { "takes-the-name-of-a-stream",
    { { "ptcp:127.0.0.1:0", SOCKET_INET } },
    NULL },
  { "takes-a-number-of-any-family",
    { { "pfd:3", SOCKET_INET }, { "pfd:4", SOCKET_UNIX } },
    NULL },
  { "takes-the-same-socket-once",
    { { "rw", SOCKET_UNIX }, { "rw", SOCKET_EARLIER } },
    NULL },
  { "refuses-an-unknown-name",
    { { "unknown", SOCKET_UNIX } },
    "“unknown”, which is none of rw, ro, admin, tcp and tls" },
  { "refuses-an-empty-name", { { "", SOCKET_UNIX } }, "which is none of" },
  { "refuses-a-doubled-name",
    { { "ro", SOCKET_UNIX }, { "ro", SOCKET_UNIX } },
    "two sockets were handed over with the name “ro”" },
  { "refuses-what-does-not-listen",
    { { "rw", SOCKET_DEAF } },
    "“rw” is not a stream socket that listens" },
  { "refuses-datagrams", { { "rw", SOCKET_DATAGRAM } }, "not a stream socket" },
  { "refuses-a-file", { { "rw", SOCKET_NONE } }, "not a stream socket" },
  { "refuses-a-network-socket-as-rw",
    { { "rw", SOCKET_INET } },
    "“rw” is not a unix socket" },
  { "refuses-a-unix-socket-as-tcp",
    { { "tcp", SOCKET_UNIX } },
    "“tcp” is a unix socket" },
};

static void
test_add (gconstpointer data)
{
  const AddCase *row = data;
  g_autoptr (ReeveInherited) inherited = reeve_inherited_new ();
  int fd = -1;

  for (size_t i = 0; i < G_N_ELEMENTS (row->sockets); i++) {
    gboolean is_last = i + 1 == G_N_ELEMENTS (row->sockets) ||
                       row->sockets[i + 1].name == NULL;
    g_autoptr (GError) error = NULL;
    int flags;

    fd = make_socket (row->sockets[i].kind, fd);
    reeve_inherited_add (inherited, row->sockets[i].name, fd, TRUE, &error);
    if (is_last && row->words != NULL) {
      g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
      g_assert_nonnull (strstr (error->message, row->words));
      g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
      return;
    }
    g_assert_no_error (error);
    if (row->sockets[i].kind == SOCKET_EARLIER) {
      g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
      return;
    }
    flags = fcntl (fd, F_GETFL);
    g_assert_cmpint (flags & O_NONBLOCK, !=, 0);
    g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
    if (is_last)
      return;
  }
}

static void
test_limit (void)
{
  g_autoptr (ReeveInherited) inherited = reeve_inherited_new ();
  g_autoptr (GError) error = NULL;

  for (int i = 0; i < REEVE_INHERITED_MAX; i++)
    g_assert_true (reeve_inherited_add (
        inherited, "tcp", make_socket (SOCKET_INET, -1), FALSE, NULL));
  g_assert_false (reeve_inherited_add (
      inherited, "tcp", make_socket (SOCKET_INET, -1), FALSE, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT);
}

static void
test_steal (void)
{
  ReeveInherited *inherited = reeve_inherited_new ();
  int first = make_socket (SOCKET_INET, -1);
  int second = make_socket (SOCKET_INET, -1);
  gboolean owns_path;

  reeve_inherited_add (inherited, "tcp", first, TRUE, NULL);
  reeve_inherited_add (inherited, "tcp", second, FALSE, NULL);
  g_assert_true (reeve_inherited_has (inherited, "tcp"));
  g_assert_cmpint (reeve_inherited_steal (inherited, "tls", &owns_path), ==,
                   -1);
  g_assert_cmpint (reeve_inherited_steal (inherited, "tcp", &owns_path), ==,
                   first);
  g_assert_true (owns_path);
  g_assert_cmpstr (reeve_inherited_get_first (inherited), ==, "tcp");
  reeve_inherited_free (inherited);
  g_assert_cmpint (fcntl (second, F_GETFD), ==, -1);
  reeve_fd_clear (&first);
}

/* --------------------------------------------------------- environment --- */

typedef struct {
  const char *label;
  const char *pid; /* (nullable): ours */
  const char *count;
  const char *names;
  const char *first; /* (nullable): that is there then */
  const char *words; /* (nullable): of the error */
} EnvironmentCase;

/* Number 3 is a unix socket that listens. */
static const EnvironmentCase environment_cases[] = {
  { "takes-what-is-for-us", NULL, "1", "rw", "rw", NULL },
  { "leaves-what-is-for-others", "1", "1", "rw", NULL, NULL },
  { "leaves-what-is-for-nobody", "", "1", "rw", NULL, NULL },
  { "leaves-what-is-for-no-number", "1x", "1", "rw", NULL, NULL },
  { "takes-none", NULL, "0", "", NULL, NULL },
  { "unescapes-names", NULL, "1", "punix%3A/x", "punix:/x", NULL },
  { "refuses-too-few-names", NULL, "1", "", NULL, "has 0 names" },
  { "refuses-too-many-names", NULL, "1", "rw:ro", NULL, "has 2 names" },
  { "refuses-a-name-that-is-none", NULL, "1", "r%w", NULL, "“r%w”" },
  { "refuses-a-closed-file", NULL, "2", "rw:ro", NULL, "“ro” is not" },
  { "refuses-a-number-that-is-none", NULL, "x", "rw", NULL, "“x”, not" },
  { "refuses-a-negative-number", NULL, "-1", "rw", NULL, "“-1”, not" },
  { "refuses-a-huge-number", NULL, "4294967297", "rw", NULL, "not a number" },
};

static void
set_environment (const EnvironmentCase *row)
{
  g_autofree char *pid = g_strdup_printf ("%d", (int) getpid ());

  g_setenv ("LISTEN_PID", row->pid != NULL ? row->pid : pid, TRUE);
  g_setenv ("LISTEN_FDS", row->count, TRUE);
  g_setenv ("LISTEN_FDNAMES", row->names, TRUE);
}

/* In a process of its own, for its number 3. */
static void
test_environment (gconstpointer data)
{
  const EnvironmentCase *row = data;
  g_autoptr (ReeveInherited) inherited = reeve_inherited_new ();
  g_autoptr (GError) error = NULL;
  int fd;

  if (!g_test_subprocess ()) {
    g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed ();
    return;
  }

  fd = make_socket (SOCKET_UNIX, -1);
  g_assert_cmpint (dup2 (fd, 3), ==, 3);
  close (4);
  set_environment (row);
  reeve_inherited_take_environment (inherited, &error);
  if (row->words != NULL) {
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
    g_assert_nonnull (strstr (error->message, row->words));
  } else {
    g_assert_no_error (error);
    g_assert_cmpstr (reeve_inherited_get_first (inherited), ==, row->first);
  }
  g_assert_null (g_getenv ("LISTEN_PID"));
  g_assert_null (g_getenv ("LISTEN_FDS"));
  g_assert_null (g_getenv ("LISTEN_FDNAMES"));
}

/* -------------------------------------------------------------- streams --- */

static void
test_owns_path (void)
{
  g_autofree char *folder = g_dir_make_tmp ("reeve-inherited-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "x.sock", NULL);
  g_autofree char *name = g_strconcat ("punix:", path, NULL);

  for (int owns_path = 0; owns_path < 2; owns_path++) {
    ReevePStream *first = reeve_pstream_open (name, 0600, (gid_t) -1, NULL);
    ReevePStream *second = reeve_pstream_new_for_fd (
        dup (reeve_pstream_get_fd (first)), FALSE, owns_path, NULL);

    g_assert_cmpstr (reeve_pstream_get_name (second), ==, name);
    g_assert_true (reeve_pstream_is_unix (second));
    reeve_pstream_disown (first);
    reeve_pstream_free (first);
    g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
    reeve_pstream_free (second);
    g_assert_cmpint (g_file_test (path, G_FILE_TEST_EXISTS), ==, !owns_path);
  }
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static void
test_escape (void)
{
  g_autofree char *escaped = reeve_inherited_escape ("ptcp:[::1]:16509 ä\n");

  g_assert_cmpstr (escaped, ==, "ptcp%3A[%3A%3A1]%3A16509%20%C3%A4%0A");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (add_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/daemon/inherited/add/", add_cases[i].label, NULL);

    g_test_add_data_func (path, &add_cases[i], test_add);
  }
  g_test_add_func ("/daemon/inherited/add/is-bounded", test_limit);
  g_test_add_func ("/daemon/inherited/steal/in-their-order", test_steal);
  for (size_t i = 0; i < G_N_ELEMENTS (environment_cases); i++) {
    g_autofree char *path = g_strconcat ("/daemon/inherited/environment/",
                                         environment_cases[i].label, NULL);

    g_test_add_data_func (path, &environment_cases[i], test_environment);
  }
  g_test_add_func ("/daemon/inherited/stream/removes-a-file-that-is-ours",
                   test_owns_path);
  g_test_add_func ("/daemon/inherited/escape/leaves-no-colon", test_escape);
  return g_test_run ();
}
