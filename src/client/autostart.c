/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/autostart.h"

#include "client/file-lock.h"
#include "client/uri.h"
#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* From here on the log begins anew at the next start. */
#define LOG_MAX (1024 * 1024)
/* Of what a daemon says of its start. */
#define TEXT_MAX 4096

/* One start, by whoever has the lock. */
typedef struct {
  const char *path;  /* of the daemon */
  char *folder;      /* (owned): of its sockets */
  char *notify_path; /* (owned): where it says how it is */
  int notify;        /* (owned) */
  int log;           /* (owned) */
  off_t log_start;   /* what is behind this is of this start */
  int process;       /* (owned): a pidfd; -1: it has ended already */
  char *status;      /* (owned) (nullable): what it said last */
  gboolean is_ready;
} Start;

static void
start_clear (Start *self)
{
  if (self->notify_path != NULL)
    unlink (self->notify_path);
  g_free (self->folder);
  g_free (self->notify_path);
  g_free (self->status);
  reeve_fd_clear (&self->notify);
  reeve_fd_clear (&self->log);
  reeve_fd_clear (&self->process);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Start, start_clear)

static const char *
get_daemon (void)
{
  const char *path = g_getenv ("REEVED_PATH");

  return path != NULL ? path : REEVE_DAEMON_PATH;
}

gboolean
reeve_autostart_is_for (const char *stream)
{
  g_autofree char *own = NULL;
  g_autofree char *read_only = NULL;

  if (geteuid () == 0 || get_daemon ()[0] == '\0')
    return FALSE;

  own = reeve_uri_get_session (FALSE);
  read_only = reeve_uri_get_session (TRUE);
  return g_str_equal (stream, own) || g_str_equal (stream, read_only);
}

/* Whether somebody listens at @stream, a unix socket. */
static gboolean
is_served (const char *stream)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  const char *path = stream + strlen ("unix:");
  REEVE_AUTOFD int fd =
      socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0 || strlen (path) >= sizeof address.sun_path)
    return FALSE;
  strcpy (address.sun_path, path);
  /* One whose queue is full is there, too. */
  return connect (fd, (struct sockaddr *) &address, sizeof address) == 0 ||
         errno == EAGAIN;
}

static gboolean
fail (GError **error, const char *path, const char *why)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_CONNECT,
               _ ("%1$s does not start: %2$s"), path, why);
  return FALSE;
}

/* --------------------------------------------------------- what it says -- */

static gboolean
open_notify (Start *self, GError **error)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  self->notify_path = g_build_filename (self->folder, "start.notify", NULL);
  if (strlen (self->notify_path) >= sizeof address.sun_path)
    return fail (error, self->path, _ ("the path of its socket is too long"));

  strcpy (address.sun_path, self->notify_path);
  unlink (self->notify_path);
  self->notify = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (self->notify < 0 ||
      bind (self->notify, (struct sockaddr *) &address, sizeof address) < 0)
    return fail (error, self->notify_path, g_strerror (errno));
  return TRUE;
}

static void
take_words (Start *self, char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++)
    if (g_str_equal (*line, "READY=1")) {
      self->is_ready = TRUE;
    } else if (g_str_has_prefix (*line, "STATUS=")) {
      g_free (self->status);
      self->status = g_utf8_make_valid (*line + strlen ("STATUS="), -1);
    }
}

static void
take_notices (Start *self)
{
  char text[TEXT_MAX + 1];
  ssize_t size;

  while ((size = recv (self->notify, text, TEXT_MAX, 0)) >= 0) {
    text[size] = '\0';
    take_words (self, text);
  }
}

/* (transfer full): its last words, if it could not say more. */
static char *
read_last_line (Start *self)
{
  char text[TEXT_MAX + 1];
  ssize_t size = pread (self->log, text, TEXT_MAX, self->log_start);
  const char *line;

  text[MAX (size, 0)] = '\0';
  g_strchomp (text);
  line = strrchr (text, '\n');
  return g_utf8_make_valid (line != NULL ? line + 1 : text, -1);
}

static gboolean
fail_with_reason (Start *self, GError **error)
{
  g_autofree char *last = NULL;

  if (self->status != NULL)
    return fail (error, self->path, self->status);

  last = read_last_line (self);
  return fail (error, self->path,
               last[0] != '\0' ? last : _ ("it gives no reason"));
}

/* --------------------------------------------------------------- start --- */

