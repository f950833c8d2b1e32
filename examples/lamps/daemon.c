/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lamps.h"

#include <reeve/reeve.h>

/* `lampsd`: procedures that stock `ovs-appctl` calls by names of its own kind.
 * The words behind such a name become the arguments, by their types; the result
 * becomes text, here by a function. All of it is the loop's thread's. */

static lamps_row lamps[] = {
  { (char *) "hall", FALSE },
  { (char *) "kitchen", FALSE },
  { (char *) "porch", TRUE },
};

/* (nullable): with @error set. */
static lamps_row *
find (const char *name, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (lamps); i++)
    if (g_str_equal (lamps[i].name, name))
      return &lamps[i];

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               "there is no lamp “%s”", name);
  return NULL;
}

static gboolean
show (ReeveCall *call, lamps_show_ret *ret, GError **error)
{
  ret->rows.n_items = G_N_ELEMENTS (lamps);
  ret->rows.items = g_memdup2 (lamps, sizeof lamps);
  for (size_t i = 0; i < G_N_ELEMENTS (lamps); i++)
    ret->rows.items[i].name = g_strdup (lamps[i].name);
  return TRUE;
}

static gboolean
set (ReeveCall *call, const lamps_set_args *args, GError **error)
{
  lamps_row *lamp = find (args->name, error);

  if (lamp != NULL)
    lamp->is_on = args->state;
  return lamp != NULL;
}

static gboolean
reset (ReeveCall *call, const lamps_reset_args *args, GError **error)
{
  for (uint32_t i = 0; i < args->names.n_items; i++)
    if (find (args->names.items[i], error) == NULL)
      return FALSE;

  for (uint32_t i = 0; i < args->names.n_items; i++)
    find (args->names.items[i], NULL)->is_on = FALSE;
  for (size_t i = 0; i < G_N_ELEMENTS (lamps) && args->names.n_items == 0; i++)
    lamps[i].is_on = FALSE;
  return TRUE;
}

/* The text of `lamps/show`. */
static char *
format_show (gconstpointer data)
{
  const lamps_show_ret *ret = data;
  GString *text = g_string_new (NULL);

  for (uint32_t i = 0; i < ret->rows.n_items; i++)
    g_string_append_printf (text, "%-10s %s\n", ret->rows.items[i].name,
                            ret->rows.items[i].is_on ? "on" : "off");
  return g_string_free (text, FALSE);
}

static gboolean
init (ReeveDaemon *daemon, gpointer *state, GError **error)
{
  static const lamps_handlers handlers = {
    .show = show,
    .set = set,
    .reset = reset,
  };
  static const ReeveCommand commands[] = {
    { "lamps/reset", &lamps_program, LAMPS_PROC_RESET, NULL },
    { "lamps/set", &lamps_program, LAMPS_PROC_SET, NULL },
    { "lamps/show", &lamps_program, LAMPS_PROC_SHOW, format_show },
  };
  ReeveServer *server = reeve_daemon_get_server (daemon);

  reeve_server_add_program (server, &lamps_program, &handlers, NULL);
  reeve_server_add_commands (server, commands, G_N_ELEMENTS (commands));
  return TRUE;
}

int
main (int argc, char **argv)
{
  static const ReeveDaemonModule module = { .name = "lamps", .init = init };
  static const ReeveDaemonModule *const modules[] = { &module };
  static const ReeveDaemonInfo info = {
    .name = "lampsd",
    .directory = "lamps",
    .summary = "Has lamps.",
    .version = "1.0",
    .modules = modules,
    .n_modules = G_N_ELEMENTS (modules),
  };

  return reeve_daemon_main (&info, argc, argv);
}
