/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
fail (const char *what, const char *why)
{
  g_printerr ("%s: %s\n", what, why);
  exit (1);
}

static int
connect_unix (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (fd < 0 || connect (fd, (struct sockaddr *) &address, sizeof address) < 0)
    fail ("cannot connect", g_strerror (errno));
  return fd;
}

static int
connect_tcp (uint16_t port)
{
  const struct sockaddr_in address = {
    .sin_family = AF_INET,
    .sin_port = htons (port),
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
  };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;

  if (fd < 0 || connect (fd, (struct sockaddr *) &address, sizeof address) < 0)
    fail ("cannot connect", g_strerror (errno));
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

/* Nobody is verified: that is a client's affair, and a server's is measured. */
static gnutls_certificate_credentials_t
get_credentials (void)
{
  static gnutls_certificate_credentials_t credentials;

  if (credentials == NULL)
    gnutls_certificate_allocate_credentials (&credentials);
  return credentials;
}

static gnutls_session_t
shake_hands (int fd)
{
  gnutls_session_t session;
  int result;

  gnutls_init (&session, GNUTLS_CLIENT);
  gnutls_set_default_priority (session);
  gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, get_credentials ());
  gnutls_transport_set_int (session, fd);
  do
    result = gnutls_handshake (session);
  while (result < 0 && !gnutls_error_is_fatal (result));
  if (result < 0)
    fail ("handshake", gnutls_strerror (result));
  return session;
}

static ssize_t
receive_now (gnutls_transport_ptr_t pointer, void *data, size_t size)
{
  return recv (GPOINTER_TO_INT (pointer), data, size, MSG_DONTWAIT);
}

void
connection_open (Connection *self, const Address *address)
{
  char greeting;

  self->fd = address->path != NULL ? connect_unix (address->path)
                                   : connect_tcp (address->port);
  self->tls = NULL;
  if (!address->is_tls)
    return;

  self->tls = shake_hands (self->fd);
  if (address->greets && gnutls_record_recv (self->tls, &greeting, 1) != 1)
    fail ("handshake", "the server does not let us in");
  gnutls_transport_set_pull_function (self->tls, receive_now);
}

void
connection_close (Connection *self)
{
  if (self->tls != NULL)
    gnutls_deinit (self->tls);
  close (self->fd);
}

void
connection_send (Connection *self, const void *data, size_t size)
{
  ssize_t n_sent = self->tls != NULL
                       ? gnutls_record_send (self->tls, data, size)
                       : send (self->fd, data, size, MSG_NOSIGNAL);

  if (n_sent != (ssize_t) size)
    fail ("cannot send", g_strerror (errno));
}

size_t
connection_recv (Connection *self, void *data, size_t size)
{
  ssize_t n_read;

  if (self->tls == NULL) {
    n_read = recv (self->fd, data, size, MSG_DONTWAIT);
    if (n_read < 0 && errno == EAGAIN)
      return 0;
  } else {
    n_read = gnutls_record_recv (self->tls, data, size);
    if (n_read == GNUTLS_E_AGAIN || n_read == GNUTLS_E_INTERRUPTED)
      return 0;
  }
  if (n_read <= 0)
    fail ("cannot receive", "a server closed a connection");
  return (size_t) n_read;
}

pid_t
connection_get_peer (const Connection *self)
{
  struct ucred peer = { 0 };
  socklen_t size = sizeof peer;

  getsockopt (self->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  return peer.pid;
}
