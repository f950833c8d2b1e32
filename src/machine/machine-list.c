/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/machine-list.h"

#include "event/intl.h"
#include "event/refs.h"
#include "machine/config.h"
#include "machine/machine-list-private.h"
#include "machine/machine-private.h"
#include "machine/machine-table.h"
#include "machine/operation.h"
#include "rpc/error.h"

#include <string.h>

/* Unless the configuration says otherwise. */
static const ReeveConsoleLimits console_limits = {
  .buffer_bytes = 256 * 1024,
  .log_bytes = 2 * 1024 * 1024,
  .log_files = 3,
};

/* Of all of it: who numbers machines by hand has uuids that differ in their
 * last bytes alone. */
static guint
uuid_hash (gconstpointer key)
{
  uint64_t halves[2];
  uint64_t hash;

  memcpy (halves, key, sizeof halves);
  hash = (halves[0] ^ halves[1] * UINT64_C (0x9e3779b97f4a7c15)) *
         UINT64_C (0xd6e8feb86659fd93);
  return (guint) (hash >> 32);
}

static gboolean
uuid_equal (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, 16) == 0;
}

REEVE_UNCHECKED ReeveMachineList *
reeve_machine_list_new (ReeveLoop *loop, const ReeveMachinePaths *paths)
{
  ReeveMachineList *self = g_new0 (ReeveMachineList, 1);

  reeve_refs_init (&self->refs);
  self->loop = reeve_loop_ref (loop);
  self->events = reeve_event_queue_new (loop);
  self->gate = reeve_start_gate_new (loop, reeve_operation_begin_next);
  self->config_dir = g_strdup (paths->config_dir);
  self->run_dir = g_strdup (paths->run_dir);
  self->log_dir = g_strdup (paths->log_dir);
  self->console_log_dir = g_strdup (paths->console_log_dir);
  self->console_limits = console_limits;
  self->spools = reeve_spool_watch_new (loop);
  self->worker = reeve_worker_new (loop);

  reeve_mutex_init (&self->define_lock);
  reeve_mutex_init (&self->lock);
  self->by_uuid = g_hash_table_new_full (uuid_hash, uuid_equal, NULL,
                                         (GDestroyNotify) reeve_machine_unref);
  self->by_name = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->by_id = g_hash_table_new (NULL, NULL);
  self->owners = g_hash_table_new (NULL, NULL);
  return self;
}

ReeveMachineList *
reeve_machine_list_ref (ReeveMachineList *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

REEVE_UNCHECKED void
reeve_machine_list_unref (ReeveMachineList *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  /* Machines hold their list; closing it lets go of them. */
  g_assert (self->is_closed);
  g_clear_pointer (&self->known_configs, g_hash_table_unref);
  reeve_worker_free (self->worker);
  reeve_spool_watch_free (self->spools);
  reeve_machine_table_unref (self->table);
  g_hash_table_unref (self->owners);
  g_hash_table_unref (self->by_id);
  g_hash_table_unref (self->by_name);
  g_hash_table_unref (self->by_uuid);
  reeve_mutex_clear (&self->lock);
  reeve_mutex_clear (&self->define_lock);
  reeve_event_queue_unref (self->events);
  reeve_start_gate_unref (self->gate);
  reeve_loop_unref (self->loop);
  g_free (self->config_dir);
  g_free (self->run_dir);
  g_free (self->log_dir);
  g_free (self->console_log_dir);
  g_free (self);
}

void
reeve_machine_list_set_console_limits (ReeveMachineList *self,
                                       const ReeveConsoleLimits *limits)
{
  self->console_limits = *limits;
}

void
reeve_machine_list_set_max_starting (ReeveMachineList *self, unsigned limit)
{
  reeve_start_gate_set_limit (self->gate, limit);
}

void
reeve_machine_list_get_start_counts (ReeveMachineList *self,
                                     ReeveStartCounts *counts)
{
  reeve_start_gate_get_counts (self->gate, counts);
}

ReeveLoop *
reeve_machine_list_get_loop (ReeveMachineList *self)
{
  return self->loop;
}

gboolean
reeve_machine_list_is_closed (ReeveMachineList *self)
{
  return self->is_closed;
}

/* (transfer full) (nullable) */
static ReeveMachine *
ref_machine (ReeveMachine *machine)
{
  return machine == NULL ? NULL : reeve_machine_ref (machine);
}

static ReeveMachine *
find_name (ReeveMachineList *self, const char *name)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return ref_machine (g_hash_table_lookup (self->by_name, name));
}

static ReeveMachine *
find_uuid (ReeveMachineList *self, const uint8_t uuid[16])
{
  REEVE_LOCK_SCOPE (&self->lock);

  return ref_machine (g_hash_table_lookup (self->by_uuid, uuid));
}

static ReeveMachine *
find_id (ReeveMachineList *self, int id)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return ref_machine (g_hash_table_lookup (self->by_id, GINT_TO_POINTER (id)));
}

