/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "protocol/reeve.h"
#include "rpc/error.h"
#include "shell/call.h"
#include "shell/command.h"
#include "shell/output.h"

/* The command "introspect": what a daemon can be asked, as it says itself. */

/* Of types within types that are written out. */
#define MAX_DEPTH 16

/* ---------------------------------------------------------------- types --- */

static const char *
get_kind_name (ReeveKind kind)
{
  static const char *const names[] = {
    [REEVE_KIND_VOID] = "void",
    [REEVE_KIND_CHAR] = "char",
    [REEVE_KIND_UCHAR] = "unsigned char",
    [REEVE_KIND_SHORT] = "short",
    [REEVE_KIND_USHORT] = "unsigned short",
    [REEVE_KIND_INT] = "int",
    [REEVE_KIND_UINT] = "unsigned int",
    [REEVE_KIND_HYPER] = "hyper",
    [REEVE_KIND_UHYPER] = "unsigned hyper",
    [REEVE_KIND_FLOAT] = "float",
    [REEVE_KIND_DOUBLE] = "double",
    [REEVE_KIND_BOOL] = "bool",
    [REEVE_KIND_ENUM] = "enum",
    [REEVE_KIND_STRING] = "string",
    [REEVE_KIND_OPAQUE_FIXED] = "opaque",
    [REEVE_KIND_OPAQUE] = "opaque",
  };

  return names[kind];
}

static void append_type (GString *text, const ReeveType *type, unsigned depth);

static void
append_member (GString *text, const ReeveMember *member, unsigned depth)
{
  if (member->name == NULL || member->name[0] == '\0') {
    g_string_append (text, "void");
    return;
  }
  g_string_append_printf (text, "%s: ", member->name);
  append_type (text, member->type, depth + 1);
}

static void
append_struct (GString *text, const ReeveType *type, unsigned depth)
{
  g_string_append_c (text, '{');
  for (size_t i = 0; i < type->n_members; i++) {
    g_string_append (text, i == 0 ? " " : ", ");
    append_member (text, &type->members[i], depth);
  }
  g_string_append (text, " }");
}

static void
append_union (GString *text, const ReeveType *type, unsigned depth)
{
  g_string_append (text, "union { ");
  append_member (text, &type->members[0], depth);
  for (size_t i = 1; i < type->n_members; i++) {
    const ReeveMember *arm = &type->members[i];

    if (arm->is_default)
      g_string_append (text, ", default: ");
    else
      g_string_append_printf (text, ", %d: ", arm->value);
    append_member (text, arm, depth);
  }
  g_string_append (text, " }");
}

static void
append_enum (GString *text, const ReeveType *type)
{
  g_string_append (text, "enum { ");
  for (size_t i = 0; i < type->n_values; i++)
    g_string_append_printf (text, "%s%s = %d", i > 0 ? ", " : "",
                            type->values[i].name, type->values[i].value);
  g_string_append (text, " }");
}

/* A type may have itself within, behind a pointer. */
static void
append_type (GString *text, const ReeveType *type, unsigned depth)
{
  if (depth > MAX_DEPTH) {
    g_string_append (text, type->name != NULL ? type->name : "…");
    return;
  }

  switch (type->kind) {
  case REEVE_KIND_STRUCT:
    append_struct (text, type, depth);
    return;
  case REEVE_KIND_UNION:
    append_union (text, type, depth);
    return;
  case REEVE_KIND_ENUM:
    append_enum (text, type);
    return;
  case REEVE_KIND_OPTIONAL:
    append_type (text, type->element, depth + 1);
    g_string_append_c (text, '?');
    return;
  case REEVE_KIND_ARRAY:
    append_type (text, type->element, depth + 1);
    g_string_append_printf (text, "<%u>", type->limit);
    return;
  case REEVE_KIND_ARRAY_FIXED:
    append_type (text, type->element, depth + 1);
    g_string_append_printf (text, "[%u]", type->limit);
    return;
  default:
    g_string_append (text, get_kind_name (type->kind));
  }

  if (type->kind == REEVE_KIND_OPAQUE_FIXED)
    g_string_append_printf (text, "[%u]", type->limit);
  else if (type->kind == REEVE_KIND_STRING || type->kind == REEVE_KIND_OPAQUE)
    g_string_append_printf (text, "<%u>", type->limit);
}

static char *
describe_type (const ReeveType *type)
{
  GString *text = g_string_new (NULL);

  append_type (text, type, 0);
  return g_string_free (text, FALSE);
}

/* ----------------------------------------------------------- procedures --- */

static const char *
get_dispatch_name (ReeveDispatch dispatch)
{
  static const char *const names[] = { "normal", "priority", "inline",
                                       "event" };

  return dispatch < G_N_ELEMENTS (names) ? names[dispatch] : "?";
}

