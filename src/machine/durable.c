/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/durable.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

gboolean
reeve_durable_sync_dir (const char *path, GError **error)
{
  REEVE_AUTOFD int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0 || fsync (fd) < 0)
    return reeve_error_from_errno (error, errno,
                                   _ ("cannot sync the directory %s"), path);
  return TRUE;
}

static gboolean
write_temporary (const char *path, const char *text, GError **error)
{
  REEVE_AUTOFD int fd =
      open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  if (fd >= 0 && reeve_fd_write_all (fd, text, strlen (text)) &&
      reeve_fd_write_all (fd, "\n", 1) && fsync (fd) == 0)
    return TRUE;
  reeve_error_from_errno (error, errno, _ ("cannot write %s"), path);
  (void) unlink (path);
  return FALSE;
}

gboolean
reeve_durable_write (const char *path, const char *text, GError **error)
{
  g_autofree char *temporary = g_strconcat (path, REEVE_DURABLE_SUFFIX, NULL);
  g_autofree char *dir = g_path_get_dirname (path);

  if (!write_temporary (temporary, text, error))
    return FALSE;
  if (rename (temporary, path) < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot write %s"), path);
    (void) unlink (temporary);
    return FALSE;
  }
  return reeve_durable_sync_dir (dir, error);
}
