/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/monitor.h"

#include "daemon/background.h"
#include "daemon/log.h"
#include "daemon/message-ids.h"
#include "daemon/notify-socket.h"
#include "event/fd.h"
#include "event/intl.h"
#include "event/process-stat.h"
#include "rpc/error.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* From SIGABRT to SIGKILL. */
#define ABORT_US (2 * G_USEC_PER_SEC)

typedef struct {
  const ReeveMonitorPlan *plan;
  ReeveNotifySocket *socket; /* (owned): of the daemons */
  int signal_fd;             /* (owned) */
  sigset_t old_mask;         /* of the daemons */

  pid_t pid;         /* of the daemon; 0: there is none */
  gboolean is_ready; /* it, and so the first one */
  gint64 fed_us;     /* when it was alive last */
  gint64 abort_us;   /* when it was told to abort; 0: it was not */

  gboolean was_ready; /* one of them */
  gboolean is_told;   /* to stop */
  unsigned n_crashes;
  gint64 restart_us; /* the last one; 0: there was none */
  char *last_end;    /* (owned) (nullable): of the daemon before */
} Monitor;

/* --------------------------------------------------------------- words --- */

static void
show (Monitor *self)
{
  const char *name = self->plan->name;
  g_autofree char *now =
      self->pid > 0 ? g_strdup_printf ("monitoring pid %d", (int) self->pid)
                    : g_strdup ("waiting to start it again");
  g_autofree char *text =
      self->n_crashes == 0 ? g_strdup_printf ("%s (healthy)", now)
                           : g_strdup_printf ("%s (%u crashes: %s)", now,
                                              self->n_crashes, self->last_end);

  reeve_process_title_set (self->plan->title, "%s: %s", name, text);
  if (self->is_ready)
    reeve_notify_send (*self->plan->notify, "STATUS=%s", text);
}

/* @end: in words */
static void
tell_early_end (Monitor *self, const char *end)
{
  g_autofree char *text =
      g_strdup_printf (_ ("It ended before it was ready: %s"), end);

  reeve_notify_send (*self->plan->notify, "STATUS=%s", text);
}

static void
log_crash (Monitor *self, gint64 wait_us)
{
  if (wait_us > 0)
    reeve_log_message (G_LOG_LEVEL_CRITICAL, REEVE_MESSAGE_CRASHED,
                       _ ("Crash %1$u: %2$s; it is started again in %3$u "
                          "seconds"),
                       self->n_crashes, self->last_end,
                       (unsigned) (wait_us / G_USEC_PER_SEC) + 1);
  else
    reeve_log_message (G_LOG_LEVEL_CRITICAL, REEVE_MESSAGE_CRASHED,
                       _ ("Crash %1$u: %2$s; it is started again"),
                       self->n_crashes, self->last_end);
}

/* -------------------------------------------------------- what it hears --- */

static const char *
find (GHashTable *message, const char *name)
{
  return g_hash_table_lookup (message, name);
}

/* @fd: (transfer full) */
static void
store (Monitor *self, GHashTable *message, int fd)
{
  const char *escaped = find (message, "FDNAME");
  g_autofree char *name = g_uri_unescape_string (escaped, NULL);
  g_autoptr (GError) error = NULL;

  if (name == NULL) {
    reeve_fd_clear (&fd);
    return;
  }
  if (!reeve_inherited_add (self->plan->inherited, name, fd, TRUE, &error))
    g_warning (_ ("What the daemon wants to be kept is not: %s"),
               error->message);
}

/* All but what it stores goes on to whoever supervises us. */
static void
pass_on (Monitor *self, GHashTable *message)
{
  g_autoptr (GString) text = g_string_new (NULL);
  GHashTableIter iter;
  gpointer name, value;

  g_hash_table_iter_init (&iter, message);
  while (g_hash_table_iter_next (&iter, &name, &value))
    g_string_append_printf (text, "%s%s=%s", text->len > 0 ? "\n" : "",
                            (const char *) name, (const char *) value);
  reeve_notify_send (*self->plan->notify, "%s", text->str);
}

