/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/machine-state.h"
#include "event/intl.h"
#include "machine/config.h"
#include "machine/machine-private.h"
#include "protocol/machine-state.h"
#include "rpc/error.h"

#include <string.h>

/* All machines on their way to another process. */

#define SECTION "machines"
#define FORMAT 1
/* A QEMU that has not answered for so long is not waited for: whoever goes on
 * connects to its monitor anew. */
#define PATIENCE_US (2 * G_USEC_PER_SEC)

/* -------------------------------------------------------------- preparing - */

/* @xml: (transfer full) (nullable) */
static void
know (ReeveMachineList *self, char *xml)
{
  g_autofree char *owned G_GNUC_UNUSED = xml;
  ReeveConfig *config =
      xml == NULL ? NULL : reeve_config_new_from_xml (xml, NULL);

  if (config != NULL)
    g_hash_table_replace (self->known_configs,
                          (gpointer) reeve_config_get_xml (config), config);
}

static void
know_defined (ReeveMachineList *self, const char *name)
{
  g_autofree char *path = g_build_filename (self->config_dir, name, NULL);
  char *xml;

  if (g_str_has_suffix (name, ".xml") &&
      g_file_get_contents (path, &xml, NULL, NULL))
    know (self, xml);
}

static void
know_running (ReeveMachineList *self, const char *name)
{
  g_autofree char *path =
      g_build_filename (self->run_dir, name, "status", NULL);
  g_auto (ReeveStatus) status = { 0 };

  if (reeve_status_read (&status, path, NULL))
    know (self, g_steal_pointer (&status.definition));
}

static gboolean
know_all (ReeveMachineList *self,
          const char *dir,
          void (*func) (ReeveMachineList *self, const char *name),
          GError **error)
{
  g_autoptr (GDir) entries = g_dir_open (dir, 0, error);
  const char *name;

  if (entries == NULL)
    return FALSE;
  while ((name = g_dir_read_name (entries)) != NULL)
    func (self, name);
  return TRUE;
}

/* The other daemon works with these files: they are read, and no more. One that
 * changes meanwhile is read from what that daemon says. */
gboolean
reeve_machine_list_prepare (ReeveMachineList *self, GError **error)
{
  self->known_configs = g_hash_table_new_full (
      g_str_hash, g_str_equal, NULL, (GDestroyNotify) reeve_config_unref);
  return know_all (self, self->config_dir, know_defined, error) &&
         know_all (self, self->run_dir, know_running, error);
}

/* (transfer full) (nullable): mostly one that was read already. */
static ReeveConfig *
get_config (ReeveMachineList *self, const char *xml, GError **error)
{
  ReeveConfig *config = g_hash_table_lookup (self->known_configs, xml);

  return config != NULL ? reeve_config_ref (config)
                        : reeve_config_new_from_xml (xml, error);
}

/* -------------------------------------------------------------- freezing -- */

void
reeve_machine_list_freeze (ReeveMachineList *self)
{
  self->is_frozen = TRUE;
}

/* What could not be done before it was sure that nobody else does it. */
static void
thaw_machine (ReeveMachine *self)
{
  if (self->phase == REEVE_PHASE_UP && self->process_watch < 0) {
    reeve_machine_note_process_end (self);
    return;
  }
  if (self->phase == REEVE_PHASE_UP && self->qmp == NULL &&
      self->retry_timer < 0 && !self->lane.is_busy)
    reeve_machine_connect_monitor (self);
  reeve_machine_thaw_consoles (self);
  /* Its client did not come along. */
  if (self->phase == REEVE_PHASE_UP && self->is_autodestroy &&
      self->owner == NULL)
    reeve_machine_stop (self, REEVE_END_DESTROYED);
}

void
reeve_machine_list_thaw (ReeveMachineList *self)
{
  g_autoptr (GPtrArray) machines =
      reeve_machine_list_get_machines (self, 0, NULL);

  self->is_frozen = FALSE;
  g_clear_pointer (&self->known_configs, g_hash_table_unref);
  for (guint i = 0; i < machines->len; i++)
    thaw_machine (machines->pdata[i]);
}