void
reeve_machine_list_miss_name (const char *name, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_DOMAIN,
               _ ("there is no machine named '%s'"), name);
}

void
reeve_machine_list_miss_uuid (const uint8_t uuid[16], GError **error)
{
  char text[REEVE_UUID_TEXT_SIZE];

  reeve_uuid_format (uuid, text);
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_DOMAIN,
               _ ("there is no machine with the uuid '%s'"), text);
}

void
reeve_machine_list_miss_id (int id, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_DOMAIN,
               _ ("there is no machine with the id %d"), id);
}

ReeveMachine *
reeve_machine_list_lookup_name (ReeveMachineList *self,
                                const char *name,
                                GError **error)
{
  ReeveMachine *machine = find_name (self, name);

  if (machine == NULL)
    reeve_machine_list_miss_name (name, error);
  return machine;
}

ReeveMachine *
reeve_machine_list_lookup_uuid (ReeveMachineList *self,
                                const uint8_t uuid[16],
                                GError **error)
{
  ReeveMachine *machine = find_uuid (self, uuid);

  if (machine == NULL)
    reeve_machine_list_miss_uuid (uuid, error);
  return machine;
}

ReeveMachine *
reeve_machine_list_lookup_id (ReeveMachineList *self, int id, GError **error)
{
  ReeveMachine *machine = id <= 0 ? NULL : find_id (self, id);

  if (machine == NULL)
    reeve_machine_list_miss_id (id, error);
  return machine;
}

void
reeve_machine_list_take_out_locked (ReeveMachineList *self,
                                    ReeveMachine *machine,
                                    const char *name)
{
  g_hash_table_remove (self->by_name, name);
  g_hash_table_remove (self->by_uuid, machine->uuid);
  atomic_fetch_add (&self->n_changes, 1);
}

static void
on_gone (ReeveLoop *loop, gpointer data)
{
  g_autoptr (ReeveMachine) machine = data;
  ReeveMachineList *self = machine->list;

  if (self->gone_func != NULL)
    self->gone_func (machine, self->gone_data);
}

/* As above, and says so: no event does if a start failed. */
static void
lose_locked (ReeveMachineList *self, ReeveMachine *machine, const char *name)
    REEVE_REQUIRES (self->lock)
{
  reeve_machine_list_take_out_locked (self, machine, name);
  reeve_loop_invoke (self->loop, on_gone, reeve_machine_ref (machine));
}

static gboolean
set_active (ReeveMachine *machine,
            int id,
            const ReeveMachineRun *run,
            GError **error)
{
  ReeveConfig *config = run->config;

  REEVE_LOCK_SCOPE (&machine->lock);

  if (config == NULL)
    config = machine->config;
  if (machine->is_removed) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_DOMAIN,
                 _ ("the machine '%s' is gone"), machine->name);
    return FALSE;
  }
  if (machine->is_active) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("the machine '%s' is running already"), machine->name);
    return FALSE;
  }
  if (config == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("the machine '%s' is transient: it has no stored "
                    "definition"),
                 machine->name);
    return FALSE;
  }

  machine->is_active = TRUE;
  machine->id = id;
  machine->state = run->state;
  machine->reason = run->reason;
  machine->live_config = reeve_config_ref (config);
  if (machine->pending_config == config)
    g_clear_pointer (&machine->pending_config, reeve_config_unref);
  reeve_machine_note_row (machine);
  return TRUE;
}

gboolean
reeve_machine_list_activate (ReeveMachineList *self,
                             ReeveMachine *machine,
                             const ReeveMachineRun *run,
                             GError **error)
{
  int id = run->id;

  REEVE_LOCK_SCOPE (&self->lock);

  if (id <= 0 || g_hash_table_contains (self->by_id, GINT_TO_POINTER (id)))
    id = self->last_id == G_MAXINT ? 1 : self->last_id + 1;
  if (!set_active (machine, id, run, error))
    return FALSE;

  self->last_id = MAX (self->last_id, id);
  g_hash_table_insert (self->by_id, GINT_TO_POINTER (id), machine);
  return TRUE;
}

static void
forget_run (ReeveMachine *machine) REEVE_REQUIRES (machine->lock)
{
  g_clear_pointer (&machine->process, reeve_process_unref);
  g_clear_pointer (&machine->last_config, reeve_config_unref);
  if (machine->config == NULL)
    machine->last_config = g_steal_pointer (&machine->live_config);
  g_clear_pointer (&machine->live_config, reeve_config_unref);
  g_clear_pointer (&machine->chosen, g_hash_table_unref);
  g_clear_pointer (&machine->live_xml, reeve_machine_xml_unref);
  machine->balloon_kib = 0;
  machine->monitor_oldest_us = 0;
  machine->is_monitor_lost = FALSE;
}

