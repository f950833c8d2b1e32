/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/config.h"
#include "machine/launch.h"
#include "machine/machine-private.h"
#include "rpc/error.h"

/*
 * A start: a worker makes the process (launch.c); everything QEMU has to be
 * told is sent to it at once, before it is ready to read, so that it never
 * waits for us. It is ready when it answers the first question, not when it
 * greets: a bad device ends it after the greeting.
 */

typedef struct {
  ReeveMachine *machine;     /* (owned) */
  ReeveOperation *operation; /* (owned) */
} Start;

static Start *
start_new (ReeveOperation *operation)
{
  Start *start = g_new0 (Start, 1);

  start->machine = reeve_machine_ref (operation->machine);
  start->operation = reeve_operation_ref (operation);
  return start;
}

static void
start_free (Start *start)
{
  reeve_operation_unref (start->operation);
  reeve_machine_unref (start->machine);
  g_free (start);
}

static void
reset_run (ReeveMachine *self, ReeveOperation *operation)
{
  self->end = REEVE_END_UNKNOWN;
  self->owner = operation->owner;
  self->is_autodestroy =
      (operation->flags & REEVE_MACHINE_START_AUTODESTROY) != 0;
  self->is_start_paused = (operation->flags & REEVE_MACHINE_START_PAUSED) != 0;
  self->is_rebooting = FALSE;
  self->is_restarting = FALSE;
  self->is_shut_down = FALSE;
  self->pause_reason = -1;
  self->last_reset_us = 0;
  self->rtc_offset_s = 0;
  self->log_offset = 0;
}

static void
run_launch (gpointer data)
{
  reeve_launch_run (data);
}

static void on_launched (gpointer data);

static void
push_launch (ReeveMachine *self)
{
  g_autofree char *name = reeve_machine_dup_name (self);
  g_autofree char *log_name = g_strconcat (name, ".log", NULL);
  ReeveLaunch *launch = g_new0 (ReeveLaunch, 1);

  launch->machine = reeve_machine_ref (self);
  launch->dir = &self->dir;
  launch->config = reeve_machine_dup_live_config (self);
  launch->consoles = reeve_machine_make_consoles (self, launch->config);
  launch->log_path = g_build_filename (self->list->log_dir, log_name, NULL);
  launch->monitor_fd = -1;
  reeve_machine_fill_status (self, &launch->status);
  reeve_worker_lane_push (&self->lane, run_launch, on_launched, launch);
}

/* A machine that was made to be started by this has no other purpose. */
static void
drop_start (ReeveOperation *operation)
{
  reeve_machine_list_drop_pending (operation->machine->list, operation->machine,
                                   operation->config);
}

/* Who went away before the start came into the queue could not end it. */
static gboolean
check_owner (const ReeveOperation *operation, GError **error)
{
  if ((operation->flags & REEVE_MACHINE_START_AUTODESTROY) == 0 ||
      reeve_machine_list_has_owner (operation->machine->list, operation->owner))
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_ABORTED,
                       _ ("the client is gone"));
  return FALSE;
}

static void
begin_start (ReeveOperation *operation)
{
  ReeveMachine *self = operation->machine;
  const ReeveMachineRun run = {
    .config = operation->config,
    .state = REEVE_MACHINE_PAUSED,
    .reason = REEVE_MACHINE_PAUSED_STARTING_UP,
  };
  g_autoptr (GError) error = NULL;

  if (!check_owner (operation, &error) ||
      !reeve_machine_list_activate (self->list, self, &run, &error)) {
    drop_start (operation);
    reeve_operation_finish (operation, error);
    return;
  }

  reset_run (self, operation);
  self->phase = REEVE_PHASE_PREPARING;
  push_launch (self);
}

/* Whoever asked for the start was told that it failed: leave nothing. */
static void
give_up_start (ReeveOperation *operation)
{
  reeve_machine_stop (operation->machine, REEVE_END_FAILED);
}

const ReeveOperationClass reeve_machine_start_class = {
  .begin = begin_start,
  .give_up = give_up_start,
  .drop = drop_start,
  .needs_place = TRUE,
};

static void
on_running (JsonNode *result, const GError *error, gpointer data)
{
  Start *start = data;
  ReeveMachine *self = start->machine;

  if (error == NULL && !start->operation->is_finished) {
    reeve_machine_emit_lifecycle (self, REEVE_LIFECYCLE_STARTED,
                                  REEVE_STARTED_BOOTED);
    reeve_machine_finish_saved (start->operation);
  } else if (error != NULL && error->code != REEVE_ERROR_CLOSED) {
    /* A monitor that closed means a process that ends: its end, with what its
     * log says, is what the start failed of. */
    reeve_operation_finish (start->operation, error);
    reeve_machine_stop (self, REEVE_END_FAILED);
  }
  start_free (start);
}

