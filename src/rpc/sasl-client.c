/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/sasl-client.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/sasl-library.h"

#include <sasl/sasl.h>
#include <string.h>

/* As libvirt's clients have it. */
#define SERVICE "libvirt"
#define MIN_SSF 56

struct _ReeveSaslClient {
  ReeveSaslCredentialFunc get;
  gpointer data;
  sasl_conn_t *exchange; /* (owned) */
  sasl_callback_t callbacks[6];
  char *name;            /* (owned) (nullable) */
  char *realm;           /* (owned) (nullable) */
  sasl_secret_t *secret; /* (owned) (nullable) */
  size_t secret_size;
  const char *missing; /* (nullable): what nobody could tell */
};

static void
forget_secret (ReeveSaslClient *self)
{
  if (self->secret != NULL)
    explicit_bzero (self->secret, self->secret_size);
  g_clear_pointer (&self->secret, g_free);
}

/* Of the name that is authorized and the one that is authenticated; they are
 * the same when the first is empty. */
static int
get_name (void *context, int id, const char **result, unsigned *size)
{
  ReeveSaslClient *self = context;

  if (id == SASL_CB_USER) {
    *result = "";
  } else {
    if (self->name == NULL)
      self->name = self->get (REEVE_SASL_NAME, self->data);
    *result = self->name;
  }

  if (*result == NULL) {
    self->missing = _ ("a user name");
    return SASL_FAIL;
  }
  if (size != NULL)
    *size = (unsigned) strlen (*result);
  return SASL_OK;
}

static int
get_secret (sasl_conn_t *exchange,
            void *context,
            int id,
            sasl_secret_t **secret)
{
  ReeveSaslClient *self = context;
  char *password = self->get (REEVE_SASL_PASSWORD, self->data);
  size_t length;

  forget_secret (self);
  if (password == NULL) {
    self->missing = _ ("a password");
    return SASL_FAIL;
  }

  length = strlen (password);
  self->secret_size = sizeof (sasl_secret_t) + length;
  self->secret = g_malloc0 (self->secret_size);
  self->secret->len = length;
  memcpy (self->secret->data, password, length);
  explicit_bzero (password, length);
  g_free (password);
  *secret = self->secret;
  return SASL_OK;
}

/* The first realm that is offered, if nobody cares. */
static int
get_realm (void *context, int id, const char **realms, const char **result)
{
  ReeveSaslClient *self = context;

  g_free (self->realm);
  self->realm = self->get (REEVE_SASL_REALM, self->data);
  *result = self->realm;
  if (*result == NULL && realms != NULL)
    *result = realms[0];
  return SASL_OK;
}

static void
fill_callbacks (ReeveSaslClient *self)
{
  const sasl_callback_t callbacks[] = {
    { SASL_CB_USER, (int (*) (void)) get_name, self },
    { SASL_CB_AUTHNAME, (int (*) (void)) get_name, self },
    { SASL_CB_PASS, (int (*) (void)) get_secret, self },
    { SASL_CB_GETREALM, (int (*) (void)) get_realm, self },
    { SASL_CB_LOG, (int (*) (void)) reeve_sasl_library_log, NULL },
    { SASL_CB_LIST_END, NULL, NULL },
  };

  memcpy (self->callbacks, callbacks, sizeof callbacks);
}

static int
set_up (ReeveSaslClient *self, const char *host, gboolean is_protected)
{
  int min_ssf = is_protected ? REEVE_SASL_PROTECTED : MIN_SSF;
  int status = sasl_client_new (SERVICE, host, NULL, NULL, self->callbacks,
                                SASL_SUCCESS_DATA, &self->exchange);

  return status == SASL_OK
             ? reeve_sasl_library_set_security (self->exchange, min_ssf)
             : status;
}

ReeveSaslClient *
reeve_sasl_client_new (const char *host,
                       gboolean is_protected,
                       ReeveSaslCredentialFunc get,
                       gpointer data,
                       GError **error)
{
  g_autoptr (ReeveSaslClient) self = NULL;
  int status;

  if (!reeve_sasl_library_begin_client (error))
    return NULL;

  self = g_new0 (ReeveSaslClient, 1);
  self->get = get;
  self->data = data;
  fill_callbacks (self);
  status = set_up (self, host, is_protected);
  if (status != SASL_OK) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                 _ ("SASL cannot be used: %s"),
                 sasl_errstring (status, NULL, NULL));
    return NULL;
  }
  return g_steal_pointer (&self);
}

void
reeve_sasl_client_free (ReeveSaslClient *self)
{
  if (self == NULL)
    return;

  sasl_dispose (&self->exchange);
  forget_secret (self);
  g_free (self->name);
  g_free (self->realm);
  g_free (self);
}

static gboolean
take_status (ReeveSaslClient *self,
             int status,
             const char *data,
             unsigned size,
             ReeveSaslMessage *message,
             GError **error)
{
  if (status == SASL_OK || status == SASL_CONTINUE) {
    *message = (ReeveSaslMessage){ data, size, status == SASL_OK };
    return TRUE;
  }

  if (self->missing != NULL)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
                 _ ("authentication failed: the server wants %s"),
                 self->missing);
  else
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
                 _ ("authentication failed: %s"),
                 sasl_errdetail (self->exchange));
  return FALSE;
}

gboolean
reeve_sasl_client_start (ReeveSaslClient *self,
                         const char *mechanisms,
                         const char **mechanism,
                         ReeveSaslMessage *message,
                         GError **error)
{
  const char *data = NULL;
  unsigned size = 0;
  int status = sasl_client_start (self->exchange, mechanisms, NULL, &data,
                                  &size, mechanism);

  if (status == SASL_NOMECH && self->missing == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
                 _ ("authentication failed: none of the server's mechanisms "
                    "(%s) is good enough here"),
                 mechanisms);
    return FALSE;
  }
  return take_status (self, status, data, size, message, error);
}

gboolean
reeve_sasl_client_step (ReeveSaslClient *self,
                        const char *data,
                        size_t size,
                        ReeveSaslMessage *message,
                        GError **error)
{
  const char *out = NULL;
  unsigned out_size = 0;
  int status = sasl_client_step (self->exchange, data, (unsigned) size, NULL,
                                 &out, &out_size);

  return take_status (self, status, out, out_size, message, error);
}

static void
free_owner (gpointer self)
{
  reeve_sasl_client_free (self);
}

ReeveSaslLayer *
reeve_sasl_client_to_layer (ReeveSaslClient *self)
{
  forget_secret (self);
  return reeve_sasl_layer_new (self->exchange, self, free_owner);
}
