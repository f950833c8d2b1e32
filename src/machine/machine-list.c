/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/machine-list.h"

#include "event/intl.h"
#include "event/refs.h"
#include "machine/config.h"
#include "machine/machine-list-private.h"
#include "machine/machine-private.h"
#include "machine/store.h"
#include "rpc/error.h"

#include <string.h>

/* Unless the configuration says otherwise. */
static const ReeveConsoleLimits console_limits = {
  .buffer_bytes = 256 * 1024,
  .log_bytes = 2 * 1024 * 1024,
  .log_files = 3,
};

/* What sorting and filtering need of a machine. */
typedef struct {
  ReeveMachine *machine; /* (owned) */
  char *name;            /* (owned) */
  int id;
  unsigned bits; /* the filter bits that hold for it */
} Entry;

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
  g_hash_table_unref (self->by_id);
  g_hash_table_unref (self->by_name);
  g_hash_table_unref (self->by_uuid);
  reeve_mutex_clear (&self->lock);
  reeve_mutex_clear (&self->define_lock);
  reeve_event_queue_unref (self->events);
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

static unsigned
get_state_bit (ReeveMachineState state)
{
  switch (state) {
  case REEVE_MACHINE_RUNNING:
    return REEVE_MACHINES_RUNNING;
  case REEVE_MACHINE_PAUSED:
    return REEVE_MACHINES_PAUSED;
  case REEVE_MACHINE_SHUTOFF:
    return REEVE_MACHINES_SHUTOFF;
  default:
    return REEVE_MACHINES_OTHER;
  }
}

static void
entry_fill (Entry *entry, ReeveMachine *machine)
{
  REEVE_LOCK_SCOPE (&machine->lock);

  entry->machine = reeve_machine_ref (machine);
  entry->name = g_strdup (machine->name);
  entry->id = machine->id;
  entry->bits = get_state_bit (machine->state);
  entry->bits |=
      machine->is_active ? REEVE_MACHINES_ACTIVE : REEVE_MACHINES_INACTIVE;
  entry->bits |= machine->config != NULL ? REEVE_MACHINES_PERSISTENT
                                         : REEVE_MACHINES_TRANSIENT;
  entry->bits |= machine->is_autostart ? REEVE_MACHINES_AUTOSTART
                                       : REEVE_MACHINES_NO_AUTOSTART;
  entry->bits |= REEVE_MACHINES_NO_MANAGEDSAVE | REEVE_MACHINES_NO_SNAPSHOT |
                 REEVE_MACHINES_NO_CHECKPOINT;
}

static void
entry_clear (gpointer data)
{
  Entry *entry = data;

  g_clear_pointer (&entry->machine, reeve_machine_unref);
  g_free (entry->name);
}

static gboolean
matches (unsigned bits, unsigned filter)
{
  static const unsigned groups[] = {
    REEVE_MACHINES_ACTIVE | REEVE_MACHINES_INACTIVE,
    REEVE_MACHINES_PERSISTENT | REEVE_MACHINES_TRANSIENT,
    REEVE_MACHINES_RUNNING | REEVE_MACHINES_PAUSED | REEVE_MACHINES_SHUTOFF |
        REEVE_MACHINES_OTHER,
    REEVE_MACHINES_MANAGEDSAVE | REEVE_MACHINES_NO_MANAGEDSAVE,
    REEVE_MACHINES_AUTOSTART | REEVE_MACHINES_NO_AUTOSTART,
    REEVE_MACHINES_HAS_SNAPSHOT | REEVE_MACHINES_NO_SNAPSHOT,
    REEVE_MACHINES_HAS_CHECKPOINT | REEVE_MACHINES_NO_CHECKPOINT,
  };

  for (size_t i = 0; i < G_N_ELEMENTS (groups); i++) {
    if ((filter & groups[i]) != 0 && (filter & groups[i] & bits) == 0)
      return FALSE;
  }
  return TRUE;
}

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const Entry *one = a;
  const Entry *other = b;

  if ((one->id > 0) != (other->id > 0))
    return one->id > 0 ? -1 : 1;
  if (one->id != other->id)
    return one->id < other->id ? -1 : 1;
  return strcmp (one->name, other->name);
}

/* The revision is read first: what happens meanwhile may be seen twice, in the
 * answer and as an event, but never not at all. */
