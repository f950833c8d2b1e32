/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/store.h"

#include "event/intl.h"
#include "machine/durable.h"
#include "rpc/error.h"

#include <errno.h>
#include <stdio.h>
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

/* ---------------------------------------------------------------- marks -- */

static gboolean
has_mark (const char *dir, const char *name)
{
  g_autofree char *mark = make_mark_path (dir, name);
  struct stat info;

  return lstat (mark, &info) == 0;
}

static gboolean
put_mark (const char *dir,
          const char *name,
          gboolean is_autostart,
          GError **error)
{
  g_autofree char *mark = make_mark_path (dir, name);
  g_autofree char *file = g_strconcat ("../", name, REEVE_STORE_SUFFIX, NULL);

  if (is_autostart) {
    if (symlink (file, mark) < 0 && errno != EEXIST)
      return reeve_error_from_errno (error, errno, _ ("cannot make %s"), mark);
  } else if (unlink (mark) < 0 && errno != ENOENT)
    return reeve_error_from_errno (error, errno, _ ("cannot remove %s"), mark);
  return TRUE;
}

/* As well as a disk that fails lets it. */
static void
restore_mark (const char *dir, const char *name, gboolean is_autostart)
{
  g_autofree char *marks = g_build_filename (dir, REEVE_STORE_MARKS, NULL);

  (void) put_mark (dir, name, is_autostart, NULL);
  (void) reeve_durable_sync_dir (marks, NULL);
}

static gboolean
make_marks_dir (const char *dir, const char *marks, GError **error)
{
  if (mkdir (marks, 0700) == 0)
    return reeve_durable_sync_dir (dir, error);
  return errno == EEXIST ||
         reeve_error_from_errno (error, errno,
                                 _ ("cannot make the directory %s"), marks);
}

gboolean
reeve_store_set_autostart (const char *dir,
                           const char *name,
                           gboolean is_autostart,
                           GError **error)
{
  g_autofree char *marks = g_build_filename (dir, REEVE_STORE_MARKS, NULL);
  gboolean was_autostart = has_mark (dir, name);

  if (make_marks_dir (dir, marks, error) &&
      put_mark (dir, name, is_autostart, error) &&
      reeve_durable_sync_dir (marks, error))
    return TRUE;

  restore_mark (dir, name, was_autostart);
  return FALSE;
}

/* ---------------------------------------------------------- definitions -- */

/* Out of the way first: what is not gone for certain is still there. */
static gboolean
remove_definition (const char *dir, const char *name, GError **error)
{
  g_autofree char *path = make_path (dir, name);
  g_autofree char *aside = g_strconcat (path, REEVE_DURABLE_SUFFIX, NULL);

  if (rename (path, aside) < 0)
    return errno == ENOENT ||
           reeve_error_from_errno (error, errno, _ ("cannot remove %s"), path);
  if (reeve_durable_sync_dir (dir, error)) {
    (void) unlink (aside);
    return TRUE;
  }

  (void) rename (aside, path);
  (void) reeve_durable_sync_dir (dir, NULL);
  return FALSE;
}

gboolean
reeve_store_remove (const char *dir, const char *name, GError **error)
{
  gboolean was_autostart = has_mark (dir, name);

  /* The mark first: a mark of nothing would mark whatever gets the name. */
  if (was_autostart && !reeve_store_set_autostart (dir, name, FALSE, error))
    return FALSE;
  if (remove_definition (dir, name, error))
    return TRUE;

  if (was_autostart)
    restore_mark (dir, name, TRUE);
  return FALSE;
}

/* Goes on where a disk fails: of two definitions the new one must not stay. */
static void
undo_save (const char *dir, const char *name)
{
  g_autofree char *path = make_path (dir, name);

  (void) unlink (path);
  (void) reeve_durable_sync_dir (dir, NULL);
}

/* The new mark, the new definition, and then neither of the old ones: wherever
 * this is interrupted, reeve_store_load() finds one of both machines whole. */
gboolean
reeve_store_rename (const char *dir,
                    const char *old_name,
                    ReeveConfig *config,
                    GError **error)
{
  const char *name = reeve_config_get_name (config);
  gboolean is_autostart = has_mark (dir, old_name);
  gboolean was_autostart = has_mark (dir, name);

  if (is_autostart != was_autostart &&
      !reeve_store_set_autostart (dir, name, is_autostart, error))
    return FALSE;
  if (reeve_store_save (dir, config, error)) {
    if (reeve_store_remove (dir, old_name, error))
      return TRUE;
    undo_save (dir, name);
  }

  if (is_autostart != was_autostart)
    restore_mark (dir, name, was_autostart);
  return FALSE;
}
