/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk-steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static DiskStepFunc step_func;
static gpointer step_data;

void
disk_steps_watch (DiskStepFunc func, gpointer data)
{
  step_func = func;
  step_data = data;
}

static gboolean
is_let (void)
{
  int code = step_func == NULL ? 0 : step_func (step_data);

  errno = code;
  return code == 0;
}

/* These take the place of libc's in this program. */

int
fsync (int fd)
{
  return is_let () ? (int) syscall (SYS_fsync, fd) : -1;
}

int
mkdir (const char *path, mode_t mode)
{
  return is_let () ? (int) syscall (SYS_mkdirat, AT_FDCWD, path, mode) : -1;
}

int
rename (const char *from, const char *to)
{
  return is_let ()
             ? (int) syscall (SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0)
             : -1;
}

int
symlink (const char *target, const char *path)
{
  return is_let () ? (int) syscall (SYS_symlinkat, target, AT_FDCWD, path) : -1;
}

int
unlink (const char *path)
{
  return is_let () ? (int) syscall (SYS_unlinkat, AT_FDCWD, path, 0) : -1;
}
