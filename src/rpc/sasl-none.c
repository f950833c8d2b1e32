/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/sasl-client.h"
#include "rpc/sasl-server.h"

/* In the place of SASL, in a build without libsasl2. */

static gboolean
refuse (GError **error)
{
  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                       _ ("this build has no SASL"));
  return FALSE;
}

ReeveSaslServer *
reeve_sasl_server_new (ReeveLoop *loop,
                       const ReeveSaslOptions *options,
                       const char *const *names,
                       GError **error)
{
  refuse (error);
  return NULL;
}

void
reeve_sasl_server_free (ReeveSaslServer *self)
{
}

void
reeve_sasl_server_take (ReeveSaslServer *self, ReeveCall *call)
{
  g_assert_not_reached ();
}

ReeveSaslClient *
reeve_sasl_client_new (const char *host,
                       gboolean is_protected,
                       ReeveSaslCredentialFunc get,
                       gpointer data,
                       GError **error)
{
  refuse (error);
  return NULL;
}

void
reeve_sasl_client_free (ReeveSaslClient *self)
{
}

gboolean
reeve_sasl_client_start (ReeveSaslClient *self,
                         const char *mechanisms,
                         const char **mechanism,
                         ReeveSaslMessage *message,
                         GError **error)
{
  return refuse (error);
}

gboolean
reeve_sasl_client_step (ReeveSaslClient *self,
                        const char *data,
                        size_t size,
                        ReeveSaslMessage *message,
                        GError **error)
{
  return refuse (error);
}

ReeveSaslLayer *
reeve_sasl_client_to_layer (ReeveSaslClient *self)
{
  return NULL;
}

/* Nobody has such a layer. */
const ReeveStreamLayer reeve_sasl_layer_class = { 0 };
