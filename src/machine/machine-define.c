/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/config.h"
#include "machine/machine-list-private.h"
#include "machine/machine-private.h"
#include "machine/store.h"
#include "rpc/error.h"

#include <string.h>

/*
 * Changes of definitions. They come from workers, one at a time (define_lock),
 * and are on disk before they are true for anybody.
 */

#define DESTROY_TIMEOUT_US (30 * G_USEC_PER_SEC)

static void
emit_defined (ReeveMachine *machine, int detail)
{
  reeve_machine_emit_lifecycle (machine, REEVE_LIFECYCLE_DEFINED, detail);
}

/* Finds the machine that @config is for, if there is one; fails when its name
 * or its uuid belongs to another. */
static gboolean
find_target (ReeveMachineList *self,
             ReeveConfig *config,
             ReeveMachine **machine,
             GError **error)
{
  const char *name = reeve_config_get_name (config);
  g_autoptr (ReeveMachine) by_name =
      reeve_machine_list_lookup_name (self, name, NULL);
  g_autoptr (ReeveMachine) by_uuid = reeve_machine_list_lookup_uuid (
      self, reeve_config_get_uuid (config), NULL);
  char uuid[REEVE_UUID_TEXT_SIZE];

  if (by_name == by_uuid) {
    *machine = g_steal_pointer (&by_uuid);
    return TRUE;
  }

  if (by_uuid != NULL) {
    g_autofree char *old_name = reeve_machine_dup_name (by_uuid);

    reeve_uuid_format (by_uuid->uuid, uuid);
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
                 _ ("the machine with the uuid %1$s is named '%2$s' already"),
                 uuid, old_name);
  } else {
    reeve_uuid_format (by_name->uuid, uuid);
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
                 _ ("the machine '%1$s' exists already, with the uuid %2$s"),
                 name, uuid);
  }
  return FALSE;
}

/* A machine that is there may vanish, being transient, at any moment: then it
 * is for the caller to make it anew. */
static gboolean
set_config_if_there (ReeveMachine *machine, ReeveConfig *config)
{
  REEVE_LOCK_SCOPE (&machine->lock);

  if (machine->is_removed)
    return FALSE;
  g_clear_pointer (&machine->config, reeve_config_unref);
  machine->config = config == NULL ? NULL : reeve_config_ref (config);
  reeve_machine_note_row (machine);
  return TRUE;
}

static ReeveMachine *
add_new (ReeveMachineList *self, ReeveConfig *config, GError **error)
{
  g_autoptr (ReeveMachine) machine = reeve_machine_new (
      self, reeve_config_get_uuid (config), reeve_config_get_name (config));

  reeve_machine_set_config (machine, config);
  if (reeve_machine_list_add (self, machine))
    return g_steal_pointer (&machine);

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
               _ ("the machine '%s' was made by somebody else meanwhile"),
               reeve_config_get_name (config));
  return NULL;
}

ReeveMachine *
reeve_machine_list_define (ReeveMachineList *self,
                           ReeveConfig *config,
                           gboolean *was_updated,
                           GError **error)
{
  g_autoptr (ReeveMachine) machine = NULL;
  gboolean is_update;

  REEVE_LOCK_SCOPE (&self->define_lock);

  if (!find_target (self, config, &machine, error) ||
      !reeve_store_save (self->config_dir, config, error))
    return NULL;

  is_update = machine != NULL && reeve_machine_is_persistent (machine);
  if (machine == NULL || !set_config_if_there (machine, config)) {
    g_clear_pointer (&machine, reeve_machine_unref);
    machine = add_new (self, config, error);
    if (machine == NULL) {
      reeve_store_remove (self->config_dir, reeve_config_get_name (config),
                          NULL);
      return NULL;
    }
  }

  emit_defined (machine,
                is_update ? REEVE_DEFINED_UPDATED : REEVE_DEFINED_ADDED);
  if (was_updated != NULL)
    *was_updated = is_update;
  return g_steal_pointer (&machine);
}

static gboolean
set_pending (ReeveMachine *machine, ReeveConfig *config, GError **error)
{
  REEVE_LOCK_SCOPE (&machine->lock);

  if (machine->is_active || machine->is_removed ||
      machine->pending_config != NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("the machine '%s' is running already"), machine->name);
    return FALSE;
  }
  machine->pending_config = reeve_config_ref (config);
  return TRUE;
}

