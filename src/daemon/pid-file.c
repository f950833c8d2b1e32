/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/pid-file.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SIGN_OFFSET (1 << 30)

struct _ReevePidFile {
  char *path;
  int fd;
  gboolean is_signed;
  gboolean is_disowned;
};

/* Whether @path still names the file behind @fd: a daemon that ends removes
 * its file, and we may have opened that one just before. */
static gboolean
is_current (const char *path, int fd)
{
  struct stat by_path, by_fd;

  return stat (path, &by_path) == 0 && fstat (fd, &by_fd) == 0 &&
         by_path.st_dev == by_fd.st_dev && by_path.st_ino == by_fd.st_ino;
}

static gboolean
set_held_error (const char *path, int fd, GError **error)
{
  char text[32] = "";

  if (pread (fd, text, sizeof text - 1, 0) < 0)
    text[0] = '\0';
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
               _ ("%1$s is locked: process %2$s is running there"), path,
               g_strstrip (text));
  return FALSE;
}

/* An open file description's lock: unlike a POSIX lock it does not go away
 * when some other code of the process opens and closes the file. */
static gboolean
lock_file (int fd, short type)
{
  struct flock file = { .l_type = type,
                        .l_whence = SEEK_SET,
                        .l_len = SIGN_OFFSET };

  return fcntl (fd, F_OFD_SETLK, &file) == 0;
}

/* A POSIX lock, far behind what is in the file: by it Open vSwitch's clients
 * see whose file it is, if they find it before the other. */
static gboolean
lock_sign (int fd, short type)
{
  struct flock sign = {
    .l_type = type, .l_whence = SEEK_SET, .l_start = SIGN_OFFSET, .l_len = 1
  };

  return fcntl (fd, F_SETLK, &sign) == 0;
}

static gboolean
lock (const char *path, int fd, GError **error)
{
  if (lock_sign (fd, F_WRLCK) && lock_file (fd, F_WRLCK))
    return TRUE;
  if (errno == EAGAIN || errno == EACCES)
    return set_held_error (path, fd, error);

  return reeve_error_from_errno (error, errno, _ ("Cannot lock %s"), path);
}

static int
open_locked (const char *path, GError **error)
{
  for (;;) {
    REEVE_AUTOFD int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0) {
      reeve_error_from_errno (error, errno, _ ("Cannot open %s"), path);
      return -1;
    }
    if (!lock (path, fd, error))
      return -1;
    if (is_current (path, fd))
      return g_steal_fd (&fd);
  }
}

/* At no moment is it empty: somebody may look at it. */
static gboolean
write_pid (int fd)
{
  char text[32];
  int length = snprintf (text, sizeof text, "%ld\n", (long) getpid ());

  return pwrite (fd, text, length, 0) == length && ftruncate (fd, length) == 0;
}

ReevePidFile *
reeve_pid_file_new (const char *path, GError **error)
{
  REEVE_AUTOFD int fd = open_locked (path, error);
  ReevePidFile *self;

  if (fd < 0)
    return NULL;
  if (!write_pid (fd)) {
    reeve_error_from_errno (error, errno, _ ("Cannot write %s"), path);
    return NULL;
  }

  self = reeve_pid_file_new_for_fd (path, g_steal_fd (&fd));
  self->is_signed = TRUE;
  return self;
}

ReevePidFile *
reeve_pid_file_new_for_fd (const char *path, int fd)
{
  ReevePidFile *self = g_new0 (ReevePidFile, 1);

  self->path = g_strdup (path);
  self->fd = fd;
  return self;
}

int
reeve_pid_file_get_fd (ReevePidFile *self)
{
  return self->fd;
}

void
reeve_pid_file_lend (ReevePidFile *self)
{
  if (lock_sign (self->fd, F_UNLCK))
    self->is_signed = FALSE;
}

/* The sign keeps others away while the lock is taken anew, behind it. */
void
reeve_pid_file_hold (ReevePidFile *self)
{
  if (self->is_signed)
    return;

  self->is_signed = lock_sign (self->fd, F_WRLCK) &&
                    lock_file (self->fd, F_UNLCK) &&
                    lock_file (self->fd, F_WRLCK);
  if (!self->is_signed || !write_pid (self->fd))
    g_warning (_ ("Cannot write %1$s: %2$s"), self->path, g_strerror (errno));
}

void
reeve_pid_file_disown (ReevePidFile *self)
{
  self->is_disowned = TRUE;
}

void
reeve_pid_file_free (ReevePidFile *self)
{
  if (self == NULL)
    return;

  /* Somebody may have put another one there. */
  if (!self->is_disowned && is_current (self->path, self->fd))
    unlink (self->path);
  reeve_fd_clear (&self->fd);
  g_free (self->path);
  g_free (self);
}
