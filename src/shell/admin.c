/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/admin.h"

#include "event/intl.h"
#include "shell/output.h"
#include "shell/typed-param.h"

/* What virt-admin has: a daemon is looked after while it runs. */

static char *
to_snake_case (const char *name)
{
  GString *text = g_string_new (NULL);

  for (const char *p = name; *p != '\0'; p++) {
    if (g_ascii_isupper (*p) && text->len > 0)
      g_string_append_c (text, '_');
    g_string_append_c (text, g_ascii_tolower (*p));
  }

  return g_string_free (text, FALSE);
}

void
reeve_admin_add_params (JsonObject *object,
                        const admin_typed_param *params,
                        uint32_t n_params)
{
  for (uint32_t i = 0; i < n_params; i++) {
    g_autofree char *key = to_snake_case (params[i].field);

    reeve_json_set_typed (object, key, &admin_typed_param_value_type,
                          &params[i].value);
  }
}

static char *
get_server (const ReeveArguments *arguments)
{
  return (char *) reeve_arguments_get (arguments, "server");
}

/* ------------------------------------------------------------- servers --- */

static gboolean
call_list_servers (ReeveShell *shell,
                   admin_connect_list_servers_ret *ret,
                   GError **error)
{
  const admin_connect_list_servers_args args = { .need_results = 1 };

  return reeve_shell_call_admin (shell, ADMIN_PROC_CONNECT_LIST_SERVERS, &args,
                                 ret, error);
}

static gboolean
run_srv_list (ReeveShell *shell,
              const ReeveArguments *arguments,
              GError **error)
{
  static const ReeveField columns[] = { { "id", N_ ("Id") },
                                        { "name", N_ ("Name") } };
  admin_connect_list_servers_ret ret = { 0 };
  JsonArray *rows;

  if (!call_list_servers (shell, &ret, error))
    return FALSE;

  rows = json_array_new ();
  for (uint32_t i = 0; i < ret.servers.n_items; i++) {
    JsonObject *row = json_object_new ();

    json_object_set_int_member (row, "id", i);
    json_object_set_string_member (row, "name", ret.servers.items[i].name);
    json_array_add_object_element (rows, row);
  }
  admin_connect_list_servers_ret_clear (&ret);
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), rows);
  return TRUE;
}

GStrv
reeve_admin_list_servers (ReeveShell *shell)
{
  admin_connect_list_servers_ret ret = { 0 };
  GPtrArray *names;

  if (!call_list_servers (shell, &ret, NULL))
    return NULL;

  names = g_ptr_array_new ();
  for (uint32_t i = 0; i < ret.servers.n_items; i++)
    g_ptr_array_add (names, g_strdup (ret.servers.items[i].name));
  g_ptr_array_add (names, NULL);
  admin_connect_list_servers_ret_clear (&ret);
  return (GStrv) g_ptr_array_free (names, FALSE);
}

/* ---------------------------------------------------- sizes and limits --- */

/* An option of a command that sets, and the parameter it stands for. */
typedef struct {
  const char *option;
  const char *field;
} Setting;

/* The settings that were given. (transfer full) (nullable) */
static GArray *
collect (const ReeveArguments *arguments,
         const Setting *settings,
         size_t n_settings,
         GError **error)
{
  g_autoptr (GArray) params =
      g_array_new (FALSE, FALSE, sizeof (admin_typed_param));

  for (size_t i = 0; i < n_settings; i++) {
    admin_typed_param param = {
      .field = (char *) settings[i].field,
      .value.type = ADMIN_PARAM_UINT,
    };
    int64_t value = -1;

    if (!reeve_arguments_get_number (arguments, settings[i].option, 0,
                                     UINT32_MAX, &value, error))
      return NULL;
    param.value.u.ui = (uint32_t) value;
    if (value >= 0)
      g_array_append_val (params, param);
  }

  if (params->len == 0) {
    g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                 _ ("there is nothing to set; see “help”"));
    return NULL;
  }
  return g_steal_pointer (&params);
}

