/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/socket-name.h"
#include "rpc/stream-layer.h"

#include <fcntl.h>
#include <gio/gunixsocketaddress.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 1024

struct _ReevePStream {
  int fd;           /* (owned) */
  char *name;       /* (owned) */
  char *path;       /* (owned) (nullable): of a socket that we bound */
  struct stat file; /* of path */
  gboolean is_unix;
};

void
reeve_pstream_free (ReevePStream *self)
{
  struct stat file;

  if (self == NULL)
    return;

  /* Somebody may have put another socket there. */
  if (self->path != NULL && stat (self->path, &file) == 0 &&
      file.st_dev == self->file.st_dev && file.st_ino == self->file.st_ino)
    unlink (self->path);
  reeve_fd_clear (&self->fd);
  g_free (self->path);
  g_free (self->name);
  g_free (self);
}

/* The sockets that it accepts have it, too. */
static void
set_no_delay (int fd)
{
  int one = 1;

  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* Whether somebody listens there: a socket that is left behind refuses. */
static gboolean
is_live (const struct sockaddr_un *address, socklen_t size)
{
  REEVE_AUTOFD int fd =
      socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  return fd >= 0 &&
         (connect (fd, (const struct sockaddr *) address, size) == 0 ||
          errno == EAGAIN);
}

static gboolean
make_way (const char *name,
          const struct sockaddr_un *address,
          socklen_t size,
          GError **error)
{
  struct stat file;

  if (lstat (address->sun_path, &file) < 0)
    return TRUE;
  if (!S_ISSOCK (file.st_mode)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("%s: there is a file that is not a socket"), name);
    return FALSE;
  }
  if (is_live (address, size)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("%s: another process listens there"), name);
    return FALSE;
  }

  unlink (address->sun_path);
  return TRUE;
}

static gboolean
set_access (const char *path, mode_t mode, gid_t group)
{
  return (group == (gid_t) -1 || chown (path, (uid_t) -1, group) == 0) &&
         chmod (path, mode) == 0;
}

static int
bind_unix (const char *name,
           const struct sockaddr_un *address,
           socklen_t size,
           mode_t mode,
           gid_t group,
           GError **error)
{
  gboolean is_abstract = address->sun_path[0] == '\0';
  REEVE_AUTOFD int fd =
      socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0) {
    reeve_error_from_errno (error, errno, "%s", name);
    return -1;
  }
  if (!is_abstract && !make_way (name, address, size, error))
    return -1;
  /* Nobody can connect before listen(), so owner and mode are right in time. */
  if (bind (fd, (const struct sockaddr *) address, size) < 0 ||
      (!is_abstract && !set_access (address->sun_path, mode, group)) ||
      listen (fd, BACKLOG) < 0) {
    reeve_error_from_errno (error, errno, "%s", name);
    return -1;
  }

  return g_steal_fd (&fd);
}

static int
bind_inet (const char *name,
           const struct sockaddr *address,
           socklen_t size,
           GError **error)
{
  REEVE_AUTOFD int fd = socket (address->sa_family,
                                SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int one = 1;
  int zero = 0;

  if (fd < 0) {
    reeve_error_from_errno (error, errno, "%s", name);
    return -1;
  }

  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  set_no_delay (fd);
  /* "Any" means IPv4, too. */
  if (address->sa_family == AF_INET6)
    setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
  if (bind (fd, address, size) < 0 || listen (fd, BACKLOG) < 0) {
    reeve_error_from_errno (error, errno, "%s", name);
    return -1;
  }

  return g_steal_fd (&fd);
}

/* The port that the kernel chose. */
static void
take_actual_port (ReeveSocketName *name, int fd)
{
  struct sockaddr_storage storage;
  socklen_t size = sizeof storage;
  g_autoptr (GSocketAddress) address = NULL;

  if (getsockname (fd, (struct sockaddr *) &storage, &size) < 0)
    return;

  address = g_socket_address_new_from_native (&storage, size);
  if (G_IS_INET_SOCKET_ADDRESS (address))
    name->port =
        g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
}

static ReevePStream *
open_fd (const char *name, int fd, GError **error)
{
  ReevePStream *self;
  int is_listening = 0, family = 0;
  socklen_t size = sizeof (int);

  if (getsockopt (fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) < 0 ||
      !is_listening) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("%s: there is no socket that listens"), name);
    return NULL;
  }

  getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
  fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK);
  fcntl (fd, F_SETFD, FD_CLOEXEC);
  self = g_new0 (ReevePStream, 1);
  self->fd = fd;
  self->name = g_strdup (name);
  self->is_unix = family == AF_UNIX;
  if (!self->is_unix)
    set_no_delay (fd);
  return self;
}

/* The file that is at the path now counts as ours. */
static void
own_path (ReevePStream *self, const char *path)
{
  if (stat (path, &self->file) == 0)
    self->path = g_strdup (path);
}

