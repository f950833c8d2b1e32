/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/watchdog.h"

#include "daemon/message-ids.h"
#include "event/intl.h"

/* How often jobs are looked at where no supervisor wants to hear of us. */
#define LOOK_MS 5000

/* Of the loop's thread. */
struct _ReeveWatchdog {
  ReeveLoop *loop; /* (owned) */
  const ReeveNotify *notify;
  ReeveServer *const *servers;
  gint64 overdue_us; /* 0: nothing ever is */
  int watch;
  int interval_ms;          /* between two looks */
  ReeveJobPoolOldest named; /* the job that was named last */
  gboolean is_withheld;
};

/* Whether @self is the job that was named already. */
static gboolean
is_named (const ReeveWatchdog *self, const ReeveJobPoolOldest *job)
{
  return job->start_us == self->named.start_us &&
         job->thread == self->named.thread;
}

static void
tell_overdue (ReeveWatchdog *self, const ReeveJobPoolOldest *job)
{
  g_autofree char *text = g_strdup_printf (
      _ ("%s is overdue"), job->name != NULL ? job->name : _ ("A job"));

  reeve_notify_send (self->notify, "STATUS=%s", text);
}

static gboolean
is_overdue (ReeveWatchdog *self, ReeveServer *server, gint64 now_us)
{
  ReeveJobPoolOldest job;

  if (!reeve_job_pool_get_oldest (reeve_server_get_pool (server), &job) ||
      now_us - job.start_us < self->overdue_us)
    return FALSE;

  if (!is_named (self, &job)) {
    reeve_log_message (G_LOG_LEVEL_WARNING, REEVE_MESSAGE_OVERDUE,
                       _ ("A worker of the server “%1$s” has been busy with "
                          "“%2$s” for %3$u seconds, in thread %4$d"),
                       reeve_server_get_name (server),
                       job.name != NULL ? job.name : "?",
                       (unsigned) ((now_us - job.start_us) / G_USEC_PER_SEC),
                       (int) job.thread);
    tell_overdue (self, &job);
    self->named = job;
  }
  return TRUE;
}

static gboolean
has_overdue (ReeveWatchdog *self)
{
  gint64 now_us = g_get_monotonic_time ();
  gboolean is_found = FALSE;

  if (self->overdue_us > 0)
    for (ReeveServer *const *server = self->servers; *server != NULL; server++)
      is_found = is_overdue (self, *server, now_us) || is_found;

  return is_found;
}

/* A thread of a server's clients that does not turn is as good as dead. */
static gboolean
have_turned (ReeveWatchdog *self)
{
  gboolean have_all = TRUE;

  for (ReeveServer *const *server = self->servers; *server != NULL; server++)
    have_all = reeve_server_have_loops_turned (*server) && have_all;
  if (!have_all && !self->is_withheld)
    g_warning (_ ("A thread for clients has not turned for %d milliseconds"),
               self->interval_ms);
  return have_all;
}

static void
look (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveWatchdog *self = data;
  gboolean was_withheld = self->is_withheld;

  self->is_withheld = !have_turned (self);
  self->is_withheld = has_overdue (self) || self->is_withheld;
  if (self->is_withheld)
    return;

  if (was_withheld)
    reeve_notify_send (self->notify, "STATUS=%s", _ ("Ready"));
  if (reeve_notify_get_watchdog (self->notify) > 0)
    reeve_notify_send (self->notify, "WATCHDOG=1");
}

static int
get_interval (const ReeveWatchdog *self)
{
  uint64_t watchdog_us = reeve_notify_get_watchdog (self->notify);

  if (watchdog_us > 0)
    return (int) CLAMP (watchdog_us / 2000, 1, LOOK_MS);
  return self->overdue_us > 0 ? LOOK_MS : -1;
}

ReeveWatchdog *
reeve_watchdog_new (ReeveLoop *loop,
                    const ReeveNotify *notify,
                    ReeveServer *const *servers,
                    unsigned overdue_ms)
{
  ReeveWatchdog *self = g_new0 (ReeveWatchdog, 1);

  self->loop = reeve_loop_ref (loop);
  self->notify = notify;
  self->servers = servers;
  self->overdue_us = (gint64) overdue_ms * 1000;
  self->interval_ms = get_interval (self);
  self->watch =
      reeve_loop_add_timeout (loop, self->interval_ms, look, self, NULL);
  return self;
}

void
reeve_watchdog_free (ReeveWatchdog *self)
{
  if (self == NULL)
    return;

  reeve_loop_remove (self->loop, self->watch);
  reeve_loop_unref (self->loop);
  g_free (self);
}
