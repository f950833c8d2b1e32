/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/program.h"

#include "event/intl.h"
#include "rpc/error.h"

const ReeveProcedure *
reeve_program_find (const ReeveProgram *self, int32_t number)
{
  size_t low = 0;
  size_t high = self->n_procedures;

  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const ReeveProcedure *procedure = &self->procedures[middle];

    if (procedure->number == number)
      return procedure;
    if (procedure->number < number)
      low = middle + 1;
    else
      high = middle;
  }

  return NULL;
}

const ReeveProcedure *
reeve_program_find_by_name (const ReeveProgram *self, const char *name)
{
  for (size_t i = 0; i < self->n_procedures; i++)
    if (g_str_equal (self->procedures[i].name, name))
      return &self->procedures[i];

  return NULL;
}

gboolean
reeve_procedure_refuse (const char *name, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
               _ ("The procedure %s is not supported"), name);
  return FALSE;
}
