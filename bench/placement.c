/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "placement.h"

#include <sched.h>
#include <stdlib.h>

/* Those that we may use. */
static const cpu_set_t *
get_all_cores (void)
{
  static cpu_set_t cores;
  static gboolean is_known;

  if (!is_known)
    sched_getaffinity (0, sizeof cores, &cores);
  is_known = TRUE;
  return &cores;
}

static const cpu_set_t *
get_one_core (void)
{
  static cpu_set_t core;
  int i = 0;

  while (!CPU_ISSET (i, get_all_cores ()))
    i++;
  CPU_ZERO (&core);
  CPU_SET (i, &core);
  return &core;
}

void
place_process (pid_t pid, gboolean is_on_one_core)
{
  const cpu_set_t *cores = is_on_one_core ? get_one_core () : get_all_cores ();
  g_autofree char *path = g_strdup_printf ("/proc/%d/task", (int) pid);
  g_autoptr (GDir) tasks = g_dir_open (path, 0, NULL);
  const char *name;

  while (tasks != NULL && (name = g_dir_read_name (tasks)) != NULL)
    sched_setaffinity (atoi (name), sizeof *cores, cores);
}
