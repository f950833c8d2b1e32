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

#define SUFFIX ".xml"

static char *
make_path (const char *dir, const char *name)
{
  g_autofree char *file = g_strconcat (name, SUFFIX, NULL);

  return g_build_filename (dir, file, NULL);
}

static char *
make_mark_path (const char *dir, const char *name)
{
  g_autofree char *file = g_strconcat (name, SUFFIX, NULL);

  return g_build_filename (dir, "autostart", file, NULL);
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
  g_autofree char *file = g_strconcat ("../", name, SUFFIX, NULL);

  if (g_mkdir_with_parents (marks, 0700) < 0)
    return reeve_error_from_errno (error, errno,
                                   _ ("cannot make the directory %s"), marks);
  if (!is_autostart)
    return remove_file (mark, error) && reeve_durable_sync_dir (marks, error);
  if (symlink (file, mark) < 0 && errno != EEXIST)
    return reeve_error_from_errno (error, errno, _ ("cannot make %s"), mark);
  return reeve_durable_sync_dir (marks, error);
}

static ReeveConfig *
load_one (const char *path, const char *name, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (ReeveConfig) config = NULL;
  struct stat info;

  if (stat (path, &info) < 0 || !S_ISREG (info.st_mode) ||
      info.st_size > REEVE_CONFIG_MAX_BYTES) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("it is no definition"));
    return NULL;
  }
  if (!g_file_get_contents (path, &text, NULL, error))
    return NULL;
  config = reeve_config_new_from_xml (text, error);
  if (config == NULL)
    return NULL;
  if (!g_str_equal (reeve_config_get_name (config), name)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("it defines a machine of another name, '%s'"),
                 reeve_config_get_name (config));
    return NULL;
  }
  return g_steal_pointer (&config);
}

static void
load_file (const char *dir,
           const char *file,
           ReeveStoreFunc func,
           gpointer data)
{
  g_autofree char *path = g_build_filename (dir, file, NULL);
  g_autofree char *name = g_strndup (file, strlen (file) - strlen (SUFFIX));
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfig) config = load_one (path, name, &error);

  if (config == NULL)
    g_warning ("cannot read %s: %s", path, error->message);
  else
    func (config, has_mark (dir, name), data);
}

gboolean
reeve_store_load (const char *dir,
                  ReeveStoreFunc func,
                  gpointer data,
                  GError **error)
{
  g_autoptr (GDir) entries = g_dir_open (dir, 0, error);
  const char *file;

  if (entries == NULL)
    return FALSE;
  while ((file = g_dir_read_name (entries)) != NULL) {
    g_autofree char *path = g_build_filename (dir, file, NULL);

    /* left by one that was stopped while it wrote: never acknowledged */
    if (g_str_has_suffix (file, SUFFIX REEVE_DURABLE_SUFFIX))
      (void) unlink (path);
    else if (g_str_has_suffix (file, SUFFIX))
      load_file (dir, file, func, data);
  }
  return TRUE;
}
