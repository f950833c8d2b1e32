/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"

#include <stdint.h>

G_BEGIN_DECLS

/**
 * ReeveProcess:
 *
 * A process that outlives us: one we spawned, or one that an earlier daemon
 * spawned. It is held by a pidfd, so that it is never mistaken for another
 * process that got its number, and seen as dead as soon as it is (a zombie
 * that a slow init does not reap included).
 *
 * Immutable but for its reference count. Thread: any.
 */
typedef struct _ReeveProcess ReeveProcess;

/* @fd appears as @target in the process; @target is at least 3. */
typedef struct {
  int fd;
  int target;
} ReeveProcessFd;

/**
 * ReeveProcessPlan:
 * @argv: %NULL-terminated; the first is the path of the program
 * @envp: (nullable): %NULL-terminated; %NULL for ours
 * @log_fd: becomes stdout and stderr; stdin is /dev/null
 * @pid_fd: -1, or a file into which the process writes its pid, in decimal
 *   with a newline, before it becomes the program: it is there whenever we die
 * @fds: what the process inherits beside that; everything else is closed
 * @max_core_bytes: RLIMIT_CORE
 * @min_files: RLIMIT_NOFILE is raised to it where allowed; 0 leaves it
 */
typedef struct {
  const char *const *argv;
  const char *const *envp;
  int log_fd;
  int pid_fd;
  const ReeveProcessFd *fds;
  size_t n_fds;
  uint64_t max_core_bytes;
  uint64_t min_files;
} ReeveProcessPlan;

#define REEVE_PROCESS_MAX_FDS 256

/**
 * reeve_process_spawn:
 *
 * Runs a program in a session of its own, in `/`, with umask 077, default
 * signal handlers, no signal blocked, and an OOM score of its own (0). Blocks
 * until the program was loaded, about a millisecond.
 *
 * Errors: %REEVE_ERROR_SYSTEM: the program cannot be run, with the reason.
 *
 * Returns: (transfer full)
 */
ReeveProcess *
reeve_process_spawn (const ReeveProcessPlan *plan, GError **error);

/**
 * reeve_process_attach:
 * @pid: as noted by whoever spawned it
 * @start_ticks: as of reeve_process_get_start_ticks(), or 0 when not known
 * @argument: (nullable): a word that its command line must have
 *
 * Takes hold of a running process, and then checks that it is the one meant.
 *
 * Errors: %REEVE_ERROR_OPERATION_INVALID when it is gone, or is another one.
 */
ReeveProcess *reeve_process_attach (pid_t pid,
                                    uint64_t start_ticks,
                                    const char *argument,
                                    GError **error);

ReeveProcess *reeve_process_ref (ReeveProcess *self);
void reeve_process_unref (ReeveProcess *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveProcess, reeve_process_unref)

pid_t reeve_process_get_pid (ReeveProcess *self);
/* Since boot, in the kernel's ticks; identifies the process with its pid. */
uint64_t reeve_process_get_start_ticks (ReeveProcess *self);

gboolean reeve_process_is_alive (ReeveProcess *self);
/* Whether it is stopped by a signal or a debugger, and will answer nothing. */
gboolean reeve_process_is_stopped (ReeveProcess *self);
/* Returns whether there was a process to send to. */
gboolean reeve_process_signal (ReeveProcess *self, int signum);

typedef struct {
  uint64_t user_ns;
  uint64_t system_ns;
  uint64_t resident_kib;
} ReeveProcessUsage;

/* Returns FALSE, and zeros, when it is gone. */
gboolean reeve_process_get_usage (ReeveProcess *self, ReeveProcessUsage *usage);

/**
 * reeve_process_watch:
 * @func: called once when it ended, with the status of waitpid(), or -1 when
 *   it is not our child
 *
 * Returns: a watch id of @loop; -1 when it is gone and its end not known
 */
int reeve_process_watch (ReeveProcess *self,
                         ReeveLoop *loop,
                         ReeveChildFunc func,
                         gpointer data);

G_END_DECLS