static gboolean
run_threadpool_info (ReeveShell *shell,
                     const ReeveArguments *arguments,
                     GError **error)
{
  static const ReeveField fields[] = {
    { "min_workers", N_ ("Minimum of workers") },
    { "max_workers", N_ ("Maximum of workers") },
    { "n_workers", N_ ("Workers") },
    { "free_workers", N_ ("Of them, free") },
    { "prio_workers", N_ ("Priority workers") },
    { "job_queue_depth", N_ ("Jobs that wait") },
  };
  const admin_server_get_threadpool_parameters_args args = {
    .srv.name = get_server (arguments),
  };
  admin_server_get_threadpool_parameters_ret ret = { 0 };
  JsonObject *object;

  if (!reeve_shell_call_admin (shell,
                               ADMIN_PROC_SERVER_GET_THREADPOOL_PARAMETERS,
                               &args, &ret, error))
    return FALSE;

  object = json_object_new ();
  reeve_admin_add_params (object, ret.params.items, ret.params.n_items);
  admin_server_get_threadpool_parameters_ret_clear (&ret);
  reeve_output_object (shell, fields, G_N_ELEMENTS (fields), object);
  return TRUE;
}

static gboolean
run_threadpool_set (ReeveShell *shell,
                    const ReeveArguments *arguments,
                    GError **error)
{
  static const Setting settings[] = {
    { "min-workers", "minWorkers" },
    { "max-workers", "maxWorkers" },
    { "priority-workers", "prioWorkers" },
  };
  admin_server_set_threadpool_parameters_args args = {
    .srv.name = get_server (arguments),
  };
  g_autoptr (GArray) params =
      collect (arguments, settings, G_N_ELEMENTS (settings), error);

  if (params == NULL)
    return FALSE;
  args.params.items = (admin_typed_param *) (void *) params->data;
  args.params.n_items = params->len;
  if (!reeve_shell_call_admin (shell,
                               ADMIN_PROC_SERVER_SET_THREADPOOL_PARAMETERS,
                               &args, NULL, error))
    return FALSE;

  reeve_output_done (shell, args.srv.name, _ ("The workers of %s are set"),
                     args.srv.name);
  return TRUE;
}

static gboolean
run_clients_info (ReeveShell *shell,
                  const ReeveArguments *arguments,
                  GError **error)
{
  static const ReeveField fields[] = {
    { "nclients_max", N_ ("Maximum of clients") },
    { "nclients", N_ ("Clients") },
    { "nclients_unauth_max", N_ ("Maximum without authentication") },
    { "nclients_unauth", N_ ("Without authentication") },
  };
  const admin_server_get_client_limits_args args = {
    .srv.name = get_server (arguments),
  };
  admin_server_get_client_limits_ret ret = { 0 };
  JsonObject *object;

  if (!reeve_shell_call_admin (shell, ADMIN_PROC_SERVER_GET_CLIENT_LIMITS,
                               &args, &ret, error))
    return FALSE;

  object = json_object_new ();
  reeve_admin_add_params (object, ret.params.items, ret.params.n_items);
  admin_server_get_client_limits_ret_clear (&ret);
  reeve_output_object (shell, fields, G_N_ELEMENTS (fields), object);
  return TRUE;
}

static gboolean
run_clients_set (ReeveShell *shell,
                 const ReeveArguments *arguments,
                 GError **error)
{
  static const Setting settings[] = {
    { "max-clients", "nclients_max" },
    { "max-unauth-clients", "nclients_unauth_max" },
  };
  admin_server_set_client_limits_args args = {
    .srv.name = get_server (arguments),
  };
  g_autoptr (GArray) params =
      collect (arguments, settings, G_N_ELEMENTS (settings), error);

  if (params == NULL)
    return FALSE;
  args.params.items = (admin_typed_param *) (void *) params->data;
  args.params.n_items = params->len;
  if (!reeve_shell_call_admin (shell, ADMIN_PROC_SERVER_SET_CLIENT_LIMITS,
                               &args, NULL, error))
    return FALSE;

  reeve_output_done (shell, args.srv.name, _ ("The limits of %s are set"),
                     args.srv.name);
  return TRUE;
}

static gboolean
run_update_tls (ReeveShell *shell,
                const ReeveArguments *arguments,
                GError **error)
{
  const admin_server_update_tls_files_args args = {
    .srv.name = get_server (arguments),
  };

  if (!reeve_shell_call_admin (shell, ADMIN_PROC_SERVER_UPDATE_TLS_FILES, &args,
                               NULL, error))
    return FALSE;

  reeve_output_done (shell, args.srv.name,
                     _ ("%s has read its certificates anew"), args.srv.name);
  return TRUE;
}

/* ---------------------------------------------------------- the daemon --- */

