/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/machine-table.h"
#include "machine/remote-private.h"
#include "rpc/access.h"

#include <stddef.h>

/* Of which machines a caller may know. No machine is asked for that: a list
 * waits for none of them. */

typedef struct {
  ReeveMachineTable *table; /* (owned) */
  ReeveServerClient
      *restricted; /* (nullable): the caller, if there are rules */
  const char *tag;
  unsigned filter;
  const ReeveMachineRow *next;
  const ReeveMachineRow *end;
} Walk;

static void
walk_begin (Walk *self, ReeveCall *call, const char *tag, unsigned filter)
{
  ReeveServerClient *client = reeve_call_get_client (call);
  unsigned n_rows;

  self->table =
      reeve_machine_list_get_table (reeve_remote_get_machines (call), NULL);
  self->restricted = reeve_server_client_is_restricted (client) ? client : NULL;
  self->tag = tag;
  self->filter = filter;
  self->next = reeve_machine_table_get_rows (self->table, &n_rows);
  self->end = self->next + n_rows;
}

static void
walk_end (Walk *self)
{
  g_clear_pointer (&self->table, reeve_machine_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Walk, walk_end)

/* (nullable) */
static const ReeveMachineRow *
walk_next (Walk *self)
{
  while (self->next < self->end) {
    const ReeveMachineRow *row = self->next++;

    if (reeve_machine_row_matches (row, self->filter) &&
        (self->restricted == NULL ||
         reeve_server_client_may (self->restricted, self->tag, row->name)))
      return row;
  }
  return NULL;
}

unsigned
reeve_remote_count_rows (ReeveCall *call, unsigned filter)
{
  g_auto (Walk) walk = { 0 };
  unsigned n_rows = 0;

  walk_begin (&walk, call, "domain:getattr", filter);
  while (walk_next (&walk) != NULL)
    n_rows++;
  return n_rows;
}

/* What a reply borrows: rows, and what they point to. */
typedef struct {
  ReeveMachineTable *table; /* (owned) */
  max_align_t rows[];
} Loan;

static void
loan_free (gpointer data)
{
  Loan *self = data;

  reeve_machine_table_unref (self->table);
  g_free (self);
}

gpointer
reeve_remote_lend_rows (ReeveCall *call,
                        unsigned filter,
                        size_t row_size,
                        ReeveRemoteFillRow fill,
                        uint32_t *n_rows)
{
  const ReeveMachineRow *row;
  Loan *loan;
  char *to;
  Walk walk;

  walk_begin (&walk, call, "domain:getattr", filter);
  loan = g_malloc (sizeof *loan + (size_t) (walk.end - walk.next) * row_size);
  loan->table = walk.table;
  to = (char *) loan->rows;
  for (*n_rows = 0; (row = walk_next (&walk)) != NULL; (*n_rows)++) {
    fill (to, row);
    to += row_size;
  }
  reeve_call_lend_ret (call, loan, loan_free);
  return loan->rows;
}

GPtrArray *
reeve_remote_get_visible (ReeveCall *call, const char *tag, unsigned filter)
{
  ReeveMachineList *list = reeve_remote_get_machines (call);
  GPtrArray *machines =
      g_ptr_array_new_with_free_func ((GDestroyNotify) reeve_machine_unref);
  const ReeveMachineRow *row;
  g_auto (Walk) walk = { 0 };

  walk_begin (&walk, call, tag, filter);
  while ((row = walk_next (&walk)) != NULL) {
    ReeveMachine *machine =
        reeve_machine_list_lookup_uuid (list, row->uuid, NULL);

    if (machine != NULL)
      g_ptr_array_add (machines, machine);
  }
  return machines;
}