/* (transfer full): for programs as well, so in one language. */
static char *
describe_flags (uint32_t flags)
{
  static const struct {
    ReeveProcedureFlags flag;
    const char *name;
  } rows[] = {
    { REEVE_PROCEDURE_READ_ONLY, "readonly" },
    { REEVE_PROCEDURE_NO_AUTH, "before authentication" },
    { REEVE_PROCEDURE_STREAM_IN, "stream in" },
    { REEVE_PROCEDURE_STREAM_OUT, "stream out" },
    { REEVE_PROCEDURE_FDS_IN, "files in" },
    { REEVE_PROCEDURE_FDS_OUT, "files out" },
    { REEVE_PROCEDURE_REPEATABLE, "repeatable" },
    { REEVE_PROCEDURE_PURE, "pure" },
  };
  GString *text = g_string_new (NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    if ((flags & rows[i].flag) != 0)
      g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "",
                              rows[i].name);
  return g_string_free (text, FALSE);
}

static void
set_unless_empty (JsonObject *row, const char *key, const char *value)
{
  if (value[0] != '\0')
    json_object_set_string_member (row, key, value);
}

static JsonObject *
describe_procedure (const ReeveProcedure *procedure)
{
  g_autofree char *args = describe_type (procedure->args);
  g_autofree char *ret = describe_type (procedure->ret);
  g_autofree char *flags = describe_flags (procedure->flags);
  JsonObject *row = json_object_new ();

  json_object_set_int_member (row, "number", procedure->number);
  json_object_set_string_member (row, "procedure", procedure->name);
  set_unless_empty (row, "summary", procedure->summary);
  json_object_set_string_member (row, "arguments", args);
  if (procedure->dispatch != REEVE_DISPATCH_EVENT)
    json_object_set_string_member (row, "result", ret);
  json_object_set_string_member (row, "dispatch",
                                 get_dispatch_name (procedure->dispatch));
  json_object_set_string_member (row, "access", procedure->access);
  set_unless_empty (row, "flags", flags);
  set_unless_empty (row, "since", procedure->since);
  return row;
}

static void
show_program (ReeveShell *shell, const ReeveProgram *program)
{
  static const ReeveField columns[] = {
    { "number", N_ ("Number") },       { "procedure", N_ ("Procedure") },
    { "dispatch", N_ ("Dispatch") },   { "access", N_ ("Access") },
    { "arguments", N_ ("Arguments") }, { "result", N_ ("Result") },
  };
  JsonArray *rows = json_array_new ();

  for (size_t i = 0; i < program->n_procedures; i++)
    json_array_add_object_element (
        rows, describe_procedure (&program->procedures[i]));
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), rows);
}

static gboolean
show_procedure (ReeveShell *shell,
                const ReeveProgram *program,
                const char *name,
                GError **error)
{
  static const ReeveField fields[] = {
    { "procedure", N_ ("Procedure") }, { "number", N_ ("Number") },
    { "summary", N_ ("Summary") },     { "arguments", N_ ("Arguments") },
    { "result", N_ ("Result") },       { "dispatch", N_ ("Dispatch") },
    { "access", N_ ("Access") },       { "flags", N_ ("Flags") },
    { "since", N_ ("Since") },
  };
  const ReeveProcedure *procedure = reeve_program_find_by_name (program, name);

  if (procedure == NULL) {
    g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                 _ ("%1$s: the program %2$s has no procedure “%3$s”"),
                 "introspect", program->name, name);
    return FALSE;
  }

  reeve_output_object (shell, fields, G_N_ELEMENTS (fields),
                       describe_procedure (procedure));
  return TRUE;
}

/* ------------------------------------------------------------- programs --- */

static gboolean
show_programs (ReeveShell *shell, GError **error)
{
  static const ReeveField columns[] = {
    { "program", N_ ("Program") },
    { "number", N_ ("Number") },
    { "version", N_ ("Version") },
  };
  reeve_program_list_ret ret = { 0 };
  JsonArray *rows;

  if (!reeve_shell_call_program (shell, &reeve_program, REEVE_PROC_PROGRAM_LIST,
                                 NULL, &ret, shell->timeout_ms, error))
    return FALSE;

  rows = json_array_new ();
  for (uint32_t i = 0; i < ret.programs.n_items; i++) {
    const reeve_program_row *program = &ret.programs.items[i];
    g_autofree char *number = g_strdup_printf ("0x%08x", program->number);
    JsonObject *row = json_object_new ();

    json_object_set_string_member (row, "program", program->name);
    json_object_set_string_member (row, "number", number);
    json_object_set_int_member (row, "version", program->vers);
    json_array_add_object_element (rows, row);
  }
  reeve_program_list_ret_clear (&ret);
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), rows);
  return TRUE;
}

gboolean
reeve_introspect_run (ReeveShell *shell,
                      const ReeveArguments *arguments,
                      GError **error)
{
  const char *name = reeve_arguments_get (arguments, "name");
  g_auto (GStrv) parts = NULL;
  g_autoptr (ReeveDescription) description = NULL;
  const ReeveProgram *program;

  if (reeve_shell_connect (shell, error) == NULL)
    return FALSE;
  if (name == NULL)
    return show_programs (shell, error);

  parts = g_strsplit (name, ".", 2);
  program = reeve_call_find_program (shell, parts[0], &description, error);
  if (program == NULL)
    return FALSE;
  if (parts[1] != NULL)
    return show_procedure (shell, program, parts[1], error);

  show_program (shell, program);
  return TRUE;
}