static gboolean
print_outputs (ReeveShell *shell, GError **error)
{
  const admin_connect_get_logging_outputs_args args = { 0 };
  admin_connect_get_logging_outputs_ret ret = { 0 };

  if (!reeve_shell_call_admin (shell, ADMIN_PROC_CONNECT_GET_LOGGING_OUTPUTS,
                               &args, &ret, error))
    return FALSE;

  reeve_output_text (shell, "outputs", ret.outputs);
  admin_connect_get_logging_outputs_ret_clear (&ret);
  return TRUE;
}

static gboolean
run_log_outputs (ReeveShell *shell,
                 const ReeveArguments *arguments,
                 GError **error)
{
  const admin_connect_set_logging_outputs_args args = {
    .outputs = (char *) reeve_arguments_get (arguments, "outputs"),
  };

  return (args.outputs == NULL ||
          reeve_shell_call_admin (shell, ADMIN_PROC_CONNECT_SET_LOGGING_OUTPUTS,
                                  &args, NULL, error)) &&
         print_outputs (shell, error);
}

static gboolean
print_filters (ReeveShell *shell, GError **error)
{
  const admin_connect_get_logging_filters_args args = { 0 };
  admin_connect_get_logging_filters_ret ret = { 0 };

  if (!reeve_shell_call_admin (shell, ADMIN_PROC_CONNECT_GET_LOGGING_FILTERS,
                               &args, &ret, error))
    return FALSE;

  reeve_output_text (shell, "filters", ret.filters != NULL ? ret.filters : "");
  admin_connect_get_logging_filters_ret_clear (&ret);
  return TRUE;
}

static gboolean
run_log_filters (ReeveShell *shell,
                 const ReeveArguments *arguments,
                 GError **error)
{
  const admin_connect_set_logging_filters_args args = {
    .filters = (char *) reeve_arguments_get (arguments, "filters"),
  };

  return (args.filters == NULL ||
          reeve_shell_call_admin (shell, ADMIN_PROC_CONNECT_SET_LOGGING_FILTERS,
                                  &args, NULL, error)) &&
         print_filters (shell, error);
}

static gboolean
run_timeout (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  admin_connect_set_daemon_timeout_args args = { 0 };
  const char *text = reeve_arguments_get (arguments, "timeout");
  int64_t timeout = 0;

  if (!reeve_arguments_get_number (arguments, "timeout", 0, UINT32_MAX,
                                   &timeout, error))
    return FALSE;
  args.timeout = (uint32_t) timeout;
  if (!reeve_shell_call_admin (shell, ADMIN_PROC_CONNECT_SET_DAEMON_TIMEOUT,
                               &args, NULL, error))
    return FALSE;

  if (timeout == 0)
    reeve_output_done (shell, text, _ ("The daemon does not end by itself"));
  else
    reeve_output_done (
        shell, text, _ ("The daemon ends after %s seconds without work"), text);
  return TRUE;
}

/* ------------------------------------------------------------ commands --- */

#define SERVER_OPTION                                                          \
  {                                                                            \
    "server", REEVE_OPTION_STRING, TRUE,                                       \
        .completion = REEVE_COMPLETE_SERVERS,                                  \
        .help = N_ ("name of a server, see srv-list")                          \
  }

static const ReeveOption server_options[] = {
  SERVER_OPTION,
};

static const ReeveOption metrics_options[] = {
  { "server", REEVE_OPTION_STRING, .completion = REEVE_COMPLETE_SERVERS,
    .help = N_ ("only this one, see srv-list") },
};

static const ReeveOption threadpool_options[] = {
  SERVER_OPTION,
  { "min-workers", REEVE_OPTION_NUMBER, .is_named_only = TRUE,
    .help = N_ ("workers that are always there") },
  { "max-workers", REEVE_OPTION_NUMBER, .is_named_only = TRUE,
    .help = N_ ("the most workers that there may be") },
  { "priority-workers", REEVE_OPTION_NUMBER, .is_named_only = TRUE,
    .help = N_ ("workers for calls that never wait") },
};

static const ReeveOption limit_options[] = {
  SERVER_OPTION,
  { "max-clients", REEVE_OPTION_NUMBER, .is_named_only = TRUE,
    .help = N_ ("the most clients that there may be") },
  { "max-unauth-clients", REEVE_OPTION_NUMBER, .is_named_only = TRUE,
    .help = N_ ("of them, those that did not authenticate yet") },
};

static const ReeveOption client_options[] = {
  SERVER_OPTION,
  { "client", REEVE_OPTION_NUMBER, TRUE, .completion = REEVE_COMPLETE_CLIENTS,
    .help = N_ ("id of a client, see client-list") },
};

