/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lvmpolld.h"

#include <reeve/reeve.h>

/* A stand-in for lvmpolld, which LVM's own programs talk to: each job is a
 * program, $LVM_BINARY or `lvm`, that the loop looks after. docs/wires.md says
 * what the text is like that they speak. All of this is the loop's thread's. */

static GHashTable *jobs; /* lvid -> ReeveChild by the name of VG/LV; owned */

static gboolean
answer (lvmpolld_verdict *ret, const char *response, const char *reason)
{
  ret->response = g_strdup (response);
  ret->reason = g_strdup (reason);
  return TRUE;
}

static gboolean
start (ReeveCall *call, const lvmpolld_job_args *args, lvmpolld_verdict *ret)
{
  ReeveDaemon *daemon = reeve_call_get_user_data (call);
  g_autofree char *name = g_strconcat (args->vgname, "/", args->lvname, NULL);
  const char *planned = g_getenv ("LVM_BINARY");
  const char *binary = planned != NULL ? planned : "lvm";
  const char *operation = reeve_call_get_procedure (call)->name;
  const char *last = args->handle_missing_pvs ? "--handlemissingpvs" : NULL;
  const char *const argv[] = {
    binary,    "lvpoll", "--interval", args->interval, "--polloperation",
    operation, name,     "-An",        last,           NULL
  };
  g_auto (GStrv) envp = g_get_environ ();
  ReeveChildPlan plan = { argv, NULL, 4096, name };
  g_autoptr (GError) error = NULL;
  ReeveChild *job;

  if (args->sysdir[0] != '\0')
    envp = g_environ_setenv (envp, "LVM_SYSTEM_DIR", args->sysdir, TRUE);
  plan.envp = (const char *const *) envp;
  job = reeve_child_start (reeve_daemon_get_loop (daemon), &plan, NULL, NULL,
                           &error);
  if (job == NULL)
    return answer (ret, "failed", error->message);

  g_hash_table_insert (jobs, g_strdup (args->lvid), job);
  reeve_daemon_hold (daemon); /* until somebody has asked for the end */
  return answer (ret, "OK", NULL);
}

static gboolean
add_job (ReeveCall *call,
         const lvmpolld_job_args *args,
         lvmpolld_verdict *ret,
         GError **error)
{
  if (args->interval[0] == '\0' || args->interval[0] == '-')
    return answer (ret, "invalid", "request requires interval set");
  if (args->lvname[0] == '\0')
    return answer (ret, "failed", "request requires lvname set");
  if (args->lvid[0] == '\0')
    return answer (ret, "failed", "request requires lvid set");
  /* It begins a word of the program's. */
  if (args->vgname[0] == '\0' || args->vgname[0] == '-')
    return answer (ret, "failed", "request requires vgname set");
  if (g_hash_table_contains (jobs, args->lvid))
    return answer (ret, "OK", NULL);
  if (g_hash_table_size (jobs) == LVMPOLLD_JOBS_MAX)
    return answer (ret, "failed", "there are too many jobs");

  return start (call, args, ret);
}

/* A job that has ended is told of once. */
static gboolean
progress (ReeveCall *call,
          const lvmpolld_progress_args *args,
          lvmpolld_verdict *ret,
          GError **error)
{
  const ReeveChild *job = g_hash_table_lookup (jobs, args->lvid);
  gboolean has_exited;

  if (args->lvid[0] == '\0')
    return answer (ret, "failed", "request requires lvid set");
  if (job == NULL)
    return answer (ret, "not_found", NULL);
  if (reeve_child_is_running (job))
    return answer (ret, "in_progress", NULL);

  ret->value = g_new (int, 1);
  has_exited = reeve_child_has_exited (job, ret->value);
  g_hash_table_remove (jobs, args->lvid);
  reeve_daemon_release (reeve_call_get_user_data (call));
  return answer (ret, "finished", has_exited ? "retcode" : "signal");
}

static gboolean
dump (ReeveCall *call, lvmpolld_dump_ret *ret, GError **error)
{
  GHashTableIter iter;
  gpointer lvid, job;

  ret->poll.items = g_new0 (lvmpolld_job, g_hash_table_size (jobs));
  g_hash_table_iter_init (&iter, jobs);
  while (g_hash_table_iter_next (&iter, &lvid, &job))
    ret->poll.items[ret->poll.n_items++] =
        (lvmpolld_job){ g_strdup (lvid), g_strdup (reeve_child_get_name (job)),
                        reeve_child_get_pid (job),
                        !reeve_child_is_running (job) };
  return TRUE;
}

static gboolean
init (ReeveDaemon *daemon, gpointer *state, GError **error)
{
  static const lvmpolld_handlers handlers = { add_job, add_job,  add_job,
                                              add_job, progress, dump };

  jobs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                (GDestroyNotify) reeve_child_free);
  reeve_server_add_program (reeve_daemon_get_server (daemon), &lvmpolld_program,
                            &handlers, daemon);
  return TRUE;
}

static void
stop (ReeveDaemon *daemon, gpointer state)
{
  g_clear_pointer (&jobs, g_hash_table_unref);
}

int
main (int argc, char **argv)
{
  static const ReeveProgram *const programs[] = { &lvmpolld_program, NULL };
  static const ReeveDaemonModule module = {
    .name = "lvmpolld", .init = init, .stop = stop, .programs = programs
  };
  static const ReeveDaemonModule *const modules[] = { &module };
  /* The name is that of the protocol, too. */
  static const ReeveDaemonInfo info = {
    "lvmpolld", "lvmpolld", "Stands in for LVM's lvmpolld.", "1.0", modules, 1
  };

  return reeve_daemon_main (&info, argc, argv);
}
