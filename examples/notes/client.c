/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "notes-client.h"

#include <reeve/reeve.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `notes`: the client of notesd. */

static gboolean
put (ReeveConnection *connection, char **words, GError **error)
{
  const notes_put_args args = { .key = words[0], .text = words[1] };

  return notes_put (connection, &args, error);
}

static gboolean
get (ReeveConnection *connection, char **words, GError **error)
{
  const notes_get_args args = { .key = words[0] };
  notes_get_ret ret = { 0 };

  if (!notes_get (connection, &args, &ret, error))
    return FALSE;

  puts (ret.text);
  notes_get_ret_clear (&ret);
  return TRUE;
}

static gboolean
list (ReeveConnection *connection, char **words, GError **error)
{
  notes_list_ret ret = { 0 };

  if (!notes_list (connection, &ret, error))
    return FALSE;

  for (uint32_t i = 0; i < ret.keys.n_items; i++)
    puts (ret.keys.items[i]);
  notes_list_ret_clear (&ret);
  return TRUE;
}

static gboolean
load (ReeveConnection *connection, char **words, GError **error)
{
  const notes_load_args args = { .key = words[0] };
  const int input = STDIN_FILENO;

  return notes_load (connection, &args, &input, 1, error);
}

/* Copies what the pipe of the reply has to where our output goes. */
static gboolean
show (ReeveConnection *connection, char **words, GError **error)
{
  const notes_open_args args = { .key = words[0] };
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (int));
  char text[NOTES_TEXT_MAX];
  ssize_t size;

  if (!notes_open (connection, &args, fds, error))
    return FALSE;

  for (unsigned i = 0; i < fds->len; i++) {
    REEVE_AUTOFD int fd = g_array_index (fds, int, i);

    size = read (fd, text, sizeof text);
    if (size > 0)
      fwrite (text, 1, (size_t) size, stdout);
  }
  return TRUE;
}

/* Runs in the library's thread. */
static void
show_change (ReeveConnection *connection,
             const ReeveProcedure *event,
             gconstpointer body,
             gpointer data)
{
  const notes_changed_msg *message = body;

  puts (message->key);
  fflush (stdout);
}

static void
end (ReeveConnection *connection, const GError *reason, gpointer data)
{
  reeve_loop_quit (data);
}

static gboolean
watch (ReeveConnection *connection, char **words, GError **error)
{
  g_autoptr (ReeveLoop) loop = reeve_loop_new (NULL);

  reeve_connection_subscribe (
      connection, &notes_program,
      reeve_program_find (&notes_program, NOTES_PROC_CHANGED), show_change,
      NULL, NULL);
  if (!notes_watch (connection, error))
    return FALSE;

  puts ("watching");
  fflush (stdout);
  reeve_connection_set_close_func (connection, end, loop, NULL);
  reeve_loop_run (loop);
  return TRUE;
}

static const struct {
  const char *name;
  int n_words;
  gboolean (*run) (ReeveConnection *connection, char **words, GError **error);
} commands[] = {
  { "put", 2, put },     { "get", 1, get },   { "list", 0, list },
  { "watch", 0, watch }, { "load", 1, load }, { "show", 1, show },
};

static int
run (const char *name, int n_words, char **words, GError **error)
{
  g_autoptr (ReeveConnection) connection = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (commands); i++) {
    if (strcmp (commands[i].name, name) != 0 || commands[i].n_words != n_words)
      continue;

    connection = reeve_connection_open (
        g_getenv ("NOTES_SOCKET"), REEVE_CONNECTION_NO_OPEN, -1, NULL, error);
    return connection != NULL && commands[i].run (connection, words, error)
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
  }

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               "usage: notes put KEY TEXT | get KEY | list | watch | "
               "load KEY | show KEY");
  return 2;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int status = run (argc > 1 ? argv[1] : "", argc - 2, argv + 2, &error);

  if (error != NULL)
    fprintf (stderr, "notes: %s\n", error->message);
  return status;
}
