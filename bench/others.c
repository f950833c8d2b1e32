/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "others.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first number of the file is what a thread has run, in nanoseconds. */
static double
get_thread_us (const char *folder, const char *thread)
{
  g_autofree char *path = g_strconcat (folder, "/", thread, "/schedstat", NULL);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  char text[64] = "";

  if (fd < 0)
    return -1;
  if (read (fd, text, sizeof text - 1) < 0)
    text[0] = '\0';
  close (fd);
  return g_ascii_strtod (text, NULL) / 1000;
}

static double
get_process_us (const char *pid)
{
  g_autofree char *folder = g_strconcat ("/proc/", pid, "/task", NULL);
  g_autoptr (GDir) threads = g_dir_open (folder, 0, NULL);
  const char *thread;
  double us = 0;

  while (threads != NULL && (thread = g_dir_read_name (threads)) != NULL)
    us += MAX (get_thread_us (folder, thread), 0);
  return us;
}

static double
get_run_us (pid_t server)
{
  g_autoptr (GDir) processes = g_dir_open ("/proc", 0, NULL);
  const char *name;
  double us = 0;

  if (processes == NULL || get_thread_us ("/proc", "thread-self") < 0)
    return -1;
  while ((name = g_dir_read_name (processes)) != NULL)
    if (g_ascii_isdigit (name[0]) && atoi (name) != server &&
        atoi (name) != getpid ())
      us += get_process_us (name);
  return us;
}

static double
count_started (void)
{
  static const char key[] = "\nprocesses ";
  g_autofree char *text = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/stat", &text, NULL, NULL))
    return 0;
  line = strstr (text, key);
  return line == NULL ? 0 : g_ascii_strtod (line + strlen (key), NULL);
}

Others
others_get (pid_t server)
{
  return (Others){ get_run_us (server), count_started () };
}

gboolean
others_ran (const Others *before, const Others *after, double us)
{
  return before->run_us < 0 || after->n_started > before->n_started ||
         fabs (after->run_us - before->run_us) > us;
}