/* Nobody sees it before it has its definition. */
static ReeveMachine *
add_pending (ReeveMachineList *self, ReeveConfig *config, GError **error)
{
  g_autoptr (ReeveMachine) machine = reeve_machine_new (
      self, reeve_config_get_uuid (config), reeve_config_get_name (config));

  if (!set_pending (machine, config, error))
    return NULL;
  if (reeve_machine_list_add (self, machine))
    return g_steal_pointer (&machine);

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
               _ ("the machine '%s' exists already"),
               reeve_config_get_name (config));
  return NULL;
}

ReeveMachine *
reeve_machine_list_create (ReeveMachineList *self,
                           ReeveConfig *config,
                           ReeveMachineStartFlags flags,
                           gconstpointer owner,
                           gint64 deadline_us,
                           ReeveMachineDone done,
                           gpointer data,
                           GError **error)
{
  g_autoptr (ReeveMachine) machine = NULL;

  if (!find_target (self, config, &machine, error))
    return NULL;
  if (machine == NULL)
    machine = add_pending (self, config, error);
  else if (!set_pending (machine, config, error))
    return NULL;
  if (machine == NULL)
    return NULL;

  reeve_machine_start_config (machine, config, flags, owner, deadline_us, done,
                              data);
  return g_steal_pointer (&machine);
}

static gboolean
check_persistent (ReeveMachine *machine, GError **error)
{
  REEVE_LOCK_SCOPE (&machine->lock);

  if (machine->config != NULL)
    return TRUE;
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
               _ ("the machine '%s' is transient: it has no stored definition"),
               machine->name);
  return FALSE;
}

/* Returns whether the machine is gone by this. */
static gboolean
forget_config (ReeveMachine *machine)
{
  REEVE_LOCK_SCOPE (&machine->lock);

  g_clear_pointer (&machine->last_config, reeve_config_unref);
  machine->last_config = g_steal_pointer (&machine->config);
  machine->is_autostart = FALSE;
  machine->is_removed = !machine->is_active;
  reeve_machine_note_row (machine);
  return machine->is_removed;
}

static void
forget (ReeveMachineList *self, ReeveMachine *machine, const char *name)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (forget_config (machine))
    reeve_machine_list_take_out_locked (self, machine, name);
}

gboolean
reeve_machine_list_undefine (ReeveMachineList *self,
                             ReeveMachine *machine,
                             GError **error)
{
  g_autofree char *name = NULL;

  REEVE_LOCK_SCOPE (&self->define_lock);

  name = reeve_machine_dup_name (machine);
  if (!check_persistent (machine, error) ||
      !reeve_store_remove (self->config_dir, name, error))
    return FALSE;

  forget (self, machine, name);
  reeve_machine_emit_lifecycle (machine, REEVE_LIFECYCLE_UNDEFINED,
                                REEVE_UNDEFINED_REMOVED);
  return TRUE;
}

static gboolean
swap_name (ReeveMachine *machine, ReeveConfig *config, GError **error)
{
  REEVE_LOCK_SCOPE (&machine->lock);

  if (machine->is_active || machine->is_removed) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("the machine '%s' is running: it cannot be renamed"),
                 machine->name);
    return FALSE;
  }
  if (machine->pending_config != NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("the machine '%s' is about to run: it cannot be renamed"),
                 machine->name);
    return FALSE;
  }

  g_free (machine->name);
  machine->name = g_strdup (reeve_config_get_name (config));
  g_clear_pointer (&machine->config, reeve_config_unref);
  machine->config = reeve_config_ref (config);
  reeve_machine_note_row (machine);
  return TRUE;
}

static gboolean
swap_in_list (ReeveMachineList *self,
              ReeveMachine *machine,
              const char *old_name,
              ReeveConfig *config,
              GError **error)
{
  const char *name = reeve_config_get_name (config);

  REEVE_LOCK_SCOPE (&self->lock);

  if (g_hash_table_contains (self->by_name, name)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("the machine '%s' exists already"), name);
    return FALSE;
  }
  if (!swap_name (machine, config, error))
    return FALSE;

  g_hash_table_remove (self->by_name, old_name);
  g_hash_table_insert (self->by_name, g_strdup (name), machine);
  return TRUE;
}

