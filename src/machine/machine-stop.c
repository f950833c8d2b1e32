/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/intl.h"
#include "machine/config.h"
#include "machine/launch.h"
#include "machine/machine-private.h"
#include "rpc/error.h"

#include <signal.h>

/*
 * The end of a run. QEMU is asked to quit, which takes it two milliseconds and
 * lets it flush its disks and remove its sockets. One that does not react gets
 * SIGKILL through its pidfd. Whatever ended it, the pidfd tells, and
 * reeve_machine_process_ended() clears up after it.
 */

#define QUIT_TIMEOUT_MS 1000   /* for the SHUTDOWN event of a quit */
#define FLUSH_TIMEOUT_MS 10000 /* from there to the end of the process */

typedef struct {
  ReeveMachine *machine; /* (owned) */
  char *log_path;
  int64_t log_offset;
  gboolean wants_log;
  char *log_tail;
  GPtrArray *consoles; /* (owned) (nullable) */
} Cleanup;

static void
clear_timer (ReeveMachine *self, int *timer)
{
  if (*timer >= 0)
    reeve_loop_remove (self->list->loop, *timer);
  *timer = -1;
}

static void
kill_process (ReeveMachine *self)
{
  g_autoptr (ReeveProcess) process = reeve_machine_dup_process (self);

  if (process != NULL)
    (void) reeve_process_signal (process, SIGKILL);
}

static gboolean
is_graceful (ReeveMachine *self)
{
  return self->current != NULL &&
         self->current->class == &reeve_machine_destroy_class &&
         (self->current->flags & REEVE_MACHINE_DESTROY_GRACEFUL) != 0;
}

static void
on_stop_timer (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveMachine *self = data;
  g_autoptr (ReeveProcess) process = reeve_machine_dup_process (self);

  if (is_graceful (self)) {
    (void) reeve_process_signal (process, SIGTERM);
    clear_timer (self, &self->stop_timer);
  } else if (self->is_shut_down && !self->is_flushing) {
    self->is_flushing = TRUE;
    reeve_loop_update_timeout (loop, watch, FLUSH_TIMEOUT_MS);
  } else {
    clear_timer (self, &self->stop_timer);
    kill_process (self);
  }
}

/* Whether there is any use in asking. */
static gboolean
is_responsive (ReeveMachine *self)
{
  g_autoptr (ReeveProcess) process = reeve_machine_dup_process (self);

  return self->qmp != NULL && !reeve_qmp_is_closed (self->qmp) &&
         process != NULL && !reeve_process_is_stopped (process);
}

/* The SIGKILL has to be over before whoever asked loses patience. */
static int
get_quit_timeout_ms (ReeveMachine *self)
{
  gint64 left_ms = QUIT_TIMEOUT_MS;

  if (self->current != NULL)
    left_ms = (self->current->deadline_us - g_get_monotonic_time ()) / 2000;
  return (int) CLAMP (left_ms, 1, QUIT_TIMEOUT_MS);
}

void
reeve_machine_stop (ReeveMachine *self, ReeveEnd end)
{
  if (self->end == REEVE_END_UNKNOWN)
    self->end = end;
  if (self->phase != REEVE_PHASE_BOOTING && self->phase != REEVE_PHASE_UP)
    return;

  clear_timer (self, &self->retry_timer);
  if (self->stop_timer >= 0)
    return;
  if (!is_responsive (self) && !is_graceful (self)) {
    kill_process (self);
    return;
  }

  self->is_flushing = FALSE;
  self->stop_timer = reeve_loop_add_timeout (
      self->list->loop, get_quit_timeout_ms (self), on_stop_timer,
      reeve_machine_ref (self), (GDestroyNotify) reeve_machine_unref);
  if (self->qmp != NULL)
    reeve_qmp_execute (self->qmp, "quit", NULL, G_MAXINT64, NULL, NULL);
}

static void
begin_destroy (ReeveOperation *operation)
{
  ReeveMachine *self = operation->machine;

  if (self->phase == REEVE_PHASE_OFF && operation->has_spared) {
    reeve_operation_finish (operation, NULL);
    return;
  }
  if (self->phase == REEVE_PHASE_OFF) {
    reeve_operation_fail (operation, REEVE_ERROR_OPERATION_INVALID,
                          _ ("the machine is not running"));
    return;
  }

  /* Another stop may wait politely, for a flush or for a quit: not any more.
   * A guest that powered off a moment ago was not destroyed, though. */
  clear_timer (self, &self->stop_timer);
  reeve_machine_stop (self, REEVE_END_DESTROYED);
  reeve_machine_save_status (self);
}

/* The operation ended; what it set going goes on. */
static void
give_up_destroy (ReeveOperation *operation)
{
  if ((operation->flags & REEVE_MACHINE_DESTROY_GRACEFUL) == 0)
    kill_process (operation->machine);
  else if (operation->machine->end == REEVE_END_DESTROYED)
    operation->machine->end = REEVE_END_UNKNOWN;
}

const ReeveOperationClass reeve_machine_destroy_class = {
  .begin = begin_destroy,
  .give_up = give_up_destroy,
  .is_urgent = TRUE,
};

void
reeve_machine_destroy (ReeveMachine *self,
                       ReeveMachineDestroyFlags flags,
                       gint64 deadline_us,
                       ReeveMachineDone done,
                       gpointer data)
{
  ReeveOperation *operation = reeve_operation_new (
      &reeve_machine_destroy_class, self, deadline_us, done, data);

  operation->flags = flags;
  reeve_operation_submit (operation);
}

