/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/notify-socket.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct _ReeveNotifySocket {
  int fd;     /* (owned) */
  char *path; /* (owned) */
};

/* The kernel chooses an abstract name. */
static gboolean
bind_anywhere (ReeveNotifySocket *self)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  socklen_t size = sizeof address.sun_family;
  int one = 1;

  if (bind (self->fd, (struct sockaddr *) &address, size) < 0 ||
      setsockopt (self->fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof one) < 0)
    return FALSE;

  size = sizeof address;
  if (getsockname (self->fd, (struct sockaddr *) &address, &size) < 0)
    return FALSE;
  size -= offsetof (struct sockaddr_un, sun_path) + 1;
  self->path = g_strdup_printf ("@%.*s", (int) size, address.sun_path + 1);
  return TRUE;
}

ReeveNotifySocket *
reeve_notify_socket_new (GError **error)
{
  g_autoptr (ReeveNotifySocket) self = g_new0 (ReeveNotifySocket, 1);

  self->fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (self->fd < 0 || !bind_anywhere (self)) {
    reeve_error_from_errno (error, errno, _ ("Cannot make a socket"));
    return NULL;
  }

  return g_steal_pointer (&self);
}

void
reeve_notify_socket_free (ReeveNotifySocket *self)
{
  if (self == NULL)
    return;

  reeve_fd_clear (&self->fd);
  g_free (self->path);
  g_free (self);
}

const char *
reeve_notify_socket_get_path (const ReeveNotifySocket *self)
{
  return self->path;
}

int
reeve_notify_socket_get_fd (const ReeveNotifySocket *self)
{
  return self->fd;
}

/* Takes one file descriptor out, closes all others, and returns who sent it. */
static pid_t
take_control (struct msghdr *message, int *fd)
{
  pid_t sender = -1;

  for (struct cmsghdr *control = CMSG_FIRSTHDR (message); control != NULL;
       control = CMSG_NXTHDR (message, control)) {
    size_t size = control->cmsg_len - CMSG_LEN (0);

    if (control->cmsg_level != SOL_SOCKET)
      continue;
    if (control->cmsg_type == SCM_CREDENTIALS) {
      struct ucred peer;

      memcpy (&peer, CMSG_DATA (control), sizeof peer);
      sender = peer.pid;
    }
    for (size_t i = 0;
         control->cmsg_type == SCM_RIGHTS && (i + 1) * sizeof (int) <= size;
         i++) {
      reeve_fd_clear (fd);
      memcpy (fd, CMSG_DATA (control) + i * sizeof (int), sizeof (int));
    }
  }

  return sender;
}

static GHashTable *
parse (const char *text)
{
  GHashTable *variables =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++) {
    const char *equals = strchr (*line, '=');

    if (equals != NULL)
      g_hash_table_replace (variables, g_strndup (*line, equals - *line),
                            g_strdup (equals + 1));
  }

  return variables;
}

GHashTable *
reeve_notify_socket_receive (ReeveNotifySocket *self, pid_t sender, int *fd)
{
  for (;;) {
    char text[REEVE_NOTIFY_MAX_SIZE + 1];
    struct iovec iov = { .iov_base = text, .iov_len = REEVE_NOTIFY_MAX_SIZE };
    union {
      struct cmsghdr header;
      char bytes[CMSG_SPACE (sizeof (struct ucred)) +
                 CMSG_SPACE (8 * sizeof (int))];
    } control;
    struct msghdr message = {
      .msg_iov = &iov,
      .msg_iovlen = 1,
      .msg_control = &control,
      .msg_controllen = sizeof control,
    };
    ssize_t size = recvmsg (self->fd, &message, MSG_CMSG_CLOEXEC);

    *fd = -1;
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0)
      return NULL;
    text[size] = '\0';
    if (take_control (&message, fd) == sender)
      return parse (text);
    reeve_fd_clear (fd);
  }
}