static void
emit_renamed (ReeveMachine *machine, const char *old_name)
{
  ReeveMachineEvent *event =
      reeve_machine_event_new (REEVE_MACHINE_EVENT_LIFECYCLE);

  event->event = REEVE_LIFECYCLE_UNDEFINED;
  event->detail = REEVE_UNDEFINED_RENAMED;
  event->name = g_strdup (old_name);
  memcpy (event->uuid, machine->uuid, sizeof event->uuid);
  reeve_machine_emit (machine, event);
  emit_defined (machine, REEVE_DEFINED_RENAMED);
}

/* Whether a rename is worth trying, before anything is written. */
static gboolean
check_rename (ReeveMachineList *self,
              ReeveMachine *machine,
              const char *name,
              GError **error)
{
  g_autoptr (ReeveMachine) other =
      reeve_machine_list_lookup_name (self, name, NULL);

  if (!check_persistent (machine, error))
    return FALSE;
  if (reeve_machine_is_active (machine))
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("a machine that is running cannot be renamed"));
  else if (other != NULL)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("the machine '%s' exists already"), name);
  else
    return TRUE;
  return FALSE;
}

gboolean
reeve_machine_list_rename (ReeveMachineList *self,
                           ReeveMachine *machine,
                           const char *name,
                           GError **error)
{
  g_autofree char *old_name = NULL;
  g_autoptr (ReeveConfig) old = NULL;
  g_autoptr (ReeveConfig) config = NULL;

  REEVE_LOCK_SCOPE (&self->define_lock);

  if (!check_rename (self, machine, name, error))
    return FALSE;

  old_name = reeve_machine_dup_name (machine);
  old = reeve_machine_dup_config (machine);
  config = reeve_config_with_name (old, name, error);
  if (config == NULL ||
      !reeve_store_rename (self->config_dir, old_name, config, error))
    return FALSE;
  if (!swap_in_list (self, machine, old_name, config, error)) {
    (void) reeve_store_rename (self->config_dir, name, old, NULL);
    return FALSE;
  }

  emit_renamed (machine, old_name);
  return TRUE;
}

gboolean
reeve_machine_list_set_autostart (ReeveMachineList *self,
                                  ReeveMachine *machine,
                                  gboolean autostart,
                                  GError **error)
{
  g_autofree char *name = NULL;
  ReeveMachineEvent *event;

  REEVE_LOCK_SCOPE (&self->define_lock);

  name = reeve_machine_dup_name (machine);
  if (!check_persistent (machine, error) ||
      !reeve_store_set_autostart (self->config_dir, name, autostart, error))
    return FALSE;

  reeve_machine_set_is_autostart (machine, autostart);
  event = reeve_machine_event_new (REEVE_MACHINE_EVENT_AUTOSTART);
  event->value = autostart;
  reeve_machine_emit (machine, event);
  return TRUE;
}

/* Whether it was still @old that runs. */
static gboolean
swap_live_config (ReeveMachine *machine, ReeveConfig *old, ReeveConfig *config)
{
  REEVE_LOCK_SCOPE (&machine->lock);

  if (machine->live_config != old)
    return FALSE;
  reeve_config_unref (machine->live_config);
  machine->live_config = reeve_config_ref (config);
  return TRUE;
}

static void
on_live_changed (ReeveLoop *loop, gpointer data)
{
  g_autoptr (ReeveMachine) machine = data;

  reeve_machine_save_status (machine);
}

/* (transfer full) (nullable) */
static ReeveConfig *
change_stored (ReeveMachine *machine,
               const ReeveMachineUpdate *update,
               GError **error)
{
  g_autoptr (ReeveConfig) config = NULL;

  if (!check_persistent (machine, error))
    return NULL;
  config = reeve_machine_dup_config (machine);
  return update->change (config, update->data, error);
}

/* Makes @config of @old, the one that runs now, in the place of those that they
 * hold. */
