/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/machine-table.h"

#include "machine/machine-list-private.h"
#include "machine/machine-private.h"

#include <string.h>

struct _ReeveMachineTable {
  ReeveRefs refs;
  uint64_t n_changes;  /* of the list, that are in it at least */
  GStringChunk *names; /* (owned) */
  GArray *rows;        /* (element-type ReeveMachineRow) (owned) */
};

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
fill_row (ReeveMachineTable *self, ReeveMachineRow *row, ReeveMachine *machine)
{
  REEVE_LOCK_SCOPE (&machine->lock);

  memcpy (row->uuid, machine->uuid, sizeof row->uuid);
  row->name = g_string_chunk_insert (self->names, machine->name);
  row->id = machine->id;
  row->state = machine->state;
  row->bits = get_state_bit (machine->state);
  row->bits |=
      machine->is_active ? REEVE_MACHINES_ACTIVE : REEVE_MACHINES_INACTIVE;
  row->bits |= machine->config != NULL ? REEVE_MACHINES_PERSISTENT
                                       : REEVE_MACHINES_TRANSIENT;
  row->bits |= machine->is_autostart ? REEVE_MACHINES_AUTOSTART
                                     : REEVE_MACHINES_NO_AUTOSTART;
  row->bits |= REEVE_MACHINES_NO_MANAGEDSAVE | REEVE_MACHINES_NO_SNAPSHOT |
               REEVE_MACHINES_NO_CHECKPOINT;
}

static int
compare_rows (gconstpointer a, gconstpointer b)
{
  const ReeveMachineRow *one = a;
  const ReeveMachineRow *other = b;

  if ((one->id > 0) != (other->id > 0))
    return one->id > 0 ? -1 : 1;
  if (one->id != other->id)
    return one->id < other->id ? -1 : 1;
  return strcmp (one->name, other->name);
}

/* What changes while it is filled may be in it or not: then it is one that the
 * next who asks finds too old. */
static void
fill (ReeveMachineTable *self, ReeveMachineList *list)
{
  GHashTableIter iter;
  gpointer machine;

  REEVE_LOCK_SCOPE (&list->lock);

  self->n_changes = atomic_load (&list->n_changes);
  g_array_set_size (self->rows, g_hash_table_size (list->by_uuid));
  g_hash_table_iter_init (&iter, list->by_uuid);
  for (guint i = 0; g_hash_table_iter_next (&iter, NULL, &machine); i++)
    fill_row (self, &g_array_index (self->rows, ReeveMachineRow, i), machine);
}

static ReeveMachineTable *
make_table (ReeveMachineList *list)
{
  ReeveMachineTable *self = g_new0 (ReeveMachineTable, 1);

  reeve_refs_init (&self->refs);
  self->names = g_string_chunk_new (1024);
  self->rows = g_array_new (FALSE, FALSE, sizeof (ReeveMachineRow));
  fill (self, list);
  g_array_sort (self->rows, compare_rows);
  return self;
}

/* (nullable): the one that is there, unless something has changed. The
 * revision is read first: what happens meanwhile may be seen twice, in the
 * answer and as an event, but never not at all. */
static ReeveMachineTable *
find_table (ReeveMachineList *self, uint64_t *revision)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (revision != NULL)
    *revision = reeve_event_queue_get_sequence (self->events);
  if (self->table == NULL ||
      self->table->n_changes != atomic_load (&self->n_changes))
    return NULL;
  return reeve_machine_table_ref (self->table);
}

static void
keep_table (ReeveMachineList *self, ReeveMachineTable *table)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->table != NULL && self->table->n_changes >= table->n_changes)
    return;
  reeve_machine_table_unref (self->table);
  self->table = reeve_machine_table_ref (table);
}

ReeveMachineTable *
reeve_machine_list_get_table (ReeveMachineList *self, uint64_t *revision)
{
  ReeveMachineTable *table = find_table (self, revision);

  if (table == NULL) {
    table = make_table (self);
    keep_table (self, table);
  }
  return table;
}

ReeveMachineTable *
reeve_machine_table_ref (ReeveMachineTable *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_machine_table_unref (ReeveMachineTable *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  g_array_unref (self->rows);
  g_string_chunk_free (self->names);
  g_free (self);
}

const ReeveMachineRow *
reeve_machine_table_get_rows (ReeveMachineTable *self, unsigned *n_rows)
{
  *n_rows = self->rows->len;
  return (const ReeveMachineRow *) (void *) self->rows->data;
}

gboolean
reeve_machine_row_matches (const ReeveMachineRow *self, unsigned filter)
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
    if ((filter & groups[i]) != 0 && (filter & groups[i] & self->bits) == 0)
      return FALSE;
  }
  return TRUE;
}

static void
add_machine (GPtrArray *machines, ReeveMachineList *list, const uint8_t *uuid)
{
  ReeveMachine *machine = reeve_machine_list_lookup_uuid (list, uuid, NULL);

  if (machine != NULL)
    g_ptr_array_add (machines, machine);
}

GPtrArray *
reeve_machine_list_get_machines (ReeveMachineList *self,
                                 ReeveMachineFilter filter,
                                 uint64_t *revision)
{
  g_autoptr (ReeveMachineTable) table =
      reeve_machine_list_get_table (self, revision);
  GPtrArray *machines =
      g_ptr_array_new_with_free_func ((GDestroyNotify) reeve_machine_unref);
  unsigned n_rows;
  const ReeveMachineRow *rows = reeve_machine_table_get_rows (table, &n_rows);

  for (unsigned i = 0; i < n_rows; i++)
    if (reeve_machine_row_matches (&rows[i], filter))
      add_machine (machines, self, rows[i].uuid);
  return machines;
}

unsigned
reeve_machine_list_count (ReeveMachineList *self, ReeveMachineFilter filter)
{
  g_autoptr (ReeveMachineTable) table =
      reeve_machine_list_get_table (self, NULL);
  unsigned n_matching = 0;
  unsigned n_rows;
  const ReeveMachineRow *rows = reeve_machine_table_get_rows (table, &n_rows);

  for (unsigned i = 0; i < n_rows; i++)
    n_matching += reeve_machine_row_matches (&rows[i], filter) ? 1 : 0;
  return n_matching;
}
