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

unsigned
count_cores (void)
{
  return (unsigned) CPU_COUNT (get_all_cores ());
}

static cpu_set_t
choose (Placement placement)
{
  cpu_set_t cores = *get_all_cores ();
  int first = 0;
  int last = CPU_SETSIZE - 1;

  while (!CPU_ISSET (first, &cores))
    first++;
  while (!CPU_ISSET (last, &cores))
    last--;
  if (placement == ALL_BUT_LAST && first < last)
    CPU_CLR (last, &cores);
  if (placement == ONE_CORE || placement == LAST_CORE) {
    CPU_ZERO (&cores);
    CPU_SET (placement == ONE_CORE ? first : last, &cores);
  }
  return cores;
}

void
place_process (pid_t pid, Placement placement)
{
  const cpu_set_t cores = choose (placement);
  g_autofree char *path = g_strdup_printf ("/proc/%d/task", (int) pid);
  g_autoptr (GDir) tasks = g_dir_open (path, 0, NULL);
  const char *name;

  while (tasks != NULL && (name = g_dir_read_name (tasks)) != NULL)
    sched_setaffinity (atoi (name), sizeof cores, &cores);
}