void
reeve_machine_list_leave (ReeveMachineList *self)
{
  g_autoptr (GPtrArray) machines =
      reeve_machine_list_get_machines (self, 0, NULL);

  for (guint i = 0; i < machines->len; i++)
    reeve_machine_leave_consoles (machines->pdata[i]);
  reeve_machine_list_close (self);
}

/* Whether its monitor is waited for, which is not for ever. */
static gboolean
waits_for_monitor (ReeveMachine *self)
{
  ReeveQmpState state;
  gint64 oldest_us;

  if (self->qmp == NULL || reeve_qmp_save (self->qmp, &state))
    return FALSE;
  oldest_us = reeve_qmp_get_oldest_us (self->qmp);
  return oldest_us == 0 || g_get_monotonic_time () - oldest_us < PATIENCE_US;
}

/* (transfer full) (nullable) */
static char *
find_activity (ReeveMachine *self)
{
  g_autofree char *name = reeve_machine_dup_name (self);

  if (self->current != NULL || !g_queue_is_empty (&self->operations) ||
      !g_queue_is_empty (&self->unsaved))
    return g_strdup_printf (_ ("an operation of the machine '%s' runs"), name);
  if ((self->phase != REEVE_PHASE_OFF && self->phase != REEVE_PHASE_UP) ||
      (self->phase == REEVE_PHASE_UP && self->end != REEVE_END_UNKNOWN))
    return g_strdup_printf (_ ("the machine '%s' starts or ends"), name);
  if (self->is_saving || self->lane.is_busy)
    return g_strdup_printf (_ ("files of the machine '%s' are written"), name);
  if (waits_for_monitor (self))
    return g_strdup_printf (_ ("QEMU of the machine '%s' has to answer"), name);
  return NULL;
}

gboolean
reeve_machine_list_is_quiet (ReeveMachineList *self, char **why)
{
  g_autoptr (GPtrArray) machines =
      reeve_machine_list_get_machines (self, 0, NULL);

  reeve_event_queue_flush (self->events);
  for (guint i = 0; i < machines->len; i++) {
    *why = find_activity (machines->pdata[i]);
    if (*why != NULL)
      return FALSE;
  }

  return TRUE;
}

/* ---------------------------------------------------------------- saving -- */

static void
save_chosen (GHashTable *chosen, machine_state_run *saved)
{
  GHashTableIter iter;
  gpointer name, value;
  machine_state_word *to;

  if (chosen == NULL)
    return;

  saved->chosen.n_items = g_hash_table_size (chosen);
  saved->chosen.items = to = g_new0 (machine_state_word, saved->chosen.n_items);
  g_hash_table_iter_init (&iter, chosen);
  for (; g_hash_table_iter_next (&iter, &name, &value); to++) {
    to->name = g_strdup (name);
    to->value = g_strdup (value);
  }
}

static void
save_monitor (ReeveMachine *self,
              ReeveSavedState *state,
              machine_state_run *saved)
{
  ReeveQmpState monitor;

  if (self->qmp == NULL || !reeve_qmp_save (self->qmp, &monitor))
    return;

  saved->monitor = g_new0 (machine_state_monitor, 1);
  saved->monitor->fd = reeve_saved_state_add_fd (state, monitor.fd);
  saved->monitor->last_id = monitor.last_id;
  saved->monitor->unread.size = (uint32_t) monitor.n_unread;
  saved->monitor->unread.data = g_memdup2 (monitor.unread, monitor.n_unread);
}

static void
save_consoles (GPtrArray *consoles,
               ReeveSavedState *state,
               machine_state_run *saved)
{
  if (consoles == NULL)
    return;

  saved->consoles.n_items = consoles->len;
  saved->consoles.items = g_new0 (machine_state_console, consoles->len);
  for (guint i = 0; i < consoles->len; i++)
    reeve_console_save (consoles->pdata[i], state, &saved->consoles.items[i]);
}