static void
finish_paused (ReeveMachine *self, ReeveOperation *operation)
{
  reeve_machine_set_state (self, REEVE_MACHINE_PAUSED,
                           REEVE_MACHINE_PAUSED_USER);
  reeve_machine_emit_lifecycle (self, REEVE_LIFECYCLE_STARTED,
                                REEVE_STARTED_BOOTED);
  reeve_machine_emit_lifecycle (self, REEVE_LIFECYCLE_SUSPENDED,
                                REEVE_SUSPENDED_PAUSED);
  reeve_machine_finish_saved (operation);
}

/* The first answer: the machine is built. */
static void
on_ready (JsonNode *result, const GError *error, gpointer data)
{
  Start *start = data;
  ReeveMachine *self = start->machine;

  if (error == NULL && self->phase == REEVE_PHASE_BOOTING &&
      !start->operation->is_finished) {
    self->phase = REEVE_PHASE_UP;
    reeve_start_gate_leave (self->list->gate, &start->operation->place);
    if (self->is_start_paused)
      finish_paused (self, start->operation);
  } else if (error != NULL && error->code != REEVE_ERROR_CLOSED) {
    reeve_operation_finish (start->operation, error);
    reeve_machine_stop (self, REEVE_END_FAILED);
  }
  start_free (start);
}

static void
send_start (ReeveMachine *self, ReeveOperation *operation, int fd)
{
  gint64 deadline_us = operation->deadline_us;

  reeve_machine_attach_monitor (self, fd, deadline_us);
  reeve_machine_ask_chosen (self, deadline_us);
  reeve_qmp_execute (self->qmp, "query-status", NULL, deadline_us, on_ready,
                     start_new (operation));
  if (!self->is_start_paused)
    reeve_qmp_execute (self->qmp, "cont", NULL, deadline_us, on_running,
                       start_new (operation));
}

static void
on_launched (gpointer data)
{
  g_autoptr (ReeveLaunch) launch = data;
  ReeveMachine *self = launch->machine;
  ReeveOperation *operation = self->current;

  /* A list that closes lets go of the process; the next daemon takes it up. */
  if (self->list->is_closed) {
    self->phase = REEVE_PHASE_OFF;
    return;
  }
  if (launch->process == NULL) {
    reeve_machine_launch_failed (self, launch->error);
    return;
  }

  self->phase = REEVE_PHASE_BOOTING;
  self->log_offset = launch->log_offset;
  reeve_machine_set_process (self, launch->process);
  reeve_machine_set_consoles (self, launch->consoles);
  if (!reeve_machine_watch_process (self)) {
    reeve_machine_process_ended (self);
    return;
  }

  if (self->end == REEVE_END_UNKNOWN && operation != NULL) {
    send_start (self, operation, g_steal_fd (&launch->monitor_fd));
    reeve_machine_save_status (self);
  } else {
    /* Given up, or destroyed, while the process was made. */
    reeve_machine_stop (self, REEVE_END_FAILED);
  }
}

void
reeve_machine_start_config (ReeveMachine *self,
                            ReeveConfig *config,
                            ReeveMachineStartFlags flags,
                            gconstpointer owner,
                            gint64 deadline_us,
                            ReeveMachineDone done,
                            gpointer data)
{
  ReeveOperation *operation = reeve_operation_new (
      &reeve_machine_start_class, self, deadline_us, done, data);

  operation->config = config == NULL ? NULL : reeve_config_ref (config);
  operation->flags = flags;
  operation->owner = owner;
  reeve_operation_submit (operation);
}

void
reeve_machine_start (ReeveMachine *self,
                     ReeveMachineStartFlags flags,
                     gconstpointer owner,
                     gint64 deadline_us,
                     ReeveMachineDone done,
                     gpointer data)
{
  reeve_machine_start_config (self, NULL, flags, owner, deadline_us, done,
                              data);
}

void
reeve_machine_start_plainly (ReeveMachine *self,
                             gint64 deadline_us,
                             ReeveMachineDone done,
                             gpointer data)
{
  reeve_machine_start (self, REEVE_MACHINE_START_NONE, NULL, deadline_us, done,
                       data);
}