static void
note_ready (Monitor *self)
{
  if (self->is_ready)
    return;

  self->is_ready = TRUE;
  if (!self->was_ready && self->plan->is_background &&
      !reeve_background_finish (self->plan->directory))
    g_warning ("%s", g_strerror (errno));
  self->was_ready = TRUE;
}

static void
hear (Monitor *self)
{
  GHashTable *message;
  int fd;

  while ((message = reeve_notify_socket_receive (self->socket, self->pid,
                                                 &fd)) != NULL) {
    self->fed_us = g_get_monotonic_time ();
    if (find (message, "FDSTORE") != NULL) {
      store (self, message, g_steal_fd (&fd));
    } else {
      if (find (message, "READY") != NULL)
        note_ready (self);
      pass_on (self, message);
    }
    reeve_fd_clear (&fd);
    g_hash_table_unref (message);
  }
}

static void
take_signals (Monitor *self)
{
  struct signalfd_siginfo info;

  while (read (self->signal_fd, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGHUP)
      reeve_log_reopen (NULL);
    else
      self->is_told = TRUE;
    if (self->pid > 0)
      kill (self->pid, (int) info.ssi_signo);
  }
}

/* ----------------------------------------------------------- the daemon --- */

/* When the daemon is to be killed unless it says before that it is alive. */
static gint64
get_watchdog_end (const Monitor *self)
{
  if (self->abort_us > 0)
    return self->abort_us + ABORT_US;
  return self->plan->watchdog_ms == 0 || !self->is_ready
             ? G_MAXINT64
             : self->fed_us + (gint64) self->plan->watchdog_ms * 1000;
}

/* First in a way that leaves a core dump. */
static void
kill_silent (Monitor *self)
{
  if (self->abort_us > 0) {
    kill (self->pid, SIGKILL);
    self->abort_us = G_MAXINT64 - ABORT_US;
    return;
  }

  g_critical (_ ("Process %d gives no sign of life, and is killed"),
              (int) self->pid);
  kill (self->pid, SIGABRT);
  self->abort_us = g_get_monotonic_time ();
}

static int
get_wait_ms (gint64 end_us)
{
  if (end_us == G_MAXINT64)
    return -1;
  return (int) CLAMP ((end_us - g_get_monotonic_time () + 999) / 1000, 0,
                      G_MAXINT32);
}

/* Waits for signals, messages and the end of the daemon (@pidfd, or -1) until
 * @end_us. Returns whether it ended. */
static gboolean
turn (Monitor *self, int pidfd, gint64 end_us)
{
  struct pollfd files[] = {
    { .fd = reeve_notify_socket_get_fd (self->socket), .events = POLLIN },
    { .fd = self->signal_fd, .events = POLLIN },
    { .fd = pidfd, .events = POLLIN },
  };

  poll (files, G_N_ELEMENTS (files), get_wait_ms (end_us));
  hear (self);
  take_signals (self);
  return files[2].revents != 0;
}

/* Returns the status of waitpid(). */
static int
watch (Monitor *self)
{
  REEVE_AUTOFD int pidfd = (int) syscall (SYS_pidfd_open, self->pid, 0);
  int status = 0;

  self->fed_us = g_get_monotonic_time ();
  self->abort_us = 0;
  while (pidfd >= 0 && !turn (self, pidfd, get_watchdog_end (self)))
    if (g_get_monotonic_time () >= get_watchdog_end (self))
      kill_silent (self);

  while (waitpid (self->pid, &status, 0) < 0 && errno == EINTR)
    ;
  return status;
}

static gboolean
is_crash (int status)
{
  static const int signals[] = { SIGABRT, SIGALRM, SIGBUS,  SIGFPE,  SIGILL,
                                 SIGKILL, SIGPIPE, SIGSEGV, SIGXCPU, SIGXFSZ };

  for (size_t i = 0; i < G_N_ELEMENTS (signals); i++)
    if (WIFSIGNALED (status) && WTERMSIG (status) == signals[i])
      return TRUE;

  return FALSE;
}