/* What is under the machine's lock. */
static void
fill_guarded (ReeveMachine *self,
              machine_state_machine *saved,
              GHashTable **chosen,
              GPtrArray **consoles)
{
  machine_state_run *run = saved->run;

  REEVE_LOCK_SCOPE (&self->lock);

  saved->name = g_strdup (self->name);
  saved->state = (int) self->state;
  saved->reason = self->reason;
  saved->revision = self->revision;
  saved->is_autostart = self->is_autostart;
  if (self->config != NULL)
    saved->definition = g_strdup (reeve_config_get_xml (self->config));
  if (run == NULL)
    return;

  run->id = self->id;
  run->pid = reeve_process_get_pid (self->process);
  run->start_ticks = reeve_process_get_start_ticks (self->process);
  run->definition = g_strdup (reeve_config_get_xml (self->live_config));
  run->balloon_kib = self->balloon_kib;
  if (self->chosen != NULL)
    *chosen = g_hash_table_ref (self->chosen);
  if (self->consoles != NULL)
    *consoles = g_ptr_array_ref (self->consoles);
}

static machine_state_run *
make_run (ReeveMachine *self)
{
  machine_state_run *run = g_new0 (machine_state_run, 1);

  run->is_start_paused = self->is_start_paused;
  run->is_autodestroy = self->is_autodestroy;
  run->is_rebooting = self->is_rebooting;
  run->is_restarting = self->is_restarting;
  run->is_shut_down = self->is_shut_down;
  run->pause_reason = self->pause_reason;
  run->last_reset_us = self->last_reset_us;
  run->rtc_offset_s = self->rtc_offset_s;
  run->log_offset = self->log_offset;
  return run;
}

static void
fill (ReeveMachine *self, ReeveSavedState *state, machine_state_machine *saved)
{
  g_autoptr (GHashTable) chosen = NULL;
  g_autoptr (GPtrArray) consoles = NULL;

  memcpy (saved->uuid, self->uuid, sizeof saved->uuid);
  if (self->phase == REEVE_PHASE_UP)
    saved->run = make_run (self);
  fill_guarded (self, saved, &chosen, &consoles);
  if (saved->run == NULL)
    return;

  save_chosen (chosen, saved->run);
  save_consoles (consoles, state, saved->run);
  save_monitor (self, state, saved->run);
}

static gboolean
save_machine (ReeveMachine *self,
              ReeveSavedState *state,
              machine_state_record *record,
              GError **error)
{
  machine_state_machine saved = { 0 };
  GByteArray *data = g_byte_array_new ();
  gboolean is_saved;

  fill (self, state, &saved);
  is_saved =
      reeve_state_append (data, &machine_state_machine_type, &saved, error);
  machine_state_machine_clear (&saved);
  if (!is_saved) {
    g_byte_array_unref (data);
    return FALSE;
  }

  record->data.size = data->len;
  record->data.data = g_byte_array_free (data, FALSE);
  return TRUE;
}

static int
get_last_id (ReeveMachineList *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->last_id;
}

static gboolean
save_machines (GPtrArray *machines,
               ReeveSavedState *state,
               machine_state_list *saved,
               GError **error)
{
  saved->machines.n_items = machines->len;
  saved->machines.items = g_new0 (machine_state_record, machines->len);
  for (guint i = 0; i < machines->len; i++)
    if (!save_machine (machines->pdata[i], state, &saved->machines.items[i],
                       error))
      return FALSE;

  return TRUE;
}

static void
save_events (ReeveMachineList *self, machine_state_events *saved)
{
  g_autoptr (GPtrArray) latest = g_ptr_array_new_with_free_func (
      (GDestroyNotify) reeve_machine_event_unref);
  ReeveMachineRevision now;

  reeve_event_queue_save (self->events, &now, &saved->forgotten, latest);
  saved->epoch = now.epoch;
  saved->sequence = now.sequence;
  saved->latest.n_items = latest->len;
  saved->latest.items = g_new0 (machine_state_event, latest->len);
  for (guint i = 0; i < latest->len; i++) {
    const ReeveMachineEvent *event = latest->pdata[i];
    machine_state_event *to = &saved->latest.items[i];

    to->sequence = event->sequence;
    to->type = (int32_t) event->type;
    to->name = g_strdup (event->name);
    memcpy (to->uuid, event->uuid, sizeof to->uuid);
    to->id = event->id;
    to->event = event->event;
    to->detail = event->detail;
  }
}

