/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/admin-uri.h"

#include "client/uri.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <string.h>
#include <unistd.h>

/* Endings of the sockets of a daemon, and of the admin socket beside them. */
static const struct {
  const char *ending;
  const char *admin;
} endings[] = {
  { "-admin.sock", "-admin.sock" }, { "-admin-sock", "-admin-sock" },
  { "-ro.sock", "-admin.sock" },    { "-sock-ro", "-admin-sock" },
  { ".sock", "-admin.sock" },       { "-sock", "-admin-sock" },
};

/* (nullable): the admin socket beside another one. */
static char *
find_beside (const char *stream)
{
  for (size_t i = 0; i < G_N_ELEMENTS (endings); i++)
    if (g_str_has_suffix (stream, endings[i].ending))
      return g_strdup_printf (
          "%.*s%s", (int) (strlen (stream) - strlen (endings[i].ending)),
          stream, endings[i].admin);

  return NULL;
}

static gboolean
is_daemon (const char *scheme)
{
  return g_str_equal (scheme, "reeved") || g_str_equal (scheme, "libvirtd") ||
         (g_str_has_prefix (scheme, "virt") && g_str_has_suffix (scheme, "d"));
}

/* (transfer full): where a daemon has its sockets. */
static char *
get_folder (const char *daemon, gboolean is_system)
{
  gboolean is_ours = g_str_equal (daemon, "reeved");

  if (is_system)
    return g_strdup (is_ours ? REEVE_RUNDIR : "/var/run/libvirt");
  if (is_ours && g_getenv ("XDG_RUNTIME_DIR") == NULL)
    return g_build_filename (g_get_user_cache_dir (), "reeve", "run", NULL);
  return g_build_filename (g_get_user_runtime_dir (),
                           is_ours ? "reeve" : "libvirt", NULL);
}

static char *
get_socket (const char *daemon, gboolean is_system)
{
  gboolean is_ours = g_str_equal (daemon, "reeved");
  /* libvirt has no session of root. */
  g_autofree char *folder =
      get_folder (daemon, is_system || (!is_ours && geteuid () == 0));

  if (is_ours)
    return g_strdup_printf ("%s/reeved-admin.sock", folder);
  return g_strdup_printf ("%s/%s-admin-sock", folder,
                          g_str_equal (daemon, "libvirtd") ? "libvirt"
                                                           : daemon);
}

static char *
get_param (GUri *uri, const char *name, GError **error)
{
  g_autoptr (GHashTable) params = NULL;

  if (g_uri_get_query (uri) == NULL)
    return NULL;
  params = g_uri_parse_params (g_uri_get_query (uri), -1, "&;",
                               G_URI_PARAMS_CASE_INSENSITIVE, error);
  return params == NULL ? NULL : g_strdup (g_hash_table_lookup (params, name));
}

/* DAEMON:///system and the like. */
static char *
get_stream_of_daemon (GUri *uri, GError **error)
{
  const char *path = g_uri_get_path (uri);
  gboolean is_system = g_str_equal (path, "/system");
  g_autoptr (GError) why = NULL;
  g_autofree char *socket = get_param (uri, "socket", &why);

  if (why != NULL || (!is_system && !g_str_equal (path, "/session"))) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("The daemon %s has the paths /system and /session, and the "
                    "parameter socket"),
                 g_uri_get_scheme (uri));
    return NULL;
  }

  if (socket == NULL)
    socket = get_socket (g_uri_get_scheme (uri), is_system);
  return g_strconcat ("unix:", socket, NULL);
}

static char *
get_stream_beside (const char *uri, GError **error)
{
  g_autoptr (ReeveUri) parsed = reeve_uri_parse (uri, FALSE, error);
  char *stream;

  if (parsed == NULL)
    return NULL;

  stream = g_str_has_prefix (parsed->stream, "unix:")
               ? find_beside (parsed->stream)
               : NULL;
  if (stream == NULL)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("%s does not say where the daemon's admin socket is; name "
                    "it with --admin-socket"),
                 uri);
  return stream;
}

char *
reeve_admin_uri_get_stream (const char *text, GError **error)
{
  g_autofree char *chosen =
      text != NULL ? g_strdup (text) : reeve_uri_get_default (FALSE);
  g_autoptr (GUri) uri = g_uri_parse (chosen, G_URI_FLAGS_ENCODED_QUERY, NULL);

  if (uri != NULL && is_daemon (g_uri_get_scheme (uri)))
    return get_stream_of_daemon (uri, error);
  return get_stream_beside (chosen, error);
}