/* Returns the id it had. */
static int
set_inactive (ReeveMachine *machine, int reason, gboolean *is_gone)
{
  int id;

  REEVE_LOCK_SCOPE (&machine->lock);

  id = machine->id;
  machine->id = -1;
  machine->is_active = FALSE;
  machine->state = REEVE_MACHINE_SHUTOFF;
  machine->reason = reason;
  forget_run (machine);
  machine->is_removed = machine->config == NULL;
  reeve_machine_note_row (machine);
  *is_gone = machine->is_removed;
  return id;
}

void
reeve_machine_list_deactivate (ReeveMachineList *self,
                               ReeveMachine *machine,
                               int reason)
{
  g_autoptr (ReeveMachine) hold G_GNUC_UNUSED = reeve_machine_ref (machine);
  g_autofree char *name = reeve_machine_dup_name (machine);
  gboolean is_gone;
  int id;

  REEVE_LOCK_SCOPE (&self->lock);

  id = set_inactive (machine, reason, &is_gone);
  g_hash_table_remove (self->by_id, GINT_TO_POINTER (id));
  if (is_gone)
    lose_locked (self, machine, name);
}

static gboolean
forget_pending (ReeveMachine *machine, const ReeveConfig *config)
{
  REEVE_LOCK_SCOPE (&machine->lock);

  if (config != NULL && machine->pending_config == config) {
    g_clear_pointer (&machine->last_config, reeve_config_unref);
    machine->last_config = g_steal_pointer (&machine->pending_config);
  }
  machine->is_removed = machine->config == NULL &&
                        machine->pending_config == NULL && !machine->is_active;
  return machine->is_removed;
}

void
reeve_machine_list_drop_pending (ReeveMachineList *self,
                                 ReeveMachine *machine,
                                 const ReeveConfig *config)
{
  g_autofree char *name = reeve_machine_dup_name (machine);

  REEVE_LOCK_SCOPE (&self->lock);

  if (g_hash_table_lookup (self->by_uuid, machine->uuid) == machine &&
      forget_pending (machine, config))
    lose_locked (self, machine, name);
}

gboolean
reeve_machine_list_add (ReeveMachineList *self, ReeveMachine *machine)
{
  g_autofree char *name = reeve_machine_dup_name (machine);

  REEVE_LOCK_SCOPE (&self->lock);

  if (g_hash_table_contains (self->by_uuid, machine->uuid) ||
      g_hash_table_contains (self->by_name, name))
    return FALSE;

  g_hash_table_insert (self->by_uuid, machine->uuid,
                       reeve_machine_ref (machine));
  g_hash_table_insert (self->by_name, g_steal_pointer (&name), machine);
  atomic_fetch_add (&self->n_changes, 1);
  return TRUE;
}

void
reeve_machine_list_set_gone_func (ReeveMachineList *self,
                                  ReeveMachineGoneFunc func,
                                  gpointer data)
{
  self->gone_func = func;
  self->gone_data = data;
}

unsigned
reeve_machine_list_subscribe (ReeveMachineList *self,
                              ReeveMachineEventFunc func,
                              gpointer data,
                              GDestroyNotify free_func,
                              uint64_t *revision)
{
  return reeve_event_queue_subscribe (self->events, func, data, free_func,
                                      revision);
}

void
reeve_machine_list_unsubscribe (ReeveMachineList *self, unsigned id)
{
  reeve_event_queue_unsubscribe (self->events, id);
}

gboolean
reeve_machine_list_sync (ReeveMachineList *self,
                         const ReeveMachineRevision *since,
                         GPtrArray *events,
                         ReeveMachineRevision *now)
{
  return reeve_event_queue_sync (self->events, since, events, now);
}

uint64_t
reeve_machine_list_get_revision (ReeveMachineList *self)
{
  return reeve_event_queue_get_sequence (self->events);
}

static GPtrArray *
take_all_out (ReeveMachineList *self)
{
  GPtrArray *machines =
      g_ptr_array_new_with_free_func ((GDestroyNotify) reeve_machine_unref);
  GHashTableIter iter;
  gpointer machine;

  REEVE_LOCK_SCOPE (&self->lock);

  g_hash_table_iter_init (&iter, self->by_uuid);
  while (g_hash_table_iter_next (&iter, NULL, &machine))
    g_ptr_array_add (machines, reeve_machine_ref (machine));
  g_hash_table_remove_all (self->by_id);
  g_hash_table_remove_all (self->by_name);
  g_hash_table_remove_all (self->by_uuid);
  atomic_fetch_add (&self->n_changes, 1);
  return machines;
}

void
reeve_machine_list_close (ReeveMachineList *self)
{
  g_autoptr (GPtrArray) machines = NULL;

  if (self->is_closed)
    return;

  self->is_closed = TRUE;
  reeve_event_queue_close (self->events);
  machines = take_all_out (self);
  for (guint i = 0; i < machines->len; i++)
    reeve_machine_let_go (g_ptr_array_index (machines, i));
  reeve_worker_close (self->worker);
}