static char *
make_name (const struct sockaddr_storage *address,
           socklen_t size,
           gboolean is_tls)
{
  const struct sockaddr_un *un = (const struct sockaddr_un *) address;
  g_autoptr (GSocketAddress) inet = NULL;
  g_autofree char *text = NULL;

  if (address->ss_family == AF_UNIX)
    return g_strdup_printf ("punix:%s%s", un->sun_path[0] == '\0' ? "@" : "",
                            un->sun_path + (un->sun_path[0] == '\0'));

  inet = g_socket_address_new_from_native ((gpointer) address, size);
  text = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (inet));
  return g_strconcat (is_tls ? "ptls:" : "ptcp:", text, NULL);
}

ReevePStream *
reeve_pstream_new_for_fd (int fd,
                          gboolean is_tls,
                          gboolean owns_path,
                          GError **error)
{
  REEVE_AUTOFD int owned = fd;
  /* One byte more than the kernel fills in of a path. */
  struct sockaddr_storage address = { 0 };
  socklen_t size = sizeof address - 1;
  ReevePStream *self;

  if (getsockname (fd, (struct sockaddr *) &address, &size) < 0) {
    reeve_error_from_errno (error, errno, _ ("Cannot tell where a socket is"));
    return NULL;
  }

  self = g_new0 (ReevePStream, 1);
  self->fd = g_steal_fd (&owned);
  self->name = make_name (&address, size, is_tls);
  self->is_unix = address.ss_family == AF_UNIX;
  if (!self->is_unix)
    set_no_delay (self->fd);
  if (self->is_unix && owns_path)
    own_path (self, ((struct sockaddr_un *) &address)->sun_path);
  return self;
}

void
reeve_pstream_disown (ReevePStream *self)
{
  g_clear_pointer (&self->path, g_free);
}

gboolean
reeve_pstream_owns_path (ReevePStream *self)
{
  return self->path != NULL;
}

/* (transfer full): the first address of a host that has a name. */
static GSocketAddress *
look_up (const char *name, GSocketConnectable *where, GError **error)
{
  g_autoptr (GResolver) resolver = NULL;
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GError) why = NULL;
  GNetworkAddress *host;
  GList *found;

  if (!G_IS_NETWORK_ADDRESS (where))
    return G_SOCKET_ADDRESS (g_object_ref (where));

  host = G_NETWORK_ADDRESS (where);
  resolver = g_resolver_get_default ();
  found = g_resolver_lookup_by_name (
      resolver, g_network_address_get_hostname (host), NULL, &why);
  if (found == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG, "%s: %s", name,
                 why->message);
    return NULL;
  }

  address = g_inet_socket_address_new (found->data,
                                       g_network_address_get_port (host));
  g_resolver_free_addresses (found);
  return g_steal_pointer (&address);
}

ReevePStream *
reeve_pstream_open (const char *name, mode_t mode, gid_t group, GError **error)
{
  g_autoptr (GSocketConnectable) where = NULL;
  g_autoptr (GSocketAddress) found = NULL;
  struct sockaddr_storage address = { 0 };
  g_autoptr (ReeveSocketName) parsed =
      reeve_socket_name_parse (name, TRUE, error);
  ReevePStream *self;
  gboolean is_unix;
  socklen_t size;
  int fd;

  if (parsed == NULL)
    return NULL;
  if (parsed->kind == REEVE_SOCKET_FD)
    return open_fd (name, parsed->fd, error);

  where = reeve_socket_name_get_address (parsed);
  found = look_up (name, where, error);
  if (found == NULL)
    return NULL;

  is_unix = G_IS_UNIX_SOCKET_ADDRESS (found);
  size = (socklen_t) g_socket_address_get_native_size (found);
  if (!g_socket_address_to_native (found, &address, sizeof address, error))
    return NULL;

  fd = is_unix ? bind_unix (name, (struct sockaddr_un *) &address, size, mode,
                            group, error)
               : bind_inet (name, (struct sockaddr *) &address, size, error);
  if (fd < 0)
    return NULL;

  self = g_new0 (ReevePStream, 1);
  self->fd = fd;
  self->is_unix = is_unix;
  take_actual_port (parsed, fd);
  self->name = reeve_socket_name_to_string (parsed);
  if (is_unix && !reeve_socket_name_is_abstract (parsed))
    own_path (self, ((struct sockaddr_un *) &address)->sun_path);
  return self;
}

int
reeve_pstream_get_fd (ReevePStream *self)
{
  return self->fd;
}

const char *
reeve_pstream_get_name (ReevePStream *self)
{
  return self->name;
}

gboolean
reeve_pstream_is_unix (ReevePStream *self)
{
  return self->is_unix;
}

ReeveStream *
reeve_pstream_accept (ReevePStream *self)
{
  int fd = accept4 (self->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

  return fd < 0 ? NULL : reeve_stream_new_accepted (fd, self->is_unix);
}
