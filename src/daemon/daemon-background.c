/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon-private.h"

#include "daemon/background.h"
#include "daemon/log.h"
#include "daemon/monitor.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <errno.h>
#include <unistd.h>

gboolean
reeve_daemon_log_in_background (ReeveDaemon *self, GError **error)
{
  const ReeveDaemonConfig *config = self->config;
  g_autofree char *outputs = NULL;

  if (config->log_outputs != NULL)
    return TRUE;

  if (self->places->mode != REEVE_MODE_PRIVATE && reeve_log_has_journal ())
    outputs = g_strdup ("1:journald");
  else
    outputs = g_strdup_printf ("1:file:%s/%s.log", self->places->log_dir,
                               self->info->name);
  return reeve_places_make (self->places, error) &&
         reeve_log_set_defaults (outputs, config->log_filters, error);
}

/* Where a daemon goes that leaves the terminal. */
static const char *
get_directory (ReeveDaemon *self)
{
  if (self->config->directory != NULL)
    return self->config->directory;
  return self->options->detach && !self->options->keep_directory ? "/" : NULL;
}

static int
run_monitor (ReeveDaemon *self, unsigned *n_restarts)
{
  const ReeveMonitorPlan plan = {
    .name = self->info->name,
    .restart_interval_ms = self->config->restart_interval_s * 1000,
    .watchdog_ms = self->config->watchdog_s * 1000,
    .is_background = self->options->detach,
    .directory = get_directory (self),
    .title = self->title,
    .inherited = reeve_listeners_get_inherited (self->listeners),
    .notify = &self->notify,
  };
  int status = reeve_monitor_run (&plan, n_restarts);

  g_clear_pointer (&self->title, reeve_process_title_free);
  self->is_monitored = TRUE;
  return status;
}

int
reeve_daemon_leave_terminal (ReeveDaemon *self, unsigned *n_restarts)
{
  int status = -1;

  *n_restarts = 0;
  if (self->options->detach)
    status = reeve_background_start (self->info->name, &self->notify);
  if (status < 0 && self->options->monitor)
    status = run_monitor (self, n_restarts);

  return status;
}

gboolean
reeve_daemon_settle (ReeveDaemon *self, GError **error)
{
  const char *directory = get_directory (self);

  if (self->options->detach ? reeve_background_finish (directory)
                            : directory == NULL || chdir (directory) == 0)
    return TRUE;

  return reeve_error_from_errno (error, errno, _ ("Cannot go to %s"),
                                 directory);
}
