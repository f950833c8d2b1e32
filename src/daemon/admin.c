/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/admin.h"

#include "daemon/admin-private.h"
#include "daemon/daemon-private.h"
#include "daemon/introspection.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <stdio.h>

ReeveAdmin *
reeve_admin_get (ReeveCall *call)
{
  return reeve_call_get_user_data (call);
}

gboolean
reeve_admin_check_flags (ReeveCall *call, uint32_t flags, GError **error)
{
  if (flags == 0)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("unsupported flags (0x%1$x) in %2$s"), flags,
               reeve_call_get_procedure (call)->name);
  return FALSE;
}

ReeveServer *
reeve_admin_find_server (ReeveCall *call, const char *name, GError **error)
{
  return reeve_daemon_find_server (reeve_admin_get (call)->daemon, name, error);
}

/* ------------------------------------------------------ the connection --- */

static gboolean
connect_open (ReeveCall *call,
              const admin_connect_open_args *args,
              GError **error)
{
  return reeve_admin_check_flags (call, args->flags, error);
}

static gboolean
connect_close (ReeveCall *call, GError **error)
{
  reeve_call_close_after_reply (call);
  return TRUE;
}

static gboolean
connect_get_lib_version (ReeveCall *call,
                         admin_connect_get_lib_version_ret *ret,
                         GError **error)
{
  const char *version =
      reeve_daemon_get_info (reeve_admin_get (call)->daemon)->version;
  unsigned major = 0, minor = 0, micro = 0;

  /* What it does not have is 0. */
  if (sscanf (version, "%3u.%3u.%3u", &major, &minor, &micro) >= 1)
    ret->lib_ver = major * UINT64_C (1000000) + minor * 1000 + micro;
  return TRUE;
}

/* ------------------------------------------------------------- servers --- */

static gboolean
connect_list_servers (ReeveCall *call,
                      const admin_connect_list_servers_args *args,
                      admin_connect_list_servers_ret *ret,
                      GError **error)
{
  ReeveServer *const *servers =
      reeve_daemon_get_servers (reeve_admin_get (call)->daemon);

  if (!reeve_admin_check_flags (call, args->flags, error))
    return FALSE;

  while (servers[ret->ret] != NULL)
    ret->ret++;
  if (args->need_results == 0)
    return TRUE;

  ret->servers.n_items = ret->ret;
  ret->servers.items = g_new0 (admin_server, ret->ret);
  for (uint32_t i = 0; i < ret->ret; i++)
    ret->servers.items[i].name = g_strdup (reeve_server_get_name (servers[i]));
  return TRUE;
}

static gboolean
connect_lookup_server (ReeveCall *call,
                       const admin_connect_lookup_server_args *args,
                       admin_connect_lookup_server_ret *ret,
                       GError **error)
{
  if (!reeve_admin_check_flags (call, args->flags, error) ||
      reeve_admin_find_server (call, args->name, error) == NULL)
    return FALSE;

  ret->srv.name = g_strdup (args->name);
  return TRUE;
}

/* ---------------------------------------------------------- the daemon --- */

static gboolean
connect_set_daemon_timeout (ReeveCall *call,
                            const admin_connect_set_daemon_timeout_args *args,
                            GError **error)
{
  if (!reeve_admin_check_flags (call, args->flags, error))
    return FALSE;

  reeve_daemon_set_timeout (reeve_admin_get (call)->daemon, args->timeout);
  return TRUE;
}

/* ------------------------------------------------------------ the life --- */

static const admin_handlers handlers = {
  .connect_open = connect_open,
  .connect_close = connect_close,
  .connect_get_lib_version = connect_get_lib_version,
  .connect_list_servers = connect_list_servers,
  .connect_lookup_server = connect_lookup_server,
  .server_get_threadpool_parameters = reeve_admin_get_workers,
  .server_set_threadpool_parameters = reeve_admin_set_workers,
  .server_list_clients = reeve_admin_list_clients,
  .server_lookup_client = reeve_admin_lookup_client,
  .client_get_info = reeve_admin_get_client_info,
  .client_close = reeve_admin_close_client,
  .server_get_client_limits = reeve_admin_get_limits,
  .server_set_client_limits = reeve_admin_set_limits,
  .connect_get_logging_outputs = reeve_admin_get_log_outputs,
  .connect_get_logging_filters = reeve_admin_get_log_filters,
  .connect_set_logging_outputs = reeve_admin_set_log_outputs,
  .connect_set_logging_filters = reeve_admin_set_log_filters,
  .server_update_tls_files = reeve_admin_update_tls_files,
  .connect_set_daemon_timeout = connect_set_daemon_timeout,
};

ReeveAdmin *
reeve_admin_new (ReeveDaemon *daemon)
{
  static const ReeveServerLimits limits = {
    .max_clients = 5,
    .max_client_calls = 5,
    .max_message_bytes = 1024 * 1024,
    .workers = { .lo_water = 1,
                 .hi_water = 1,
                 .increment = 1,
                 .maximum = 5,
                 .n_priority = 1 },
  };
  ReeveAdmin *self = g_new0 (ReeveAdmin, 1);

  self->daemon = daemon;
  reeve_mutex_init (&self->change_lock);
  self->server =
      reeve_server_new ("admin", reeve_daemon_get_loop (daemon), &limits);
  reeve_server_add_program (self->server, &admin_program, &handlers, self);
  reeve_introspection_register (daemon, self->server);
  self->monitor = reeve_call_monitor_new (self->server);
  reeve_call_monitor_add (self->monitor, self->server);
  reeve_call_monitor_add (self->monitor, reeve_daemon_get_server (daemon));
  return self;
}

void
reeve_admin_free (ReeveAdmin *self)
{
  if (self == NULL)
    return;

  reeve_server_unref (self->server);
  reeve_call_monitor_free (self->monitor);
  reeve_mutex_clear (&self->change_lock);
  g_free (self);
}

ReeveServer *
reeve_admin_get_server (ReeveAdmin *self)
{
  return self->server;
}
