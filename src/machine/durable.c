/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/durable.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

typedef enum {
  PLACE_FREE,
  PLACE_TAKEN,
  PLACE_UNKNOWN, /* what was there, if anything, is gone */
} Place;

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

/* What was there takes the temporary name, until the new one is there for
 * certain. Some file systems cannot do that. */
static gboolean
put_in_place (const char *temporary, const char *path, Place *place)
{
  if (renameat2 (AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
    *place = PLACE_TAKEN;
    return TRUE;
  }
  *place = errno == ENOENT ? PLACE_FREE : PLACE_UNKNOWN;
  return rename (temporary, path) == 0;
}

gboolean
reeve_durable_write (const char *path, const char *text, GError **error)
{
  g_autofree char *temporary = g_strconcat (path, REEVE_DURABLE_SUFFIX, NULL);
  g_autofree char *dir = g_path_get_dirname (path);
  Place place;

  if (!write_temporary (temporary, text, error))
    return FALSE;
  if (!put_in_place (temporary, path, &place)) {
    reeve_error_from_errno (error, errno, _ ("cannot write %s"), path);
    (void) unlink (temporary);
    return FALSE;
  }
  if (reeve_durable_sync_dir (dir, error)) {
    if (place == PLACE_TAKEN)
      (void) unlink (temporary);
    return TRUE;
  }

  if (place == PLACE_TAKEN)
    (void) rename (temporary, path);
  else if (place == PLACE_FREE)
    (void) unlink (path);
  return FALSE;
}
