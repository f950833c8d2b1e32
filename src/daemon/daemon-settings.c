/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon-private.h"

#include "daemon/log.h"
#include "rpc/server-limits.h"

#include <string.h>

/* What an operator set, apart from what the configuration says: it goes along
 * when another daemon takes over. */

#define N_WORKERS 5

static void
fill_workers (const ReeveJobPoolSize *size, takeover_setting *settings)
{
  const takeover_setting filled[N_WORKERS] = {
    { (char *) "workers.lo_water", size->lo_water },
    { (char *) "workers.hi_water", size->hi_water },
    { (char *) "workers.increment", size->increment },
    { (char *) "workers.maximum", size->maximum },
    { (char *) "workers.n_priority", size->n_priority },
  };

  memcpy (settings, filled, sizeof filled);
}

static void
add (GArray *settings, const char *name, int64_t value)
{
  const takeover_setting setting = { g_strdup (name), value };

  g_array_append_val (settings, setting);
}

/* A pool's numbers belong together. */
static void
add_workers (GArray *settings, const ReeveJobPoolSize *size)
{
  takeover_setting workers[N_WORKERS];

  fill_workers (size, workers);
  for (unsigned i = 0; i < N_WORKERS; i++)
    add (settings, workers[i].name, workers[i].value);
}

static void
save_limits (ReeveServer *server,
             const ReeveServerLimits *base,
             takeover_server_settings *saved)
{
  GArray *settings = g_array_new (FALSE, FALSE, sizeof (takeover_setting));
  ReeveServerLimits limits;

  reeve_server_get_limits (server, &limits);
#define ADD_LIMIT(type, name, value)                                           \
  if (limits.name != base->name)                                               \
    add (settings, #name, (int64_t) limits.name);
  REEVE_EACH_LIMIT (ADD_LIMIT)
#undef ADD_LIMIT
  if (memcmp (&limits.workers, &base->workers, sizeof limits.workers) != 0)
    add_workers (settings, &limits.workers);

  saved->server = g_strdup (reeve_server_get_name (server));
  saved->settings.n_items = settings->len;
  saved->settings.items =
      (takeover_setting *) (void *) g_array_free (settings, FALSE);
}

void
reeve_daemon_note_settings (ReeveDaemon *self)
{
  unsigned n;

  for (unsigned i = 0; self->servers[i] != NULL; i++)
    reeve_server_get_limits (self->servers[i], &self->base.limits[i]);
  self->base.log_outputs = reeve_log_dup_outputs (&n);
  self->base.log_filters = reeve_log_dup_filters (&n);
  self->base.timeout_s = atomic_load (&self->timeout_s);
}

void
reeve_daemon_clear_settings (ReeveDaemon *self)
{
  g_clear_pointer (&self->base.log_outputs, g_free);
  g_clear_pointer (&self->base.log_filters, g_free);
}

/* (transfer full) (nullable): what it is now, if that is something else. */
static char *
get_changed (char *now, const char *base)
{
  if (g_strcmp0 (now, base) != 0)
    return now;

  g_free (now);
  return NULL;
}

void
reeve_daemon_save_settings (ReeveDaemon *self, takeover_daemon *saved)
{
  unsigned n_servers = 0;
  unsigned n;

  while (self->servers[n_servers] != NULL)
    n_servers++;
  saved->servers.n_items = n_servers;
  saved->servers.items = g_new0 (takeover_server_settings, n_servers);
  for (unsigned i = 0; i < n_servers; i++)
    save_limits (self->servers[i], &self->base.limits[i],
                 &saved->servers.items[i]);

  saved->log_outputs =
      get_changed (reeve_log_dup_outputs (&n), self->base.log_outputs);
  saved->log_filters =
      get_changed (reeve_log_dup_filters (&n), self->base.log_filters);
  if (atomic_load (&self->timeout_s) != self->base.timeout_s) {
    saved->timeout_s = g_new (int64_t, 1);
    *saved->timeout_s = atomic_load (&self->timeout_s);
  }
}

/* ------------------------------------------------------------- restoring -- */

/* Names that are not known are of another version, and are left out. */
static void
set_limit (ReeveServerLimits *limits, const takeover_setting *setting)
{
  ReeveJobPoolSize *size = &limits->workers;
  const struct {
    const char *name;
    unsigned *value;
  } workers[N_WORKERS] = {
    { "workers.lo_water", &size->lo_water },
    { "workers.hi_water", &size->hi_water },
    { "workers.increment", &size->increment },
    { "workers.maximum", &size->maximum },
    { "workers.n_priority", &size->n_priority },
  };

#define SET_LIMIT(type, limit, value_)                                         \
  if (g_str_equal (setting->name, #limit))                                     \
    limits->limit = (type) setting->value;
  REEVE_EACH_LIMIT (SET_LIMIT)
#undef SET_LIMIT
  for (unsigned i = 0; i < N_WORKERS; i++)
    if (g_str_equal (setting->name, workers[i].name))
      *workers[i].value = (unsigned) setting->value;
}

static gboolean
restore_limits (ReeveDaemon *self,
                const takeover_server_settings *saved,
                GError **error)
{
  ReeveServer *server = reeve_daemon_find_server (self, saved->server, NULL);
  ReeveServerLimits limits;

  if (server == NULL || saved->settings.n_items == 0)
    return TRUE;

  reeve_server_get_limits (server, &limits);
  for (uint32_t i = 0; i < saved->settings.n_items; i++)
    set_limit (&limits, &saved->settings.items[i]);
  return reeve_server_set_limits (server, &limits, error);
}

gboolean
reeve_daemon_restore_settings (ReeveDaemon *self,
                               const takeover_daemon *saved,
                               GError **error)
{
  for (uint32_t i = 0; i < saved->servers.n_items; i++)
    if (!restore_limits (self, &saved->servers.items[i], error))
      return FALSE;

  if (saved->timeout_s != NULL)
    reeve_daemon_set_timeout (self, (unsigned) *saved->timeout_s);
  return (saved->log_outputs == NULL ||
          reeve_log_set_outputs (saved->log_outputs, error)) &&
         (saved->log_filters == NULL ||
          reeve_log_set_filters (saved->log_filters, error));
}
