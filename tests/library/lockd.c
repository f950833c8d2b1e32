/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lockd.h"

#include <reeve/reeve.h>

/* Stands in for lvmlockd: grants each lock but those for writing, and notes
 * what it was asked. */

static ReeveMutex lock = { PTHREAD_MUTEX_INITIALIZER };
static GPtrArray *seen REEVE_GUARDED; /* (element-type utf8) (owned) */

static void
note (ReeveCall *call, const lockd_args *args)
{
  const char *request = reeve_call_get_procedure (call)->name;

  REEVE_LOCK_SCOPE (&lock);

  if (seen->len == LOCKD_SEEN_MAX)
    return;
  g_ptr_array_add (seen, args == NULL
                             ? g_strdup (request)
                             : g_strjoin (" ", request, args->cmd,
                                          args->vg_name, args->mode, NULL));
}

static gboolean
answer (ReeveCall *call, const lockd_args *args, lockd_ret *ret, GError **error)
{
  note (call, args);
  ret->result_flags = g_strdup ("none");
  ret->lock_type = g_strdup ("dlm");
  return TRUE;
}

static gboolean
answer_nothing (ReeveCall *call, lockd_ret *ret, GError **error)
{
  return answer (call, NULL, ret, error);
}

static gboolean
tell_seen (ReeveCall *call, lockd_seen_ret *ret, GError **error)
{
  REEVE_LOCK_SCOPE (&lock);

  ret->lines.items = g_new0 (lockd_string, seen->len);
  for (guint i = 0; i < seen->len; i++)
    ret->lines.items[ret->lines.n_items++] = g_strdup (seen->pdata[i]);
  return TRUE;
}

static gboolean
init (ReeveDaemon *daemon, gpointer *state, GError **error) REEVE_UNCHECKED
{
  static const lockd_handlers handlers = {
    .lock_gl = answer,
    .lock_vg = answer,
    .enable_gl = answer,
    .stop_all = answer,
    .info = answer_nothing,
    .dump = answer_nothing,
    .quit = answer_nothing,
    .seen = tell_seen,
  };

  seen = g_ptr_array_new_with_free_func (g_free);
  reeve_server_add_program (reeve_daemon_get_server (daemon), &lockd_program,
                            &handlers, NULL);
  return TRUE;
}

int
main (int argc, char **argv)
{
  static const ReeveProgram *const programs[] = { &lockd_program, NULL };
  static const ReeveDaemonModule module = { .name = "lvmlockd",
                                            .init = init,
                                            .programs = programs };
  static const ReeveDaemonModule *const modules[] = { &module };
  /* The name is that of the protocol, too. */
  static const ReeveDaemonInfo info = {
    .name = "lvmlockd",
    .directory = "lvmlockd",
    .summary = "Stands in for LVM's lvmlockd.",
    .version = "1.0",
    .modules = modules,
    .n_modules = 1,
  };

  return reeve_daemon_main (&info, argc, argv);
}