static void
forbid_core_dumps (void)
{
  const struct rlimit none = { 0, 0 };

  setrlimit (RLIMIT_CORE, &none);
}

static void
count_crash (Monitor *self, int status)
{
  g_autofree char *end = reeve_process_describe_end (status);

  g_free (self->last_end);
  self->last_end = g_strdup_printf ("pid %d died, %s", (int) self->pid, end);
  self->n_crashes++;
  if (WCOREDUMP (status))
    forbid_core_dumps ();
  self->pid = 0;
}

/* FALSE: it was told to stop before the time came. */
static gboolean
wait_for_restart (Monitor *self)
{
  gint64 now_us = g_get_monotonic_time ();
  gint64 end_us =
      self->restart_us == 0
          ? now_us
          : self->restart_us + (gint64) self->plan->restart_interval_ms * 1000;

  log_crash (self, end_us - now_us);
  show (self);
  while (!self->is_told && g_get_monotonic_time () < end_us)
    turn (self, -1, end_us);
  self->restart_us = g_get_monotonic_time ();
  return !self->is_told;
}

/* -1: another one is to be started; else the exit status of the monitor. */
static int
judge_end (Monitor *self, int status)
{
  g_autofree char *end = reeve_process_describe_end (status);

  if (is_crash (status) && self->was_ready && !self->is_told) {
    count_crash (self, status);
    return wait_for_restart (self) ? -1 : EXIT_SUCCESS;
  }

  /* A daemon that ends by itself has said why. */
  if (self->was_ready)
    g_message (_ ("Process %1$d: %2$s; it is not started again"),
               (int) self->pid, end);
  else if (WIFSIGNALED (status))
    tell_early_end (self, end);
  if (WIFEXITED (status))
    return WEXITSTATUS (status);
  return EXIT_FAILURE;
}

static void
be_daemon (Monitor *self)
{
  uint64_t watchdog_us = self->plan->watchdog_ms > 0
                             ? (uint64_t) self->plan->watchdog_ms * 1000
                             : reeve_notify_get_watchdog (*self->plan->notify);

  sigprocmask (SIG_SETMASK, &self->old_mask, NULL);
  reeve_notify_free (*self->plan->notify);
  *self->plan->notify = reeve_notify_new (
      reeve_notify_socket_get_path (self->socket), TRUE, watchdog_us);
}

static gboolean
prepare (Monitor *self, GError **error)
{
  sigset_t mask;

  sigemptyset (&mask);
  sigaddset (&mask, SIGTERM);
  sigaddset (&mask, SIGINT);
  sigaddset (&mask, SIGHUP);
  sigprocmask (SIG_BLOCK, &mask, &self->old_mask);
  self->signal_fd = signalfd (-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  if (self->signal_fd < 0)
    return reeve_error_from_errno (error, errno, _ ("Cannot take signals"));

  self->socket = reeve_notify_socket_new (error);
  return self->socket != NULL;
}

/* As reeve_monitor_run(). */
static int
supervise (Monitor *self)
{
  int status;

  do {
    self->is_ready = FALSE;
    self->pid = fork ();
    if (self->pid == 0) {
      be_daemon (self);
      return -1;
    }
    if (self->pid < 0) {
      g_critical (_ ("Cannot start a process: %s"), g_strerror (errno));
      return EXIT_FAILURE;
    }
    show (self);
    status = judge_end (self, watch (self));
  } while (status < 0);

  return status;
}

int
reeve_monitor_run (const ReeveMonitorPlan *plan, unsigned *n_restarts)
{
  Monitor self = { .plan = plan, .signal_fd = -1 };
  g_autoptr (GError) error = NULL;
  int status = EXIT_FAILURE;

  if (prepare (&self, &error))
    status = supervise (&self);
  else
    g_critical ("%s", error->message);

  *n_restarts = self.n_crashes;
  reeve_notify_socket_free (self.socket);
  reeve_fd_clear (&self.signal_fd);
  g_free (self.last_end);
  return status;
}
