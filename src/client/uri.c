/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/uri.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/socket-name.h"

#include <string.h>
#include <unistd.h>

#define TCP_PORT 16509

/* Parameters that are ours; the others go to the server with the name. */
static const char *const own_params[] = {
  "name",    "socket",       "mode",      "command",     "netcat",
  "keyfile", "no_tty",       "no_verify", "no_sanity",   "proxy",
  "auth",    "authfile",     "sshauth",   "known_hosts", "known_hosts_verify",
  "pkipath", "tls_priority",
};

/* A URI taken apart. */
typedef struct {
  const char *text; /* (not owned) */
  char *driver;
  char *transport; /* (nullable) */
  char *user;      /* (nullable) */
  char *host;      /* (nullable) */
  int port;        /* -1: not given */
  char *path;
  GHashTable *params; /* lower-case name -> value */
  GString *rest;      /* the parameters that are the server's */
} Parts;

static void
parts_clear (Parts *self)
{
  g_free (self->driver);
  g_free (self->transport);
  g_free (self->user);
  g_free (self->host);
  g_free (self->path);
  g_clear_pointer (&self->params, g_hash_table_unref);
  if (self->rest != NULL)
    g_string_free (self->rest, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Parts, parts_clear)

static gboolean
refuse (const Parts *parts, const char *why, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG, "%s: %s",
               parts->text, why);
  return FALSE;
}

static const char *
get_param (const Parts *parts, const char *name)
{
  return g_hash_table_lookup (parts->params, name);
}

static gboolean
is_own_param (const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (own_params); i++)
    if (g_str_equal (own_params[i], name))
      return TRUE;

  return FALSE;
}

static gboolean
split_params (Parts *parts, const char *query, GError **error)
{
  g_autoptr (GError) why = NULL;
  GUriParamsIter iter;
  char *name, *value;

  parts->params =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  parts->rest = g_string_new (NULL);
  if (query == NULL)
    return TRUE;

  g_uri_params_iter_init (&iter, query, -1, "&;", G_URI_PARAMS_NONE);
  while (g_uri_params_iter_next (&iter, &name, &value, &why)) {
    g_autofree char *lower = g_ascii_strdown (name, -1);

    if (is_own_param (lower)) {
      g_hash_table_replace (parts->params, g_steal_pointer (&lower), value);
    } else {
      g_autofree char *escaped = g_uri_escape_string (value, NULL, FALSE);

      g_string_append_printf (parts->rest, "%c%s=%s",
                              parts->rest->len == 0 ? '?' : '&', name, escaped);
      g_free (value);
    }
    g_free (name);
  }
  return why == NULL || refuse (parts, why->message, error);
}

static gboolean
split (Parts *parts, GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autoptr (GUri) uri = g_uri_parse (
      parts->text, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED_QUERY, &why);
  const char *scheme, *plus;

  if (uri == NULL)
    return refuse (parts, why->message, error);

  scheme = g_uri_get_scheme (uri);
  plus = strchr (scheme, '+');
  parts->driver =
      plus == NULL ? g_strdup (scheme) : g_strndup (scheme, plus - scheme);
  parts->transport = plus == NULL ? NULL : g_strdup (plus + 1);
  parts->user = g_strdup (g_uri_get_user (uri));
  parts->host = g_strdup (g_uri_get_host (uri));
  if (parts->host != NULL && parts->host[0] == '\0')
    g_clear_pointer (&parts->host, g_free);
  parts->port = g_uri_get_port (uri);
  parts->path = g_strdup (g_uri_get_path (uri));
  return split_params (parts, g_uri_get_query (uri), error);
}

/* ------------------------------------------------------------- sockets --- */

static gboolean
is_session (const Parts *parts)
{
  if (geteuid () == 0)
    return g_str_equal (parts->driver, "test") && parts->transport != NULL;

  return g_str_equal (parts->path, "/session") ||
         g_str_equal (parts->driver, "test");
}

static char *
find_socket (const char *folder, const char *daemon, const char *suffix)
{
  g_autofree char *name = g_strconcat (daemon, "-sock", suffix, NULL);
  g_autofree char *path = g_build_filename (folder, name, NULL);

  return g_file_test (path, G_FILE_TEST_EXISTS) ? g_steal_pointer (&path)
                                                : NULL;
}

/* Where libvirt's daemons listen: the driver's own one, else the common one. */
static char *
get_libvirt_socket (const Parts *parts, gboolean is_read_only)
{
  g_autofree char *daemon = g_strdup_printf ("virt%sd", parts->driver);
  gboolean for_user = is_session (parts);
  const char *suffix = is_read_only && !for_user ? "-ro" : "";
  const char *mode = get_param (parts, "mode");
  g_autofree char *folder =
      for_user ? g_build_filename (g_get_user_runtime_dir (), "libvirt", NULL)
               : g_strdup ("/var/run/libvirt");
  g_autofree char *name = g_strconcat ("libvirt-sock", suffix, NULL);
  g_autofree char *direct = NULL;

  if (mode == NULL || !g_str_equal (mode, "legacy"))
    direct = find_socket (folder, daemon, suffix);
  if (direct != NULL)
    return g_steal_pointer (&direct);

  return g_build_filename (folder, name, NULL);
}

