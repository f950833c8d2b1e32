/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/admin-private.h"
#include "event/intl.h"
#include "rpc/error.h"

/* One server of the daemon: its workers, its limits, its certificates. */

/* ------------------------------------------------------------- workers --- */

gboolean
reeve_admin_get_workers (
    ReeveCall *call,
    const admin_server_get_threadpool_parameters_args *args,
    admin_server_get_threadpool_parameters_ret *ret,
    GError **error)
{
  ReeveServer *server = reeve_admin_find_server (call, args->srv.name, error);
  ReeveJobPoolSize size;
  ReeveJobPoolStats stats;
  GArray *params;

  if (server == NULL || !reeve_admin_check_flags (call, args->flags, error))
    return FALSE;

  reeve_job_pool_get_size (reeve_server_get_pool (server), &size);
  reeve_job_pool_get_stats (reeve_server_get_pool (server), &stats);
  params = reeve_admin_params_new ();
  reeve_admin_params_add_uint (params, "minWorkers", size.lo_water);
  reeve_admin_params_add_uint (params, "maxWorkers", size.maximum);
  reeve_admin_params_add_uint (params, "nWorkers", stats.n_threads);
  reeve_admin_params_add_uint (params, "freeWorkers", stats.n_waiting);
  reeve_admin_params_add_uint (params, "prioWorkers", size.n_priority);
  reeve_admin_params_add_uint (params, "jobQueueDepth", stats.n_queued);
  ret->params.items = reeve_admin_params_steal (params, &ret->params.n_items);
  return TRUE;
}

/* Those that wait follow: the pool wants lo_water <= hi_water <= maximum. */
static gboolean
resize (ReeveServer *server, ReeveJobPoolSize *size, GError **error)
{
  if (size->lo_water > size->maximum) {
    g_set_error (
        error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
        _ ("minWorkers (%1$u) cannot be larger than maxWorkers (%2$u)"),
        size->lo_water, size->maximum);
    return FALSE;
  }

  size->hi_water = CLAMP (size->hi_water, size->lo_water, size->maximum);
  return reeve_job_pool_resize (reeve_server_get_pool (server), size, error);
}

gboolean
reeve_admin_change_workers (ReeveAdmin *self,
                            ReeveServer *server,
                            ReeveAdminWorkersFunc change,
                            gconstpointer data,
                            GError **error)
{
  ReeveJobPoolSize size;

  REEVE_LOCK_SCOPE (&self->change_lock);

  reeve_job_pool_get_size (reeve_server_get_pool (server), &size);
  return change (&size, data, error) && resize (server, &size, error);
}

static gboolean
take_params (ReeveJobPoolSize *size, gconstpointer data, GError **error)
{
  const admin_server_set_threadpool_parameters_args *args = data;
  const ReeveAdminParam known[] = {
    { "minWorkers", &size->lo_water },
    { "maxWorkers", &size->maximum },
    { "prioWorkers", &size->n_priority },
  };

  return reeve_admin_params_read (args->params.items, args->params.n_items,
                                  known, G_N_ELEMENTS (known), error);
}

gboolean
reeve_admin_set_workers (
    ReeveCall *call,
    const admin_server_set_threadpool_parameters_args *args,
    GError **error)
{
  ReeveServer *server = reeve_admin_find_server (call, args->srv.name, error);

  return server != NULL && reeve_admin_check_flags (call, args->flags, error) &&
         reeve_admin_change_workers (reeve_admin_get (call), server,
                                     take_params, args, error);
}

/* -------------------------------------------------------------- limits --- */

/* On the wire a number of 0 says that there is no limit of those who did not
 * authenticate. */
static void
get_limits (ReeveServer *server, ReeveServerLimits *limits)
{
  reeve_server_get_limits (server, limits);
  if (limits->max_unauth_clients == REEVE_NO_LIMIT)
    limits->max_unauth_clients = 0;
}

gboolean
reeve_admin_get_limits (ReeveCall *call,
                        const admin_server_get_client_limits_args *args,
                        admin_server_get_client_limits_ret *ret,
                        GError **error)
{
  ReeveServer *server = reeve_admin_find_server (call, args->srv.name, error);
  ReeveServerLimits limits;
  ReeveServerStats stats;
  GArray *params;

  if (server == NULL || !reeve_admin_check_flags (call, args->flags, error))
    return FALSE;

  get_limits (server, &limits);
  reeve_server_get_stats (server, &stats);
  params = reeve_admin_params_new ();
  reeve_admin_params_add_uint (params, "nclients_max", limits.max_clients);
  reeve_admin_params_add_uint (params, "nclients", stats.n_clients);
  reeve_admin_params_add_uint (params, "nclients_unauth_max",
                               limits.max_unauth_clients);
  reeve_admin_params_add_uint (params, "nclients_unauth", stats.n_unauth);
  ret->params.items = reeve_admin_params_steal (params, &ret->params.n_items);
  return TRUE;
}

static gboolean
set_limits (ReeveServer *server, ReeveServerLimits *limits, GError **error)
{
  if (limits->max_clients == 0) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                         _ ("nclients_max must be at least 1"));
    return FALSE;
  }

  if (limits->max_unauth_clients == 0)
    limits->max_unauth_clients = REEVE_NO_LIMIT;
  /* The pool stays as it is. */
  limits->workers = (ReeveJobPoolSize){ 0 };
  return reeve_server_set_limits (server, limits, error);
}

gboolean
reeve_admin_set_limits (ReeveCall *call,
                        const admin_server_set_client_limits_args *args,
                        GError **error)
{
  ReeveServer *server = reeve_admin_find_server (call, args->srv.name, error);
  ReeveServerLimits limits;
  const ReeveAdminParam known[] = {
    { "nclients_max", &limits.max_clients },
    { "nclients_unauth_max", &limits.max_unauth_clients },
  };

  if (server == NULL || !reeve_admin_check_flags (call, args->flags, error))
    return FALSE;

  REEVE_LOCK_SCOPE (&reeve_admin_get (call)->change_lock);

  get_limits (server, &limits);
  return reeve_admin_params_read (args->params.items, args->params.n_items,
                                  known, G_N_ELEMENTS (known), error) &&
         set_limits (server, &limits, error);
}

/* -------------------------------------------------------- certificates --- */

gboolean
reeve_admin_update_tls_files (ReeveCall *call,
                              const admin_server_update_tls_files_args *args,
                              GError **error)
{
  ReeveServer *server = reeve_admin_find_server (call, args->srv.name, error);

  if (server == NULL || !reeve_admin_check_flags (call, args->flags, error))
    return FALSE;

  if (server != reeve_daemon_get_server (reeve_admin_get (call)->daemon)) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INTERNAL,
                         _ ("no TLS service found, unable to update TLS "
                            "files"));
    return FALSE;
  }
  return reeve_daemon_reload_tls (reeve_admin_get (call)->daemon, error);
}
