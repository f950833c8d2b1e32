/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/intl.h"
#include "resource/mount-private.h"
#include "rpc/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Requests that are answered in one turn of the loop. */
#define MAX_REQUESTS_PER_TURN 16
/* How long fusermount3 may take to mount, and to end. */
#define HELPER_TIMEOUT_MS 10000
/* Where it finds the socket, of its own descriptors. */
#define HELPER_FD 3

struct _ReeveResourceMountPoint {
  char *path;    /* (owned) */
  pid_t helper;  /* waits for our end, to unmount; 0: none */
  int helper_fd; /* (owned): by whose end it sees ours */
  int fd;        /* (owned): of the mount; -1: there is none, or it is served */
  gboolean was_mounted;
};

/* ------------------------------------------------------------- mounting --- */

/* Makes the mount point, and takes off it what is dead. */
static gboolean
prepare_path (const char *path, GError **error)
{
  struct stat st;

  /* Two daemons may have died there. */
  while (stat (path, &st) < 0 && errno == ENOTCONN) {
    if (umount2 (path, MNT_DETACH) < 0) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM,
                   _ ("cannot unmount %1$s, whose daemon is dead: %2$s"), path,
                   g_strerror (errno));
      return FALSE;
    }
  }
  if (g_mkdir_with_parents (path, 0755) < 0) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM,
                 _ ("cannot make the directory %1$s: %2$s"), path,
                 g_strerror (errno));
    return FALSE;
  }
  return TRUE;
}

/* Says what is missing, as fusermount3 says it to its standard error alone. */
static gboolean
check_device (const char *path, GError **error)
{
  REEVE_AUTOFD int fd = open ("/dev/fuse", O_RDWR | O_CLOEXEC);

  if (fd >= 0 || (errno == EACCES && geteuid () != 0))
    return TRUE;
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
               _ ("cannot mount %1$s: /dev/fuse: %2$s"), path,
               g_strerror (errno));
  return FALSE;
}

/* The one descriptor that comes by @socket, or -1. */
static int
receive_fd (int socket)
{
  struct pollfd pollfd = { .fd = socket, .events = POLLIN };
  char byte;
  struct iovec iov = { &byte, 1 };
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE (sizeof (int))];
  } control = { 0 };
  struct msghdr message = {
    .msg_iov = &iov,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };
  const struct cmsghdr *header = NULL;
  int fd = -1;

  if (TEMP_FAILURE_RETRY (poll (&pollfd, 1, HELPER_TIMEOUT_MS)) <= 0 ||
      TEMP_FAILURE_RETRY (recvmsg (socket, &message, MSG_CMSG_CLOEXEC)) <= 0)
    return -1;
  header = CMSG_FIRSTHDR (&message);
  if (header != NULL && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN (sizeof fd))
    memcpy (&fd, CMSG_DATA (header), sizeof fd);
  return fd;
}

/* Of libfuse's own way with fusermount3, the socket by which that sees our end
 * is inherited by all programs that we start and that outlive us; so we start
 * it ourselves. The type has our number in it, so that the one of a daemon that
 * died just now does not take the mount of its successor for its own. */
static int
start_helper (ReeveResourceMountPoint *self, const char *name, GError **error)
{
  g_autofree char *options = g_strdup_printf (
      "auto_unmount,default_permissions,nosuid,nodev,noexec,fsname=%s,"
      "subtype=%s.%d%s",
      name, name, (int) getpid (), geteuid () == 0 ? ",allow_other" : "");
  const char *const argv[] = { "fusermount3", "-o",       options,
                               "--",          self->path, NULL };
  g_auto (GStrv) envp = g_environ_setenv (g_get_environ (), "_FUSE_COMMFD",
                                          G_STRINGIFY (HELPER_FD), TRUE);
  REEVE_AUTOFD int theirs = -1;
  int sockets[2];
  const int target = HELPER_FD;

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM,
                 _ ("cannot make a pair of sockets: %s"), g_strerror (errno));
    return -1;
  }
  self->helper_fd = sockets[0];
  theirs = sockets[1];
  if (!g_spawn_async_with_pipes_and_fds (
          "/", argv, (const char *const *) envp,
          G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
              G_SPAWN_STDOUT_TO_DEV_NULL,
          NULL, NULL, -1, -1, -1, &theirs, &target, 1, &self->helper, NULL,
          NULL, NULL, error)) {
    g_prefix_error (error, _ ("cannot mount %s: "), self->path);
    return -1;
  }
  reeve_fd_clear (&theirs);
  return receive_fd (self->helper_fd);
}

/* It ends as soon as it has seen our end of the socket, and has unmounted. */
static void
end_helper (ReeveResourceMountPoint *self)
{
  struct pollfd pollfd = { .fd = -1, .events = POLLIN };
  REEVE_AUTOFD int pidfd = -1;

  reeve_fd_clear (&self->helper_fd);
  if (self->helper <= 0)
    return;

  /* One that did not mount in time has nothing to be waited for. */
  if (!self->was_mounted)
    kill (self->helper, SIGKILL);
  pidfd = (int) syscall (SYS_pidfd_open, self->helper, 0);
  pollfd.fd = pidfd;
  if (pidfd >= 0 &&
      TEMP_FAILURE_RETRY (poll (&pollfd, 1, HELPER_TIMEOUT_MS)) <= 0)
    kill (self->helper, SIGKILL);
  TEMP_FAILURE_RETRY (waitpid (self->helper, NULL, 0));
}

