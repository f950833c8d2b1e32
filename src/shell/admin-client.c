/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "shell/admin.h"
#include "shell/output.h"

#include <inttypes.h>

/* The clients of a server. */

static const char *
get_transport_name (uint32_t transport)
{
  static const char *const names[] = { "unix", "tcp", "tls" };

  return transport < G_N_ELEMENTS (names) ? names[transport] : "unknown";
}

void
reeve_admin_set_time (ReeveShell *shell,
                      JsonObject *object,
                      const char *key,
                      int64_t seconds)
{
  gboolean is_text = shell->format == REEVE_OUTPUT_TEXT;
  g_autoptr (GDateTime) time = is_text
                                   ? g_date_time_new_from_unix_local (seconds)
                                   : g_date_time_new_from_unix_utc (seconds);
  g_autofree char *text =
      time == NULL ? NULL
                   : g_date_time_format (time, is_text ? "%F %T%z" : "%FT%TZ");

  if (text != NULL)
    json_object_set_string_member (object, key, text);
}

static JsonObject *
describe (ReeveShell *shell, const admin_client *client)
{
  JsonObject *object = json_object_new ();

  reeve_json_set_uint (object, "id", client->id);
  json_object_set_string_member (object, "transport",
                                 get_transport_name (client->transport));
  reeve_admin_set_time (shell, object, "connected_since", client->timestamp);
  return object;
}

static gboolean
call_list (ReeveShell *shell,
           const char *server,
           admin_server_list_clients_ret *ret,
           GError **error)
{
  const admin_server_list_clients_args args = {
    .srv.name = (char *) server,
    .need_results = 1,
  };

  return reeve_shell_call_admin (shell, ADMIN_PROC_SERVER_LIST_CLIENTS, &args,
                                 ret, error);
}

gboolean
reeve_admin_run_client_list (ReeveShell *shell,
                             const ReeveArguments *arguments,
                             GError **error)
{
  static const ReeveField columns[] = {
    { "id", N_ ("Id") },
    { "transport", N_ ("Transport") },
    { "connected_since", N_ ("Connected since") },
  };
  admin_server_list_clients_ret ret = { 0 };
  JsonArray *rows;

  if (!call_list (shell, reeve_arguments_get (arguments, "server"), &ret,
                  error))
    return FALSE;

  rows = json_array_new ();
  for (uint32_t i = 0; i < ret.clients.n_items; i++)
    json_array_add_object_element (rows,
                                   describe (shell, &ret.clients.items[i]));
  admin_server_list_clients_ret_clear (&ret);
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), rows);
  return TRUE;
}

GStrv
reeve_admin_list_clients (ReeveShell *shell, const char *server)
{
  admin_server_list_clients_ret ret = { 0 };
  GPtrArray *ids;

  if (!call_list (shell, server, &ret, NULL))
    return NULL;

  ids = g_ptr_array_new ();
  for (uint32_t i = 0; i < ret.clients.n_items; i++)
    g_ptr_array_add (ids,
                     g_strdup_printf ("%" PRIu64, ret.clients.items[i].id));
  g_ptr_array_add (ids, NULL);
  admin_server_list_clients_ret_clear (&ret);
  return (GStrv) g_ptr_array_free (ids, FALSE);
}

/* @ret is cleared by the caller also on failure. */
static gboolean
look_up (ReeveShell *shell,
         const ReeveArguments *arguments,
         admin_server_lookup_client_ret *ret,
         GError **error)
{
  admin_server_lookup_client_args args = {
    .srv.name = (char *) reeve_arguments_get (arguments, "server"),
  };
  int64_t id = 0;

  if (!reeve_arguments_get_number (arguments, "client", 0, INT64_MAX, &id,
                                   error))
    return FALSE;

  args.id = (uint64_t) id;
  return reeve_shell_call_admin (shell, ADMIN_PROC_SERVER_LOOKUP_CLIENT, &args,
                                 ret, error);
}

gboolean
reeve_admin_run_client_info (ReeveShell *shell,
                             const ReeveArguments *arguments,
                             GError **error)
{
  static const ReeveField fields[] = {
    { "id", N_ ("Id") },
    { "transport", N_ ("Transport") },
    { "connected_since", N_ ("Connected since") },
    { "readonly", N_ ("Read-only") },
    { "sock_addr", N_ ("Address") },
    { "sasl_user_name", N_ ("SASL user") },
    { "tls_x509_dname", N_ ("Certificate") },
    { "unix_user_id", N_ ("User id") },
    { "unix_user_name", N_ ("User") },
    { "unix_group_id", N_ ("Group id") },
    { "unix_group_name", N_ ("Group") },
    { "unix_process_id", N_ ("Process") },
    { "selinux_context", N_ ("SELinux context") },
  };
  admin_server_lookup_client_ret found = { 0 };
  admin_client_get_info_ret ret = { 0 };
  gboolean is_done = look_up (shell, arguments, &found, error);

  if (is_done) {
    const admin_client_get_info_args args = { .clnt = found.clnt };

    is_done = reeve_shell_call_admin (shell, ADMIN_PROC_CLIENT_GET_INFO, &args,
                                      &ret, error);
  }
  if (is_done) {
    JsonObject *object = describe (shell, &found.clnt);

    reeve_admin_add_params (object, ret.params.items, ret.params.n_items);
    reeve_output_object (shell, fields, G_N_ELEMENTS (fields), object);
  }
  admin_client_get_info_ret_clear (&ret);
  admin_server_lookup_client_ret_clear (&found);
  return is_done;
}

gboolean
reeve_admin_run_client_disconnect (ReeveShell *shell,
                                   const ReeveArguments *arguments,
                                   GError **error)
{
  const char *id = reeve_arguments_get (arguments, "client");
  admin_server_lookup_client_ret found = { 0 };
  gboolean is_done = look_up (shell, arguments, &found, error);

  if (is_done) {
    const admin_client_close_args args = { .clnt = found.clnt };

    is_done = reeve_shell_call_admin (shell, ADMIN_PROC_CLIENT_CLOSE, &args,
                                      NULL, error);
  }
  if (is_done)
    reeve_output_done (shell, id, _ ("Client %s is disconnected"), id);
  admin_server_lookup_client_ret_clear (&found);
  return is_done;
}
