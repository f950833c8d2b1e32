/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/ask.h"

#include "event/intl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define MAX_LENGTH 1024

static volatile sig_atomic_t caught;

static void catch (int signum) { caught = signum; }

/* Returns the length of a line without its end, or -1. */
static ssize_t
read_line (char *line, size_t size)
{
  size_t length = 0;

  while (length < size - 1) {
    ssize_t n_read = read (STDIN_FILENO, line + length, 1);

    if (n_read < 0 && errno == EINTR && caught == 0)
      continue;
    if (n_read <= 0)
      return -1;
    if (line[length] == '\n')
      break;
    length++;
  }

  line[length] = '\0';
  return (ssize_t) length;
}

static void
set_echo (const struct termios *usual, gboolean has_echo)
{
  struct termios changed = *usual;

  if (!has_echo)
    changed.c_lflag &= (tcflag_t) ~ECHO;
  tcsetattr (STDIN_FILENO, TCSADRAIN, &changed);
}

/* A signal that comes meanwhile ends the process with the terminal as it was.
 */
static char *
read_answer (const struct termios *usual, gboolean has_echo, const char *prompt)
{
  static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
  const struct sigaction action = { .sa_handler = catch };
  struct sigaction old[G_N_ELEMENTS (signals)];
  char line[MAX_LENGTH];
  char *answer = NULL;

  caught = 0;
  for (size_t i = 0; i < G_N_ELEMENTS (signals); i++)
    sigaction (signals[i], &action, &old[i]);
  set_echo (usual, has_echo);
  fputs (prompt, stderr);
  if (read_line (line, sizeof line) >= 0)
    answer = g_strdup (line);
  explicit_bzero (line, sizeof line);
  set_echo (usual, TRUE);
  for (size_t i = 0; i < G_N_ELEMENTS (signals); i++)
    sigaction (signals[i], &old[i], NULL);
  if (!has_echo)
    fputc ('\n', stderr);
  if (caught != 0)
    raise (caught);
  return answer;
}

char *
reeve_ask (ReeveCredential which, const char *host, gpointer data)
{
  gboolean is_name = which == REEVE_CREDENTIAL_NAME;
  g_autofree char *prompt = NULL;
  struct termios usual;

  if (!isatty (STDERR_FILENO) || tcgetattr (STDIN_FILENO, &usual) < 0)
    return NULL;

  prompt = g_strdup_printf (
      is_name ? _ ("User name for %s: ") : _ ("Password for %s: "), host);
  return read_answer (&usual, is_name, prompt);
}
