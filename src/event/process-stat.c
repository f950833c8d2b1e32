/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/process-stat.h"

#include "event/fd.h"
#include "event/intl.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Numbers of the fields, as in proc(5), counted from 1. */
enum {
  FIELD_STATE = 3,
  FIELD_UTIME = 14,
  FIELD_STIME = 15,
  FIELD_STARTTIME = 22,
  FIELD_RSS = 24,
};

#define MAX_COMMAND_LINE (1024u * 1024)

static uint64_t
ns_from_ticks (uint64_t ticks)
{
  return ticks * (1000000000u / (uint64_t) sysconf (_SC_CLK_TCK));
}

gboolean
reeve_process_stat_parse (const char *text, ReeveProcessStat *stat)
{
  /* The second field is the program's name in parentheses, and may hold
   * blanks and parentheses of its own. */
  const char *rest = strrchr (text, ')');
  g_auto (GStrv) fields = NULL;

  *stat = (ReeveProcessStat){ 0 };
  if (rest == NULL || rest[1] != ' ')
    return FALSE;

  fields = g_strsplit (rest + 2, " ", FIELD_RSS + 1);
  if (g_strv_length (fields) < FIELD_RSS - FIELD_STATE + 1)
    return FALSE;

#define FIELD(n) fields[(n) -FIELD_STATE]
  stat->state = FIELD (FIELD_STATE)[0];
  stat->user_ns =
      ns_from_ticks (g_ascii_strtoull (FIELD (FIELD_UTIME), NULL, 10));
  stat->system_ns =
      ns_from_ticks (g_ascii_strtoull (FIELD (FIELD_STIME), NULL, 10));
  stat->start_ticks = g_ascii_strtoull (FIELD (FIELD_STARTTIME), NULL, 10);
  stat->resident_kib = g_ascii_strtoull (FIELD (FIELD_RSS), NULL, 10) *
                       ((uint64_t) sysconf (_SC_PAGESIZE) / 1024);
#undef FIELD
  return TRUE;
}

/* g_file_get_contents() asks for a size, which files in /proc do not tell. */
static ssize_t
read_proc_file (pid_t pid, const char *name, char *buffer, size_t size)
{
  char path[64];
  REEVE_AUTOFD int fd = -1;
  size_t n_read = 0;

  g_snprintf (path, sizeof path, "/proc/%d/%s", (int) pid, name);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;

  while (n_read < size) {
    ssize_t n = read (fd, buffer + n_read, size - n_read);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -1;
    if (n == 0)
      break;
    n_read += (size_t) n;
  }
  return (ssize_t) n_read;
}

gboolean
reeve_process_stat_read (pid_t pid, ReeveProcessStat *stat)
{
  char text[1024];
  ssize_t size = read_proc_file (pid, "stat", text, sizeof text - 1);

  *stat = (ReeveProcessStat){ 0 };
  if (size <= 0)
    return FALSE;
  text[size] = '\0';
  return reeve_process_stat_parse (text, stat);
}

gboolean
reeve_process_has_argument (pid_t pid, const char *argument)
{
  g_autofree char *text = g_malloc (MAX_COMMAND_LINE);
  ssize_t size = read_proc_file (pid, "cmdline", text, MAX_COMMAND_LINE - 1);
  size_t start = 0;

  if (size <= 0)
    return FALSE;

  text[size] = '\0';
  while (start < (size_t) size) {
    if (g_str_equal (text + start, argument))
      return TRUE;
    start += strlen (text + start) + 1;
  }
  return FALSE;
}

char *
reeve_process_describe_end (int status)
{
  int signum = WTERMSIG (status);

  if (WIFEXITED (status))
    return g_strdup_printf (_ ("exit status %d"), WEXITSTATUS (status));

  return g_strdup_printf (WCOREDUMP (status) ? _ ("killed (%s), core dumped")
                                             : _ ("killed (%s)"),
                          strsignal (signum));
}
