/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "placement.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

double
get_stolen_us (void)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  double n_ticks = 0;

  if (!g_file_get_contents ("/proc/stat", &text, NULL, NULL))
    return 0;
  lines = g_strsplit (text, "\n", -1);
  for (unsigned i = 0; lines[i] != NULL; i++) {
    unsigned core;
    unsigned long long n;

    if (sscanf (lines[i], "cpu%u %*u %*u %*u %*u %*u %*u %*u %llu", &core,
                &n) == 2 &&
        core < CPU_SETSIZE && CPU_ISSET (core, get_all_cores ()))
      n_ticks += (double) n;
  }
  return n_ticks * 1e6 / (double) sysconf (_SC_CLK_TCK);
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
