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

/**
 * REEVE_AUTOFD:
 *
 * Marks an `int` as an owned file descriptor (or -1) that is closed at the end
 * of its scope; g_steal_fd() takes it out.
 */
#define REEVE_AUTOFD __attribute__ ((cleanup (reeve_fd_clear)))

G_END_DECLS
