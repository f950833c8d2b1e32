/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lvmpolld.h"

#include <reeve/reeve.h>

/* A stand-in for lvmpolld, which LVM's own programs talk to: each job is done
 * after a second. docs/wires.md says what the text is like that they speak. */

#define JOB_US G_USEC_PER_SEC

typedef struct {
  char *lvid;
  char *lvname;
  gint64 end_us;
} Job;

static ReeveMutex lock = { PTHREAD_MUTEX_INITIALIZER };
static GHashTable *jobs REEVE_GUARDED; /* lvid -> Job, owned */

static void
job_free (gpointer data)
{
  Job *self = data;

  g_free (self->lvid);
  g_free (self->lvname);
  g_free (self);
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
  Job *job;

  REEVE_LOCK_SCOPE (&lock);

  if (args->interval[0] == '\0' || args->interval[0] == '-')
    return answer (ret, "invalid", "request requires interval set");
  if (args->lvname[0] == '\0')
    return answer (ret, "failed", "request requires lvname set");
  if (args->lvid[0] == '\0')
    return answer (ret, "failed", "request requires lvid set");
  if (args->vgname[0] == '\0')
    return answer (ret, "failed", "request requires vgname set");
  if (g_hash_table_size (jobs) == LVMPOLLD_JOBS_MAX)
    return answer (ret, "failed", "there are too many jobs");

  if (!g_hash_table_contains (jobs, args->lvid)) {
    job = g_new (Job, 1);
    job->lvid = g_strdup (args->lvid);
    job->lvname = g_strdup (args->lvname);
    job->end_us = g_get_monotonic_time () + JOB_US;
    g_hash_table_insert (jobs, job->lvid, job);
  }
  return answer (ret, "OK", NULL);
}

/* A job that is done is told of once. */
static gboolean
progress (ReeveCall *call,
          const lvmpolld_progress_args *args,
          lvmpolld_verdict *ret,
          GError **error)
{
  const Job *job;

  REEVE_LOCK_SCOPE (&lock);

  if (args->lvid[0] == '\0')
    return answer (ret, "failed", "request requires lvid set");
  job = g_hash_table_lookup (jobs, args->lvid);
  if (job == NULL)
    return answer (ret, "not_found", NULL);
  if (g_get_monotonic_time () < job->end_us)
    return answer (ret, "in_progress", NULL);

  g_hash_table_remove (jobs, args->lvid);
  ret->value = g_new0 (int, 1);
  return answer (ret, "finished", "retcode");
}

static gboolean
dump (ReeveCall *call, lvmpolld_dump_ret *ret, GError **error)
{
  GHashTableIter iter;
  gpointer job;

  REEVE_LOCK_SCOPE (&lock);

  ret->poll.items = g_new0 (lvmpolld_job, g_hash_table_size (jobs));
  g_hash_table_iter_init (&iter, jobs);
  while (g_hash_table_iter_next (&iter, NULL, &job)) {
    lvmpolld_job *row = &ret->poll.items[ret->poll.n_items++];

    row->lvid = g_strdup (((Job *) job)->lvid);
    row->lvname = g_strdup (((Job *) job)->lvname);
    row->polling_finished = g_get_monotonic_time () >= ((Job *) job)->end_us;
  }
  return TRUE;
}

static gboolean
init (ReeveDaemon *daemon, gpointer *state, GError **error) REEVE_UNCHECKED
{
  static const lvmpolld_handlers handlers = {
    add_job, add_job, add_job, add_job, progress, dump,
  };

  jobs = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, job_free);
  reeve_server_add_program (reeve_daemon_get_server (daemon), &lvmpolld_program,
                            &handlers, NULL);
  return TRUE;
}

int
main (int argc, char **argv)
{
  static const ReeveProgram *const programs[] = { &lvmpolld_program, NULL };
  static const ReeveDaemonModule module = { .name = "lvmpolld",
                                            .init = init,
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
