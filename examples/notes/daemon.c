/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "notes.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <reeve/reeve.h>
#include <string.h>

/* `notesd`: a whole daemon on libreeve. docs/library.md walks through it. */

typedef struct {
  ReeveServer *server;

  ReeveMutex lock; /* handlers run on several workers at the same time */
  GTree *notes REEVE_GUARDED; /* (owned): key -> text, both owned */
} Notes;

/* Marks clients that asked for events. */
static const char watch_key[] = "watch";

static gint
compare (gconstpointer a, gconstpointer b, gpointer data)
{
  return g_strcmp0 (a, b);
}

static gboolean
keep (Notes *self, const notes_put_args *args, GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (g_tree_lookup (self->notes, args->key) == NULL &&
      g_tree_nnodes (self->notes) == NOTES_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 "there are %d notes already", NOTES_MAX);
    return FALSE;
  }

  g_tree_replace (self->notes, g_strdup (args->key), g_strdup (args->text));
  return TRUE;
}

static void
tell (ReeveServerClient *client, gpointer data)
{
  const notes_changed_msg message = { .key = data };

  if (reeve_server_client_get_data (client, watch_key) != NULL)
    reeve_server_client_send_event (
        client, &notes_program,
        reeve_program_find (&notes_program, NOTES_PROC_CHANGED), &message);
}

static gboolean
put (ReeveCall *call, const notes_put_args *args, GError **error)
{
  Notes *self = reeve_call_get_user_data (call);

  if (!keep (self, args, error))
    return FALSE;

  reeve_server_foreach_client (self->server, tell, args->key);
  return TRUE;
}

static gboolean
get (ReeveCall *call,
     const notes_get_args *args,
     notes_get_ret *ret,
     GError **error)
{
  Notes *self = reeve_call_get_user_data (call);

  REEVE_LOCK_SCOPE (&self->lock);

  ret->text = g_strdup (g_tree_lookup (self->notes, args->key));
  if (ret->text == NULL)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 "there is no note “%s”", args->key);
  return ret->text != NULL;
}

static gboolean
list (ReeveCall *call, notes_list_ret *ret, GError **error)
{
  Notes *self = reeve_call_get_user_data (call);

  REEVE_LOCK_SCOPE (&self->lock);

  ret->keys.items = g_new0 (char *, g_tree_nnodes (self->notes));
  for (GTreeNode *node = g_tree_node_first (self->notes); node != NULL;
       node = g_tree_node_next (node))
    ret->keys.items[ret->keys.n_items++] = g_strdup (g_tree_node_key (node));
  return TRUE;
}

static gboolean
watch (ReeveCall *call, GError **error)
{
  reeve_server_client_attach (reeve_call_get_client (call), watch_key,
                              (gpointer) watch_key, NULL, NULL);
  return TRUE;
}

static gboolean
load (ReeveCall *call, const notes_load_args *args, GError **error)
{
  char text[NOTES_TEXT_MAX + 1] = "";
  notes_put_args note = { .key = args->key, .text = text };
  REEVE_AUTOFD int fd = reeve_call_steal_fd (call, 0);

  if (fd < 0 || read (fd, text, NOTES_TEXT_MAX) < 0) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 "there is no file to read “%s” from", args->key);
    return FALSE;
  }

  return put (call, &note, error);
}

static void
write_and_close (int fd, const char *text)
{
  if (write (fd, text, strlen (text)) < 0)
    g_warning ("cannot write to a pipe: %s", g_strerror (errno));
  close (fd);
}

static gboolean
open_note (ReeveCall *call, const notes_open_args *args, GError **error)
{
  const notes_get_args note = { .key = args->key };
  notes_get_ret found = { 0 };
  int ends[2];

  if (!g_unix_open_pipe (ends, FD_CLOEXEC, error))
    return FALSE;
  if (!reeve_call_add_reply_fd (call, ends[0], error) ||
      !get (call, &note, &found, error)) {
    close (ends[1]);
    return FALSE;
  }

  /* A pipe has room for a page, and a text is not longer. */
  write_and_close (ends[1], found.text);
  notes_get_ret_clear (&found);
  return TRUE;
}

static const notes_handlers handlers = {
  .put = put,
  .get = get,
  .list = list,
  .watch = watch,
  .load = load,
  .open = open_note,
};

static gboolean
notes_init (ReeveDaemon *daemon,
            gpointer *state,
            GError **error) REEVE_UNCHECKED
{
  Notes *self = g_new0 (Notes, 1);

  self->server = reeve_daemon_get_server (daemon);
  self->notes = g_tree_new_full (compare, NULL, g_free, g_free);
  reeve_mutex_init (&self->lock);
  reeve_server_add_program (self->server, &notes_program, &handlers, self);
  *state = self;
  return TRUE;
}

static void
notes_stop (ReeveDaemon *daemon, gpointer state) REEVE_UNCHECKED
{
  Notes *self = state;

  g_tree_unref (self->notes);
  reeve_mutex_clear (&self->lock);
  g_free (self);
}

int
main (int argc, char **argv)
{
  static const ReeveProgram *const programs[] = { &notes_program, NULL };
  static const ReeveDaemonModule module = {
    .name = "notes",
    .init = notes_init,
    .stop = notes_stop,
    .programs = programs,
  };
  static const ReeveDaemonModule *const modules[] = { &module };
  static const ReeveDaemonInfo info = {
    .name = "notesd",
    .directory = "notes",
    .summary = "Keeps short texts by key.",
    .version = "1.0",
    .modules = modules,
    .n_modules = G_N_ELEMENTS (modules),
  };

  return reeve_daemon_main (&info, argc, argv);
}
