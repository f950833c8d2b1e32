/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "shell/command.h"
#include "shell/complete.h"
#include "shell/output.h"

#include <stdio.h>

/* What the shell does by itself. */

static void
print_groups (void)
{
  for (size_t g = 0; reeve_command_groups[g] != NULL; g++) {
    const ReeveCommandGroup *group = reeve_command_groups[g];

    printf ("%s\n", _ (group->name));
    for (size_t i = 0; i < group->n_commands; i++)
      if (!group->commands[i].is_hidden)
        printf ("  %-22s %s\n", group->commands[i].name,
                _ (group->commands[i].summary));
    putchar ('\n');
  }
}

static const char *
get_placeholder (ReeveOptionKind kind)
{
  switch (kind) {
  case REEVE_OPTION_FLAG:
    return "";
  case REEVE_OPTION_STRING:
    return _ (" TEXT");
  case REEVE_OPTION_NUMBER:
    return _ (" NUMBER");
  case REEVE_OPTION_SIZE:
    return _ (" SIZE");
  case REEVE_OPTION_REST:
    return _ (" …");
  }

  return "";
}

static void
print_command (const ReeveCommand *command)
{
  printf ("%s: %s\n", command->name, _ (command->summary));
  for (size_t i = 0; i < command->n_options; i++) {
    const ReeveOption *option = &command->options[i];
    g_autofree char *usage =
        g_strconcat (option->kind == REEVE_OPTION_REST ? "" : "--",
                     option->name, get_placeholder (option->kind), NULL);

    printf ("  %-26s %s%s\n", usage, _ (option->help),
            option->is_required ? _ (" (required)") : "");
  }
}

static JsonObject *
describe_command (const ReeveCommand *command)
{
  JsonObject *object = json_object_new ();
  JsonArray *options = json_array_new ();

  json_object_set_string_member (object, "command", command->name);
  json_object_set_string_member (object, "summary", command->summary);
  for (size_t i = 0; i < command->n_options; i++) {
    const ReeveOption *option = &command->options[i];
    JsonObject *row = json_object_new ();

    json_object_set_string_member (row, "option", option->name);
    if (option->kind != REEVE_OPTION_FLAG)
      json_object_set_string_member (row, "value",
                                     get_placeholder (option->kind) + 1);
    json_object_set_boolean_member (row, "required", option->is_required);
    json_object_set_string_member (row, "help", option->help);
    json_array_add_object_element (options, row);
  }
  json_object_set_array_member (object, "options", options);
  return object;
}

static JsonArray *
list_commands (void)
{
  JsonArray *rows = json_array_new ();

  for (size_t g = 0; reeve_command_groups[g] != NULL; g++) {
    const ReeveCommandGroup *group = reeve_command_groups[g];

    for (size_t i = 0; i < group->n_commands; i++) {
      JsonObject *row;

      if (group->commands[i].is_hidden)
        continue;
      row = json_object_new ();
      json_object_set_string_member (row, "command", group->commands[i].name);
      json_object_set_string_member (row, "summary",
                                     group->commands[i].summary);
      json_array_add_object_element (rows, row);
    }
  }

  return rows;
}

static gboolean
run_help (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  const char *const *words = reeve_arguments_get_rest (arguments);
  g_autofree char *name =
      words[0] == NULL ? NULL : g_strjoinv (" ", (char **) words);
  const ReeveCommand *command = NULL;

  if (name != NULL) {
    command = reeve_command_find (name);
    if (command == NULL) {
      g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                   _ ("there is no command “%s”; see “help”"), name);
      return FALSE;
    }
    if (shell->format == REEVE_OUTPUT_TEXT)
      print_command (command);
    else
      reeve_output_object (shell, NULL, 0, describe_command (command));
  } else if (shell->format != REEVE_OUTPUT_TEXT) {
    reeve_output_table (shell, NULL, 0, list_commands ());
  } else {
    print_groups ();
  }

  return TRUE;
}

static gboolean
run_connect (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  const char *uri = reeve_arguments_get (arguments, "uri");

  g_clear_pointer (&shell->connection, reeve_connection_unref);
  g_clear_pointer (&shell->admin, reeve_connection_unref);
  if (uri != NULL) {
    g_free (shell->uri);
    shell->uri = g_strdup (uri);
  }
  shell->is_read_only = reeve_arguments_has (arguments, "readonly");
  return reeve_shell_connect (shell, error) != NULL;
}

static gboolean
run_quit (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  shell->is_finished = TRUE;
  return TRUE;
}

static gboolean
run_complete (ReeveShell *shell,
              const ReeveArguments *arguments,
              GError **error)
{
  g_auto (GStrv) results =
      reeve_complete (shell, reeve_arguments_get_rest (arguments));

  for (char **word = results; *word != NULL; word++)
    printf ("%s\n", *word);
  return TRUE;
}

static const ReeveOption help_options[] = {
  { "command", REEVE_OPTION_REST, .completion = REEVE_COMPLETE_COMMANDS,
    .help = N_ ("which command to explain") },
};

static const ReeveOption connect_options[] = {
  { "uri", REEVE_OPTION_STRING, .help = N_ ("where to connect to") },
  { "readonly", REEVE_OPTION_FLAG, .help = N_ ("only look, change nothing") },
};

static const ReeveOption complete_options[] = {
  { "words", REEVE_OPTION_REST, .help = N_ ("the words of a line") },
};

static const ReeveCommand commands[] = {
  { "help", N_ ("list the commands, or explain one"), help_options,
    G_N_ELEMENTS (help_options), run_help },
  { "connect", N_ ("connect, or connect elsewhere"), connect_options,
    G_N_ELEMENTS (connect_options), run_connect },
  { "quit", N_ ("leave the shell"), NULL, 0, run_quit },
  { "exit", N_ ("leave the shell"), NULL, 0, run_quit },
  { "complete", N_ ("what may follow (for the completion of bash)"),
    complete_options, G_N_ELEMENTS (complete_options), run_complete, TRUE },
};

const ReeveCommandGroup reeve_shell_commands = {
  N_ ("Shell"),
  commands,
  G_N_ELEMENTS (commands),
};