static const ReeveOption outputs_options[] = {
  { "outputs", REEVE_OPTION_STRING,
    .help = N_ ("e.g. \"1:file:/path 3:journald\"; \"\" for what is "
                "configured") },
};

static const ReeveOption filters_options[] = {
  { "filters", REEVE_OPTION_STRING,
    .help = N_ ("e.g. \"1:rpc 3:machine\"; \"\" for what is configured") },
};

static const ReeveOption timeout_options[] = {
  { "timeout", REEVE_OPTION_NUMBER, TRUE, .help = N_ ("seconds; 0: for ever") },
};

static const ReeveOption monitor_options[] = {
  { "procedure", REEVE_OPTION_STRING, .completion = REEVE_COMPLETE_PROCEDURES,
    .help = N_ ("calls of this program, or of PROGRAM.PROCEDURE, alone") },
  { "failed", REEVE_OPTION_FLAG, .help = N_ ("calls that failed alone") },
  { "count", REEVE_OPTION_NUMBER, .is_named_only = TRUE,
    .help = N_ ("end after so many calls") },
  { "timeout", REEVE_OPTION_NUMBER, .is_named_only = TRUE,
    .help = N_ ("how long to watch, in seconds") },
};

static const ReeveCommand commands[] = {
  { "monitor", N_ ("show the daemon's calls as they are answered"),
    monitor_options, G_N_ELEMENTS (monitor_options), reeve_admin_run_monitor },
  { "srv-list", N_ ("list the servers of the daemon"), NULL, 0, run_srv_list },
  { "srv-metrics", N_ ("show all limits and counters of servers"),
    metrics_options, G_N_ELEMENTS (metrics_options), reeve_admin_run_metrics },
  { "srv-threadpool-info", N_ ("show the workers of a server"), server_options,
    G_N_ELEMENTS (server_options), run_threadpool_info },
  { "srv-threadpool-set", N_ ("change how many workers a server has"),
    threadpool_options, G_N_ELEMENTS (threadpool_options), run_threadpool_set },
  { "srv-clients-info", N_ ("show how many clients a server may have"),
    server_options, G_N_ELEMENTS (server_options), run_clients_info },
  { "srv-clients-set", N_ ("change how many clients a server may have"),
    limit_options, G_N_ELEMENTS (limit_options), run_clients_set },
  { "srv-tls-info", N_ ("show the certificate of a server"), server_options,
    G_N_ELEMENTS (server_options), reeve_admin_run_tls_info },
  { "client-list", N_ ("list the clients of a server"), server_options,
    G_N_ELEMENTS (server_options), reeve_admin_run_client_list },
  { "client-info", N_ ("show who a client is"), client_options,
    G_N_ELEMENTS (client_options), reeve_admin_run_client_info },
  { "client-disconnect", N_ ("end the connection of a client"), client_options,
    G_N_ELEMENTS (client_options), reeve_admin_run_client_disconnect },
  { "server-update-tls", N_ ("let a server read its certificates anew"),
    server_options, G_N_ELEMENTS (server_options), run_update_tls },
  { "daemon-log-outputs", N_ ("show or change where the log goes"),
    outputs_options, G_N_ELEMENTS (outputs_options), run_log_outputs },
  { "daemon-log-filters", N_ ("show or change what is logged"), filters_options,
    G_N_ELEMENTS (filters_options), run_log_filters },
  { "daemon-timeout", N_ ("let the daemon end when it has no work"),
    timeout_options, G_N_ELEMENTS (timeout_options), run_timeout },
  /* The same by the other names that virt-admin has. */
  { "server-list", "", NULL, 0, run_srv_list, TRUE },
  { "server-threadpool-info", "", server_options, G_N_ELEMENTS (server_options),
    run_threadpool_info, TRUE },
  { "server-threadpool-set", "", threadpool_options,
    G_N_ELEMENTS (threadpool_options), run_threadpool_set, TRUE },
  { "server-clients-info", "", server_options, G_N_ELEMENTS (server_options),
    run_clients_info, TRUE },
  { "server-clients-set", "", limit_options, G_N_ELEMENTS (limit_options),
    run_clients_set, TRUE },
  { "srv-clients-list", "", server_options, G_N_ELEMENTS (server_options),
    reeve_admin_run_client_list, TRUE },
  { "srv-update-tls", "", server_options, G_N_ELEMENTS (server_options),
    run_update_tls, TRUE },
};

const ReeveCommandGroup reeve_admin_commands = {
  N_ ("Administration"),
  commands,
  G_N_ELEMENTS (commands),
};
