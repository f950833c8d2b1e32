/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"

G_BEGIN_DECLS

/**
 * ReeveChild:
 *
 * A program that runs on our behalf, looked after by a loop: its output is
 * taken, its end is seen.
 *
 * Thread: loop, or owner when the loop does not run.
 */
typedef struct _ReeveChild ReeveChild;

/**
 * ReeveChildPlan:
 * @argv: %NULL-terminated; the first is looked for in `$PATH`
 * @envp: (nullable): %NULL-terminated; %NULL for ours
 * @max_output_bytes: how much of standard output and error is kept, together
 *   and from the beginning; what is more is read and dropped
 * @name: (nullable): what the log calls it, where its end then stands, with
 *   what is kept of its output
 *
 * Standard input is /dev/null, and no other file is inherited.
 */
typedef struct {
  const char *const *argv;
  const char *const *envp;
  size_t max_output_bytes;
  const char *name;
} ReeveChildPlan;

/* @status: as of waitpid(). Called once; may free @child. What the program
 * wrote is there, even if others still could write. */
typedef void (*ReeveChildEndFunc) (ReeveChild *child,
                                   int status,
                                   gpointer data);

/**
 * reeve_child_start:
 * @ended: (nullable): who asks by reeve_child_is_running() needs none
 *
 * Errors: of #GSpawnError, if the program cannot be run; #GFileError.
 *
 * Returns: (transfer full)
 */
ReeveChild *reeve_child_start (ReeveLoop *loop,
                               const ReeveChildPlan *plan,
                               ReeveChildEndFunc ended,
                               gpointer data,
                               GError **error);
/* One that runs is killed, and its end not told. */
void reeve_child_free (ReeveChild *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveChild, reeve_child_free)

pid_t reeve_child_get_pid (const ReeveChild *self);

/* (transfer none) (nullable): of the plan. */
const char *reeve_child_get_name (const ReeveChild *self);

gboolean reeve_child_is_running (const ReeveChild *self);

/* Whether it ended by itself. @number: its exit status, or the number of the
 * signal that killed it; 0 while it runs. */
gboolean reeve_child_has_exited (const ReeveChild *self, int *number);

/* (transfer full): "running", or as reeve_process_describe_end(). */
char *reeve_child_dup_status (const ReeveChild *self);

/* (transfer none): with a NUL behind it, and maybe others in it. */
const char *reeve_child_get_output (const ReeveChild *self, size_t *size);

/* FALSE with errno; ESRCH once it has ended, whose number that is now. */
gboolean reeve_child_kill (ReeveChild *self, int signum);

/* SIGTERM, and SIGKILL if it has not ended @grace_ms later. */
void reeve_child_stop (ReeveChild *self, int grace_ms);

G_END_DECLS
