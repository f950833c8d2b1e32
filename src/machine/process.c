/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/process.h"

#include "event/fd.h"
#include "event/intl.h"
#include "event/process-stat.h"
#include "event/refs.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

struct _ReeveProcess {
  ReeveRefs refs;
  pid_t pid;            /* immutable */
  int pidfd;            /* immutable (owned) */
  uint64_t start_ticks; /* immutable */
};

/* What the child of vfork() works with: it shares our memory while we wait, so
 * it must not allocate, lock, or write to anything but its own stack. */
typedef struct {
  const ReeveProcessPlan *plan;
  char *const *argv;
  char *const *envp;
  int null_fd;
  int error_fd;   /* close-on-exec; gets the errno of what failed */
  int first_free; /* above every target and every fd of the plan */
} Child;

static ReeveProcess *
process_new (pid_t pid, int pidfd, uint64_t start_ticks)
{
  ReeveProcess *self = g_new0 (ReeveProcess, 1);

  reeve_refs_init (&self->refs);
  self->pid = pid;
  self->pidfd = pidfd;
  self->start_ticks = start_ticks;
  return self;
}

ReeveProcess *
reeve_process_ref (ReeveProcess *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_process_unref (ReeveProcess *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  reeve_fd_clear (&self->pidfd);
  g_free (self);
}

pid_t
reeve_process_get_pid (ReeveProcess *self)
{
  return self->pid;
}

uint64_t
reeve_process_get_start_ticks (ReeveProcess *self)
{
  return self->start_ticks;
}

G_NORETURN static void
child_fail (const Child *child)
{
  int failure = errno;

  while (write (child->error_fd, &failure, sizeof failure) < 0 &&
         errno == EINTR)
    ;
  _exit (127);
}

static void
child_reset_signals (void)
{
  struct sigaction action = { .sa_handler = SIG_DFL };
  sigset_t none;

  /* KILL, STOP and the C library's own signals are refused; that is fine. */
  for (int signum = 1; signum < NSIG; signum++)
    (void) sigaction (signum, &action, NULL);
  sigemptyset (&none);
  (void) sigprocmask (SIG_SETMASK, &none, NULL);
}

static void
child_write_pid (const Child *child)
{
  char text[16];
  size_t start = sizeof text;
  unsigned pid = (unsigned) getpid ();

  if (child->plan->pid_fd < 0)
    return;

  text[--start] = '\n';
  do
    text[--start] = (char) ('0' + pid % 10);
  while ((pid /= 10) != 0);
  if (write (child->plan->pid_fd, text + start, sizeof text - start) < 0)
    child_fail (child);
}

/* What keeps us, or ends us first, when memory runs out is not meant for it.
 * Somebody without privileges cannot undo what root set: then it stays. */
static void
child_reset_oom_score (void)
{
  int fd = open ("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

  if (fd >= 0)
    (void) syscall (SYS_write, fd, "0", 1);
}

static void
child_set_limits (const Child *child)
{
  struct rlimit limit = {
    .rlim_cur = child->plan->max_core_bytes,
    .rlim_max = child->plan->max_core_bytes,
  };

  (void) setrlimit (RLIMIT_CORE, &limit);
  if (child->plan->min_files == 0 || getrlimit (RLIMIT_NOFILE, &limit) < 0 ||
      limit.rlim_cur >= child->plan->min_files)
    return;
  limit.rlim_cur = MIN (child->plan->min_files, limit.rlim_max);
  (void) setrlimit (RLIMIT_NOFILE, &limit);
}

static void
child_move (const Child *child, int fd, int target)
{
  if (dup2 (fd, target) < 0)
    child_fail (child);
}

/* First everything out of the way, above all targets, then each to its place:
 * so no target overwrites what has yet to move. */
static void
child_place_fds (const Child *child)
{
  const ReeveProcessPlan *plan = child->plan;
  int moved[REEVE_PROCESS_MAX_FDS];

  for (size_t i = 0; i < plan->n_fds; i++) {
    moved[i] = fcntl (plan->fds[i].fd, F_DUPFD_CLOEXEC, child->first_free);
    if (moved[i] < 0)
      child_fail (child);
  }

  child_move (child, child->null_fd, STDIN_FILENO);
  child_move (child, plan->log_fd, STDOUT_FILENO);
  child_move (child, plan->log_fd, STDERR_FILENO);
  if (syscall (SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
    child_fail (child);
  for (size_t i = 0; i < plan->n_fds; i++)
    child_move (child, moved[i], plan->fds[i].target);
}

G_NORETURN static void
child_run (const Child *child)
{
  child_reset_signals ();
  if (setsid () < 0 || chdir ("/") < 0)
    child_fail (child);
  (void) umask (077);
  child_reset_oom_score ();
  child_set_limits (child);
  child_write_pid (child);
  child_place_fds (child);
  execve (child->argv[0], child->argv, child->envp);
  child_fail (child);
}

/* The child runs in our memory: no handler of ours may run in it. */
static pid_t
fork_child (const Child *child)
{
  sigset_t all;
  sigset_t old;
  pid_t pid;
  int saved_errno;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  pid = vfork ();
  if (pid == 0)
    child_run (child);

  saved_errno = errno;
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  errno = saved_errno;
  return pid;
}

static int
find_first_free (const ReeveProcessPlan *plan, int error_fd, int null_fd)
{
  int highest = MAX (MAX (error_fd, null_fd), MAX (plan->log_fd, plan->pid_fd));

  for (size_t i = 0; i < plan->n_fds; i++)
    highest = MAX (highest, MAX (plan->fds[i].fd, plan->fds[i].target));
  return highest + 1;
}

/* Moves a descriptor above @first: a target's number must not hit the error
 * pipe. */
static gboolean
lift_fd (int *fd, int first, GError **error)
{
  int lifted = fcntl (*fd, F_DUPFD_CLOEXEC, first);

  if (lifted < 0)
    return reeve_error_from_errno (error, errno,
                                   _ ("cannot duplicate a file descriptor"));
  reeve_fd_clear (fd);
  *fd = lifted;
  return TRUE;
}

static gboolean
open_child_fds (const ReeveProcessPlan *plan,
                int pipe_fds[2],
                int *null_fd,
                GError **error)
{
  int first;

  if (pipe2 (pipe_fds, O_CLOEXEC) < 0)
    return reeve_error_from_errno (error, errno, _ ("cannot create a pipe"));
  *null_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  if (*null_fd < 0)
    return reeve_error_from_errno (error, errno, _ ("cannot open %s"),
                                   "/dev/null");

  first = find_first_free (plan, pipe_fds[1], *null_fd);
  return lift_fd (&pipe_fds[1], first, error) &&
         lift_fd (null_fd, first, error);
}

/* Returns the errno that the child reported; 0 once the program runs. */
static int
read_child_errno (int fd)
{
  int failure = 0;
  ssize_t n_read;

  do
    n_read = read (fd, &failure, sizeof failure);
  while (n_read < 0 && errno == EINTR);
  return n_read == (ssize_t) sizeof failure ? failure : 0;
}

static ReeveProcess *
hold_child (pid_t pid, GError **error)
{
  ReeveProcessStat stat = { 0 };
  /* It is our child and nobody waits for it yet: its pid is its own. */
  int pidfd = (int) syscall (SYS_pidfd_open, pid, 0);

  if (pidfd < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot hold process %d"),
                            (int) pid);
    kill (pid, SIGKILL);
    waitpid (pid, NULL, 0);
    return NULL;
  }

  (void) reeve_process_stat_read (pid, &stat);
  return process_new (pid, pidfd, stat.start_ticks);
}

ReeveProcess *
reeve_process_spawn (const ReeveProcessPlan *plan, GError **error)
{
  int pipe_fds[2] = { -1, -1 };
  REEVE_AUTOFD int null_fd = -1;
  REEVE_AUTOFD int read_fd = -1;
  REEVE_AUTOFD int write_fd = -1;
  gboolean is_open;
  Child child;
  pid_t pid;
  int failure;

  g_return_val_if_fail (plan->n_fds <= REEVE_PROCESS_MAX_FDS, NULL);

  is_open = open_child_fds (plan, pipe_fds, &null_fd, error);
  read_fd = pipe_fds[0];
  write_fd = pipe_fds[1];
  if (!is_open)
    return NULL;

  child = (Child){
    .plan = plan,
    .argv = (char *const *) plan->argv,
    .envp = plan->envp != NULL ? (char *const *) plan->envp : environ,
    .null_fd = null_fd,
    .error_fd = write_fd,
    .first_free = MAX (write_fd, null_fd) + 1,
  };
  pid = fork_child (&child);
  if (pid < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot create a process"));
    return NULL;
  }

  reeve_fd_clear (&write_fd);
  failure = read_child_errno (read_fd);
  if (failure == 0)
    return hold_child (pid, error);

  waitpid (pid, NULL, 0);
  reeve_error_from_errno (error, failure, _ ("cannot run %s"), plan->argv[0]);
  return NULL;
}

static gboolean
is_the_one (pid_t pid,
            uint64_t start_ticks,
            const char *argument,
            ReeveProcessStat *stat)
{
  if (!reeve_process_stat_read (pid, stat))
    return FALSE;
  if (start_ticks != 0 && start_ticks != stat->start_ticks)
    return FALSE;
  return argument == NULL || reeve_process_has_argument (pid, argument);
}

ReeveProcess *
reeve_process_attach (pid_t pid,
                      uint64_t start_ticks,
                      const char *argument,
                      GError **error)
{
  g_autoptr (ReeveProcess) self = NULL;
  ReeveProcessStat stat = { 0 };
  int pidfd = -1;

  /* The pidfd comes first: what is checked then is what it holds. */
  if (pid > 0)
    pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
  if (pidfd >= 0) {
    self = process_new (pid, pidfd, 0);
    if (is_the_one (pid, start_ticks, argument, &stat) &&
        reeve_process_is_alive (self)) {
      self->start_ticks = stat.start_ticks;
      return g_steal_pointer (&self);
    }
  }

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
               _ ("process %d is gone"), (int) pid);
  return NULL;
}

gboolean
reeve_process_is_alive (ReeveProcess *self)
{
  struct pollfd item = { .fd = self->pidfd, .events = POLLIN };

  return poll (&item, 1, 0) == 0;
}

gboolean
reeve_process_is_stopped (ReeveProcess *self)
{
  ReeveProcessStat stat;

  return reeve_process_stat_read (self->pid, &stat) &&
         stat.start_ticks == self->start_ticks &&
         (stat.state == 'T' || stat.state == 't');
}

gboolean
reeve_process_signal (ReeveProcess *self, int signum)
{
  return syscall (SYS_pidfd_send_signal, self->pidfd, signum, NULL, 0) == 0;
}

gboolean
reeve_process_get_usage (ReeveProcess *self, ReeveProcessUsage *usage)
{
  ReeveProcessStat stat;

  *usage = (ReeveProcessUsage){ 0 };
  if (!reeve_process_stat_read (self->pid, &stat) ||
      stat.start_ticks != self->start_ticks)
    return FALSE;

  usage->user_ns = stat.user_ns;
  usage->system_ns = stat.system_ns;
  usage->resident_kib = stat.resident_kib;
  return TRUE;
}

int
reeve_process_watch (ReeveProcess *self,
                     ReeveLoop *loop,
                     ReeveChildFunc func,
                     gpointer data)
{
  int watch = reeve_loop_add_child (loop, self->pid, func, data, NULL);

  /* The watch took hold of the pid by itself. A child cannot have been
   * replaced, for nobody reaped it; of another process we know by our own
   * pidfd that it was there all the while. */
  if (watch >= 0 && !reeve_process_is_alive (self) &&
      waitid (P_PID, (id_t) self->pid, &(siginfo_t){ 0 },
              WEXITED | WNOHANG | WNOWAIT) < 0) {
    reeve_loop_remove (loop, watch);
    return -1;
  }
  return watch;
}
