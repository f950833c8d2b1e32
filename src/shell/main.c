/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "shell/output.h"
#include "shell/shell.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* `reeve`: the shell. */

typedef struct {
  char *json; /* (owned) (nullable) */
  gboolean has_json;
  int timeout;
  gboolean show_version;
  char **words; /* (owned) (nullable) */
} Options;

static gboolean
take_json (const char *name, const char *value, gpointer data, GError **error)
{
  Options *options = data;

  g_free (options->json);
  options->json = g_strdup (value);
  options->has_json = TRUE;
  return TRUE;
}

static gboolean
set_format (ReeveShell *shell, const Options *options, GError **error)
{
  if (!options->has_json)
    return TRUE;
  if (options->json == NULL || g_str_equal (options->json, "short")) {
    shell->format = REEVE_OUTPUT_JSON;
  } else if (g_str_equal (options->json, "pretty")) {
    shell->format = REEVE_OUTPUT_JSON_PRETTY;
  } else if (!g_str_equal (options->json, "off")) {
    g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                 _ ("--json: “%s” is not one of short, pretty and off"),
                 options->json);
    return FALSE;
  }

  return TRUE;
}

static gboolean
set_timeout (ReeveShell *shell, const Options *options, GError **error)
{
  if (options->timeout == -1)
    return TRUE;
  if (options->timeout < 1 || options->timeout > 1000000) {
    g_set_error_literal (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                         _ ("--timeout takes a number of seconds from 1 to "
                            "1000000"));
    return FALSE;
  }

  shell->timeout_ms = options->timeout * 1000;
  return TRUE;
}

/* -1 is what stands there when the option was not given. */
static gboolean
check_keepalive (const ReeveShell *shell, GError **error)
{
  if (shell->keepalive_interval_s >= -1 &&
      shell->keepalive_interval_s <= 86400 && shell->keepalive_count >= -1 &&
      shell->keepalive_count <= 1000 && shell->keepalive_count != 0)
    return TRUE;

  g_set_error_literal (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                       _ ("--keepalive-interval takes 0 to 86400 seconds, "
                          "--keepalive-count 1 to 1000 questions"));
  return FALSE;
}

/* The shell's own options stand before the command; what follows it is the
 * command's. --json may stand anywhere. */
static GStrv
split_words (char **argv, Options *options, int *n_own)
{
  GPtrArray *words = g_ptr_array_new ();
  int i = 1;

  while (argv[i] != NULL && argv[i][0] == '-') {
    static const char *const with_value[] = {
      "-c", "--connect",         "--timeout",     "-k", "--keepalive-interval",
      "-K", "--keepalive-count", "--admin-socket"
    };

    for (size_t j = 0; j < G_N_ELEMENTS (with_value); j++)
      if (g_str_equal (argv[i], with_value[j]) && argv[i + 1] != NULL) {
        i++;
        break;
      }
    i++;
  }

  *n_own = i;
  for (; argv[i] != NULL; i++) {
    if (g_str_equal (argv[i], "--json"))
      take_json (NULL, NULL, options, NULL);
    else if (g_str_has_prefix (argv[i], "--json="))
      take_json (NULL, argv[i] + strlen ("--json="), options, NULL);
    else
      g_ptr_array_add (words, g_strdup (argv[i]));
  }
  g_ptr_array_add (words, NULL);
  return (GStrv) g_ptr_array_free (words, FALSE);
}

static gboolean
parse (ReeveShell *shell, Options *options, char **argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "connect", 'c', 0, G_OPTION_ARG_STRING, &shell->uri,
      N_ ("Connect to URI"), N_ ("URI") },
    { "admin-socket", 0, 0, G_OPTION_ARG_FILENAME, &shell->admin_socket,
      N_ ("Administer the daemon by this socket, not by the one beside that of "
          "the connection"),
      N_ ("PATH") },
    { "readonly", 'r', 0, G_OPTION_ARG_NONE, &shell->is_read_only,
      N_ ("Only look, change nothing"), NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &shell->is_quiet,
      N_ ("Say nothing that was not asked for"), NULL },
    { "json", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK, take_json,
      N_ ("Print JSON: short, pretty or off"), N_ ("HOW") },
    { "timeout", 0, 0, G_OPTION_ARG_INT, &options->timeout,
      N_ ("Wait for an answer for this many seconds"), N_ ("SECONDS") },
    { "keepalive-interval", 'k', 0, G_OPTION_ARG_INT,
      &shell->keepalive_interval_s,
      N_ ("Ask a silent server after this many seconds; 0: never"),
      N_ ("SECONDS") },
    { "keepalive-count", 'K', 0, G_OPTION_ARG_INT, &shell->keepalive_count,
      N_ ("Questions without an answer until it is taken for gone"),
      N_ ("NUMBER") },
    { "version", 0, 0, G_OPTION_ARG_NONE, &options->show_version,
      N_ ("Print the version, and exit"), NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (_ ("[COMMAND …]"));
  GOptionGroup *group = g_option_group_new ("reeve", "", "", options, NULL);
  g_auto (GStrv) own = NULL;
  int n_own;

  options->words = split_words (argv, options, &n_own);
  own = g_new0 (char *, n_own + 1);
  for (int i = 0; i < n_own; i++)
    own[i] = g_strdup (argv[i]);

  g_option_group_add_entries (group, entries);
  g_option_group_set_translation_domain (group, GETTEXT_PACKAGE);
  g_option_context_set_main_group (context, group);
  g_option_context_set_summary (
      context, _ ("Drives a machine daemon. Without a command it reads "
                  "commands; “help” lists them."));
  return g_option_context_parse_strv (context, &own, error) &&
         set_format (shell, options, error) &&
         set_timeout (shell, options, error) && check_keepalive (shell, error);
}

int
main (int argc, char **argv)
{
  ReeveShell shell = { .timeout_ms = -1,
                       .keepalive_interval_s = -1,
                       .keepalive_count = -1 };
  Options options = { .timeout = -1 };
  g_autoptr (GError) error = NULL;
  int status;

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, REEVE_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  signal (SIGPIPE, SIG_IGN);

  if (!parse (&shell, &options, argv, &error)) {
    reeve_output_error (&shell, error);
    status = REEVE_EXIT_USAGE;
  } else if (options.show_version) {
    printf ("reeve %s\n", REEVE_VERSION);
    status = REEVE_EXIT_OK;
  } else if (options.words[0] == NULL) {
    status = reeve_shell_run_interactive (&shell);
  } else if (options.words[1] == NULL && strchr (options.words[0], ' ')) {
    /* reeve "list --all; version" */
    status = reeve_shell_run_line (&shell, options.words[0]);
  } else {
    status = reeve_shell_run (&shell, (const char *const *) options.words);
  }

  g_strfreev (options.words);
  g_free (options.json);
  reeve_shell_clear (&shell);
  return status;
}
