/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/call.h"

#include "client/peer.h"
#include "client/uri.h"
#include "event/intl.h"
#include "protocol/admin.h"
#include "protocol/qemu.h"
#include "protocol/reeve.h"
#include "protocol/remote.h"
#include "rpc/error.h"
#include "rpc/wire-json.h"
#include "shell/output.h"

#include <string.h>

/* Calls of any procedure, by its name and with JSON. */

/* What is known without asking: servers that do not describe themselves. */
static const ReeveProgram *const known_programs[] = {
  &remote_program,
  &qemu_program,
  &reeve_program,
  &admin_program,
};

GStrv
reeve_call_list_procedures (void)
{
  GPtrArray *names = g_ptr_array_new ();

  for (size_t i = 0; i < G_N_ELEMENTS (known_programs); i++) {
    const ReeveProgram *program = known_programs[i];

    for (size_t j = 0; j < program->n_procedures; j++)
      if (program->procedures[j].dispatch != REEVE_DISPATCH_EVENT)
        g_ptr_array_add (names, g_strdup_printf ("%s.%s", program->name,
                                                 program->procedures[j].name));
  }
  g_ptr_array_add (names, NULL);
  return (GStrv) g_ptr_array_free (names, FALSE);
}

static const ReeveProgram *
find_known_program (const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (known_programs); i++)
    if (g_str_equal (known_programs[i]->name, name))
      return known_programs[i];

  return NULL;
}

const ReeveProgram *
reeve_call_find_program (ReeveShell *shell,
                         const char *name,
                         ReeveDescription **description,
                         GError **error)
{
  g_autoptr (GError) why = NULL;
  const ReeveProgram *known = find_known_program (name);

  *description = reeve_description_fetch (shell->connection, name,
                                          shell->timeout_ms, &why);
  if (*description != NULL)
    return reeve_description_get_program (*description);
  if (known != NULL && g_error_matches (why, REEVE_ERROR, REEVE_ERROR_RPC))
    return known;

  g_propagate_error (error, g_steal_pointer (&why));
  return NULL;
}

static gboolean
decode_params (const ReeveProcedure *procedure,
               JsonNode *params,
               void *args,
               GError **error)
{
  g_autoptr (GError) why = NULL;

  if (reeve_json_decode (procedure->args, params, args, &why))
    return TRUE;

  g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
               _ ("call: the parameters do not fit: %s"), why->message);
  return FALSE;
}

static gboolean
call (ReeveShell *shell,
      const ReeveProgram *program,
      const ReeveProcedure *procedure,
      JsonNode *params,
      GError **error)
{
  void *args = reeve_type_new (procedure->args);
  void *ret = reeve_type_new (procedure->ret);
  gboolean is_done =
      decode_params (procedure, params, args, error) &&
      reeve_connection_call (shell->connection, program, procedure, args, ret,
                             shell->timeout_ms, NULL, error);

  if (is_done) {
    g_autoptr (JsonNode) node = reeve_json_encode (procedure->ret, ret);

    reeve_output_json (shell, node);
  }
  reeve_type_free (procedure->args, args);
  reeve_type_free (procedure->ret, ret);
  return is_done;
}

static JsonNode *
parse_params (const ReeveArguments *arguments, GError **error)
{
  const char *text = reeve_arguments_get (arguments, "params");
  g_autoptr (GError) why = NULL;
  JsonNode *node = json_from_string (text != NULL ? text : "{}", &why);

  if (node == NULL)
    g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                 _ ("call: the parameters are not JSON: %s"),
                 why != NULL ? why->message : "");
  return node;
}

/* Whatever speaks JSON-RPC at the shell's URI. Parameters in an array are of
 * 1.0. */
static gboolean
call_json (ReeveShell *shell,
           const char *method,
           JsonNode *params,
           GError **error)
{
  g_autofree char *text = shell->uri != NULL
                              ? g_strdup (shell->uri)
                              : reeve_uri_get_default (shell->is_read_only);
  g_autoptr (ReeveUri) uri = reeve_uri_parse (text, shell->is_read_only, error);
  g_autoptr (ReevePeer) peer = NULL;
  g_autoptr (JsonNode) result = NULL;

  if (uri == NULL)
    return FALSE;
  peer = reeve_peer_open_json (
      uri->stream,
      JSON_NODE_HOLDS_ARRAY (params) ? REEVE_PEER_JSON_1 : REEVE_PEER_JSON_2,
      NULL, shell->timeout_ms, NULL, error);
  if (peer == NULL)
    return FALSE;
  /* It has its own connection, which is there. */
  shell->is_local = TRUE;
  result = reeve_peer_call_json (peer, method, params, shell->timeout_ms, NULL,
                                 error);
  if (result == NULL)
    return FALSE;

  /* Text is for reading. */
  if (shell->format == REEVE_OUTPUT_TEXT &&
      json_node_get_value_type (result) == G_TYPE_STRING)
    reeve_output_text (shell, "result", json_node_get_string (result));
  else
    reeve_output_json (shell, result);
  return TRUE;
}

