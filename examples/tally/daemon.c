/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tally.h"

#include <reeve/reeve.h>

/* `tallyd`: what it knows is in memory alone, and outlives the process: a
 * daemon that is started with --takeover gets it, with the clients. All of it
 * is the loop's thread's. */

static const char client_key[] = "tally"; /* -> tally_saved_client */

static gboolean
add (ReeveCall *call,
     const tally_add_args *args,
     tally_add_ret *ret,
     GError **error)
{
  GHashTable *totals = reeve_call_get_user_data (call);
  tally_saved_client *client =
      reeve_server_client_attach (reeve_call_get_client (call), client_key,
                                  g_new0 (tally_saved_client, 1), NULL, g_free);
  uint64_t *total = g_hash_table_lookup (totals, args->name);

  if (total == NULL && g_hash_table_size (totals) < TALLY_MAX) {
    total = g_new0 (uint64_t, 1);
    g_hash_table_insert (totals, g_strdup (args->name), total);
  }
  if (total == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT, "too many names");
    return FALSE;
  }

  ret->total = *total += args->by;
  ret->own = client->own += args->by;
  return TRUE;
}

static void
fill (GHashTable *totals, tally_list_ret *ret)
{
  GHashTableIter iter;
  gpointer name, total;

  ret->rows.items = g_new0 (tally_row, g_hash_table_size (totals));
  g_hash_table_iter_init (&iter, totals);
  while (g_hash_table_iter_next (&iter, &name, &total))
    ret->rows.items[ret->rows.n_items++] =
        (tally_row){ g_strdup (name), *(uint64_t *) total };
}

static gboolean
list (ReeveCall *call, tally_list_ret *ret, GError **error)
{
  fill (reeve_call_get_user_data (call), ret);
  return TRUE;
}

static gboolean
save_client (ReeveServerClient *client,
             gpointer data,
             ReeveSavedState *state,
             GByteArray *saved,
             GError **error)
{
  return reeve_state_append (saved, &tally_saved_client_type, data, error);
}

static gboolean
restore_client (ReeveServerClient *client,
                ReeveStateReader *reader,
                ReeveSavedState *state,
                gpointer user_data,
                GError **error)
{
  tally_saved_client *self = g_new0 (tally_saved_client, 1);

  reeve_server_client_attach (client, client_key, self, NULL, g_free);
  return reeve_state_reader_take (reader, &tally_saved_client_type, self,
                                  error);
}

static gboolean
save (gpointer state, ReeveSavedState *saved, GError **error)
{
  GByteArray *data = g_byte_array_new ();
  tally_list_ret all = { 0 };
  gboolean is_done;

  fill (state, &all);
  is_done = reeve_state_append (data, &tally_list_ret_type, &all, error);
  tally_list_ret_clear (&all);
  reeve_saved_state_add (saved, "tally", 1, 1, data);
  return is_done;
}

static gboolean
restore (gpointer state, ReeveSavedState *saved, GError **error)
{
  tally_list_ret all = { 0 };
  ReeveStateReader reader;
  gboolean is_done =
      reeve_saved_state_find (saved, "tally", 1, &reader, error) &&
      reeve_state_reader_take (&reader, &tally_list_ret_type, &all, error);

  for (uint32_t i = 0; is_done && i < all.rows.n_items; i++)
    g_hash_table_insert (
        state, g_strdup (all.rows.items[i].name),
        g_memdup2 (&all.rows.items[i].total, sizeof (uint64_t)));
  tally_list_ret_clear (&all);
  return is_done;
}

static gboolean
init (ReeveDaemon *daemon, gpointer *state, GError **error)
{
  static const tally_handlers handlers = { .add = add, .list = list };
  static const ReeveServerAttachment attachment = { "tally", client_key,
                                                    save_client,
                                                    restore_client };
  ReeveServer *server = reeve_daemon_get_server (daemon);

  *state = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  reeve_server_add_program (server, &tally_program, &handlers, *state);
  reeve_server_add_attachment (server, &attachment, *state);
  return TRUE;
}

static void
stop (ReeveDaemon *daemon, gpointer state)
{
  g_hash_table_unref (state);
}

int
main (int argc, char **argv)
{
  static const ReeveDaemonTakeover takeover = { .save = save,
                                                .restore = restore };
  static const ReeveDaemonModule module = {
    .name = "tally", .init = init, .stop = stop, .takeover = &takeover
  };
  static const ReeveDaemonModule *const modules[] = { &module };
  static const ReeveDaemonInfo info = { "tallyd",  "tally",
                                        "Counts.", "1.0",
                                        modules,   G_N_ELEMENTS (modules) };

  return reeve_daemon_main (&info, argc, argv);
}
