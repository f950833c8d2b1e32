/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon-private.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/socket-name.h"

#include <sys/socket.h>

static gboolean
reload_tls (gpointer data, GError **error)
{
  ReeveDaemon *self = data;
  ReeveDaemonConfig *config = reeve_daemon_load_config (self, error);

  return config != NULL &&
         reeve_daemon_tls_set_config (self->tls, config, error);
}

static ReeveTlsSlot *
get_tls (ReeveDaemon *self)
{
  if (self->tls == NULL) {
    self->tls = reeve_daemon_tls_new (&self->config->tls, self->places);
    reeve_reload_add (self->reload, "TLS", reload_tls, self);
  }

  return reeve_daemon_tls_get_slot (self->tls);
}

/* Whether a name stands for a unix socket, also one that was inherited. */
static gboolean
is_unix (const char *name)
{
  g_autoptr (ReeveSocketName) parsed =
      reeve_socket_name_parse (name, TRUE, NULL);
  struct sockaddr address = { .sa_family = AF_UNIX };
  socklen_t size = sizeof address;

  /* What is no name is refused when it is opened. */
  if (parsed == NULL || parsed->kind != REEVE_SOCKET_FD)
    return reeve_socket_name_is (name, TRUE, REEVE_SOCKET_UNIX);

  getsockname (parsed->fd, &address, &size);
  return address.sa_family == AF_UNIX;
}

/* Nobody's permissions guard it. */
static gboolean
is_abstract (const char *name)
{
  g_autoptr (ReeveSocketName) parsed =
      reeve_socket_name_parse (name, TRUE, NULL);

  return parsed != NULL && reeve_socket_name_is_abstract (parsed);
}

/* @name: that it is handed over with */
static gboolean
listen_at (ReeveDaemon *self,
           ReeveServer *server,
           const char *name,
           const char *address,
           const ReeveServiceOptions *options,
           GError **error)
{
  const char *actual = reeve_listeners_open (self->listeners, server, name,
                                             address, options, error);

  if (actual == NULL)
    return FALSE;

  g_message (_ ("Listening at %s"), actual);
  if ((!is_unix (actual) || is_abstract (actual)) &&
      options->auth == REEVE_AUTH_NONE &&
      (options->tls == NULL || !self->config->tls.verify_clients) &&
      !reeve_daemon_policy_has_rules (self->policy))
    g_warning (_ ("%s asks nobody who he is: whoever reaches it controls this "
                  "daemon"),
               actual);
  return TRUE;
}

static gboolean
listen_at_socket (ReeveDaemon *self,
                  ReeveServer *server,
                  const char *name,
                  const char *suffix,
                  const ReeveServiceOptions *options,
                  GError **error)
{
  g_autofree char *address = g_strdup_printf (
      "punix:%s/%s%s.sock", self->places->run_dir, self->info->name, suffix);

  return listen_at (self, server, name, address, options, error);
}

/* What is left under this name, with an address that we are not told. */
static gboolean
listen_at_inherited (ReeveDaemon *self,
                     const char *name,
                     const ReeveServiceOptions *options,
                     GError **error)
{
  ReeveInherited *inherited = reeve_listeners_get_inherited (self->listeners);

  while (reeve_inherited_has (inherited, name))
    if (!listen_at (self, self->server, name, name, options, error))
      return FALSE;

  return TRUE;
}

static gboolean
listen_at_network (ReeveDaemon *self, GError **error)
{
  ReeveInherited *inherited = reeve_listeners_get_inherited (self->listeners);
  const ReeveServiceOptions tcp = {
    .auth = self->config->auth_tcp,
    .wires = self->config->wires_tcp,
  };
  ReeveServiceOptions tls = {
    .auth = self->config->auth_tls,
    .wires = self->config->wires_tls,
    .handshake_timeout_ms = self->config->tls.handshake_timeout_ms,
  };

  if (reeve_inherited_has (inherited, "tls"))
    tls.tls = get_tls (self);
  return listen_at_inherited (self, "tcp", &tcp, error) &&
         listen_at_inherited (self, "tls", &tls, error);
}

/* An older daemon had them, and the configuration has them no more. */
static void
close_unwanted (ReeveDaemon *self)
{
  ReeveInherited *inherited = reeve_listeners_get_inherited (self->listeners);
  const char *name;

  while ((name = reeve_inherited_get_first (inherited)) != NULL) {
    g_message (_ ("%s is listened at no more"), name);
    reeve_inherited_remove (inherited, name);
  }
}

/* @folder: (nullable): that relative paths are of; NULL: the working one */
static gboolean
listen_at_all (ReeveDaemon *self,
               char **names,
               const char *folder,
               GError **error)
{
  const ReeveDaemonConfig *config = self->config;

  for (char **name = names; name != NULL && *name != NULL; name++) {
    g_autofree char *address = reeve_socket_name_resolve (*name, folder);
    ReeveServiceOptions options = {
      .mode = config->unix_mode,
      .group = config->unix_group,
      .auth = is_unix (*name) ? config->auth_unix : config->auth_tcp,
      .wires = is_unix (*name) ? config->wires_unix : config->wires_tcp,
      .handshake_timeout_ms = config->tls.handshake_timeout_ms,
    };

    if (reeve_socket_name_is (*name, TRUE, REEVE_SOCKET_TLS)) {
      options.auth = config->auth_tls;
      options.wires = config->wires_tls;
      options.tls = get_tls (self);
    }
    if (!listen_at (self, self->server, *name, address, &options, error))
      return FALSE;
  }

  return TRUE;
}

gboolean
reeve_daemon_listen (ReeveDaemon *self, GError **error)
{
  const ReeveDaemonConfig *config = self->config;
  gboolean is_shared = self->places->mode == REEVE_MODE_SYSTEM;
  const ReeveServiceOptions options = {
    .mode = config->unix_mode != 0 ? config->unix_mode
            : is_shared            ? 0660
                                   : 0600,
    .group = config->unix_group,
    .auth = config->auth_unix,
    .wires = config->wires_unix,
  };
  const ReeveServiceOptions read_only = {
    .mode = config->unix_ro_mode != 0 ? config->unix_ro_mode
            : is_shared               ? 0666
                                      : 0600,
    .group = config->unix_group,
    .flags = REEVE_SERVICE_READ_ONLY,
    .auth = config->auth_unix_ro,
    .wires = config->wires_unix_ro,
  };
  const ReeveServiceOptions admin = {
    .flags = REEVE_SERVICE_OWNER_ONLY,
    .wires = config->wires_admin,
  };

  if (!listen_at_socket (self, self->server, "rw", "", &options, error) ||
      !listen_at_socket (self, self->server, "ro", "-ro", &read_only, error) ||
      !listen_at_socket (self, reeve_admin_get_server (self->admin), "admin",
                         "-admin", &admin, error) ||
      !listen_at_all (self, config->listen, self->places->run_dir, error) ||
      !listen_at_all (self, self->options->listen, NULL, error) ||
      !listen_at_network (self, error))
    return FALSE;

  close_unwanted (self);
  return TRUE;
}
