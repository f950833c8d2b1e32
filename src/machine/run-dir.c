/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/run-dir.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/uuid.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

void
reeve_run_dir_init (ReeveRunDir *self,
                    const char *run_dir,
                    const uint8_t uuid[16])
{
  char name[REEVE_UUID_TEXT_SIZE];

  reeve_uuid_format (uuid, name);
  self->path = g_build_filename (run_dir, name, NULL);
  self->lock_path = g_build_filename (self->path, "lock", NULL);
  self->pid_path = g_build_filename (self->path, "pid", NULL);
  self->status_path = g_build_filename (self->path, "status", NULL);
  self->monitor_path = g_build_filename (self->path, "monitor", NULL);
  self->console_dir = g_build_filename (self->path, "consoles", NULL);
}

void
reeve_run_dir_clear (ReeveRunDir *self)
{
  g_clear_pointer (&self->path, g_free);
  g_clear_pointer (&self->lock_path, g_free);
  g_clear_pointer (&self->pid_path, g_free);
  g_clear_pointer (&self->status_path, g_free);
  g_clear_pointer (&self->monitor_path, g_free);
  g_clear_pointer (&self->console_dir, g_free);
}

/* A lock on a file that was unlinked meanwhile locks nobody out. */
static gboolean
is_still_at (int fd, const char *path)
{
  struct stat held;
  struct stat found;

  return fstat (fd, &held) == 0 && stat (path, &found) == 0 &&
         held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

int
reeve_run_dir_lock (ReeveRunDir *self,
                    gboolean create,
                    gboolean *is_taken,
                    GError **error)
{
  REEVE_AUTOFD int fd = -1;

  *is_taken = FALSE;
  if (create && g_mkdir_with_parents (self->path, 0700) < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot make the directory %s"),
                            self->path);
    return -1;
  }

  fd = open (self->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot open %s"),
                            self->lock_path);
    return -1;
  }
  /* flock() and not fcntl(): it belongs to the open file, which QEMU shares. */
  if (flock (fd, LOCK_EX | LOCK_NB) < 0 || !is_still_at (fd, self->lock_path)) {
    *is_taken = TRUE;
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("%s is locked: a QEMU runs there already"), self->path);
    return -1;
  }
  return g_steal_fd (&fd);
}

pid_t
reeve_run_dir_read_pid (ReeveRunDir *self)
{
  char text[16] = { 0 };
  REEVE_AUTOFD int fd = open (self->pid_path, O_RDONLY | O_CLOEXEC);
  guint64 pid;

  if (fd < 0 || read (fd, text, sizeof text - 1) <= 0 ||
      !g_ascii_string_to_unsigned (g_strstrip (text), 10, 1, G_MAXINT, &pid,
                                   NULL))
    return 0;
  return (pid_t) pid;
}

gboolean
reeve_run_dir_make_console_dir (ReeveRunDir *self, GError **error)
{
  if (mkdir (self->console_dir, 0700) < 0 && errno != EEXIST)
    return reeve_error_from_errno (
        error, errno, _ ("cannot make the directory %s"), self->console_dir);
  return TRUE;
}

static void
remove_consoles (ReeveRunDir *self)
{
  g_autoptr (GDir) dir = g_dir_open (self->console_dir, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (self->console_dir, name, NULL);

    (void) unlink (path);
  }
  (void) rmdir (self->console_dir);
}

void
reeve_run_dir_remove (ReeveRunDir *self)
{
  g_autofree char *temporary = g_strconcat (self->status_path, ".new", NULL);

  /* The lock goes last: a directory with a lock and no status is empty. */
  (void) unlink (temporary);
  (void) unlink (self->status_path);
  (void) unlink (self->monitor_path);
  (void) unlink (self->pid_path);
  remove_consoles (self);
  (void) unlink (self->lock_path);
  (void) rmdir (self->path);
}

/* The kernel wants a path of less than 108 bytes; a longer one is reached by
 * way of its directory. @dir_fd has to stay open as long as @address is used.
 */
static gboolean
fill_address (const ReeveRunDir *self,
              struct sockaddr_un *address,
              int *dir_fd,
              GError **error)
{
  *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
  if (strlen (self->monitor_path) < sizeof address->sun_path) {
    strcpy (address->sun_path, self->monitor_path);
    return TRUE;
  }

  *dir_fd = open (self->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (*dir_fd < 0)
    return reeve_error_from_errno (error, errno, _ ("cannot open %s"),
                                   self->path);
  g_snprintf (address->sun_path, sizeof address->sun_path,
              "/proc/self/fd/%d/monitor", *dir_fd);
  return TRUE;
}

int
reeve_run_dir_listen (ReeveRunDir *self, GError **error)
{
  REEVE_AUTOFD int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REEVE_AUTOFD int dir_fd = -1;
  struct sockaddr_un address;

  if (fd < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot create a socket"));
    return -1;
  }
  if (!fill_address (self, &address, &dir_fd, error))
    return -1;
  /* a later daemon connects as the user that runs this one: 0600 by fchmod,
   * before there is a file, so that the umask does not matter */
  (void) fchmod (fd, 0600);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) < 0 ||
      listen (fd, 8) < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot listen at %s"),
                            self->monitor_path);
    return -1;
  }
  return g_steal_fd (&fd);
}

int
reeve_run_dir_connect (ReeveRunDir *self, GError **error)
{
  REEVE_AUTOFD int fd =
      socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  REEVE_AUTOFD int dir_fd = -1;
  struct sockaddr_un address;

  if (fd < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot create a socket"));
    return -1;
  }
  if (!fill_address (self, &address, &dir_fd, error))
    return -1;
  if (connect (fd, (struct sockaddr *) &address, sizeof address) < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot connect to %s"),
                            self->monitor_path);
    return -1;
  }
  return g_steal_fd (&fd);
}