static void
collect (ReeveMachineList *self, GArray *entries, uint64_t *revision)
{
  GHashTableIter iter;
  gpointer machine;

  REEVE_LOCK_SCOPE (&self->lock);

  *revision = reeve_event_queue_get_sequence (self->events);
  g_array_set_size (entries, g_hash_table_size (self->by_uuid));
  g_hash_table_iter_init (&iter, self->by_uuid);
  for (guint i = 0; g_hash_table_iter_next (&iter, NULL, &machine); i++)
    entry_fill (&g_array_index (entries, Entry, i), machine);
}

GPtrArray *
reeve_machine_list_get_machines (ReeveMachineList *self,
                                 ReeveMachineFilter filter,
                                 uint64_t *revision)
{
  GPtrArray *machines =
      g_ptr_array_new_with_free_func ((GDestroyNotify) reeve_machine_unref);
  g_autoptr (GArray) entries = g_array_new (FALSE, TRUE, sizeof (Entry));
  uint64_t at;

  g_array_set_clear_func (entries, entry_clear);
  collect (self, entries, &at);
  g_array_sort (entries, compare_entries);
  for (guint i = 0; i < entries->len; i++) {
    Entry *entry = &g_array_index (entries, Entry, i);

    if (matches (entry->bits, filter))
      g_ptr_array_add (machines, reeve_machine_ref (entry->machine));
  }
  if (revision != NULL)
    *revision = at;
  return machines;
}

unsigned
reeve_machine_list_count (ReeveMachineList *self, ReeveMachineFilter filter)
{
  g_autoptr (GPtrArray) machines =
      reeve_machine_list_get_machines (self, filter, NULL);

  return machines->len;
}

static gboolean
set_active (ReeveMachine *machine, int id, GError **error)
{
  REEVE_LOCK_SCOPE (&machine->lock);

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

  machine->is_active = TRUE;
  machine->id = id;
  return TRUE;
}

gboolean
reeve_machine_list_activate (ReeveMachineList *self,
                             ReeveMachine *machine,
                             int id,
                             GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (id <= 0 || g_hash_table_contains (self->by_id, GINT_TO_POINTER (id)))
    id = self->last_id == G_MAXINT ? 1 : self->last_id + 1;
  if (!set_active (machine, id, error))
    return FALSE;

  self->last_id = MAX (self->last_id, id);
  g_hash_table_insert (self->by_id, GINT_TO_POINTER (id), machine);
  return TRUE;
}

/* Returns the id it had. */
static int
set_inactive (ReeveMachine *machine, gboolean *is_gone)
{
  int id;

  REEVE_LOCK_SCOPE (&machine->lock);

  id = machine->id;
  machine->id = -1;
  machine->is_active = FALSE;
  machine->is_removed = machine->config == NULL;
  *is_gone = machine->is_removed;
  return id;
}

void
reeve_machine_list_deactivate (ReeveMachineList *self, ReeveMachine *machine)
{
  g_autoptr (ReeveMachine) hold G_GNUC_UNUSED = reeve_machine_ref (machine);
  g_autofree char *name = reeve_machine_dup_name (machine);
  gboolean is_gone;
  int id;

  REEVE_LOCK_SCOPE (&self->lock);

  id = set_inactive (machine, &is_gone);
  g_hash_table_remove (self->by_id, GINT_TO_POINTER (id));
  if (is_gone) {
    g_hash_table_remove (self->by_name, name);
    g_hash_table_remove (self->by_uuid, machine->uuid);
  }
}

static gboolean
forget_pending (ReeveMachine *machine)
{
  REEVE_LOCK_SCOPE (&machine->lock);

  g_clear_pointer (&machine->pending_config, reeve_config_unref);
  machine->is_removed = machine->config == NULL && !machine->is_active;
  return machine->is_removed;
}

void
reeve_machine_list_drop_pending (ReeveMachineList *self, ReeveMachine *machine)
{
  g_autofree char *name = reeve_machine_dup_name (machine);

  REEVE_LOCK_SCOPE (&self->lock);

  if (g_hash_table_lookup (self->by_uuid, machine->uuid) == machine &&
      forget_pending (machine)) {
    g_hash_table_remove (self->by_name, name);
    g_hash_table_remove (self->by_uuid, machine->uuid);
  }
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
  return TRUE;
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
