/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/launch.h"

#include "event/fd.h"
#include "event/intl.h"
#include "machine/command-line.h"
#include "machine/config.h"
#include "machine/scope.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Where QEMU finds what it inherits. */
enum {
  MONITOR_FD = 3,
  LOCK_FD = 4,
};

#define MAX_TAIL 4096
#define MIN_FILES 4096

void
reeve_launch_free (ReeveLaunch *self)
{
  if (self == NULL)
    return;

  reeve_status_clear (&self->status);
  g_clear_pointer (&self->config, reeve_config_unref);
  g_clear_pointer (&self->consoles, g_ptr_array_unref);
  g_clear_pointer (&self->process, reeve_process_unref);
  g_clear_pointer (&self->machine, reeve_machine_unref);
  reeve_fd_clear (&self->monitor_fd);
  g_clear_error (&self->error);
  g_free (self->log_path);
  g_free (self);
}

static int
open_log (ReeveLaunch *self, const char *const *argv)
{
  REEVE_AUTOFD int fd =
      open (self->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *stamp = g_date_time_format_iso8601 (now);
  g_autofree char *words = g_strjoinv (" ", (char **) argv);
  g_autofree char *head =
      g_strconcat (stamp, ": starting: ", words, "\n", NULL);

  if (fd < 0 || write (fd, head, strlen (head)) < 0) {
    reeve_error_from_errno (&self->error, errno, _ ("cannot write %s"),
                            self->log_path);
    return -1;
  }
  self->log_offset = lseek (fd, 0, SEEK_END);
  return g_steal_fd (&fd);
}

static int
open_pid_file (ReeveLaunch *self)
{
  int fd = open (self->dir->pid_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                 0600);

  if (fd < 0)
    reeve_error_from_errno (&self->error, errno, _ ("cannot write %s"),
                            self->dir->pid_path);
  return fd;
}

static gboolean
spawn (ReeveLaunch *self, int lock_fd, int listen_fd)
{
  g_auto (GStrv) argv = reeve_command_line_build (
      self->config, MONITOR_FD, self->dir->console_dir, &self->error);
  REEVE_AUTOFD int log_fd = -1;
  REEVE_AUTOFD int pid_fd = -1;
  ReeveProcessFd fds[] = {
    { listen_fd, MONITOR_FD },
    { lock_fd, LOCK_FD },
  };
  ReeveProcessPlan plan = {
    .argv = (const char *const *) argv,
    .fds = fds,
    .n_fds = G_N_ELEMENTS (fds),
    .min_files = MIN_FILES,
  };

  if (argv == NULL)
    return FALSE;
  log_fd = open_log (self, plan.argv);
  if (log_fd < 0)
    return FALSE;
  pid_fd = open_pid_file (self);
  if (pid_fd < 0)
    return FALSE;

  plan.log_fd = log_fd;
  plan.pid_fd = pid_fd;
  self->process = reeve_process_spawn (&plan, &self->error);
  if (self->process == NULL)
    return FALSE;

  reeve_scope_adopt (reeve_process_get_pid (self->process),
                     reeve_config_get_uuid (self->config),
                     reeve_config_get_name (self->config));
  return TRUE;
}

static gboolean
prepare_consoles (ReeveLaunch *self)
{
  if (self->consoles->len > 0 &&
      !reeve_run_dir_make_console_dir (self->dir, &self->error))
    return FALSE;
  for (guint i = 0; i < self->consoles->len; i++) {
    if (!reeve_console_prepare (self->consoles->pdata[i], &self->error))
      return FALSE;
  }
  return TRUE;
}

/* The connection waits in the backlog before QEMU has begun: there is no
 * moment to wait for. Our listening socket is closed after it, so that a QEMU
 * that dies early is seen as a closed connection. */
static gboolean
launch_locked (ReeveLaunch *self, int lock_fd)
{
  REEVE_AUTOFD int listen_fd = -1;

  if (!reeve_status_write (&self->status, self->dir->status_path,
                           &self->error) ||
      !prepare_consoles (self))
    return FALSE;

  (void) unlink (self->dir->monitor_path);
  listen_fd = reeve_run_dir_listen (self->dir, &self->error);
  if (listen_fd < 0)
    return FALSE;
  self->monitor_fd = reeve_run_dir_connect (self->dir, &self->error);
  return self->monitor_fd >= 0 && spawn (self, lock_fd, listen_fd);
}

void
reeve_launch_run (ReeveLaunch *self)
{
  gboolean is_taken;
  REEVE_AUTOFD int lock_fd =
      reeve_run_dir_lock (self->dir, TRUE, &is_taken, &self->error);

  if (lock_fd < 0)
    return;
  if (!launch_locked (self, lock_fd))
    reeve_run_dir_remove (self->dir);
}

/* "2026-01-31T12:00:00.123456Z qemu-system-x86_64: " tells a user nothing. */
static const char *
skip_stamp (const char *line)
{
  const char *blank = strchr (line, ' ');

  if (blank != NULL && blank > line && blank[-1] == 'Z' &&
      g_ascii_isdigit (line[0]))
    return blank + 1;
  return line;
}

static char *
join_lines (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_autoptr (GPtrArray) kept = g_ptr_array_new ();

  for (size_t i = 0; lines[i] != NULL; i++) {
    if (lines[i][0] != '\0')
      g_ptr_array_add (kept, (gpointer) skip_stamp (lines[i]));
  }
  g_ptr_array_add (kept, NULL);
  return g_strjoinv ("; ", (char **) kept->pdata);
}

char *
reeve_launch_read_log (const char *path, int64_t offset)
{
  REEVE_AUTOFD int fd = open (path, O_RDONLY | O_CLOEXEC);
  char text[MAX_TAIL + 1];
  off_t end;
  ssize_t size;
  g_autofree char *valid = NULL;

  if (fd < 0 || (end = lseek (fd, 0, SEEK_END)) < 0)
    return g_strdup ("");

  size = pread (fd, text, MAX_TAIL, MAX (offset, end - MAX_TAIL));
  text[MAX (size, 0)] = '\0';
  valid = g_utf8_make_valid (text, -1);
  return join_lines (valid);
}
