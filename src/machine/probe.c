/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/probe.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: what it writes is bounded by the kernel. */
static void
limit_output (gpointer data)
{
  const struct rlimit limit = { REEVE_PROBE_MAX_BYTES + 1,
                                REEVE_PROBE_MAX_BYTES + 1 };

  (void) setrlimit (RLIMIT_FSIZE, &limit);
}

/* FALSE: it did not end in time, or was no longer wanted, and was killed. */
static gboolean
wait_for (pid_t pid, int timeout_ms, GCancellable *cancellable, int *status)
{
  REEVE_AUTOFD int fd = (int) syscall (SYS_pidfd_open, pid, 0);
  GPollFD cancelled = { .fd = -1 };
  struct pollfd ended[2] = { { .fd = fd, .events = POLLIN } };
  gint64 left_us = (gint64) timeout_ms * 1000;
  gint64 end_us = g_get_monotonic_time () + left_us;
  gboolean is_pollable = cancellable != NULL &&
                         g_cancellable_make_pollfd (cancellable, &cancelled);

  ended[1] = (struct pollfd){ .fd = cancelled.fd, .events = POLLIN };
  while (fd >= 0 && left_us > 0) {
    if (poll (ended, 2, (int) (left_us / 1000)) >= 0 || errno != EINTR)
      break;
    left_us = end_us - g_get_monotonic_time ();
  }
  if (is_pollable)
    g_cancellable_release_fd (cancellable);

  if (ended[0].revents == 0)
    kill (pid, SIGKILL);
  while (waitpid (pid, status, 0) < 0 && errno == EINTR)
    ;
  return ended[0].revents != 0;
}

static char *
read_output (int fd, GError **error)
{
  struct stat output;
  g_autofree char *text = NULL;
  ssize_t size = -1;

  if (fstat (fd, &output) == 0 && output.st_size > REEVE_PROBE_MAX_BYTES) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("it writes more than %u bytes"), REEVE_PROBE_MAX_BYTES);
    return NULL;
  }

  text = g_malloc (REEVE_PROBE_MAX_BYTES + 1);
  size = pread (fd, text, REEVE_PROBE_MAX_BYTES, 0);
  text[MAX (size, 0)] = '\0';
  return g_steal_pointer (&text);
}

char *
reeve_probe_run (const char *const *argv,
                 int timeout_ms,
                 int *status,
                 GError **error)
{
  REEVE_AUTOFD int output = memfd_create ("reeve-probe", MFD_CLOEXEC);
  REEVE_AUTOFD int null = open ("/dev/null", O_RDWR | O_CLOEXEC);
  int end_status = 0;
  GPid pid;

  if (output < 0 || null < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot run %s"), argv[0]);
    return NULL;
  }
  if (!g_spawn_async_with_fds (NULL, (char **) argv, NULL,
                               G_SPAWN_DO_NOT_REAP_CHILD, limit_output, NULL,
                               &pid, null, output, null, error))
    return NULL;
  if (!wait_for (pid, timeout_ms, NULL, &end_status)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                 _ ("it did not end within %d ms"), timeout_ms);
    return NULL;
  }

  if (status != NULL)
    *status = end_status;
  return read_output (output, error);
}

/* What a program said when it failed, without the end of the line. */
static void
set_failure (const char *program, int output, GError **error)
{
  char text[1024];
  ssize_t size = pread (output, text, sizeof text - 1, 0);
  g_autofree char *valid = NULL;

  text[MAX (size, 0)] = '\0';
  valid = g_utf8_make_valid (g_strchomp (text), -1);
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
               _ ("%1$s failed: %2$s"), program, valid);
}

gboolean
reeve_probe_run_quiet (const char *const *argv,
                       int timeout_ms,
                       GCancellable *cancellable,
                       GError **error)
{
  REEVE_AUTOFD int output = memfd_create ("reeve-probe", MFD_CLOEXEC);
  REEVE_AUTOFD int null = open ("/dev/null", O_RDWR | O_CLOEXEC);
  int status = 0;
  GPid pid;

  if (output < 0 || null < 0)
    return reeve_error_from_errno (error, errno, _ ("cannot run %s"), argv[0]);
  if (!g_spawn_async_with_fds (NULL, (char **) argv, NULL,
                               G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH,
                               NULL, NULL, &pid, null, null, output, error))
    return FALSE;

  if (!wait_for (pid, timeout_ms, cancellable, &status)) {
    if (g_cancellable_is_cancelled (cancellable))
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_ABORTED,
                   _ ("%s was no longer wanted"), argv[0]);
    else
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                   _ ("%1$s did not end within %2$d ms"), argv[0], timeout_ms);
    return FALSE;
  }
  if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
    return TRUE;
  set_failure (argv[0], output, error);
  return FALSE;
}