static gboolean
change_live (ReeveMachine *machine,
             const ReeveMachineUpdate *update,
             ReeveConfig **old,
             ReeveConfig **config,
             GError **error)
{
  g_clear_pointer (old, reeve_config_unref);
  g_clear_pointer (config, reeve_config_unref);
  *old = reeve_machine_dup_live_config (machine);
  if (*old == NULL) {
    g_autofree char *name = reeve_machine_dup_name (machine);

    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                 _ ("the machine '%s' is not running"), name);
    return FALSE;
  }
  *config = update->change (*old, update->data, error);
  return *config != NULL;
}

static gboolean
change (ReeveMachineList *self,
        ReeveMachine *machine,
        const ReeveMachineUpdate *update,
        GError **error)
{
  g_autoptr (ReeveConfig) config = NULL;
  g_autoptr (ReeveConfig) old_live = NULL;
  g_autoptr (ReeveConfig) live = NULL;

  if (update->is_stored) {
    config = change_stored (machine, update, error);
    if (config == NULL)
      return FALSE;
  }
  if (update->is_live &&
      !change_live (machine, update, &old_live, &live, error))
    return FALSE;

  if (config != NULL) {
    if (!reeve_store_save (self->config_dir, config, error))
      return FALSE;
    reeve_machine_set_config (machine, config);
  }
  if (!update->is_live)
    return TRUE;

  /* It may have been started anew meanwhile: the loop takes no define_lock. */
  while (!swap_live_config (machine, old_live, live))
    if (!change_live (machine, update, &old_live, &live, error))
      return FALSE;
  reeve_loop_invoke (self->loop, on_live_changed, reeve_machine_ref (machine));
  return TRUE;
}

gboolean
reeve_machine_list_update (ReeveMachineList *self,
                           ReeveMachine *machine,
                           const ReeveMachineUpdate *update,
                           ReeveMachineEvent *event,
                           GError **error)
{
  REEVE_LOCK_SCOPE (&self->define_lock);

  if (!change (self, machine, update, error)) {
    reeve_machine_event_unref (event);
    return FALSE;
  }
  if (event != NULL)
    reeve_machine_emit (machine, event);
  return TRUE;
}

typedef struct {
  ReeveMachineList *list; /* (owned) */
  gconstpointer owner;
} DestroyOwned;

static gboolean
has_owner (ReeveMachine *machine, gconstpointer owner)
{
  if (machine->phase != REEVE_PHASE_OFF && machine->is_autodestroy &&
      machine->owner == owner)
    return TRUE;

  /* a start that still waits for its turn */
  for (GList *link = machine->operations.head; link != NULL;
       link = link->next) {
    ReeveOperation *operation = link->data;

    if (operation->class == &reeve_machine_start_class &&
        (operation->flags & REEVE_MACHINE_START_AUTODESTROY) != 0 &&
        operation->owner == owner)
      return TRUE;
  }
  return FALSE;
}

static void
destroy_owned (ReeveLoop *loop, gpointer data)
{
  DestroyOwned *task = data;
  g_autoptr (GPtrArray) machines =
      reeve_machine_list_get_machines (task->list, 0, NULL);

  for (guint i = 0; i < machines->len; i++) {
    ReeveMachine *machine = g_ptr_array_index (machines, i);

    if (has_owner (machine, task->owner))
      reeve_machine_destroy_plainly (
          machine, g_get_monotonic_time () + DESTROY_TIMEOUT_US, NULL, NULL);
  }
  reeve_machine_list_unref (task->list);
  g_free (task);
}

void
reeve_machine_list_add_owner (ReeveMachineList *self, gconstpointer owner)
{
  REEVE_LOCK_SCOPE (&self->lock);

  g_hash_table_add (self->owners, (gpointer) owner);
}

gboolean
reeve_machine_list_has_owner (ReeveMachineList *self, gconstpointer owner)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return g_hash_table_contains (self->owners, owner);
}

/* Whether it has been there. */
static gboolean
remove_owner (ReeveMachineList *self, gconstpointer owner)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return g_hash_table_remove (self->owners, owner);
}

void
reeve_machine_list_destroy_owned (ReeveMachineList *self, gconstpointer owner)
{
  DestroyOwned *task;

  /* Clients come and go; hardly one of them has a machine. */
  if (!remove_owner (self, owner))
    return;

  task = g_new0 (DestroyOwned, 1);
  task->list = reeve_machine_list_ref (self);
  task->owner = owner;
  reeve_loop_invoke (self->loop, destroy_owned, task);
}
