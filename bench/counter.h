/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Counts the system calls of a process, in all threads that it has and that
 * those start, by the kernel's own tracepoint: nothing is stopped, as ptrace
 * would. */
typedef struct _Counter Counter;

/* Returns: (nullable): the kernel does not let us, or has no such thing */
Counter *counter_new (pid_t pid);

/* Returns how many there were. */
double counter_end (Counter *self);