static char *
get_unix_stream (const Parts *parts, gboolean is_read_only, GError **error)
{
  const char *given = get_param (parts, "socket");
  g_autofree char *path = given != NULL
                              ? g_strdup (given)
                              : get_libvirt_socket (parts, is_read_only);

  if (parts->host != NULL) {
    refuse (parts, _ ("the transport unix takes no host"), error);
    return NULL;
  }
  return g_strconcat ("unix:", path, NULL);
}

static char *
get_network_stream (const Parts *parts, const char *scheme, int port)
{
  const char *host = parts->host != NULL ? parts->host : "localhost";
  gboolean is_v6 = strchr (host, ':') != NULL;

  return g_strdup_printf (is_v6 ? "%s:[%s]:%d" : "%s:%s:%d", scheme, host,
                          parts->port > 0 ? parts->port : port);
}

/* ------------------------------------------------------------ commands --- */

static gboolean
is_set (const Parts *parts, const char *name)
{
  const char *value = get_param (parts, name);

  return value != NULL && !g_str_equal (value, "0");
}

static void
append_word (GString *command, const char *word)
{
  g_autofree char *quoted = g_shell_quote (word);

  g_string_append_printf (command, " %s", quoted);
}

static void
append_option (GString *command, const char *option, const char *value)
{
  if (value == NULL)
    return;
  append_word (command, option);
  append_word (command, value);
}

/* What runs at the other end: it joins its standard streams to the socket. */
static char *
get_remote_command (const Parts *parts, gboolean is_read_only)
{
  const char *netcat = get_param (parts, "netcat");
  const char *socket = get_param (parts, "socket");
  g_autofree char *default_socket = g_strconcat (
      "/var/run/libvirt/libvirt-sock", is_read_only ? "-ro" : "", NULL);
  g_autofree char *program = g_shell_quote (netcat != NULL ? netcat : "nc");
  g_autofree char *path =
      g_shell_quote (socket != NULL ? socket : default_socket);

  return g_strdup_printf (
      "if %1$s -q 2>&1 | grep 'requires an argument' >/dev/null 2>&1; then "
      "ARG=-q0; else ARG=; fi; %1$s $ARG -U %2$s",
      program, path);
}

static char *
get_ssh_stream (const Parts *parts, gboolean is_read_only, GError **error)
{
  const char *ssh = get_param (parts, "command");
  g_autofree char *remote = get_remote_command (parts, is_read_only);
  g_autofree char *port =
      parts->port > 0 ? g_strdup_printf ("%d", parts->port) : NULL;
  g_autoptr (GString) command = g_string_new ("exec:exec");

  if (parts->host == NULL) {
    refuse (parts, _ ("the transport ssh needs a host"), error);
    return NULL;
  }

  append_word (command, ssh != NULL ? ssh : "ssh");
  append_option (command, "-p", port);
  append_option (command, "-l", parts->user);
  append_option (command, "-i", get_param (parts, "keyfile"));
  g_string_append (command, " -T -e none");
  if (is_set (parts, "no_tty"))
    g_string_append (command, " -o BatchMode=yes");
  if (is_set (parts, "no_verify"))
    g_string_append (command, " -o StrictHostKeyChecking=no");
  g_string_append (command, " --");
  append_word (command, parts->host);
  append_word (command, remote);
  return g_strdup (command->str);
}

static char *
get_ext_stream (const Parts *parts, GError **error)
{
  const char *program = get_param (parts, "command");
  g_autoptr (GString) command = g_string_new ("exec:exec");

  if (program == NULL) {
    refuse (parts, _ ("the transport ext needs the parameter command"), error);
    return NULL;
  }

  append_word (command, program);
  return g_strdup (command->str);
}

/* ------------------------------------------------------------- the URI --- */

static const char *
get_transport (const Parts *parts)
{
  if (parts->transport != NULL)
    return parts->transport;
  return parts->host == NULL ? "unix" : "tls";
}

static char *
get_stream (const Parts *parts, gboolean is_read_only, GError **error)
{
  const char *transport = get_transport (parts);

  if (g_str_equal (transport, "unix"))
    return get_unix_stream (parts, is_read_only, error);
  if (g_str_equal (transport, "tcp"))
    return get_network_stream (parts, "tcp", TCP_PORT);
  if (g_str_equal (transport, "tls"))
    return get_network_stream (parts, "tls", REEVE_TLS_PORT);
  if (g_str_equal (transport, "ssh"))
    return get_ssh_stream (parts, is_read_only, error);
  if (g_str_equal (transport, "ext"))
    return get_ext_stream (parts, error);

  refuse (parts, _ ("the transport is none of unix, tcp, tls, ssh and ext"),
          error);
  return NULL;
}

