/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/store.h"

#include "event/intl.h"
#include "machine/durable.h"
#include "rpc/error.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *
make_path (const char *dir, const char *name)
{
  g_autofree char *file = g_strconcat (name, REEVE_STORE_SUFFIX, NULL);

  return g_build_filename (dir, file, NULL);
}

static char *
make_mark_path (const char *dir, const char *name)
{
  g_autofree char *file = g_strconcat (name, REEVE_STORE_SUFFIX, NULL);

  return g_build_filename (dir, REEVE_STORE_MARKS, file, NULL);
}

gboolean
reeve_store_save (const char *dir, ReeveConfig *config, GError **error)
{
  g_autofree char *path = make_path (dir, reeve_config_get_name (config));

  return reeve_durable_write (path, reeve_config_get_xml (config), error);
}

static gboolean
remove_file (const char *path, GError **error)
{
  if (unlink (path) < 0 && errno != ENOENT)
    return reeve_error_from_errno (error, errno, _ ("cannot remove %s"), path);
  return TRUE;
}

gboolean
reeve_store_remove (const char *dir, const char *name, GError **error)
{
  g_autofree char *path = make_path (dir, name);
  g_autofree char *mark = make_mark_path (dir, name);

  /* The mark first: a mark of nothing would mark whatever gets the name. */
  return remove_file (mark, error) && remove_file (path, error) &&
         reeve_durable_sync_dir (dir, error);
}

static gboolean
has_mark (const char *dir, const char *name)
{
  g_autofree char *mark = make_mark_path (dir, name);
  struct stat info;

  return lstat (mark, &info) == 0;
}

gboolean
reeve_store_rename (const char *dir,
                    const char *old_name,
                    ReeveConfig *config,
                    GError **error)
{
  const char *name = reeve_config_get_name (config);

  if (!reeve_store_save (dir, config, error) ||
      (has_mark (dir, old_name) &&
       !reeve_store_set_autostart (dir, name, TRUE, error)))
    return FALSE;
  return reeve_store_remove (dir, old_name, error);
}

gboolean
reeve_store_set_autostart (const char *dir,
                           const char *name,
                           gboolean is_autostart,
                           GError **error)
{
  g_autofree char *mark = make_mark_path (dir, name);
  g_autofree char *marks = g_path_get_dirname (mark);
  g_autofree char *file = g_strconcat ("../", name, REEVE_STORE_SUFFIX, NULL);

  if (g_mkdir_with_parents (marks, 0700) < 0)
    return reeve_error_from_errno (error, errno,
                                   _ ("cannot make the directory %s"), marks);
  if (!is_autostart)
    return remove_file (mark, error) && reeve_durable_sync_dir (marks, error);
  if (symlink (file, mark) < 0 && errno != EEXIST)
    return reeve_error_from_errno (error, errno, _ ("cannot make %s"), mark);
  return reeve_durable_sync_dir (marks, error);
}