gboolean
reeve_machine_list_save (ReeveMachineList *self,
                         ReeveSavedState *state,
                         GError **error)
{
  g_autoptr (GPtrArray) machines =
      reeve_machine_list_get_machines (self, 0, NULL);
  machine_state_list saved = { .last_id = get_last_id (self) };
  GByteArray *data = g_byte_array_new ();
  gboolean is_saved;

  save_events (self, &saved.events);
  is_saved = save_machines (machines, state, &saved, error) &&
             reeve_state_append (data, &machine_state_list_type, &saved, error);

  machine_state_list_clear (&saved);
  if (is_saved)
    reeve_saved_state_add (state, SECTION, FORMAT, FORMAT, data);
  else
    g_byte_array_unref (data);
  return is_saved;
}

/* ------------------------------------------------------------- restoring -- */

static void
restore_guarded (ReeveMachine *self, const machine_state_machine *saved)
{
  const machine_state_run *run = saved->run;

  REEVE_LOCK_SCOPE (&self->lock);

  self->state = (ReeveMachineState) saved->state;
  self->reason = saved->reason;
  self->revision = saved->revision;
  self->is_autostart = saved->is_autostart;
  reeve_machine_note_row (self);
  if (run == NULL)
    return;

  self->balloon_kib = run->balloon_kib;
  if (run->chosen.n_items == 0)
    return;
  self->chosen =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  for (uint32_t i = 0; i < run->chosen.n_items; i++)
    g_hash_table_replace (self->chosen, g_strdup (run->chosen.items[i].name),
                          g_strdup (run->chosen.items[i].value));
}

static void
restore_fields (ReeveMachine *self, const machine_state_run *run)
{
  self->phase = REEVE_PHASE_UP;
  self->end = REEVE_END_UNKNOWN;
  self->is_start_paused = run->is_start_paused;
  self->is_autodestroy = run->is_autodestroy;
  self->is_rebooting = run->is_rebooting;
  self->is_restarting = run->is_restarting;
  self->is_shut_down = run->is_shut_down;
  self->pause_reason = run->pause_reason;
  self->last_reset_us = run->last_reset_us;
  self->rtc_offset_s = run->rtc_offset_s;
  self->log_offset = run->log_offset;
}

/* A process that ended meanwhile has no watch: its end is told later. */
static void
restore_process (ReeveMachine *self, const machine_state_run *run)
{
  g_autoptr (ReeveProcess) process =
      reeve_process_attach (run->pid, run->start_ticks, NULL, NULL);

  if (process == NULL)
    return;
  reeve_machine_set_process (self, process);
  (void) reeve_machine_watch_process (self);
}

static gboolean
restore_monitor (ReeveMachine *self,
                 ReeveSavedState *state,
                 const machine_state_run *run,
                 GError **error)
{
  const machine_state_monitor *from = run->monitor;
  ReeveQmpState monitor;

  if (from == NULL)
    return TRUE;

  monitor = (ReeveQmpState){
    .fd = reeve_saved_state_steal_fd (state, from->fd, error),
    .last_id = from->last_id,
    .unread = from->unread.data,
    .n_unread = from->unread.size,
  };
  if (monitor.fd < 0)
    return FALSE;
  reeve_machine_restore_monitor (self, &monitor);
  return TRUE;
}

static gboolean
restore_consoles (ReeveMachine *self,
                  ReeveSavedState *state,
                  const machine_state_run *run,
                  ReeveConfig *config,
                  GError **error)
{
  g_autoptr (GPtrArray) consoles = reeve_machine_make_consoles (self, config);

  reeve_machine_set_consoles (self, consoles);
  for (uint32_t i = 0; i < run->consoles.n_items; i++) {
    const machine_state_console *from = &run->consoles.items[i];

    for (guint j = 0; j < consoles->len; j++)
      if (g_str_equal (reeve_console_get_name (consoles->pdata[j]),
                       from->name) &&
          !reeve_console_restore (consoles->pdata[j], state, from, error))
        return FALSE;
  }

  return TRUE;
}

static gboolean
restore_run (ReeveMachine *self,
             ReeveSavedState *state,
             const machine_state_machine *saved,
             ReeveConfig *config,
             GError **error)
{
  const machine_state_run *run = saved->run;
  const ReeveMachineRun active = {
    .id = run->id,
    .config = config,
    .state = (ReeveMachineState) saved->state,
    .reason = saved->reason,
  };

  if (!reeve_machine_list_activate (self->list, self, &active, error))
    return FALSE;

  restore_fields (self, run);
  restore_process (self, run);
  return restore_monitor (self, state, run, error) &&
         restore_consoles (self, state, run, config, error);
}