static char *
get_name (const Parts *parts)
{
  const char *name = get_param (parts, "name");

  if (name != NULL)
    return g_strdup (name);
  if (g_str_equal (parts->driver, "remote"))
    return g_strdup ("");
  return g_strdup_printf ("%s://%s%s", parts->driver, parts->path,
                          parts->rest->str);
}

/* A stream's name has no "//" behind its colon. */
static gboolean
is_stream_name (const char *text)
{
  const char *colon = strchr (text, ':');

  return reeve_socket_name_is_known (text) && strncmp (colon, "://", 3) != 0;
}

/* Of what a command does with the bytes nobody knows. */
static gboolean
is_protected (const char *transport)
{
  return g_str_equal (transport, "unix") || g_str_equal (transport, "tls") ||
         g_str_equal (transport, "ssh");
}

static ReeveUri *
make_from_stream (const char *text, GError **error)
{
  g_autoptr (ReeveSocketName) name =
      reeve_socket_name_parse (text, FALSE, error);
  ReeveUri *self;

  if (name == NULL)
    return NULL;

  self = g_new0 (ReeveUri, 1);
  self->stream = reeve_socket_name_to_string (name);
  self->name = g_strdup ("");
  self->host = g_strdup (name->host != NULL ? name->host : "localhost");
  self->is_protected =
      name->kind == REEVE_SOCKET_UNIX || name->kind == REEVE_SOCKET_TLS;
  self->is_plain = TRUE;
  return self;
}

static gboolean
take_auth (ReeveUri *self, const Parts *parts, GError **error)
{
  const char *auth = get_param (parts, "auth");

  self->host = g_strdup (parts->host != NULL ? parts->host : "localhost");
  self->user = g_strdup (parts->user);
  self->auth_file = g_strdup (get_param (parts, "authfile"));
  self->is_protected = is_protected (get_transport (parts));
  if (auth == NULL)
    return TRUE;

  if (g_str_equal (auth, "polkit")) {
    self->auth = REEVE_URI_AUTH_POLKIT;
  } else if (g_str_equal (auth, "sasl") || g_str_has_prefix (auth, "sasl.")) {
    self->auth = REEVE_URI_AUTH_SASL;
    if (auth[4] == '.')
      self->sasl_mechanism = g_strdup (auth + 5);
  } else {
    return refuse (parts,
                   _ ("the parameter auth is none of sasl, sasl.MECHANISM and "
                      "polkit"),
                   error);
  }
  return TRUE;
}

ReeveUri *
reeve_uri_parse (const char *uri, gboolean is_read_only, GError **error)
{
  g_auto (Parts) parts = { .text = uri, .port = -1 };
  g_autoptr (ReeveUri) self = NULL;

  if (is_stream_name (uri))
    return make_from_stream (uri, error);

  self = g_new0 (ReeveUri, 1);
  if (!split (&parts, error) || !take_auth (self, &parts, error))
    return NULL;
  self->stream = get_stream (&parts, is_read_only, error);
  self->name = get_name (&parts);
  self->pki_path = g_strdup (get_param (&parts, "pkipath"));
  self->tls_priority = g_strdup (get_param (&parts, "tls_priority"));
  if (is_set (&parts, "no_verify"))
    self->tls_flags |= REEVE_TLS_NO_VERIFY;
  if (is_set (&parts, "no_sanity"))
    self->tls_flags |= REEVE_TLS_NO_SANITY;
  return self->stream == NULL ? NULL : g_steal_pointer (&self);
}

void
reeve_uri_free (ReeveUri *self)
{
  if (self == NULL)
    return;

  g_free (self->stream);
  g_free (self->name);
  g_free (self->pki_path);
  g_free (self->tls_priority);
  g_free (self->host);
  g_free (self->user);
  g_free (self->sasl_mechanism);
  g_free (self->auth_file);
  g_free (self);
}

char *
reeve_uri_get_default (gboolean is_read_only)
{
  static const char *const variables[] = { "REEVE_URI", "LIBVIRT_DEFAULT_URI" };

  for (size_t i = 0; i < G_N_ELEMENTS (variables); i++) {
    const char *value = g_getenv (variables[i]);

    if (value != NULL && value[0] != '\0')
      return g_strdup (value);
  }

  if (geteuid () == 0)
    return g_strdup_printf ("unix:%s/reeved%s.sock", REEVE_RUNDIR,
                            is_read_only ? "-ro" : "");
  return reeve_uri_get_session (is_read_only);
}

char *
reeve_uri_get_session (gboolean is_read_only)
{
  const char *suffix = is_read_only ? "-ro" : "";

  if (g_getenv ("XDG_RUNTIME_DIR") != NULL)
    return g_strdup_printf ("unix:%s/reeve/reeved%s.sock",
                            g_get_user_runtime_dir (), suffix);
  return g_strdup_printf ("unix:%s/reeve/run/reeved%s.sock",
                          g_get_user_cache_dir (), suffix);
}
