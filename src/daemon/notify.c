/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/notify.h"

#include "daemon/inherited.h"
#include "event/fd.h"
#include "event/intl.h"

#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The longest wait for a supervisor that reads nothing. */
#define PATIENCE_MS 100

struct _ReeveNotify {
  int fd;                     /* (owned); -1: nobody wants to hear */
  struct sockaddr_un address; /* of the supervisor */
  socklen_t address_size;
  uint64_t watchdog_us;
  gboolean keeps_fds;
};

static gboolean
set_address (ReeveNotify *self, const char *path)
{
  size_t length = strlen (path);

  if ((path[0] != '/' && path[0] != '@') || length < 2 ||
      length >= sizeof self->address.sun_path)
    return FALSE;

  self->address.sun_family = AF_UNIX;
  memcpy (self->address.sun_path, path, length);
  self->address_size =
      (socklen_t) (offsetof (struct sockaddr_un, sun_path) + length);
  if (path[0] == '@')
    self->address.sun_path[0] = '\0';
  else
    self->address_size++;
  return TRUE;
}

ReeveNotify *
reeve_notify_new (const char *path, gboolean keeps_fds, uint64_t watchdog_us)
{
  ReeveNotify *self = g_new0 (ReeveNotify, 1);

  self->fd = -1;
  self->keeps_fds = keeps_fds;
  self->watchdog_us = watchdog_us;
  if (path == NULL || path[0] == '\0') {
    self->watchdog_us = 0;
    return self;
  }

  if (set_address (self, path))
    self->fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  else
    g_warning (_ ("$NOTIFY_SOCKET is “%s”, which is no socket's name"), path);
  return self;
}

/* 0 unless it is a number, for us. */
static uint64_t
get_watchdog (void)
{
  const char *pid_text = g_getenv ("WATCHDOG_PID");
  const char *text = g_getenv ("WATCHDOG_USEC");
  guint64 pid, watchdog_us;

  if (text == NULL)
    return 0;
  if (pid_text != NULL &&
      (!g_ascii_string_to_unsigned (pid_text, 10, 1, G_MAXINT32, &pid, NULL) ||
       pid != (guint64) getpid ()))
    return 0;
  if (g_ascii_string_to_unsigned (text, 10, 1, G_MAXINT64, &watchdog_us, NULL))
    return watchdog_us;

  g_warning (_ ("$WATCHDOG_USEC is “%s”, not a number"), text);
  return 0;
}

ReeveNotify *
reeve_notify_new_from_environment (void)
{
  const char *store = g_getenv ("FDSTORE");
  guint64 n_kept = 0;
  ReeveNotify *self;

  if (store != NULL)
    g_ascii_string_to_unsigned (store, 10, 0, G_MAXUINT, &n_kept, NULL);
  self = reeve_notify_new (g_getenv ("NOTIFY_SOCKET"), n_kept > 0,
                           get_watchdog ());
  g_unsetenv ("NOTIFY_SOCKET");
  g_unsetenv ("WATCHDOG_USEC");
  g_unsetenv ("WATCHDOG_PID");
  g_unsetenv ("FDSTORE");
  return self;
}

char *
reeve_notify_dup_path (const ReeveNotify *self)
{
  const char *path = self->address.sun_path;
  size_t length = self->address_size - offsetof (struct sockaddr_un, sun_path);

  if (self->fd < 0)
    return NULL;
  return path[0] != '\0'
             ? g_strdup (path)
             : g_strdup_printf ("@%.*s", (int) length - 1, path + 1);
}

void
reeve_notify_become (ReeveNotify *self, ReeveNotify *other)
{
  reeve_fd_clear (&self->fd);
  *self = *other;
  g_free (other);
}

void
reeve_notify_free (ReeveNotify *self)
{
  if (self == NULL)
    return;

  reeve_fd_clear (&self->fd);
  g_free (self);
}

uint64_t
reeve_notify_get_watchdog (const ReeveNotify *self)
{
  return self->watchdog_us;
}

gboolean
reeve_notify_keeps_fds (const ReeveNotify *self)
{
  return self->fd >= 0 && self->keeps_fds;
}

/* @fd: -1, or what goes with it */
static gboolean
send_text (const ReeveNotify *self, const char *text, int fd)
{
  struct iovec iov = { .iov_base = (char *) text, .iov_len = strlen (text) };
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE (sizeof (int))];
  } control = { 0 };
  struct msghdr message = {
    .msg_name = (struct sockaddr *) &self->address,
    .msg_namelen = self->address_size,
    .msg_iov = &iov,
    .msg_iovlen = 1,
  };
  struct pollfd file = { .fd = self->fd, .events = POLLOUT };

  if (fd >= 0) {
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN (sizeof (int));
    memcpy (CMSG_DATA (&control.header), &fd, sizeof fd);
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
  }

  if (sendmsg (self->fd, &message, MSG_NOSIGNAL) >= 0)
    return TRUE;
  return errno == EAGAIN && poll (&file, 1, PATIENCE_MS) > 0 &&
         sendmsg (self->fd, &message, MSG_NOSIGNAL) >= 0;
}

gboolean
reeve_notify_send (const ReeveNotify *self, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  if (self->fd < 0)
    return FALSE;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  return send_text (self, text, -1);
}

gboolean
reeve_notify_store (const ReeveNotify *self, const char *name, int fd)
{
  g_autofree char *escaped = reeve_inherited_escape (name);
  g_autofree char *text = g_strdup_printf ("FDSTORE=1\nFDNAME=%s", escaped);

  return self->fd >= 0 && send_text (self, text, fd);
}

void
reeve_notify_reloading (const ReeveNotify *self)
{
  reeve_notify_send (self, "RELOADING=1\nMONOTONIC_USEC=%" PRIi64,
                     (int64_t) g_get_monotonic_time ());
}