static int
get_shutoff_reason (ReeveEnd end)
{
  switch (end) {
  case REEVE_END_GUEST:
    return REEVE_MACHINE_SHUTOFF_SHUTDOWN;
  case REEVE_END_HOST:
  case REEVE_END_DESTROYED:
    return REEVE_MACHINE_SHUTOFF_DESTROYED;
  case REEVE_END_FAILED:
    return REEVE_MACHINE_SHUTOFF_FAILED;
  case REEVE_END_PANIC:
  case REEVE_END_UNKNOWN:
  default:
    return REEVE_MACHINE_SHUTOFF_CRASHED;
  }
}

static int
get_stopped_detail (ReeveEnd end)
{
  switch (end) {
  case REEVE_END_GUEST:
    return REEVE_STOPPED_SHUTDOWN;
  case REEVE_END_HOST:
  case REEVE_END_DESTROYED:
    return REEVE_STOPPED_DESTROYED;
  case REEVE_END_FAILED:
    return REEVE_STOPPED_FAILED;
  case REEVE_END_PANIC:
  case REEVE_END_UNKNOWN:
  default:
    return REEVE_STOPPED_CRASHED;
  }
}

/* Tells the operation that waited for this end, or that cannot go on. */
static void
finish_current (ReeveMachine *self, const GError *start_error)
{
  ReeveOperation *current = self->current;

  if (current == NULL)
    return;
  if (current->class == &reeve_machine_destroy_class)
    reeve_operation_finish (current, NULL);
  else if (current->class == &reeve_machine_start_class && start_error != NULL)
    reeve_operation_finish (current, start_error);
  else
    reeve_operation_fail (current, REEVE_ERROR_OPERATION_FAILED,
                          _ ("the machine stopped meanwhile"));
}

/* All traces of the run are gone. */
static void
become_off (ReeveMachine *self, const GError *start_error)
{
  ReeveEnd end = self->end;

  self->phase = REEVE_PHASE_OFF;
  self->owner = NULL;
  reeve_machine_list_deactivate (self->list, self, get_shutoff_reason (end));
  /* A start that failed was never told of as STARTED. */
  if (end != REEVE_END_FAILED)
    reeve_machine_emit_lifecycle (self, REEVE_LIFECYCLE_STOPPED,
                                  get_stopped_detail (end));
  finish_current (self, start_error);
}

void
reeve_machine_launch_failed (ReeveMachine *self, const GError *error)
{
  self->end = REEVE_END_FAILED;
  become_off (self, error);
}

static void
run_cleanup (gpointer data)
{
  Cleanup *cleanup = data;
  ReeveRunDir *dir = &cleanup->machine->dir;
  gboolean is_taken;
  REEVE_AUTOFD int lock_fd = reeve_run_dir_lock (dir, FALSE, &is_taken, NULL);

  if (cleanup->wants_log)
    cleanup->log_tail =
        reeve_launch_read_log (cleanup->log_path, cleanup->log_offset);
  reeve_machine_finish_consoles (cleanup->consoles);
  if (lock_fd >= 0)
    reeve_run_dir_remove (dir);
}

static void
on_cleaned_up (gpointer data)
{
  Cleanup *cleanup = data;
  ReeveMachine *self = cleanup->machine;
  g_autoptr (GError) error = NULL;

  if (cleanup->log_tail != NULL)
    error = g_error_new (REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
                         _ ("QEMU ended before the machine was ready: %s"),
                         cleanup->log_tail);
  if (!self->list->is_closed)
    become_off (self, error);

  g_clear_pointer (&cleanup->consoles, g_ptr_array_unref);
  g_free (cleanup->log_path);
  g_free (cleanup->log_tail);
  g_free (cleanup);
  reeve_machine_unref (self);
}

void
reeve_machine_process_ended (ReeveMachine *self)
{
  g_autofree char *name = reeve_machine_dup_name (self);
  g_autofree char *log_name = g_strconcat (name, ".log", NULL);
  Cleanup *cleanup = g_new0 (Cleanup, 1);

  clear_timer (self, &self->stop_timer);
  clear_timer (self, &self->retry_timer);
  cleanup->machine = reeve_machine_ref (self);
  cleanup->log_path = g_build_filename (self->list->log_dir, log_name, NULL);
  cleanup->log_offset = self->log_offset;
  cleanup->wants_log = self->phase == REEVE_PHASE_BOOTING;
  if (self->phase == REEVE_PHASE_BOOTING && self->end == REEVE_END_UNKNOWN)
    self->end = REEVE_END_FAILED;
  self->phase = REEVE_PHASE_ENDED;

  /* The monitor's last words, SHUTDOWN perhaps, are read before; what was
   * asked and not answered fails now. */
  reeve_machine_detach_monitor (self);
  reeve_machine_untap_consoles (self);
  cleanup->consoles = reeve_machine_steal_consoles (self);
  reeve_worker_lane_push (&self->lane, run_cleanup, on_cleaned_up, cleanup);
}

void
reeve_machine_destroy_plainly (ReeveMachine *self,
                               gint64 deadline_us,
                               ReeveMachineDone done,
                               gpointer data)
{
  reeve_machine_destroy (self, REEVE_MACHINE_DESTROY_DEFAULT, deadline_us, done,
                         data);
}
