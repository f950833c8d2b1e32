/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/loop-private.h"

#include "event/fd.h"

#include <sys/syscall.h>
#include <sys/wait.h>

int
reeve_loop_add_child (ReeveLoop *self,
                      pid_t pid,
                      ReeveChildFunc func,
                      gpointer data,
                      GDestroyNotify free_func)
{
  REEVE_AUTOFD int fd = (int) syscall (SYS_pidfd_open, pid, 0);
  ReeveWatch *watch;

  if (fd < 0)
    return -1;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = reeve_loop_add_file_watch_locked (
      self, REEVE_WATCH_CHILD, fd, REEVE_EVENT_READABLE, (ReeveWatchFunc) func,
      data, free_func);
  if (watch == NULL)
    return -1;

  watch->file.pid = pid;
  watch->file.pid_fd = g_steal_fd (&fd);
  return watch->id;
}

/* As waitpid() gives it; -1 for a process that is not ours to wait for. */
static int
reap (ReeveWatch *watch)
{
  siginfo_t info = { 0 };

  if (waitid ((idtype_t) P_PIDFD, (id_t) watch->file.pid_fd, &info,
              WEXITED | WNOHANG) < 0 ||
      info.si_pid == 0)
    return -1;

  switch (info.si_code) {
  case CLD_EXITED:
    return (info.si_status & 0xff) << 8;
  case CLD_DUMPED:
    return info.si_status | 0x80;
  default:
    return info.si_status;
  }
}

void
reeve_loop_call_child (ReeveLoop *self, ReeveWatch *watch)
{
  int status = reap (watch);

  reeve_loop_remove (self, watch->id);
  ((ReeveChildFunc) watch->func) (self, watch->id, watch->file.pid, status,
                                  watch->data);
}
