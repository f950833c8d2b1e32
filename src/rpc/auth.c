/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/auth-private.h"

#include "event/intl.h"
#include "protocol/auth.h"
#include "rpc/error.h"
#include "rpc/polkit.h"
#include "rpc/sasl-server.h"
#include "rpc/server-private.h"

/* The procedures of the program `auth`. */

#define FAILURE_DELAY_MS 1000

struct _ReeveAuthenticator {
  ReeveLoop *loop;       /* immutable */
  ReeveSaslOptions sasl; /* immutable (owned) */
  char **sasl_names;     /* immutable (owned) (nullable) */

  char *polkit_manage;  /* immutable (owned) */
  char *polkit_monitor; /* immutable (owned) */

  /* Made before a client can come that needs it. */
  ReeveSaslServer *sasl_server; /* (owned) (nullable) */
  ReevePolkit *polkit;          /* (owned) (nullable) */
};

/* Whether a client is to authenticate by @kind, and has not. */
static gboolean
check_kind (ReeveCall *call, ReeveAuth kind, int code, GError **error)
{
  ReeveServerClient *client = reeve_call_get_client (call);

  if (reeve_server_client_get_auth (client) == kind &&
      !reeve_server_client_is_authenticated (client))
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, code,
                       _ ("authentication failed: it is not asked for"));
  return FALSE;
}

static gboolean
list (ReeveCall *call, auth_list_ret *ret, GError **error)
{
  ReeveServerClient *client = reeve_call_get_client (call);

  ret->types.n_items = 1;
  ret->types.items = g_new0 (int32_t, 1);
  if (!reeve_server_client_is_authenticated (client))
    ret->types.items[0] = (int32_t) reeve_server_client_get_auth (client);
  return TRUE;
}

static gboolean
give_to_sasl (ReeveCall *call, GError **error)
{
  ReeveAuthenticator *self = reeve_call_get_user_data (call);

  if (!check_kind (call, REEVE_AUTH_SASL, REEVE_ERROR_AUTH_FAILED, error))
    return FALSE;

  if (self->sasl_server == NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
                         _ ("authentication failed: there is no SASL here"));
    return FALSE;
  }

  reeve_sasl_server_take (self->sasl_server, reeve_call_defer (call));
  return TRUE;
}

static gboolean
sasl_init (ReeveCall *call, auth_sasl_init_ret *ret, GError **error)
{
  return give_to_sasl (call, error);
}

static gboolean
sasl_start (ReeveCall *call,
            const auth_sasl_start_args *args,
            auth_sasl_ret *ret,
            GError **error)
{
  return give_to_sasl (call, error);
}

static gboolean
sasl_step (ReeveCall *call,
           const auth_sasl_step_args *args,
           auth_sasl_ret *ret,
           GError **error)
{
  return give_to_sasl (call, error);
}

static gboolean
polkit (ReeveCall *call, auth_polkit_ret *ret, GError **error)
{
  ReeveAuthenticator *self = reeve_call_get_user_data (call);

  if (!check_kind (call, REEVE_AUTH_POLKIT, REEVE_ERROR_INTERNAL, error))
    return FALSE;

  reeve_polkit_take (self->polkit, reeve_call_defer (call));
  return TRUE;
}

static const auth_handlers handlers = {
  .list = list,
  .sasl_init = sasl_init,
  .sasl_start = sasl_start,
  .sasl_step = sasl_step,
  .polkit = polkit,
};

/* ---------------------------------------------------------------- life --- */

gboolean
reeve_authenticator_prepare (ReeveAuthenticator *self,
                             ReeveAuth kind,
                             GError **error)
{
  if (kind == REEVE_AUTH_NONE)
    return TRUE;
  if (self == NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                         _ ("this server has no authentication"));
    return FALSE;
  }

  if (kind == REEVE_AUTH_POLKIT) {
    if (self->polkit == NULL)
      self->polkit = reeve_polkit_new (self->loop, self->polkit_manage,
                                       self->polkit_monitor);
    return TRUE;
  }

  if (self->sasl_server == NULL)
    self->sasl_server = reeve_sasl_server_new (
        self->loop, &self->sasl, (const char *const *) self->sasl_names, error);
  return self->sasl_server != NULL;
}

void
reeve_authenticator_stop (ReeveAuthenticator *self)
{
  if (self == NULL)
    return;

  g_clear_pointer (&self->sasl_server, reeve_sasl_server_free);
  g_clear_pointer (&self->polkit, reeve_polkit_free);
}

void
reeve_authenticator_free (ReeveAuthenticator *self)
{
  if (self == NULL)
    return;

  reeve_authenticator_stop (self);
  g_free (self->sasl.service);
  g_free (self->sasl.realm);
  g_free (self->sasl.database);
  g_free (self->sasl.mechanisms);
  g_strfreev (self->sasl_names);
  g_free (self->polkit_manage);
  g_free (self->polkit_monitor);
  g_free (self);
}

static void
copy_options (ReeveAuthenticator *self, const ReeveAuthOptions *options)
{
  ReeveSaslOptions *sasl = &self->sasl;

  sasl->service = g_strdup (
      options->sasl_service != NULL ? options->sasl_service : "libvirt");
  sasl->realm = g_strdup (options->sasl_realm != NULL ? options->sasl_realm
                                                      : g_get_host_name ());
  sasl->database = g_strdup (options->sasl_database);
  sasl->mechanisms = options->sasl_mechanisms != NULL
                         ? g_strjoinv (" ", (char **) options->sasl_mechanisms)
                         : g_strdup ("SCRAM-SHA-256");
  sasl->min_ssf = options->sasl_min_ssf;
  sasl->failure_delay_ms = options->sasl_failure_delay_ms != 0
                               ? options->sasl_failure_delay_ms
                               : FAILURE_DELAY_MS;
  self->sasl_names = g_strdupv ((char **) options->sasl_names);
  self->polkit_manage =
      g_strdup (options->polkit_manage != NULL ? options->polkit_manage
                                               : "org.reeve.manage");
  self->polkit_monitor =
      g_strdup (options->polkit_monitor != NULL ? options->polkit_monitor
                                                : "org.reeve.monitor");
}

void
reeve_auth_register (ReeveServer *server, const ReeveAuthOptions *options)
{
  static const ReeveAuthOptions defaults = { .sasl_min_ssf =
                                                 REEVE_AUTH_MIN_SSF };
  ReeveAuthenticator *self = g_new0 (ReeveAuthenticator, 1);

  self->loop = reeve_server_get_loop (server);
  copy_options (self, options != NULL ? options : &defaults);
  reeve_server_set_authenticator (server, self);
  reeve_server_add_program (server, &auth_program, &handlers, self);
}