ReeveResourceMountPoint *
reeve_resource_mount_point_new (const char *name,
                                const char *path,
                                GError **error)
{
  g_autoptr (ReeveResourceMountPoint) self =
      g_new0 (ReeveResourceMountPoint, 1);
  g_autoptr (GError) why = NULL;

  self->path = g_strdup (path);
  self->helper_fd = -1;
  self->fd = -1;
  if (!check_device (path, error) || !prepare_path (path, error))
    return NULL;

  self->fd = start_helper (self, name, &why);
  if (self->fd >= 0) {
    self->was_mounted = TRUE;
    return g_steal_pointer (&self);
  }
  if (why != NULL)
    g_propagate_error (error, g_steal_pointer (&why));
  else
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                 _ ("cannot mount %s: fusermount3 did not do it"), path);
  return NULL;
}

void
reeve_resource_mount_point_free (ReeveResourceMountPoint *self)
{
  if (self == NULL)
    return;

  reeve_fd_clear (&self->fd);
  end_helper (self);
  g_free (self->path);
  g_free (self);
}

/* -------------------------------------------------------------- session --- */

/* Somebody unmounted it: what is open is of no use any more. */
static void
end_session (ReeveResourceMount *self)
{
  if (self->watch > 0)
    reeve_loop_remove (self->loop, self->watch);
  self->watch = 0;
  reeve_mount_close_files (self);
}

static void
on_ready (ReeveLoop *loop, int watch, int fd, ReeveEvents events, gpointer data)
{
  ReeveResourceMount *self = data;

  for (int i = 0; i < MAX_REQUESTS_PER_TURN; i++) {
    int size = fuse_session_receive_buf (self->fuse, &self->buffer);

    if (size == -EINTR)
      continue;
    if (size == -EAGAIN)
      return;
    if (size <= 0 || fuse_session_exited (self->fuse)) {
      g_message (_ ("%s was unmounted"), self->path);
      end_session (self);
      return;
    }
    fuse_session_process_buf (self->fuse, &self->buffer);
  }
}

static void
log_words (enum fuse_log_level level, const char *format, va_list arguments)
    G_GNUC_PRINTF (2, 0);

static void
log_words (enum fuse_log_level level, const char *format, va_list arguments)
{
  g_autofree char *words = g_strdup_vprintf (format, arguments);

  if (level <= FUSE_LOG_WARNING)
    g_warning ("%s", g_strchomp (words));
  else
    g_debug ("%s", g_strchomp (words));
}

/* @fd: (transfer full): of the mount */
static gboolean
start_session (ReeveResourceMount *self, int fd, GError **error)
{
  char name[] = "reeve";
  char *argv[] = { name, NULL };
  struct fuse_args args = FUSE_ARGS_INIT (1, argv);
  const struct fuse_lowlevel_ops *ops = reeve_mount_get_ops ();
  g_autofree char *fd_path = g_strdup_printf ("/dev/fd/%d", fd);

  fuse_set_log_func (log_words);
  self->fuse = fuse_session_new (&args, ops, sizeof *ops, self);
  fuse_opt_free_args (&args);
  if (self->fuse == NULL || fuse_session_mount (self->fuse, fd_path) != 0) {
    close (fd);
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INTERNAL,
                 _ ("cannot mount %s: libfuse3 does not start"), self->path);
    return FALSE;
  }

  if (fcntl (fd, F_SETFL, O_NONBLOCK) == 0)
    self->watch = reeve_loop_add_handle (self->loop, fd, REEVE_EVENT_READABLE,
                                         on_ready, self, NULL);
  if (self->watch > 0)
    return TRUE;

  self->watch = 0;
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM,
               _ ("cannot wait for the requests of %1$s: %2$s"), self->path,
               g_strerror (errno));
  return FALSE;
}

ReeveResourceMount *
reeve_resource_mount_new_at (ReeveLoop *loop,
                             ReeveResourceTree *tree,
                             ReeveResourceMountPoint *point,
                             GError **error)
{
  g_autoptr (ReeveResourceMount) self = g_new0 (ReeveResourceMount, 1);

  self->loop = reeve_loop_ref (loop);
  self->tree = tree;
  self->path = g_strdup (point->path);
  self->point = point;
  reeve_mount_inodes_init (self);
  if (!start_session (self, g_steal_fd (&point->fd), error))
    return NULL;
  return g_steal_pointer (&self);
}

ReeveResourceMount *
reeve_resource_mount_new (ReeveLoop *loop,
                          ReeveResourceTree *tree,
                          const char *name,
                          const char *path,
                          GError **error)
{
  ReeveResourceMountPoint *point =
      reeve_resource_mount_point_new (name, path, error);

  return point == NULL ? NULL
                       : reeve_resource_mount_new_at (loop, tree, point, error);
}

void
reeve_resource_mount_free (ReeveResourceMount *self)
{
  if (self == NULL)
    return;

  end_session (self);
  /* A thread that tells may wait for us, and is let go below. */
  reeve_mount_inodes_clear (self);
  reeve_mount_teller_free (self->teller);
  /* Closes its file, which ends all calls of the kernel; so unmounting waits
   * for nobody. */
  if (self->fuse != NULL)
    fuse_session_destroy (self->fuse);
  reeve_resource_mount_point_free (self->point);
  free (self->buffer.mem);
  reeve_loop_unref (self->loop);
  g_free (self->path);
  g_free (self);
}
