/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/admin-private.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <grp.h>
#include <inttypes.h>
#include <pwd.h>

/* The clients of a server. */

static void
fill (admin_client *row, ReeveServer *server, ReeveServerClient *client)
{
  row->srv.name = g_strdup (reeve_server_get_name (server));
  row->id = reeve_server_client_get_id (client);
  row->timestamp = reeve_server_client_get_connect_time (client);
  row->transport = reeve_server_client_get_transport (client);
}

/* (transfer full) (nullable) */
static ReeveServerClient *
find_client (ReeveServer *server, uint64_t id, GError **error)
{
  ReeveServerClient *client = reeve_server_find_client (server, id);

  if (client == NULL)
    g_set_error (
        error, REEVE_ERROR, REEVE_ERROR_NO_CLIENT,
        _ ("Client not found: No client with matching ID '%" PRIu64 "'"), id);
  return client;
}

/* ---------------------------------------------------------------- list --- */

static void
collect (ReeveServerClient *client, gpointer data)
{
  g_ptr_array_add (data, reeve_server_client_ref (client));
}

static int
compare_ids (gconstpointer a, gconstpointer b)
{
  uint64_t left = reeve_server_client_get_id (*(ReeveServerClient *const *) a);
  uint64_t right = reeve_server_client_get_id (*(ReeveServerClient *const *) b);

  return (left > right) - (left < right);
}

gboolean
reeve_admin_list_clients (ReeveCall *call,
                          const admin_server_list_clients_args *args,
                          admin_server_list_clients_ret *ret,
                          GError **error)
{
  g_autoptr (GPtrArray) clients = g_ptr_array_new_with_free_func (
      (GDestroyNotify) reeve_server_client_unref);
  ReeveServer *server = reeve_admin_find_server (call, args->srv.name, error);

  if (server == NULL || !reeve_admin_check_flags (call, args->flags, error))
    return FALSE;

  reeve_server_foreach_client (server, collect, clients);
  ret->ret = clients->len;
  if (args->need_results == 0)
    return TRUE;
  if (clients->len > ADMIN_LIST_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("There are %1$u clients; a list has room for %2$d"),
                 clients->len, ADMIN_LIST_MAX);
    return FALSE;
  }

  g_ptr_array_sort (clients, compare_ids);
  ret->clients.n_items = clients->len;
  ret->clients.items = g_new0 (admin_client, clients->len);
  for (unsigned i = 0; i < clients->len; i++)
    fill (&ret->clients.items[i], server, clients->pdata[i]);
  return TRUE;
}

gboolean
reeve_admin_lookup_client (ReeveCall *call,
                           const admin_server_lookup_client_args *args,
                           admin_server_lookup_client_ret *ret,
                           GError **error)
{
  ReeveServer *server = reeve_admin_find_server (call, args->srv.name, error);
  g_autoptr (ReeveServerClient) client = NULL;

  if (server == NULL || !reeve_admin_check_flags (call, args->flags, error))
    return FALSE;
  client = find_client (server, args->id, error);
  if (client == NULL)
    return FALSE;

  fill (&ret->clnt, server, client);
  return TRUE;
}

/* ------------------------------------------------------------ identity --- */

/* A name that cannot be looked up is left out. */
static void
add_user_name (GArray *params, uid_t uid)
{
  char buffer[4096];
  struct passwd entry, *found = NULL;

  if (getpwuid_r (uid, &entry, buffer, sizeof buffer, &found) == 0 &&
      found != NULL)
    reeve_admin_params_add_string (params, "unix_user_name", found->pw_name);
}

static void
add_group_name (GArray *params, gid_t gid)
{
  g_autofree char *buffer = NULL;
  size_t size = 4096;
  struct group entry, *found = NULL;
  int failure;

  /* A group brings its members along. */
  do {
    size *= 2;
    g_free (buffer);
    buffer = g_malloc (size);
    failure = getgrgid_r (gid, &entry, buffer, size, &found);
  } while (failure == ERANGE && size < 1024 * 1024);

  if (failure == 0 && found != NULL)
    reeve_admin_params_add_string (params, "unix_group_name", found->gr_name);
}

static void
add_unix_peer (GArray *params, ReeveServerClient *client)
{
  uid_t uid;
  gid_t gid;
  pid_t pid;

  if (!reeve_server_client_get_unix_peer (client, &uid, &gid, &pid))
    return;

  reeve_admin_params_add_int (params, "unix_user_id", (int32_t) uid);
  add_user_name (params, uid);
  reeve_admin_params_add_int (params, "unix_group_id", (int32_t) gid);
  add_group_name (params, gid);
  reeve_admin_params_add_int (params, "unix_process_id", pid);
}

gboolean
reeve_admin_get_client_info (ReeveCall *call,
                             const admin_client_get_info_args *args,
                             admin_client_get_info_ret *ret,
                             GError **error)
{
  ReeveServer *server =
      reeve_admin_find_server (call, args->clnt.srv.name, error);
  g_autoptr (ReeveServerClient) client = NULL;
  GArray *params;

  if (server == NULL || !reeve_admin_check_flags (call, args->flags, error))
    return FALSE;
  client = find_client (server, args->clnt.id, error);
  if (client == NULL)
    return FALSE;

  params = reeve_admin_params_new ();
  reeve_admin_params_add_boolean (params, "readonly",
                                  reeve_server_client_is_read_only (client));
  reeve_admin_params_add_string (params, "sock_addr",
                                 reeve_server_client_get_address (client));
  reeve_admin_params_add_string (params, "sasl_user_name",
                                 reeve_server_client_get_sasl_name (client));
  reeve_admin_params_add_string (params, "tls_x509_dname",
                                 reeve_server_client_get_x509_name (client));
  add_unix_peer (params, client);
  ret->params.items = reeve_admin_params_steal (params, &ret->params.n_items);
  return TRUE;
}

/* --------------------------------------------------------------- close --- */

static void
answer_close (ReeveLoop *loop, gpointer data)
{
  reeve_call_reply (data, NULL);
}

/* The loop closes, then answers, so that the client is gone for whoever asks
 * after the reply. */
gboolean
reeve_admin_close_client (ReeveCall *call,
                          const admin_client_close_args *args,
                          GError **error)
{
  ReeveServer *server =
      reeve_admin_find_server (call, args->clnt.srv.name, error);
  g_autoptr (ReeveServerClient) client = NULL;

  if (server == NULL || !reeve_admin_check_flags (call, args->flags, error))
    return FALSE;
  client = find_client (server, args->clnt.id, error);
  if (client == NULL)
    return FALSE;

  reeve_server_client_close (client);
  reeve_loop_invoke (reeve_server_client_get_loop (client), answer_close,
                     reeve_call_defer (call));
  return TRUE;
}
