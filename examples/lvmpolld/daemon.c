/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lvmpolld.h"

#include <reeve/reeve.h>
#include <sys/wait.h>

/* A stand-in for lvmpolld, which LVM's own programs talk to: each job is a
 * program, $LVM_BINARY or `lvm`, that the loop looks after. docs/wires.md says
 * what the text is like that they speak. All of this is the loop's thread's. */

/* Of what a job says. */
#define MAX_OUTPUT 4096

typedef struct {
  char *lvid;
  char *lvname;
  ReeveChild *child;
  pid_t pid;
  gboolean has_ended;
  int status; /* as of waitpid() */
} Job;

static GHashTable *jobs; /* lvid -> Job, owned */

static void
job_free (gpointer data)
{
  Job *self = data;

  reeve_child_free (self->child);
  g_free (self->lvid);
  g_free (self->lvname);
  g_free (self);
}

static void
take_end (ReeveChild *child, int status, gpointer data)
{
  Job *self = data;
  g_autofree char *words = reeve_child_dup_status (child);
  size_t size;

  self->has_ended = TRUE;
  self->status = status;
  g_message ("%s: %s: %s", self->lvname, words,
             reeve_child_get_output (child, &size));
}

static gboolean
start (Job *self,
       ReeveLoop *loop,
       const char *operation,
       const lvmpolld_job_args *args,
       GError **error)
{
  const char *binary = g_getenv ("LVM_BINARY");
  const char *const argv[] = {
    binary != NULL ? binary : "lvm",
    "lvpoll",
    "--interval",
    args->interval,
    "--polloperation",
    operation,
    self->lvname,
    "-An",
    args->handle_missing_pvs ? "--handlemissingpvs" : NULL,
    NULL,
  };
  g_auto (GStrv) envp = g_get_environ ();
  ReeveChildPlan plan = { .argv = argv, .max_output_bytes = MAX_OUTPUT };

  if (args->sysdir[0] != '\0')
    envp = g_environ_setenv (envp, "LVM_SYSTEM_DIR", args->sysdir, TRUE);
  plan.envp = (const char *const *) envp;
  self->child = reeve_child_start (loop, &plan, take_end, self, error);
  if (self->child == NULL)
    return FALSE;

  self->pid = reeve_child_get_pid (self->child);
  return TRUE;
}

static gboolean
answer (lvmpolld_verdict *ret, const char *response, const char *reason)
{
  ret->response = g_strdup (response);
  ret->reason = g_strdup (reason);
  return TRUE;
}

static gboolean
add_job (ReeveCall *call,
         const lvmpolld_job_args *args,
         lvmpolld_verdict *ret,
         GError **error)
{
  ReeveDaemon *daemon = reeve_call_get_user_data (call);
  g_autoptr (GError) failure = NULL;
  Job *job;

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

  job = g_new0 (Job, 1);
  job->lvid = g_strdup (args->lvid);
  job->lvname = g_strconcat (args->vgname, "/", args->lvname, NULL);
  if (!start (job, reeve_daemon_get_loop (daemon),
              reeve_call_get_procedure (call)->name, args, &failure)) {
    job_free (job);
    return answer (ret, "failed", failure->message);
  }

  g_hash_table_insert (jobs, job->lvid, job);
  return answer (ret, "OK", NULL);
}

/* A job that has ended is told of once. */
static gboolean
progress (ReeveCall *call,
          const lvmpolld_progress_args *args,
          lvmpolld_verdict *ret,
          GError **error)
{
  const Job *job;
  const char *reason;

  if (args->lvid[0] == '\0')
    return answer (ret, "failed", "request requires lvid set");
  job = g_hash_table_lookup (jobs, args->lvid);
  if (job == NULL)
    return answer (ret, "not_found", NULL);
  if (!job->has_ended)
    return answer (ret, "in_progress", NULL);

  ret->value = g_new (int, 1);
  *ret->value = WIFEXITED (job->status) ? WEXITSTATUS (job->status)
                                        : WTERMSIG (job->status);
  reason = WIFEXITED (job->status) ? "retcode" : "signal";
  g_hash_table_remove (jobs, args->lvid);
  return answer (ret, "finished", reason);
}

static gboolean
dump (ReeveCall *call, lvmpolld_dump_ret *ret, GError **error)
{
  GHashTableIter iter;
  gpointer value;

  ret->poll.items = g_new0 (lvmpolld_job, g_hash_table_size (jobs));
  g_hash_table_iter_init (&iter, jobs);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const Job *job = value;
    lvmpolld_job *row = &ret->poll.items[ret->poll.n_items++];

    row->lvid = g_strdup (job->lvid);
    row->lvname = g_strdup (job->lvname);
    row->lvm_command_pid = (int) job->pid;
    row->polling_finished = job->has_ended;
  }
  return TRUE;
}

static gboolean
init (ReeveDaemon *daemon, gpointer *state, GError **error)
{
  static const lvmpolld_handlers handlers = {
    add_job, add_job, add_job, add_job, progress, dump,
  };

  jobs = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, job_free);
  reeve_server_add_program (reeve_daemon_get_server (daemon), &lvmpolld_program,
                            &handlers, daemon);
  return TRUE;
}

/* With the jobs. */
static void
stop (ReeveDaemon *daemon, gpointer state)
{
  g_clear_pointer (&jobs, g_hash_table_unref);
}

/* There are jobs to be asked for. */
static gboolean
is_busy (ReeveDaemon *daemon, gpointer state)
{
  return g_hash_table_size (jobs) > 0;
}

int
main (int argc, char **argv)
{
  static const ReeveProgram *const programs[] = { &lvmpolld_program, NULL };
  static const ReeveDaemonModule module = { .name = "lvmpolld",
                                            .init = init,
                                            .stop = stop,
                                            .is_busy = is_busy,
                                            .programs = programs };
  static const ReeveDaemonModule *const modules[] = { &module };
  /* The name is that of the protocol, too. */
  static const ReeveDaemonInfo info = {
    .name = "lvmpolld",
    .directory = "lvmpolld",
    .summary = "Stands in for LVM's lvmpolld.",
    .version = "1.0",
    .modules = modules,
    .n_modules = 1,
  };

  return reeve_daemon_main (&info, argc, argv);
}
