/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/access-files.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More is refused by whoever reads the text. */
#define MAX_SIZE (1024 * 1024 + 1)

static gboolean
check_file (int fd, const char *path, GError **error)
{
  struct stat info;

  if (fstat (fd, &info) < 0)
    return reeve_error_from_errno (error, errno, "%s", path);
  if (!S_ISREG (info.st_mode)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("%s: is not a regular file"), path);
    return FALSE;
  }
  if ((info.st_uid != 0 && info.st_uid != geteuid ()) ||
      (info.st_mode & S_IWOTH) != 0) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("%s: others than root and the daemon's own user can "
                    "write it"),
                 path);
    return FALSE;
  }

  return TRUE;
}

static gboolean
read_text (int fd, const char *path, GByteArray *text, GError **error)
{
  ssize_t size = 0;

  g_byte_array_set_size (text, MAX_SIZE);
  for (guint used = 0;; used += (guint) size) {
    do
      size = read (fd, text->data + used, MAX_SIZE - used);
    while (size < 0 && errno == EINTR);
    if (size < 0)
      return reeve_error_from_errno (error, errno, "%s", path);
    if (size == 0) {
      g_byte_array_set_size (text, used);
      return TRUE;
    }
  }
}

static gboolean
take_file (ReeveAccessRules *rules,
           const char *path,
           gboolean *is_found,
           GError **error)
{
  REEVE_AUTOFD int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  g_autoptr (GByteArray) text = g_byte_array_new ();

  if (fd < 0 && errno == ENOENT)
    return TRUE;
  *is_found = TRUE;
  if (fd < 0)
    return reeve_error_from_errno (error, errno, "%s", path);

  return check_file (fd, path, error) && read_text (fd, path, text, error) &&
         reeve_access_rules_add_text (rules, path, (const char *) text->data,
                                      text->len, error);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static gboolean
take_folder (ReeveAccessRules *rules,
             const char *folder,
             gboolean *is_found,
             GError **error)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) why = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &why);
  const char *name;

  if (g_error_matches (why, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    return TRUE;
  if (dir == NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_SYSTEM, why->message);
    return FALSE;
  }

  while ((name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_suffix (name, ".conf"))
      g_ptr_array_add (paths, g_build_filename (folder, name, NULL));
  g_ptr_array_sort (paths, compare_names);
  for (unsigned i = 0; i < paths->len; i++)
    if (!take_file (rules, paths->pdata[i], is_found, error))
      return FALSE;

  return TRUE;
}

ReeveAccessRules *
reeve_access_rules_read (const char *path, gboolean *is_found, GError **error)
{
  g_autoptr (ReeveAccessRules) rules = reeve_access_rules_new ();
  g_autofree char *folder = g_strconcat (path, ".d", NULL);

  *is_found = FALSE;
  if (!take_folder (rules, folder, is_found, error) ||
      !take_file (rules, path, is_found, error))
    return NULL;
  return g_steal_pointer (&rules);
}
