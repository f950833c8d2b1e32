/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc-server.h"

#include "load.h"
#include "nothing.h"

#include <errno.h>
#include <reeve/reeve.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static gboolean
do_nothing (ReeveCall *call, GError **error)
{
  return TRUE;
}

static const nothing_handlers handlers = {
  .on_loop = do_nothing,
  .normal = do_nothing,
  .priority = do_nothing,
};

static void
say_ready (int ready_fd)
{
  if (write (ready_fd, "", 1) != 1)
    _exit (1);
}

void
serve_reeve (const char *path, int ready_fd)
{
  static const ReeveServerLimits limits = { .max_clients = 20000 };
  ReeveLoop *loop = reeve_loop_new (NULL);
  ReeveServer *server = reeve_server_new ("bench", loop, &limits);
  g_autofree char *name = g_strconcat ("punix:", path, NULL);
  g_autoptr (GError) error = NULL;

  reeve_server_add_program (server, &nothing_program, &handlers, NULL);
  if (reeve_server_listen (server, name, NULL, &error) == NULL) {
    g_printerr ("%s\n", error->message);
    _exit (1);
  }
  say_ready (ready_fd);
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

void
serve_echo (const char *path, int ready_fd)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int listen_fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (bind (listen_fd, (struct sockaddr *) &address, sizeof address) < 0 ||
      listen (listen_fd, SOMAXCONN) < 0)
    _exit (1);
  watch (epoll_fd, listen_fd);
  say_ready (ready_fd);

  for (;;) {
    struct epoll_event events[64];
    int n_events = epoll_wait (epoll_fd, events, G_N_ELEMENTS (events), -1);

    for (int i = 0; i < n_events; i++) {
      if (events[i].data.fd == listen_fd)
        watch (epoll_fd, accept4 (listen_fd, NULL, NULL, SOCK_CLOEXEC));
      else
        echo (events[i].data.fd);
    }
  }
}
