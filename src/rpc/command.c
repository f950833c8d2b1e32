/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/command.h"

#include "event/intl.h"
#include "protocol/auth.h"
#include "rpc/command-words.h"
#include "rpc/error.h"
#include "rpc/server-inside.h"

#include <string.h>

/* Procedures by name, for the wires that have names. */

/* Streams, file descriptors and the exchanges of SASL are of XDR alone. */
static gboolean
needs_xdr (const ReeveProgram *program, const ReeveProcedure *procedure)
{
  const uint32_t flags = REEVE_PROCEDURE_STREAM_IN |
                         REEVE_PROCEDURE_STREAM_OUT | REEVE_PROCEDURE_FDS_IN |
                         REEVE_PROCEDURE_FDS_OUT;

  return program == &auth_program || (procedure->flags & flags) != 0;
}

void
reeve_server_add_commands (ReeveServer *self,
                           const ReeveCommand *commands,
                           size_t n_commands)
{
  for (size_t i = 0; i < n_commands; i++)
    g_ptr_array_add (self->commands, (gpointer) &commands[i]);
}

/* (nullable): of a program that was added. */
static ReeveServerProgram *
find_entry (ReeveServer *self, const ReeveProgram *program)
{
  for (unsigned i = 0; i < self->programs->len; i++) {
    ReeveServerProgram *entry = self->programs->pdata[i];

    if (entry->program == program)
      return entry;
  }

  return NULL;
}

/* (nullable) */
static const ReeveCommand *
find_command (ReeveServer *self, const char *name)
{
  for (unsigned i = 0; i < self->commands->len; i++) {
    const ReeveCommand *command = self->commands->pdata[i];

    if (g_str_equal (command->name, name))
      return command;
  }

  return NULL;
}

/* (nullable): "program.procedure", or the first of the programs that has it. */
static const ReeveProcedure *
find_procedure (ReeveServer *self,
                const char *name,
                ReeveServerProgram **program)
{
  const char *dot = strchr (name, '.');
  const char *last = dot == NULL ? name : dot + 1;

  for (unsigned i = 0; i < self->programs->len; i++) {
    ReeveServerProgram *entry = self->programs->pdata[i];
    const ReeveProcedure *procedure =
        g_hash_table_lookup (entry->by_name, last);
    size_t length = strlen (entry->program->name);

    if (procedure == NULL || procedure->dispatch == REEVE_DISPATCH_EVENT)
      continue;
    if (dot == NULL || ((size_t) (dot - name) == length &&
                        memcmp (name, entry->program->name, length) == 0)) {
      *program = entry;
      return procedure;
    }
  }

  return NULL;
}

const ReeveProcedure *
reeve_server_find_callable (ReeveServer *self,
                            const char *name,
                            ReeveServerProgram **program,
                            const ReeveCommand **command,
                            GError **error)
{
  const ReeveCommand *found = find_command (self, name);
  const ReeveProcedure *procedure;

  if (found != NULL) {
    *program = find_entry (self, found->program);
    procedure = reeve_program_find (found->program, found->procedure);
  } else {
    procedure = find_procedure (self, name, program);
  }
  if (command != NULL)
    *command = found;

  if (procedure == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                 _ ("there is no procedure “%s”"), name);
    return NULL;
  }
  if (needs_xdr ((*program)->program, procedure)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                 _ ("%s can be called in XDR alone"), name);
    return NULL;
  }
  return procedure;
}

/* -------------------------------------------------------- subscriptions --- */

void
reeve_server_add_subscriptions (ReeveServer *self,
                                const ReeveSubscription *subscriptions,
                                size_t n_subscriptions)
{
  g_array_append_vals (self->subscriptions, subscriptions,
                       (guint) n_subscriptions);
}

const ReeveSubscription *
reeve_server_find_subscription (ReeveServer *self,
                                const char *event,
                                GError **error)
{
  for (unsigned i = 0; i < self->subscriptions->len; i++) {
    const ReeveSubscription *row =
        &g_array_index (self->subscriptions, ReeveSubscription, i);

    if (g_str_equal (row->event, event))
      return row;
  }

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("there is no event “%s” to subscribe to"), event);
  return NULL;
}

/* -------------------------------------------------------------- listing --- */

typedef struct {
  char *name; /* (owned) */
  const ReeveProcedure *procedure;
} Row;

static void
row_free (gpointer data)
{
  Row *self = data;

  g_free (self->name);
  g_free (self);
}

static int
compare (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(Row *const *) a)->name, (*(Row *const *) b)->name);
}

/* @name: (transfer full) */
static void
add_row (GPtrArray *rows, char *name, const ReeveProcedure *procedure)
{
  Row *row = g_new (Row, 1);

  *row = (Row){ name, procedure };
  g_ptr_array_add (rows, row);
}

static void
add_program (GPtrArray *rows, const ReeveProgram *program)
{
  for (size_t i = 0; i < program->n_procedures; i++) {
    const ReeveProcedure *procedure = &program->procedures[i];

    if (procedure->dispatch != REEVE_DISPATCH_EVENT &&
        !needs_xdr (program, procedure))
      add_row (rows, g_strdup_printf ("%s.%s", program->name, procedure->name),
               procedure);
  }
}

void
reeve_server_foreach_command (ReeveServer *self,
                              ReeveCommandFunc func,
                              gpointer data)
{
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func (row_free);

  for (unsigned i = 0; i < self->commands->len; i++) {
    const ReeveCommand *command = self->commands->pdata[i];

    add_row (rows, g_strdup (command->name),
             reeve_program_find (command->program, command->procedure));
  }
  for (unsigned i = 0; i < self->programs->len; i++)
    add_program (
        rows, ((const ReeveServerProgram *) self->programs->pdata[i])->program);

  g_ptr_array_sort (rows, compare);
  for (unsigned i = 0; i < rows->len; i++) {
    const Row *row = rows->pdata[i];
    g_autofree char *usage = reeve_words_make_usage (row->procedure->args);

    func (row->name, usage, row->procedure, data);
  }
}
