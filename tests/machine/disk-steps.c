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
is_let (const char *call)
{
  int code = step_func == NULL ? 0 : step_func (call, step_data);

  errno = code;
  return code == 0;
}

/* These take the place of libc's in this program. */

/* No test outlives its host: nothing has to get to a disk. */
int
fsync (int fd)
{
  return is_let ("fsync") ? 0 : -1;
}

int
mkdir (const char *path, mode_t mode)
{
  return is_let ("mkdir") ? (int) syscall (SYS_mkdirat, AT_FDCWD, path, mode)
                          : -1;
}

int
rename (const char *from, const char *to)
{
  return is_let ("rename")
             ? (int) syscall (SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0)
             : -1;
}

int
renameat2 (int from_dir,
           const char *from,
           int to_dir,
           const char *to,
           unsigned flags)
{
  return is_let ("renameat2")
             ? (int) syscall (SYS_renameat2, from_dir, from, to_dir, to, flags)
             : -1;
}

int
symlink (const char *target, const char *path)
{
  return is_let ("symlink")
             ? (int) syscall (SYS_symlinkat, target, AT_FDCWD, path)
             : -1;
}

int
unlink (const char *path)
{
  return is_let ("unlink") ? (int) syscall (SYS_unlinkat, AT_FDCWD, path, 0)
                           : -1;
}
