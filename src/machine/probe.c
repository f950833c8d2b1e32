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

/* FALSE: it did not end in time, and was killed. */
static gboolean
wait_for (pid_t pid, int timeout_ms, int *status)
{
  REEVE_AUTOFD int fd = (int) syscall (SYS_pidfd_open, pid, 0);
  struct pollfd ended = { .fd = fd, .events = POLLIN };
  gint64 left_us = timeout_ms * 1000;
  gint64 end_us = g_get_monotonic_time () + left_us;
  int n_ended = 0;

  while (fd >= 0 && left_us > 0) {
    n_ended = poll (&ended, 1, (int) (left_us / 1000));
    if (n_ended >= 0 || errno != EINTR)
      break;
    left_us = end_us - g_get_monotonic_time ();
  }

  if (n_ended != 1)
    kill (pid, SIGKILL);
  while (waitpid (pid, status, 0) < 0 && errno == EINTR)
    ;
  return n_ended == 1;
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
  if (!wait_for (pid, timeout_ms, &end_status)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                 _ ("it did not end within %d ms"), timeout_ms);
    return NULL;
  }

  if (status != NULL)
    *status = end_status;
  return read_output (output, error);
}
