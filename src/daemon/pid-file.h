/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReevePidFile:
 *
 * A file that holds our process id and is locked for as long as we live, so
 * that one daemon at the most runs for one pid file. The lock goes away with
 * the process, however it ends; a file that is left behind does not matter.
 */
typedef struct _ReevePidFile ReevePidFile;

/* Errors: REEVE_ERROR_LIMIT when another process (named) holds it,
 * REEVE_ERROR_SYSTEM. */
ReevePidFile *reeve_pid_file_new (const char *path, GError **error);

/* @fd: (transfer full): the file, which another process locked and passed on.
 * It still holds that one's id. */
ReevePidFile *reeve_pid_file_new_for_fd (const char *path, int fd);
int reeve_pid_file_get_fd (ReevePidFile *self);
/* Before the file is passed on: whoever has it may hold it. It stays locked. */
void reeve_pid_file_lend (ReevePidFile *self);
/* Unless it is ours already: it holds our id from now on, and is locked in a
 * way that `ovs-appctl -t NAME` takes for a daemon that lives. Errors are
 * logged. */
void reeve_pid_file_hold (ReevePidFile *self);
/* File and lock are another's. */
void reeve_pid_file_disown (ReevePidFile *self);

/* Removes the file, if it is still ours, and gives up the lock. */
void reeve_pid_file_free (ReevePidFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReevePidFile, reeve_pid_file_free)

G_END_DECLS