static gboolean
restore_machine (ReeveMachineList *self,
                 ReeveSavedState *state,
                 const machine_state_machine *saved,
                 GError **error)
{
  g_autoptr (ReeveMachine) machine =
      reeve_machine_new (self, saved->uuid, saved->name);
  g_autoptr (ReeveConfig) config = NULL;
  g_autoptr (ReeveConfig) live_config = NULL;

  if (saved->definition != NULL) {
    config = get_config (self, saved->definition, error);
    if (config == NULL)
      return FALSE;
    reeve_machine_set_config (machine, config);
  }
  if (saved->run != NULL) {
    live_config = get_config (self, saved->run->definition, error);
    if (live_config == NULL)
      return FALSE;
  }
  if (!reeve_machine_list_add (self, machine)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("the machine '%s' was saved twice"), saved->name);
    return FALSE;
  }

  restore_guarded (machine, saved);
  return saved->run == NULL ||
         restore_run (machine, state, saved, live_config, error);
}

static gboolean
restore_record (ReeveMachineList *self,
                ReeveSavedState *state,
                const machine_state_record *record,
                GError **error)
{
  ReeveStateReader reader = { record->data.data, record->data.size };
  machine_state_machine saved = { 0 };
  gboolean is_restored;

  if (!reeve_state_reader_take (&reader, &machine_state_machine_type, &saved,
                                error))
    return FALSE;

  is_restored = restore_machine (self, state, &saved, error);
  machine_state_machine_clear (&saved);
  return is_restored;
}

static void
set_last_id (ReeveMachineList *self, int last_id)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->last_id = MAX (self->last_id, last_id);
}

static void
restore_events (ReeveMachineList *self, const machine_state_events *saved)
{
  g_autoptr (GPtrArray) latest = g_ptr_array_new_with_free_func (
      (GDestroyNotify) reeve_machine_event_unref);
  const ReeveMachineRevision now = { saved->epoch, saved->sequence };

  for (uint32_t i = 0; i < saved->latest.n_items; i++) {
    const machine_state_event *from = &saved->latest.items[i];
    ReeveMachineEvent *event =
        reeve_machine_event_new ((ReeveMachineEventType) from->type);

    event->sequence = from->sequence;
    event->name = g_strdup (from->name);
    memcpy (event->uuid, from->uuid, sizeof event->uuid);
    event->id = from->id;
    event->event = from->event;
    event->detail = from->detail;
    g_ptr_array_add (latest, event);
  }
  reeve_event_queue_restore (self->events, &now, saved->forgotten, latest);
}

gboolean
reeve_machine_list_restore (ReeveMachineList *self,
                            ReeveSavedState *state,
                            GError **error)
{
  machine_state_list saved = { 0 };
  ReeveStateReader reader;
  gboolean is_restored = TRUE;

  if (!reeve_saved_state_find (state, SECTION, FORMAT, &reader, error) ||
      !reeve_state_reader_take (&reader, &machine_state_list_type, &saved,
                                error))
    return FALSE;

  restore_events (self, &saved.events);
  set_last_id (self, saved.last_id);
  for (uint32_t i = 0; i < saved.machines.n_items && is_restored; i++)
    is_restored = restore_record (self, state, &saved.machines.items[i], error);
  machine_state_list_clear (&saved);
  return is_restored;
}

/* ------------------------------------------------------------ by clients -- */

GPtrArray *
reeve_machine_list_get_owned (ReeveMachineList *self, gconstpointer owner)
{
  g_autoptr (GPtrArray) machines =
      reeve_machine_list_get_machines (self, REEVE_MACHINES_ACTIVE, NULL);
  GPtrArray *owned =
      g_ptr_array_new_with_free_func ((GDestroyNotify) reeve_machine_unref);

  for (guint i = 0; i < machines->len; i++) {
    ReeveMachine *machine = machines->pdata[i];

    if (machine->is_autodestroy && machine->owner == owner)
      g_ptr_array_add (owned, reeve_machine_ref (machine));
  }

  return owned;
}

void
reeve_machine_set_owner (ReeveMachine *self, gconstpointer owner)
{
  self->owner = owner;
}