static gboolean
run_call (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  const char *name = reeve_arguments_get (arguments, "procedure");
  g_autoptr (JsonNode) params = parse_params (arguments, error);
  g_auto (GStrv) parts = g_strsplit (name, ".", 2);
  g_autoptr (ReeveDescription) description = NULL;
  const ReeveProgram *program;
  const ReeveProcedure *procedure;

  if (params == NULL)
    return FALSE;
  if (reeve_arguments_has (arguments, "json-rpc"))
    return call_json (shell, name, params, error);
  if (g_strv_length (parts) != 2) {
    g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                 _ ("call: “%s” is not PROGRAM.PROCEDURE"), name);
    return FALSE;
  }

  if (reeve_shell_connect (shell, error) == NULL)
    return FALSE;
  program = reeve_call_find_program (shell, parts[0], &description, error);
  if (program == NULL)
    return FALSE;

  procedure = reeve_program_find_by_name (program, parts[1]);
  if (procedure == NULL || procedure->dispatch == REEVE_DISPATCH_EVENT) {
    g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                 _ ("call: the program %1$s has no procedure “%2$s”"), parts[0],
                 parts[1]);
    return FALSE;
  }
  return call (shell, program, procedure, params, error);
}

static void
add_procedures (JsonArray *rows, const ReeveProgram *program)
{
  for (size_t i = 0; i < program->n_procedures; i++) {
    const ReeveProcedure *procedure = &program->procedures[i];
    JsonObject *row;

    if (procedure->dispatch == REEVE_DISPATCH_EVENT)
      continue;
    row = json_object_new ();
    json_object_set_int_member (row, "number", procedure->number);
    json_object_set_string_member (row, "procedure", procedure->name);
    json_object_set_string_member (row, "access", procedure->access);
    json_object_set_string_member (row, "summary", procedure->summary);
    json_array_add_object_element (rows, row);
  }
}

static gboolean
run_procedures (ReeveShell *shell,
                const ReeveArguments *arguments,
                GError **error)
{
  static const ReeveField columns[] = {
    { "number", N_ ("Number") },
    { "procedure", N_ ("Procedure") },
    { "access", N_ ("Access") },
    { "summary", N_ ("Summary") },
  };
  g_autoptr (ReeveDescription) description = NULL;
  const ReeveProgram *program;
  JsonArray *rows;

  if (reeve_shell_connect (shell, error) == NULL)
    return FALSE;
  program = reeve_call_find_program (
      shell, reeve_arguments_get (arguments, "program"), &description, error);
  if (program == NULL)
    return FALSE;

  rows = json_array_new ();
  add_procedures (rows, program);
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), rows);
  return TRUE;
}

static const ReeveOption call_options[] = {
  { "procedure", REEVE_OPTION_STRING, TRUE,
    .completion = REEVE_COMPLETE_PROCEDURES,
    .help = N_ ("PROGRAM.PROCEDURE, e.g. remote.connect_get_hostname") },
  { "params", REEVE_OPTION_STRING, .help = N_ ("the arguments, as JSON") },
  { "json-rpc", REEVE_OPTION_FLAG,
    .help = N_ ("speak JSON-RPC: with arguments in an array that of Open "
                "vSwitch") },
};

static const ReeveOption introspect_options[] = {
  { "name", REEVE_OPTION_STRING, .completion = REEVE_COMPLETE_PROCEDURES,
    .help = N_ ("a program, or PROGRAM.PROCEDURE") },
};

static const ReeveOption procedures_options[] = {
  { "program", REEVE_OPTION_STRING, TRUE,
    .help = N_ ("a program: remote, qemu, reeve") },
};

static const ReeveCommand commands[] = {
  { "call", N_ ("call a procedure of the daemon"), call_options,
    G_N_ELEMENTS (call_options), run_call },
  { "introspect", N_ ("show programs, procedures and their types"),
    introspect_options, G_N_ELEMENTS (introspect_options),
    reeve_introspect_run },
  { "procedures", N_ ("list the procedures of a program"), procedures_options,
    G_N_ELEMENTS (procedures_options), run_procedures },
};

const ReeveCommandGroup reeve_call_commands = {
  N_ ("Procedures"),
  commands,
  G_N_ELEMENTS (commands),
};
