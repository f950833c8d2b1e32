/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/complete.h"

#include "shell/admin.h"
#include "shell/call.h"
#include "shell/command.h"
#include "shell/event-names.h"
#include "shell/machine-name.h"
#include "shell/resource.h"

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

/* Of a name of two words the one that is next. @first: (nullable): the word
 * that is there already */
static void
offer_commands (GPtrArray *results, const char *first, const char *prefix)
{
  g_autofree char *start =
      first == NULL ? g_strdup ("") : g_strconcat (first, " ", NULL);
  const char *last = NULL;

  for (size_t g = 0; reeve_command_groups[g] != NULL; g++)
    for (size_t i = 0; i < reeve_command_groups[g]->n_commands; i++) {
      const ReeveCommand *command = &reeve_command_groups[g]->commands[i];
      g_autofree char *word = NULL;

      if (command->is_hidden || !g_str_has_prefix (command->name, start))
        continue;
      word = g_strndup (command->name + strlen (start),
                        strcspn (command->name + strlen (start), " "));
      if (last == NULL || !g_str_equal (last, word))
        offer (results, prefix, word);
      last = results->len > 0 ? results->pdata[results->len - 1] : NULL;
    }
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

/* @words: (transfer full) (nullable) */
static void
offer_all (GPtrArray *results, const char *prefix, GStrv words)
{
  for (char **word = words; word != NULL && *word != NULL; word++)
    offer (results, prefix, *word);
  g_strfreev (words);
}

static void
offer_machines (ReeveShell *shell,
                GPtrArray *results,
                const char *prefix,
                uint32_t flags)
{
  offer_all (results, prefix, reeve_machine_name_list (shell, flags, NULL));
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

/* @before: the word before */
static void
offer_values (ReeveShell *shell,
              GPtrArray *results,
              const char *before,
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
    offer_commands (results, NULL, prefix);
    break;
  case REEVE_COMPLETE_PROCEDURES:
    offer_all (results, prefix, reeve_call_list_procedures ());
    break;
  case REEVE_COMPLETE_SERVERS:
    offer_all (results, prefix, reeve_admin_list_servers (shell));
    break;
  case REEVE_COMPLETE_RESOURCES:
    offer_all (results, prefix, reeve_resource_list_paths (shell, prefix));
    break;
  case REEVE_COMPLETE_CLIENTS:
    offer_all (results, prefix, reeve_admin_list_clients (shell, before));
    break;
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
  size_t n_name = 0;
  const ReeveCommand *command =
      n_words > 1 ? reeve_command_find_words (words, &n_name) : NULL;

  if (n_words <= 1) {
    offer_commands (results, NULL, last);
  } else if (n_words == 2 && (command == NULL || n_name == 2)) {
    offer_commands (results, words[0], last);
  } else if (command != NULL && g_str_has_prefix (last, "--")) {
    offer_options (results, last, command);
  } else if (command != NULL) {
    const ReeveOption *option =
        find_open_option (command, words + n_name, n_words - n_name);
    int timeout_ms = shell->timeout_ms;

    shell->timeout_ms = TIMEOUT_MS;
    shell->is_completing = TRUE;
    if (option != NULL)
      offer_values (shell, results, words[n_words - 2], last,
                    option->completion);
    shell->is_completing = FALSE;
    shell->timeout_ms = timeout_ms;
  }

  g_ptr_array_add (results, NULL);
  return (GStrv) g_ptr_array_free (results, FALSE);
}
