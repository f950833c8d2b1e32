/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <glib.h>
#include <unistd.h>

G_BEGIN_DECLS

/* For REEVE_AUTOFD; closes *@fd unless it is negative and keeps errno. */
static inline void
reeve_fd_clear (int *fd)
{
  int saved_errno = errno;

  if (*fd >= 0)
    close (*fd);
  *fd = -1;
  errno = saved_errno;
}

/* Writes all @size bytes to the blocking @fd; FALSE with errno set. */
static inline gboolean
reeve_fd_write_all (int fd, const void *data, size_t size)
{
  const char *rest = (const char *) data;

  while (size > 0) {
    ssize_t n_written = write (fd, rest, size);

    if (n_written < 0 && errno == EINTR)
      continue;
    if (n_written < 0)
      return FALSE;
    rest += n_written;
    size -= (size_t) n_written;
  }
  return TRUE;
}

/**
 * REEVE_AUTOFD:
 *
 * Marks an `int` as an owned file descriptor (or -1) that is closed at the end
 * of its scope; g_steal_fd() takes it out.
 */
#define REEVE_AUTOFD __attribute__ ((cleanup (reeve_fd_clear)))

G_END_DECLS
