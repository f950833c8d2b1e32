/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hello.h"

#include <reeve/reeve.h>

/* `hellod`: a daemon with two procedures. Both are `inline`, so that the loop's
 * thread runs them, and what they share needs no lock. */

static uint64_t n_greetings;

static gboolean
greet (ReeveCall *call,
       const hello_greet_args *args,
       hello_greet_ret *ret,
       GError **error)
{
  if (args->name[0] == '\0') {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 "nobody is to be greeted");
    return FALSE;
  }

  n_greetings++;
  ret->text = g_strdup_printf ("Hello, %s!", args->name);
  return TRUE;
}

static gboolean
count (ReeveCall *call, hello_count_ret *ret, GError **error)
{
  ret->greetings = n_greetings;
  return TRUE;
}

static gboolean
init (ReeveDaemon *daemon, gpointer *state, GError **error)
{
  static const hello_handlers handlers = { .greet = greet, .count = count };

  reeve_server_add_program (reeve_daemon_get_server (daemon), &hello_program,
                            &handlers, NULL);
  return TRUE;
}

int
main (int argc, char **argv)
{
  static const ReeveDaemonModule module = { .name = "hello", .init = init };
  static const ReeveDaemonModule *const modules[] = { &module };
  static const ReeveDaemonInfo info = {
    .name = "hellod",
    .directory = "hello",
    .summary = "Greets.",
    .version = "1.0",
    .modules = modules,
    .n_modules = G_N_ELEMENTS (modules),
  };

  return reeve_daemon_main (&info, argc, argv);
}