static gboolean
open_log (Start *self, GError **error)
{
  g_autofree char *folder =
      g_build_filename (g_get_user_state_dir (), "reeve", NULL);
  g_autofree char *path = g_build_filename (folder, "reeved.log", NULL);
  g_autofree char *old = g_strconcat (path, ".old", NULL);
  struct stat file;

  if (g_mkdir_with_parents (folder, 0700) < 0)
    return fail (error, folder, g_strerror (errno));
  if (stat (path, &file) == 0 && file.st_size > LOG_MAX)
    rename (path, old);
  self->log = open (path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (self->log < 0 || fstat (self->log, &file) < 0)
    return fail (error, path, g_strerror (errno));

  self->log_start = file.st_size;
  return TRUE;
}

/* In the child: nothing of the client's goes on with the daemon. */
static void
leave_client (gpointer data)
{
  sigset_t none;

  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
  for (int number = 1; number < NSIG; number++)
    signal (number, SIG_DFL);
  setsid ();
  umask (077);
}

static gboolean
spawn (Start *self, GError **error)
{
  g_autofree char *timeout = g_strdup_printf ("%d", REEVE_AUTOSTART_TIMEOUT_S);
  const char *const argv[] = { self->path, "--session", "--timeout", timeout,
                               NULL };
  g_auto (GStrv) environment = g_environ_setenv (
      g_get_environ (), "NOTIFY_SOCKET", self->notify_path, TRUE);
  REEVE_AUTOFD int null = open ("/dev/null", O_RDWR | O_CLOEXEC);
  g_autoptr (GError) why = NULL;
  GPid pid;

  environment = g_environ_unsetenv (environment, "LISTEN_FDS");
  environment = g_environ_unsetenv (environment, "WATCHDOG_USEC");
  environment = g_environ_unsetenv (environment, "FDSTORE");
  /* GLib lets init wait for it: the client knows nothing of this child. */
  if (!g_spawn_async_with_fds ("/", (char **) argv, environment,
                               G_SPAWN_DEFAULT, leave_client, NULL, &pid, null,
                               self->log, self->log, &why))
    return fail (error, self->path, why->message);

  self->process = (int) syscall (SYS_pidfd_open, pid, 0);
  return TRUE;
}

/* Until it is ready, or has ended. */
static gboolean
wait_for_it (Start *self,
             gint64 deadline_us,
             GCancellable *cancellable,
             GError **error)
{
  const int fds[] = { self->notify, self->process };
  struct pollfd ended = { .fd = self->process, .events = POLLIN };

  for (;;) {
    gboolean has_ended;

    if (self->process >= 0 &&
        !reeve_wait_readable (fds, G_N_ELEMENTS (fds), deadline_us, cancellable,
                              error)) {
      g_prefix_error (error, _ ("Waiting for %s to start: "), self->path);
      return FALSE;
    }
    /* In this order: its last words come before its end. */
    has_ended = self->process < 0 || poll (&ended, 1, 0) > 0;
    take_notices (self);
    if (self->is_ready)
      return TRUE;
    if (has_ended)
      return fail_with_reason (self, error);
  }
}

static gboolean
start (const char *folder,
       gint64 deadline_us,
       GCancellable *cancellable,
       GError **error)
{
  g_auto (Start) self = {
    .path = get_daemon (),
    .folder = g_strdup (folder),
    .notify = -1,
    .log = -1,
    .process = -1,
  };

  return open_notify (&self, error) && open_log (&self, error) &&
         spawn (&self, error) &&
         wait_for_it (&self, deadline_us, cancellable, error);
}

/* -------------------------------------------------------------- the lock -- */

/* Those who waited for the lock while a start failed need not try again: the
 * file says when that was, and why. */
static void
write_failure (int lock, const GError *failure)
{
  g_autofree char *text =
      g_strdup_printf ("%" G_GINT64_FORMAT "\n%d\n%s", g_get_monotonic_time (),
                       failure->code, failure->message);

  if (ftruncate (lock, 0) == 0)
    (void) !pwrite (lock, text, MIN (strlen (text), TEXT_MAX), 0);
}

static gboolean
read_failure (int lock, gint64 since_us, GError **error)
{
  char text[TEXT_MAX + 1];
  ssize_t size = pread (lock, text, TEXT_MAX, 0);
  g_auto (GStrv) lines = NULL;

  text[MAX (size, 0)] = '\0';
  lines = g_strsplit (text, "\n", 3);
  if (g_strv_length (lines) != 3 ||
      g_ascii_strtoll (lines[0], NULL, 10) < since_us)
    return FALSE;

  g_set_error_literal (error, REEVE_ERROR,
                       (int) g_ascii_strtoll (lines[1], NULL, 10), lines[2]);
  return TRUE;
}

static gboolean
start_once (int lock,
            const char *folder,
            gint64 deadline_us,
            GCancellable *cancellable,
            GError **error)
{
  g_autoptr (GError) failure = NULL;

  if (start (folder, deadline_us, cancellable, &failure))
    return TRUE;

  if (g_error_matches (failure, REEVE_ERROR, REEVE_ERROR_NO_CONNECT))
    write_failure (lock, failure);
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
reeve_autostart_run (const char *stream,
                     gint64 deadline_us,
                     GCancellable *cancellable,
                     GError **error)
{
  g_autofree char *folder = g_path_get_dirname (stream + strlen ("unix:"));
  g_autofree char *path = g_build_filename (folder, "start.lock", NULL);
  gint64 since_us = g_get_monotonic_time ();
  REEVE_AUTOFD int lock = -1;

  if (g_mkdir_with_parents (folder, 0700) < 0)
    return fail (error, folder, g_strerror (errno));
  lock = reeve_file_lock_take (path, deadline_us, cancellable, error);
  if (lock < 0)
    return FALSE;
  if (is_served (stream))
    return TRUE;
  if (read_failure (lock, since_us, error))
    return FALSE;

  return start_once (lock, folder, deadline_us, cancellable, error);
}
