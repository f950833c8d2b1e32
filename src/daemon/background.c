/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/background.h"

#include "daemon/notify-socket.h"
#include "event/fd.h"
#include "event/intl.h"
#include "event/process-stat.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* What the child said so far. */
typedef struct {
  gboolean is_ready;
  char *status; /* (owned) (nullable) */
} Hearing;

static void
hear (ReeveNotifySocket *socket, pid_t pid, Hearing *hearing)
{
  GHashTable *message;
  int fd;

  while ((message = reeve_notify_socket_receive (socket, pid, &fd)) != NULL) {
    const char *status = g_hash_table_lookup (message, "STATUS");

    reeve_fd_clear (&fd);
    if (g_hash_table_contains (message, "READY"))
      hearing->is_ready = TRUE;
    if (status != NULL) {
      g_free (hearing->status);
      hearing->status = g_strdup (status);
    }
    g_hash_table_unref (message);
  }
}

/* Waits until it is ready, or the child has ended. */
static void
wait_for_child (ReeveNotifySocket *socket, pid_t pid, Hearing *hearing)
{
  REEVE_AUTOFD int pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
  struct pollfd files[] = {
    { .fd = reeve_notify_socket_get_fd (socket), .events = POLLIN },
    { .fd = pidfd, .events = POLLIN },
  };

  while (!hearing->is_ready && files[1].revents == 0) {
    if (poll (files, G_N_ELEMENTS (files), -1) < 0 && errno != EINTR)
      break;
    hear (socket, pid, hearing);
  }
}

static int
judge_end (const char *name, pid_t pid, const Hearing *hearing)
{
  g_autofree char *end = NULL;
  int status = 0;

  while (waitpid (pid, &status, 0) < 0 && errno == EINTR)
    ;
  if (WIFEXITED (status) && WEXITSTATUS (status) != 0) {
    if (hearing->status != NULL)
      fprintf (stderr, "%s: %s\n", name, hearing->status);
    return WEXITSTATUS (status);
  }

  end = reeve_process_describe_end (status);
  fprintf (stderr, _ ("%1$s: it ended before it was ready: %2$s\n"), name, end);
  return EXIT_FAILURE;
}

static int
be_parent (const char *name, ReeveNotifySocket *socket, pid_t pid)
{
  Hearing hearing = { 0 };
  int status = 0;

  wait_for_child (socket, pid, &hearing);
  if (!hearing.is_ready)
    status = judge_end (name, pid, &hearing);
  g_free (hearing.status);
  return status;
}

static void
be_child (ReeveNotifySocket *socket, pid_t parent, ReeveNotify **notify)
{
  prctl (PR_SET_PDEATHSIG, SIGTERM);
  if (getppid () != parent)
    _exit (EXIT_FAILURE);
  setsid ();
  reeve_notify_free (*notify);
  *notify = reeve_notify_new (reeve_notify_socket_get_path (socket), FALSE, 0);
}

int
reeve_background_start (const char *name, ReeveNotify **notify)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveNotifySocket) socket = reeve_notify_socket_new (&error);
  pid_t parent = getpid ();
  pid_t pid = socket != NULL ? fork () : -1;

  if (pid < 0) {
    fprintf (stderr, "%s: %s\n", name,
             error != NULL ? error->message : g_strerror (errno));
    return EXIT_FAILURE;
  }
  if (pid > 0)
    return be_parent (name, socket, pid);

  be_child (socket, parent, notify);
  return -1;
}

gboolean
reeve_background_finish (const char *directory)
{
  REEVE_AUTOFD int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

  if (null < 0 || (directory != NULL && chdir (directory) < 0))
    return FALSE;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (dup2 (null, fd) < 0)
      return FALSE;

  prctl (PR_SET_PDEATHSIG, 0);
  return TRUE;
}
