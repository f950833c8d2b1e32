/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/machine-list.h"

G_BEGIN_DECLS

/**
 * ReeveMachineTable:
 *
 * What a list of machines tells of each of them, as it was at one time. Lists
 * are asked for far more often than a machine is defined or started, so all
 * who ask share one table until something in it changes.
 *
 * Immutable. Thread: any.
 */
typedef struct _ReeveMachineTable ReeveMachineTable;

typedef struct {
  const char *name;
  uint8_t uuid[16];
  int id; /* -1: not active */
  ReeveMachineState state;
  unsigned bits; /* of ReeveMachineFilter, that hold for it */
} ReeveMachineRow;

/**
 * reeve_machine_list_get_table:
 * @revision: (out) (optional): as of reeve_machine_list_get_machines()
 *
 * Returns: (transfer full): with every change that was made before
 */
ReeveMachineTable *
reeve_machine_list_get_table (ReeveMachineList *self, uint64_t *revision);
ReeveMachineTable *reeve_machine_table_ref (ReeveMachineTable *self);
void reeve_machine_table_unref (ReeveMachineTable *self);

/* Active ones by id, then the others by name. */
const ReeveMachineRow *
reeve_machine_table_get_rows (ReeveMachineTable *self, unsigned *n_rows);
gboolean
reeve_machine_row_matches (const ReeveMachineRow *self, unsigned filter);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveMachineTable, reeve_machine_table_unref)

G_END_DECLS
