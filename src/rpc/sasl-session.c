/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/sasl-session.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/sasl-library.h"

#include <sasl/sasl.h>
#include <string.h>

struct _ReeveSaslSession {
  const ReeveSaslOptions *options;
  sasl_conn_t *exchange; /* (owned) */
  gboolean has_failed;
  sasl_callback_t callbacks[3];
};

/* Takes the place of the host's file of options. */
static int
get_option (void *context,
            const char *plugin,
            const char *name,
            const char **value,
            unsigned *size)
{
  const ReeveSaslSession *self = context;
  const struct {
    const char *name;
    const char *value;
  } options[] = {
    { "mech_list", self->options->mechanisms },
    { "pwcheck_method", "auxprop" },
    { "auxprop_plugin", "sasldb" },
    { "sasldb_path", self->options->database },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (options); i++) {
    if (!g_str_equal (name, options[i].name) || options[i].value == NULL)
      continue;
    *value = options[i].value;
    if (size != NULL)
      *size = (unsigned) strlen (*value);
    return SASL_OK;
  }

  return SASL_FAIL;
}

gboolean
reeve_sasl_session_is_possible (GError **error)
{
  return reeve_sasl_library_begin_server (error);
}

static gboolean
refuse (ReeveSaslSession *self, GError **error)
{
  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
                       _ ("authentication failed"));
  return FALSE;
}

static int
set_up (ReeveSaslSession *self, gboolean is_protected)
{
  int min_ssf =
      is_protected ? REEVE_SASL_PROTECTED : (int) self->options->min_ssf;
  int status = sasl_server_new (self->options->service, self->options->realm,
                                NULL, NULL, NULL, self->callbacks,
                                SASL_SUCCESS_DATA, &self->exchange);

  return status == SASL_OK
             ? reeve_sasl_library_set_security (self->exchange, min_ssf)
             : status;
}

ReeveSaslSession *
reeve_sasl_session_new (const ReeveSaslOptions *options,
                        gboolean is_protected,
                        GError **error)
{
  g_autoptr (ReeveSaslSession) self = g_new0 (ReeveSaslSession, 1);
  int status;

  self->options = options;
  self->callbacks[0] =
      (sasl_callback_t){ SASL_CB_GETOPT, (int (*) (void)) get_option, self };
  self->callbacks[1] =
      (sasl_callback_t){ SASL_CB_LOG, (int (*) (void)) reeve_sasl_library_log,
                         NULL };
  self->callbacks[2] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };

  status = set_up (self, is_protected);
  if (status != SASL_OK) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
                 _ ("SASL cannot be used: %s"),
                 sasl_errstring (status, NULL, NULL));
    return NULL;
  }
  return g_steal_pointer (&self);
}

void
reeve_sasl_session_free (ReeveSaslSession *self)
{
  if (self == NULL)
    return;

  sasl_dispose (&self->exchange);
  g_free (self);
}

char *
reeve_sasl_session_list_mechanisms (ReeveSaslSession *self, GError **error)
{
  const char *list = NULL;
  int n_mechanisms = 0;

  if (sasl_listmech (self->exchange, NULL, "", ",", "", &list, NULL,
                     &n_mechanisms) == SASL_OK &&
      n_mechanisms > 0)
    return g_strdup (list);

  g_set_error (
      error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
      _ ("authentication failed: none of the mechanisms %s can be used "
         "on this connection"),
      self->options->mechanisms);
  return NULL;
}

static gboolean
take_status (ReeveSaslSession *self,
             int status,
             const char *data,
             unsigned size,
             ReeveSaslMessage *reply,
             GError **error)
{
  if (status != SASL_OK && status != SASL_CONTINUE) {
    self->has_failed = TRUE;
    return refuse (self, error);
  }

  *reply = (ReeveSaslMessage){ data, size, status == SASL_OK };
  return TRUE;
}

gboolean
reeve_sasl_session_start (ReeveSaslSession *self,
                          const char *mechanism,
                          const char *data,
                          size_t size,
                          ReeveSaslMessage *reply,
                          GError **error)
{
  const char *out = NULL;
  unsigned out_size = 0;
  int status = sasl_server_start (self->exchange, mechanism, data,
                                  (unsigned) size, &out, &out_size);

  return take_status (self, status, out, out_size, reply, error);
}

gboolean
reeve_sasl_session_step (ReeveSaslSession *self,
                         const char *data,
                         size_t size,
                         ReeveSaslMessage *reply,
                         GError **error)
{
  const char *out = NULL;
  unsigned out_size = 0;
  int status =
      sasl_server_step (self->exchange, data, (unsigned) size, &out, &out_size);

  return take_status (self, status, out, out_size, reply, error);
}

static const char *
get_text (ReeveSaslSession *self, int property)
{
  const void *text = NULL;

  return sasl_getprop (self->exchange, property, &text) == SASL_OK ? text
                                                                   : NULL;
}

const char *
reeve_sasl_session_get_name (ReeveSaslSession *self, GError **error)
{
  const char *name = get_text (self, SASL_USERNAME);

  if (name == NULL)
    refuse (self, error);
  return name;
}

const char *
reeve_sasl_session_get_mechanism (ReeveSaslSession *self)
{
  const char *name = get_text (self, SASL_MECHNAME);

  return name == NULL ? "" : name;
}

char *
reeve_sasl_session_get_detail (ReeveSaslSession *self)
{
  const char *detail =
      self->has_failed ? sasl_errdetail (self->exchange) : NULL;

  /* A part of it may be what the client said. */
  return detail == NULL ? NULL : g_strescape (detail, NULL);
}

static void
free_owner (gpointer self)
{
  reeve_sasl_session_free (self);
}

ReeveSaslLayer *
reeve_sasl_session_to_layer (ReeveSaslSession *self)
{
  return reeve_sasl_layer_new (self->exchange, self, free_owner);
}
