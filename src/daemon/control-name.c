/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control-name.h"

#include "event/intl.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".ctl"

/* 0: it is no name of a link for @name. */
static pid_t
parse (const char *file, const char *name)
{
  size_t length = strlen (name);
  g_autofree char *number = NULL;
  guint64 pid;

  if (strncmp (file, name, length) != 0 || file[length] != '.' ||
      !g_str_has_suffix (file, SUFFIX))
    return 0;

  file += length + 1;
  number =
      g_strndup (file, strlen (file) - MIN (strlen (file), strlen (SUFFIX)));
  return g_ascii_string_to_unsigned (number, 10, 1, G_MAXINT, &pid, NULL)
             ? (pid_t) pid
             : 0;
}

static void
remove_stale (const char *directory, const char *name)
{
  g_autoptr (GDir) files = g_dir_open (directory, 0, NULL);
  const char *file;

  while (files != NULL && (file = g_dir_read_name (files)) != NULL) {
    g_autofree char *path = g_build_filename (directory, file, NULL);
    pid_t pid = parse (file, name);

    if (pid > 0 && kill (pid, 0) < 0 && errno == ESRCH &&
        g_file_test (path, G_FILE_TEST_IS_SYMLINK))
      unlink (path);
  }
}

static char *
make_path (const char *directory, const char *name)
{
  return g_strdup_printf ("%s/%s.%d" SUFFIX, directory, name, (int) getpid ());
}

void
reeve_control_name_make (const char *directory, const char *name)
{
  g_autofree char *path = make_path (directory, name);
  g_autofree char *target = g_strconcat (name, ".sock", NULL);

  remove_stale (directory, name);
  unlink (path);
  if (symlink (target, path) < 0)
    g_warning (_ ("Cannot make %1$s: %2$s"), path, g_strerror (errno));
}

void
reeve_control_name_remove (const char *directory, const char *name)
{
  g_autofree char *path = make_path (directory, name);

  unlink (path);
}
