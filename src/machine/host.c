/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/host.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *
read_file (const char *path)
{
  char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? text : g_strdup ("");
}

/* (nullable): what follows "@key : " in one line of @text. */
static char *
find_value (const char *text, const char *key)
{
  size_t length = strlen (key);

  for (const char *line = text; line != NULL && *line != '\0';) {
    const char *end = strchrnul (line, '\n');
    const char *colon = memchr (line, ':', end - line);

    if (colon != NULL && strncmp (line, key, length) == 0 &&
        strspn (line + length, " \t") == (size_t) (colon - line) - length)
      return g_strstrip (g_strndup (colon + 1, end - colon - 1));
    line = *end == '\0' ? NULL : end + 1;
  }

  return NULL;
}

static unsigned
find_number (const char *text, const char *key, unsigned fallback)
{
  g_autofree char *value = find_value (text, key);
  uint64_t number = value == NULL ? 0 : g_ascii_strtoull (value, NULL, 10);

  return number == 0 || number > UINT16_MAX ? fallback : (unsigned) number;
}

void
reeve_host_read_cpu (ReeveHostCpu *cpu)
{
  g_autofree char *text = read_file ("/proc/cpuinfo");
  unsigned n_siblings = find_number (text, "siblings", 1);

  cpu->n_cpus = (unsigned) MAX (sysconf (_SC_NPROCESSORS_ONLN), 1);
  cpu->n_cores = find_number (text, "cpu cores", 1);
  cpu->n_threads = MAX (n_siblings / cpu->n_cores, 1);
  cpu->n_sockets = MAX (cpu->n_cpus / (cpu->n_cores * cpu->n_threads), 1);
  cpu->mhz = find_number (text, "cpu MHz", 0);
  cpu->model = find_value (text, "model name");
  if (cpu->model == NULL)
    cpu->model = g_strdup ("x86_64");
}

void
reeve_host_cpu_clear (ReeveHostCpu *cpu)
{
  g_clear_pointer (&cpu->model, g_free);
}

gboolean
reeve_host_read_times (int cpu, ReeveHostTimes *times)
{
  g_autofree char *text = read_file ("/proc/stat");
  g_autofree char *key =
      cpu < 0 ? g_strdup ("cpu ") : g_strdup_printf ("cpu%d ", cpu);
  uint64_t tick_ns = UINT64_C (1000000000) / (uint64_t) sysconf (_SC_CLK_TCK);
  uint64_t user, nice, kernel, idle, iowait, irq = 0, soft = 0;

  for (const char *line = text; line != NULL;) {
    if (g_str_has_prefix (line, key) &&
        sscanf (line + strlen (key),
                "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64
                "%" SCNu64 "%" SCNu64,
                &user, &nice, &kernel, &idle, &iowait, &irq, &soft) >= 5) {
      times->user_ns = (user + nice) * tick_ns;
      times->kernel_ns = (kernel + irq + soft) * tick_ns;
      times->idle_ns = idle * tick_ns;
      times->iowait_ns = iowait * tick_ns;
      return TRUE;
    }
    line = strchr (line, '\n');
    if (line != NULL)
      line++;
  }

  return FALSE;
}

void
reeve_host_read_memory (ReeveHostMemory *memory)
{
  static const char *const keys[] = { "MemTotal", "MemFree", "Buffers",
                                      "Cached" };
  g_autofree char *text = read_file ("/proc/meminfo");
  uint64_t values[G_N_ELEMENTS (keys)] = { 0 };

  for (size_t i = 0; i < G_N_ELEMENTS (keys); i++) {
    g_autofree char *value = find_value (text, keys[i]);

    if (value != NULL)
      values[i] = g_ascii_strtoull (value, NULL, 10);
  }
  *memory = (ReeveHostMemory){ values[0], values[1], values[2], values[3] };
}
