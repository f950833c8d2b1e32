/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "shell/complete.h"
#include "shell/shell.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if REEVE_HAVE_READLINE
#include <readline/history.h>
#include <readline/readline.h>

#define HISTORY_MAX 500

/* readline's callbacks carry no data. Set while the loop below runs. */
static ReeveShell *completing_shell;
static GStrv candidates; /* (owned): of the word being completed */
static size_t next_candidate;

static char *
next_match (const char *text, int state)
{
  const char *word;

  if (state == 0)
    next_candidate = 0;
  word = candidates == NULL ? NULL : candidates[next_candidate];
  if (word == NULL)
    return NULL;

  next_candidate++;
  return strdup (word); /* readline frees it */
}

static char **
complete_word (const char *text, int start, int end)
{
  g_autofree char *before = g_strndup (rl_line_buffer, start);
  g_auto (GStrv) split = NULL;
  g_autoptr (GPtrArray) words = g_ptr_array_new ();

  rl_attempted_completion_over = 1;
  if (g_shell_parse_argv (before, NULL, &split, NULL))
    for (char **word = split; *word != NULL; word++)
      g_ptr_array_add (words, *word);
  g_ptr_array_add (words, (gpointer) text);
  g_ptr_array_add (words, NULL);

  g_strfreev (candidates);
  candidates =
      reeve_complete (completing_shell, (const char *const *) words->pdata);
  return rl_completion_matches (text, next_match);
}

static char *
get_history_path (void)
{
  g_autofree char *folder =
      g_build_filename (g_get_user_state_dir (), "reeve", NULL);

  if (g_mkdir_with_parents (folder, 0700) < 0)
    return NULL;
  return g_build_filename (folder, "history", NULL);
}

static void
start_lines (ReeveShell *shell, const char *history_path)
{
  completing_shell = shell;
  rl_readline_name = "reeve";
  rl_attempted_completion_function = complete_word;
  rl_completer_word_break_characters = " \t\n;";
  stifle_history (HISTORY_MAX);
  if (history_path != NULL)
    read_history (history_path);
}

static void
end_lines (const char *history_path)
{
  if (history_path != NULL && write_history (history_path) == 0)
    g_chmod (history_path, 0600);
  g_clear_pointer (&candidates, g_strfreev);
  completing_shell = NULL;
}

static char *
read_line (const char *prompt)
{
  char *line = readline (prompt);

  if (line != NULL && line[0] != '\0')
    add_history (line);
  return line;
}

#else

static char *
get_history_path (void)
{
  return NULL;
}

static void
start_lines (ReeveShell *shell, const char *history_path)
{
}

static void
end_lines (const char *history_path)
{
}

static char *
read_line (const char *prompt)
{
  return NULL;
}

#endif

/* Without a terminal, or without readline. */
static char *
read_plain_line (const char *prompt)
{
  char *line = NULL;
  size_t size = 0;
  ssize_t length;

  fputs (prompt, stdout);
  fflush (stdout);
  length = getline (&line, &size, stdin);
  if (length < 0) {
    free (line);
    return NULL;
  }
  if (length > 0 && line[length - 1] == '\n')
    line[length - 1] = '\0';
  return line;
}

ReeveExitStatus
reeve_shell_run_interactive (ReeveShell *self)
{
  gboolean has_terminal = isatty (STDIN_FILENO) && isatty (STDOUT_FILENO);
  gboolean has_lines = has_terminal && REEVE_HAVE_READLINE;
  g_autofree char *history_path = has_lines ? get_history_path () : NULL;
  ReeveExitStatus status = REEVE_EXIT_OK;

  self->is_interactive = TRUE;
  if (has_lines)
    start_lines (self, history_path);
  if (has_terminal && !self->is_quiet)
    printf (_ ("This is reeve %s. “help” lists the commands, “quit” leaves.\n"),
            REEVE_VERSION);

  while (!self->is_finished) {
    const char *prompt =
        !has_terminal ? "" : (self->is_read_only ? "reeve > " : "reeve # ");
    char *line = has_lines ? read_line (prompt) : read_plain_line (prompt);

    if (line == NULL)
      break;
    status = reeve_shell_run_line (self, line);
    free (line);
  }

  if (has_lines)
    end_lines (history_path);
  return status;
}
