/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/config.h"
#include "machine/machine-private.h"

#include <string.h>

typedef struct {
  ReeveMachine *machine; /* (owned) */
  ReeveStatus status;    /* (owned) */
  GError *error;
} Save;

static void
fill_guarded (ReeveMachine *self, ReeveStatus *status, ReeveConfig **config)
{
  REEVE_LOCK_SCOPE (&self->lock);

  status->name = g_strdup (self->name);
  status->id = self->id;
  status->state = (int) self->state;
  status->reason = self->reason;
  if (self->process != NULL) {
    status->pid = reeve_process_get_pid (self->process);
    status->start_ticks = reeve_process_get_start_ticks (self->process);
  }
  if (self->live_config != NULL)
    *config = reeve_config_ref (self->live_config);
}

void
reeve_machine_fill_status (ReeveMachine *self, ReeveStatus *status)
{
  g_autoptr (ReeveConfig) config = NULL;

  *status = (ReeveStatus){
    .is_starting = self->phase == REEVE_PHASE_PREPARING ||
                   self->phase == REEVE_PHASE_BOOTING,
    .is_start_paused = self->is_start_paused,
    .is_autodestroy = self->is_autodestroy,
    .is_rebooting = self->is_rebooting,
    .is_ending = self->end == REEVE_END_DESTROYED,
    .rtc_offset_s = self->rtc_offset_s,
  };
  memcpy (status->uuid, self->uuid, sizeof status->uuid);
  fill_guarded (self, status, &config);
  status->definition =
      g_strdup (config == NULL ? "" : reeve_config_get_xml (config));
}

static void
save (gpointer data)
{
  Save *task = data;

  (void) reeve_status_write (&task->status, task->machine->dir.status_path,
                             &task->error);
}

/* Those that wait for the file end well. */
static void
finish_saved (ReeveMachine *self)
{
  ReeveOperation *operation;

  while ((operation = g_queue_pop_head (&self->unsaved)) != NULL) {
    reeve_operation_finish (operation, NULL);
    reeve_operation_unref (operation);
  }
}

static void
on_saved (gpointer data)
{
  Save *task = data;
  ReeveMachine *self = task->machine;

  if (task->error != NULL)
    g_warning ("machine %s: %s", task->status.name, task->error->message);
  self->is_saving = FALSE;
  if (self->is_save_wanted)
    reeve_machine_save_status (self);
  if (!self->is_saving)
    finish_saved (self);
  g_clear_error (&task->error);
  reeve_status_clear (&task->status);
  reeve_machine_unref (self);
  g_free (task);
}

void
reeve_machine_save_status (ReeveMachine *self)
{
  Save *task;

  self->is_save_wanted = FALSE;
  /* A machine that has no process has no file either, or is about to lose it;
   * the launch writes the first one. */
  if ((self->phase != REEVE_PHASE_BOOTING && self->phase != REEVE_PHASE_UP) ||
      self->list->is_closed)
    return;

  /* Changes that come while one is written are written as one. */
  self->is_save_wanted = self->is_saving;
  if (self->is_saving)
    return;

  self->is_saving = TRUE;
  task = g_new0 (Save, 1);
  task->machine = reeve_machine_ref (self);
  reeve_machine_fill_status (self, &task->status);
  reeve_worker_lane_push (&self->lane, save, on_saved, task);
}

void
reeve_machine_finish_saved (ReeveOperation *operation)
{
  ReeveMachine *self = operation->machine;

  reeve_machine_save_status (self);
  g_queue_push_tail (&self->unsaved, reeve_operation_ref (operation));
  if (!self->is_saving)
    finish_saved (self);
}
