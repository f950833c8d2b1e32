/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/child.h"

#include "event/fd.h"
#include "event/process-stat.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

struct _ReeveChild {
  ReeveLoop *loop; /* (owned) */
  ReeveChildEndFunc ended;
  gpointer data;
  char *name;
  pid_t pid;
  gboolean is_running;
  int status; /* once it does not run */

  int output_fd; /* (owned): -1 at the end */
  GString *output;
  size_t max_output_bytes;

  int end_watch;
  int output_watch;
  int stop_watch; /* a timeout, disabled until it is told to stop */
};

/* --------------------------------------------------------------- output --- */

static void
close_output (ReeveChild *self)
{
  if (self->output_fd >= 0)
    reeve_loop_remove (self->loop, self->output_watch);
  reeve_fd_clear (&self->output_fd);
}

/* Takes what is there; returns whether more may come. */
static gboolean
read_output (ReeveChild *self)
{
  for (;;) {
    char bytes[4096];
    ssize_t size = read (self->output_fd, bytes, sizeof bytes);
    size_t room = self->max_output_bytes - self->output->len;

    if (size > 0)
      g_string_append_len (self->output, bytes,
                           (gssize) MIN ((size_t) size, room));
    else if (size == 0 || (errno != EINTR && errno != EAGAIN))
      return FALSE;
    else if (errno == EAGAIN)
      return TRUE;
  }
}

static void
take_output (ReeveLoop *loop,
             int watch,
             int fd,
             ReeveEvents events,
             gpointer data)
{
  ReeveChild *self = data;

  if (!read_output (self))
    close_output (self);
}

/* ------------------------------------------------------------------ end --- */

static void
log_end (const ReeveChild *self)
{
  g_autofree char *words = reeve_child_dup_status (self);

  if (self->output->len == 0)
    g_message ("%s: %s", self->name, words);
  else
    g_message ("%s: %s: %s", self->name, words, self->output->str);
}

static void
take_end (ReeveLoop *loop, int watch, pid_t pid, int status, gpointer data)
{
  ReeveChild *self = data;

  self->is_running = FALSE;
  self->status = status;
  reeve_loop_update_timeout (loop, self->stop_watch, -1);
  if (self->output_fd >= 0)
    read_output (self);
  close_output (self);
  if (self->name != NULL)
    log_end (self);
  if (self->ended != NULL)
    self->ended (self, status, self->data);
}

/* Of one that nobody asks for any more. */
static void
reap (ReeveLoop *loop, int watch, pid_t pid, int status, gpointer data)
{
}

static void
kill_now (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveChild *self = data;

  reeve_loop_update_timeout (loop, watch, -1);
  reeve_child_kill (self, SIGKILL);
}

/* ---------------------------------------------------------------- start --- */

static gboolean
spawn (ReeveChild *self, const ReeveChildPlan *plan, GError **error)
{
  REEVE_AUTOFD int null = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  REEVE_AUTOFD int write_fd = -1;
  int pipe_fds[2];

  if (null < 0 || pipe2 (pipe_fds, O_CLOEXEC) < 0) {
    g_set_error_literal (error, G_FILE_ERROR,
                         (gint) g_file_error_from_errno (errno),
                         g_strerror (errno));
    return FALSE;
  }

  self->output_fd = pipe_fds[0];
  write_fd = pipe_fds[1];
  fcntl (self->output_fd, F_SETFL, O_NONBLOCK);
  return g_spawn_async_with_fds (
      NULL, (char **) plan->argv, (char **) plan->envp,
      G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &self->pid,
      null, write_fd, write_fd, error);
}

ReeveChild *
reeve_child_start (ReeveLoop *loop,
                   const ReeveChildPlan *plan,
                   ReeveChildEndFunc ended,
                   gpointer data,
                   GError **error)
{
  ReeveChild *self = g_new0 (ReeveChild, 1);

  self->loop = reeve_loop_ref (loop);
  self->ended = ended;
  self->data = data;
  self->name = g_strdup (plan->name);
  self->output = g_string_new (NULL);
  self->max_output_bytes = plan->max_output_bytes;
  self->output_fd = -1;
  self->stop_watch = reeve_loop_add_timeout (loop, -1, kill_now, self, NULL);
  if (!spawn (self, plan, error)) {
    reeve_fd_clear (&self->output_fd);
    reeve_child_free (self);
    return NULL;
  }

  self->is_running = TRUE;
  self->end_watch =
      reeve_loop_add_child (loop, self->pid, take_end, self, NULL);
  self->output_watch = reeve_loop_add_handle (
      loop, self->output_fd, REEVE_EVENT_READABLE, take_output, self, NULL);
  if (self->end_watch < 0 || self->output_watch < 0) {
    g_set_error_literal (error, G_FILE_ERROR,
                         (gint) g_file_error_from_errno (errno),
                         g_strerror (errno));
    reeve_child_free (self);
    return NULL;
  }
  return self;
}

/* Its number is its own until somebody waits for it. */
static void
forget (ReeveChild *self)
{
  kill (self->pid, SIGKILL);
  if (self->end_watch >= 0)
    reeve_loop_remove (self->loop, self->end_watch);
  if (reeve_loop_add_child (self->loop, self->pid, reap, NULL, NULL) < 0)
    waitpid (self->pid, NULL, 0);
}

void
reeve_child_free (ReeveChild *self)
{
  if (self == NULL)
    return;

  if (self->is_running)
    forget (self);
  close_output (self);
  reeve_loop_remove (self->loop, self->stop_watch);
  reeve_loop_unref (self->loop);
  g_string_free (self->output, TRUE);
  g_free (self->name);
  g_free (self);
}

pid_t
reeve_child_get_pid (const ReeveChild *self)
{
  return self->pid;
}

const char *
reeve_child_get_name (const ReeveChild *self)
{
  return self->name;
}

gboolean
reeve_child_is_running (const ReeveChild *self)
{
  return self->is_running;
}

gboolean
reeve_child_has_exited (const ReeveChild *self, int *number)
{
  gboolean has_exited = !self->is_running && WIFEXITED (self->status);

  if (has_exited)
    *number = WEXITSTATUS (self->status);
  else
    *number = self->is_running ? 0 : WTERMSIG (self->status);
  return has_exited;
}

char *
reeve_child_dup_status (const ReeveChild *self)
{
  return self->is_running ? g_strdup ("running")
                          : reeve_process_describe_end (self->status);
}

const char *
reeve_child_get_output (const ReeveChild *self, size_t *size)
{
  *size = self->output->len;
  return self->output->str;
}

gboolean
reeve_child_kill (ReeveChild *self, int signum)
{
  if (self->is_running)
    return kill (self->pid, signum) == 0;

  errno = ESRCH;
  return FALSE;
}

void
reeve_child_stop (ReeveChild *self, int grace_ms)
{
  if (reeve_child_kill (self, SIGTERM))
    reeve_loop_update_timeout (self->loop, self->stop_watch, grace_ms);
}
