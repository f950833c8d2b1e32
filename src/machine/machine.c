/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/machine.h"

#include "event/refs.h"
#include "machine/config.h"
#include "machine/machine-private.h"

#include <string.h>

void
reeve_machine_snapshot_clear (ReeveMachineSnapshot *self)
{
  g_clear_pointer (&self->name, g_free);
  g_clear_pointer (&self->config, reeve_config_unref);
  g_clear_pointer (&self->live_config, reeve_config_unref);
  g_clear_pointer (&self->chosen, g_hash_table_unref);
}

REEVE_UNCHECKED ReeveMachine *
reeve_machine_new (ReeveMachineList *list,
                   const uint8_t uuid[16],
                   const char *name)
{
  ReeveMachine *self = g_new0 (ReeveMachine, 1);

  reeve_refs_init (&self->refs);
  self->list = reeve_machine_list_ref (list);
  memcpy (self->uuid, uuid, sizeof self->uuid);
  reeve_run_dir_init (&self->dir, list->run_dir, uuid);

  reeve_mutex_init (&self->lock);
  self->name = g_strdup (name);
  self->id = -1;
  self->state = REEVE_MACHINE_SHUTOFF;

  self->taps = g_ptr_array_new ();
  g_queue_init (&self->operations);
  g_queue_init (&self->unsaved);
  reeve_worker_lane_init (&self->lane, list->worker);
  self->process_watch = -1;
  self->stop_timer = -1;
  self->retry_timer = -1;
  reeve_machine_init_monitor (self);
  self->pause_reason = -1;
  return self;
}

ReeveMachine *
reeve_machine_ref (ReeveMachine *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

REEVE_UNCHECKED void
reeve_machine_unref (ReeveMachine *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  /* What watches a machine, or works for it, holds it. */
  g_assert (g_queue_is_empty (&self->operations) && self->current == NULL);
  g_assert (self->qmp == NULL && self->process_watch < 0);
  g_assert (self->taps->len == 0);

  g_clear_pointer (&self->process, reeve_process_unref);
  g_clear_pointer (&self->config, reeve_config_unref);
  g_clear_pointer (&self->live_config, reeve_config_unref);
  g_clear_pointer (&self->pending_config, reeve_config_unref);
  g_clear_pointer (&self->last_config, reeve_config_unref);
  g_clear_pointer (&self->chosen, g_hash_table_unref);
  g_clear_pointer (&self->live_xml, reeve_machine_xml_unref);
  g_clear_pointer (&self->consoles, g_ptr_array_unref);
  g_ptr_array_unref (self->taps);
  reeve_run_dir_clear (&self->dir);
  reeve_mutex_clear (&self->lock);
  reeve_machine_list_unref (self->list);
  g_free (self->name);
  g_free (self);
}

const uint8_t *
reeve_machine_get_uuid (ReeveMachine *self)
{
  return self->uuid;
}

static ReeveConfig *
ref_config (ReeveConfig *config)
{
  return config == NULL ? NULL : reeve_config_ref (config);
}

ReeveConfig *
reeve_machine_get_live_config_locked (ReeveMachine *self)
{
  if (self->live_config != NULL || self->config != NULL)
    return self->live_config;
  return self->pending_config != NULL ? self->pending_config
                                      : self->last_config;
}

/* The definition that tells how much memory there is. */
static uint64_t
get_memory_kib (ReeveMachine *self) REEVE_REQUIRES (self->lock)
{
  ReeveConfig *live_config = reeve_machine_get_live_config_locked (self);

  if (self->balloon_kib != 0)
    return self->balloon_kib;
  if (live_config == NULL)
    live_config = self->config;
  return live_config == NULL
             ? 0
             : reeve_config_get_current_memory_kib (live_config);
}

void
reeve_machine_get_snapshot (ReeveMachine *self, ReeveMachineSnapshot *snapshot)
{
  REEVE_LOCK_SCOPE (&self->lock);

  *snapshot = (ReeveMachineSnapshot){
    .name = g_strdup (self->name),
    .id = self->id,
    .state = self->state,
    .reason = self->reason,
    .is_active = self->is_active,
    .is_persistent = self->config != NULL,
    .is_autostart = self->is_autostart,
    .pid = self->process == NULL ? 0 : reeve_process_get_pid (self->process),
    .revision = self->revision,
    .current_memory_kib = get_memory_kib (self),
    .config = ref_config (self->config),
    .live_config = ref_config (reeve_machine_get_live_config_locked (self)),
    .chosen = self->chosen == NULL ? NULL : g_hash_table_ref (self->chosen),
  };
  memcpy (snapshot->uuid, self->uuid, sizeof snapshot->uuid);
}

gboolean
reeve_machine_get_usage (ReeveMachine *self, ReeveMachineUsage *usage)
{
  g_autoptr (ReeveProcess) process = reeve_machine_dup_process (self);
  ReeveProcessUsage raw;

  *usage = (ReeveMachineUsage){ 0 };
  if (process == NULL || !reeve_process_get_usage (process, &raw))
    return FALSE;

  usage->user_ns = raw.user_ns;
  usage->system_ns = raw.system_ns;
  usage->cpu_ns = raw.user_ns + raw.system_ns;
  usage->resident_kib = raw.resident_kib;
  return TRUE;
}

void
reeve_machine_get_monitor_state (ReeveMachine *self,
                                 ReeveMachineMonitorState *state)
{
  REEVE_LOCK_SCOPE (&self->lock);

  *state = (ReeveMachineMonitorState){ .is_error = self->is_monitor_lost };
  if (self->monitor_oldest_us != 0)
    state->command_us = g_get_monotonic_time () - self->monitor_oldest_us;
}

char *
reeve_machine_dup_name (ReeveMachine *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return g_strdup (self->name);
}

void
reeve_machine_note_row (ReeveMachine *self)
{
  atomic_fetch_add (&self->list->n_changes, 1);
}

void
reeve_machine_set_state (ReeveMachine *self,
                         ReeveMachineState state,
                         int reason)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->state = state;
  self->reason = reason;
  reeve_machine_note_row (self);
}

ReeveMachineState
reeve_machine_get_state (ReeveMachine *self, int *reason)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (reason != NULL)
    *reason = self->reason;
  return self->state;
}

gboolean
reeve_machine_is_active (ReeveMachine *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->is_active;
}

gboolean
reeve_machine_is_persistent (ReeveMachine *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->config != NULL;
}

void
reeve_machine_set_balloon (ReeveMachine *self, uint64_t kib)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->balloon_kib = kib;
}

ReeveConfig *
reeve_machine_dup_live_config (ReeveMachine *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return ref_config (self->live_config);
}

ReeveConfig *
reeve_machine_dup_config (ReeveMachine *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return ref_config (self->config);
}

ReeveProcess *
reeve_machine_dup_process (ReeveMachine *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->process == NULL ? NULL : reeve_process_ref (self->process);
}

void
reeve_machine_set_process (ReeveMachine *self, ReeveProcess *process)
{
  REEVE_LOCK_SCOPE (&self->lock);

  g_clear_pointer (&self->process, reeve_process_unref);
  if (process != NULL)
    self->process = reeve_process_ref (process);
}

void
reeve_machine_set_config (ReeveMachine *self, ReeveConfig *config)
{
  REEVE_LOCK_SCOPE (&self->lock);

  g_clear_pointer (&self->config, reeve_config_unref);
  self->config = reeve_config_ref (config);
  reeve_machine_note_row (self);
}

void
reeve_machine_set_is_autostart (ReeveMachine *self, gboolean is_autostart)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_autostart = is_autostart;
  reeve_machine_note_row (self);
}
