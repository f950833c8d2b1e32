/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc-server.h"

#include "nothing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <reeve/reeve.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define N_ROWS 100

static gboolean
do_nothing (ReeveCall *call, GError **error)
{
  return TRUE;
}

static gboolean
list (ReeveCall *call, nothing_rows *ret, GError **error)
{
  ret->rows.n_items = N_ROWS;
  ret->rows.items = g_new0 (nothing_row, N_ROWS);
  for (int i = 0; i < N_ROWS; i++) {
    ret->rows.items[i].name = g_strdup ("machine");
    ret->rows.items[i].id = i;
  }
  return TRUE;
}

static gboolean
give_back (ReeveCall *call,
           const nothing_row *args,
           nothing_row *ret,
           GError **error)
{
  *ret = *args;
  ret->name = g_strdup (args->name);
  return TRUE;
}

static gboolean
echo_bytes (ReeveCall *call,
            const nothing_data *args,
            nothing_data *ret,
            GError **error)
{
  /* The arguments live as long as the call. */
  reeve_call_lend_ret (call, NULL, g_free);
  *ret = *args;
  return TRUE;
}

static gboolean
sleep_ms (ReeveCall *call, const nothing_time *args, GError **error)
{
  g_usleep ((gulong) args->ms * 1000);
  return TRUE;
}

static gboolean
count_heap (ReeveCall *call, nothing_size *ret, GError **error)
{
  struct mallinfo2 heap = mallinfo2 ();

  ret->n_bytes = heap.uordblks + heap.hblkhd;
  return TRUE;
}

static const nothing_handlers handlers = {
  .on_loop = do_nothing,
  .normal = do_nothing,
  .priority = do_nothing,
  .list = list,
  .give_back = give_back,
  .echo = echo_bytes,
  .sleep = sleep_ms,
  .heap = count_heap,
};

/* Returns the port of a name that ends with it. */
static uint16_t
listen_on (ReeveServer *server,
           const char *name,
           const ReeveServiceOptions *options)
{
  g_autoptr (GError) error = NULL;
  const char *used = reeve_server_listen (server, name, options, &error);

  if (used == NULL) {
    g_printerr ("%s\n", error->message);
    _exit (1);
  }
  return (uint16_t) g_ascii_strtoull (strrchr (used, ':') + 1, NULL, 10);
}

/* Clients show no certificate, as with gnutls-serv. */
static uint16_t
listen_with_tls (ReeveServer *server, const char *folder)
{
  g_autofree char *certificate =
      g_build_filename (folder, "servercert.pem", NULL);
  g_autofree char *key = g_build_filename (folder, "serverkey.pem", NULL);
  const ReeveTlsSettings settings = {
    .certificate = certificate,
    .key = key,
    .flags = REEVE_TLS_NO_VERIFY | REEVE_TLS_NO_SANITY,
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveTlsContext) context =
      reeve_tls_context_new (REEVE_TLS_SERVER, &settings, &error);
  g_autoptr (ReeveTlsSlot) slot = reeve_tls_slot_new (context);
  const ReeveServiceOptions options = { .tls = slot };

  if (context == NULL) {
    g_printerr ("%s\n", error->message);
    _exit (1);
  }
  return listen_on (server, "ptls:127.0.0.1:0", &options);
}

static void
add_loops (ReeveServer *server, unsigned n_threads)
{
  g_autoptr (GError) error = NULL;

  if (reeve_server_set_io_threads (server, n_threads, &error))
    return;
  g_printerr ("%s\n", error->message);
  _exit (1);
}

void
serve_reeve (const ServeOptions *options)
{
  static const ReeveServerLimits limits = {
    .max_clients = 20000,
    .max_unauth_clients = REEVE_NO_LIMIT,
  };
  ReeveLoop *loop = reeve_loop_new (NULL);
  ReeveServer *server = reeve_server_new ("bench", loop, &limits);
  g_autofree char *name = g_strconcat ("punix:", options->path, NULL);
  uint16_t tcp_port;
  uint16_t tls_port = 0;

  add_loops (server, options->io_threads);
  reeve_server_add_program (server, &nothing_program, &handlers, NULL);
  listen_on (server, name, NULL);
  tcp_port = listen_on (server, "ptcp:127.0.0.1:0", NULL);
  if (options->tls_folder != NULL)
    tls_port = listen_with_tls (server, options->tls_folder);
  say_ready (options->ready_fd, tcp_port, tls_port);
  reeve_loop_run (loop);
  _exit (0);
}

/* The floor: what comes goes back. */
static void
echo (int fd)
{
  char data[65536];
  ssize_t size = recv (fd, data, sizeof data, MSG_DONTWAIT);

  if (size > 0)
    size = send (fd, data, (size_t) size, MSG_NOSIGNAL);
  if (size == 0 || (size < 0 && errno != EAGAIN))
    close (fd);
}

static void
watch (int epoll_fd, int fd)
{
  struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int
echo_on_unix (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) < 0 ||
      listen (fd, SOMAXCONN) < 0)
    _exit (1);
  return fd;
}

/* Who is accepted has the option of who listens. */
static int
echo_on_tcp (uint16_t *port)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;

  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) < 0 ||
      listen (fd, SOMAXCONN) < 0 ||
      getsockname (fd, (struct sockaddr *) &address, &size) < 0)
    _exit (1);
  *port = ntohs (address.sin_port);
  return fd;
}

void
serve_echo (const ServeOptions *options)
{
  uint16_t port;
  int unix_fd = echo_on_unix (options->path);
  int tcp_fd = echo_on_tcp (&port);
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);

  watch (epoll_fd, unix_fd);
  watch (epoll_fd, tcp_fd);
  say_ready (options->ready_fd, port, 0);

  for (;;) {
    struct epoll_event events[64];
    int n_events = epoll_wait (epoll_fd, events, G_N_ELEMENTS (events), -1);

    for (int i = 0; i < n_events; i++) {
      int fd = events[i].data.fd;

      if (fd == unix_fd || fd == tcp_fd)
        watch (epoll_fd, accept4 (fd, NULL, NULL, SOCK_CLOEXEC));
      else
        echo (fd);
    }
  }
}
