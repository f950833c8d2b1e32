/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * ReeveProcessStat:
 *
 * What /proc/PID/stat says.
 */
typedef struct {
  char state; /* R, S, D, T, t, Z, … */
  uint64_t user_ns;
  uint64_t system_ns;
  uint64_t start_ticks;
  uint64_t resident_kib;
} ReeveProcessStat;

/* Returns FALSE when there is no such process. Thread: any. */
gboolean reeve_process_stat_read (pid_t pid, ReeveProcessStat *stat);

/* As the above, from the file's text, for which anything may be given. */
gboolean reeve_process_stat_parse (const char *text, ReeveProcessStat *stat);

/* Whether one of the words of its command line is @argument. */
gboolean reeve_process_has_argument (pid_t pid, const char *argument);

/* (transfer full): what waitpid() gave, in words: "exit status 1", "killed
 * (Aborted), core dumped". Thread: any. */
char *reeve_process_describe_end (int status);

G_END_DECLS
