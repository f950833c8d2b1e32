/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/complete.h"

#include "shell/call.h"
#include "shell/command.h"
#include "shell/event-names.h"
#include "shell/machine-name.h"

#include <string.h>

#define TIMEOUT_MS 500

enum { LIST_ACTIVE = 1 << 0, LIST_INACTIVE = 1 << 1 };

/* Takes @word if it starts with @prefix. */
static void
offer (GPtrArray *results, const char *prefix, const char *word)
{
  if (g_str_has_prefix (word, prefix))
    g_ptr_array_add (results, g_strdup (word));
}

static void
offer_commands (GPtrArray *results, const char *prefix)
{
  for (size_t g = 0; reeve_command_groups[g] != NULL; g++)
    for (size_t i = 0; i < reeve_command_groups[g]->n_commands; i++)
      if (!reeve_command_groups[g]->commands[i].is_hidden)
        offer (results, prefix, reeve_command_groups[g]->commands[i].name);
}

static void
offer_options (GPtrArray *results,
               const char *prefix,
               const ReeveCommand *command)
{
  for (size_t i = 0; i < command->n_options; i++) {
    g_autofree char *word = g_strconcat ("--", command->options[i].name, NULL);

    if (command->options[i].kind != REEVE_OPTION_REST)
      offer (results, prefix, word);
  }
}

static void
offer_machines (ReeveShell *shell,
                GPtrArray *results,
                const char *prefix,
                uint32_t flags)
{
  int timeout_ms = shell->timeout_ms;
  g_auto (GStrv) names = NULL;

  shell->timeout_ms = TIMEOUT_MS;
  names = reeve_machine_name_list (shell, flags, NULL);
  shell->timeout_ms = timeout_ms;
  for (char **name = names; name != NULL && *name != NULL; name++)
    offer (results, prefix, *name);
}

static void
offer_files (GPtrArray *results, const char *prefix)
{
  const char *slash = strrchr (prefix, '/');
  g_autofree char *folder =
      slash != NULL ? g_strndup (prefix, slash + 1 - prefix) : g_strdup ("");
  g_autoptr (GDir) dir = g_dir_open (slash != NULL ? folder : ".", 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_strconcat (folder, name, NULL);

    offer (results, prefix, path);
  }
}

static void
offer_values (ReeveShell *shell,
              GPtrArray *results,
              const char *prefix,
              ReeveCompletion completion)
{
  switch (completion) {
  case REEVE_COMPLETE_NOTHING:
    break;
  case REEVE_COMPLETE_FILES:
    offer_files (results, prefix);
    break;
  case REEVE_COMPLETE_MACHINES:
    offer_machines (shell, results, prefix, 0);
    break;
  case REEVE_COMPLETE_ACTIVE_MACHINES:
    offer_machines (shell, results, prefix, LIST_ACTIVE);
    break;
  case REEVE_COMPLETE_INACTIVE_MACHINES:
    offer_machines (shell, results, prefix, LIST_INACTIVE);
    break;
  case REEVE_COMPLETE_EVENTS:
    for (size_t i = 0; reeve_event_name (i) != NULL; i++)
      offer (results, prefix, reeve_event_name (i));
    break;
  case REEVE_COMPLETE_COMMANDS:
    offer_commands (results, prefix);
    break;
  case REEVE_COMPLETE_PROCEDURES: {
    g_auto (GStrv) names = reeve_call_list_procedures ();

    for (char **name = names; *name != NULL; name++)
      offer (results, prefix, *name);
    break;
  }
  }
}

/* The option that @word, the last of @n_words, gives a value to. */
static const ReeveOption *
find_open_option (const ReeveCommand *command,
                  const char *const *words,
                  size_t n_words)
{
  size_t n_positional = 0;

  for (size_t i = 0; i + 1 < n_words; i++) {
    const ReeveOption *option =
        g_str_has_prefix (words[i], "--")
            ? reeve_command_find_option (command, words[i] + 2)
            : NULL;

    if (option == NULL) {
      n_positional += !g_str_has_prefix (words[i], "--");
    } else if (option->kind != REEVE_OPTION_FLAG) {
      if (i + 2 == n_words)
        return option;
      i++;
    }
  }

  return reeve_command_get_positional (command, n_positional);
}

GStrv
reeve_complete (ReeveShell *shell, const char *const *words)
{
  GPtrArray *results = g_ptr_array_new ();
  size_t n_words = g_strv_length ((char **) words);
  const char *last = n_words > 0 ? words[n_words - 1] : "";
  const ReeveCommand *command =
      n_words > 1 ? reeve_command_find (words[0]) : NULL;

  if (n_words <= 1) {
    offer_commands (results, last);
  } else if (command != NULL && g_str_has_prefix (last, "--")) {
    offer_options (results, last, command);
  } else if (command != NULL) {
    const ReeveOption *option =
        find_open_option (command, words + 1, n_words - 1);

    if (option != NULL)
      offer_values (shell, results, last, option->completion);
  }

  g_ptr_array_add (results, NULL);
  return (GStrv) g_ptr_array_free (results, FALSE);
}
