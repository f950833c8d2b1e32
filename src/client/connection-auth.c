/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-private.h"
#include "client/credentials.h"
#include "event/intl.h"
#include "protocol/auth.h"
#include "rpc/error.h"
#include "rpc/sasl-client.h"

#include <string.h>

/* How a new connection says who its user is. */

/* No mechanism takes so many. */
#define MAX_STEPS 32

typedef struct {
  ReeveOpening *opening;
  ReeveCredentials *file;
} Asking;

static char *
ask (ReeveOpening *self, ReeveCredential which)
{
  gint64 start_us = g_get_monotonic_time ();
  char *answer;

  if (self->ask == NULL)
    return NULL;

  answer = self->ask (which, self->uri->host, self->ask_data);
  /* Nobody types faster because a server waits. */
  self->deadline_us += g_get_monotonic_time () - start_us;
  return answer;
}

static char *
get_credential (ReeveSaslCredential which, gpointer data)
{
  Asking *self = data;
  const char *user = self->opening->uri->user;
  const ReeveCredentials *file = self->file;
  gboolean is_of_user =
      user == NULL || file->name == NULL || g_str_equal (user, file->name);

  switch (which) {
  case REEVE_SASL_NAME:
    if (user != NULL || file->name != NULL)
      return g_strdup (user != NULL ? user : file->name);
    return ask (self->opening, REEVE_CREDENTIAL_NAME);
  case REEVE_SASL_PASSWORD:
    if (file->password != NULL && is_of_user)
      return g_strdup (file->password);
    return ask (self->opening, REEVE_CREDENTIAL_PASSWORD);
  default:
    return g_strdup (file->realm);
  }
}

static gboolean
call_sasl (ReeveOpening *self,
           const char *mechanism,
           const ReeveSaslMessage *said,
           auth_sasl_ret *ret,
           GError **error)
{
  const auth_sasl_start_args start = {
    .mech = (char *) mechanism,
    .nil = said->data == NULL,
    .data = { (uint32_t) said->size, (int8_t *) said->data },
  };
  const auth_sasl_step_args step = {
    .nil = said->data == NULL,
    .data = { (uint32_t) said->size, (int8_t *) said->data },
  };

  auth_sasl_ret_clear (ret);
  *ret = (auth_sasl_ret){ 0 };
  /* What comes behind the last reply is the layer's, and any may be that. */
  reeve_connection_go_on (self->connection, NULL, NULL);
  reeve_connection_hold (self->connection);
  if (mechanism != NULL)
    return reeve_opening_call (self, &auth_program, AUTH_PROC_SASL_START,
                               &start, ret, error);
  return reeve_opening_call (self, &auth_program, AUTH_PROC_SASL_STEP, &step,
                             ret, error);
}

/* The client's answer to what the server said. */
static gboolean
answer (ReeveSaslClient *client,
        const auth_sasl_ret *ret,
        ReeveSaslMessage *said,
        GError **error)
{
  const char *data = ret->data.items == NULL ? "" : (char *) ret->data.items;

  if (said->is_complete) {
    *said = (ReeveSaslMessage){ .is_complete = TRUE };
    return TRUE;
  }
  return reeve_sasl_client_step (client, ret->nil ? NULL : data,
                                 ret->data.n_items, said, error);
}

/* Until both are content: a server that only says so did not prove that it
 * knows the password. */
static gboolean
talk (ReeveOpening *self,
      ReeveSaslClient *client,
      const char *mechanism,
      ReeveSaslMessage said,
      GError **error)
{
  auth_sasl_ret ret = { 0 };
  gboolean is_good = TRUE;
  gboolean is_done = FALSE;

  for (int i = 0; i < MAX_STEPS && is_good && !is_done; i++) {
    is_good = call_sasl (self, i == 0 ? mechanism : NULL, &said, &ret, error) &&
              answer (client, &ret, &said, error);
    is_done = is_good && ret.complete && said.is_complete;
    if (is_good && ret.complete && !is_done)
      break;
  }
  if (is_good && !is_done)
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
                         _ ("authentication failed: the server did not prove "
                            "that it knows the password"));
  auth_sasl_ret_clear (&ret);
  return is_done;
}

static gboolean
exchange (ReeveOpening *self,
          ReeveSaslClient *client,
          const char *mechanisms,
          GError **error)
{
  ReeveSaslMessage said;
  const char *mechanism;

  return reeve_sasl_client_start (client, mechanisms, &mechanism, &said,
                                  error) &&
         talk (self, client, mechanism, said, error);
}

/* (transfer full) (nullable): what may be chosen from. */
static char *
get_mechanisms (ReeveOpening *self, GError **error)
{
  const char *wanted = self->uri->sasl_mechanism;
  auth_sasl_init_ret ret = { 0 };
  g_auto (GStrv) offered = NULL;

  if (!reeve_opening_call (self, &auth_program, AUTH_PROC_SASL_INIT, NULL, &ret,
                           error))
    return NULL;
  if (wanted == NULL)
    return ret.mechlist;

  offered = g_strsplit (ret.mechlist, ",", -1);
  auth_sasl_init_ret_clear (&ret);
  if (g_strv_contains ((const char *const *) offered, wanted))
    return g_strdup (wanted);

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
               _ ("authentication failed: the server does not offer %s"),
               wanted);
  return NULL;
}

static gboolean
authenticate_by_sasl (ReeveOpening *self, GError **error)
{
  g_auto (ReeveCredentials) file = { 0 };
  Asking asking = { self, &file };
  g_autofree char *mechanisms = NULL;
  g_autoptr (ReeveSaslClient) client = NULL;
  gboolean is_done;

  if (!reeve_credentials_load (&file, self->uri->auth_file, self->uri->host,
                               error))
    return FALSE;
  client = reeve_sasl_client_new (self->uri->host, self->uri->is_protected,
                                  get_credential, &asking, error);
  if (client == NULL)
    return FALSE;
  mechanisms = get_mechanisms (self, error);
  if (mechanisms == NULL)
    return FALSE;

  is_done = exchange (self, client, mechanisms, error);
  reeve_connection_go_on (
      self->connection, &reeve_sasl_layer_class,
      is_done ? reeve_sasl_client_to_layer (g_steal_pointer (&client)) : NULL);
  return is_done;
}

/* ---------------------------------------------------------------- kinds --- */

static gboolean
choose_kind (ReeveOpening *self,
             const auth_list_ret *list,
             int32_t *kind,
             GError **error)
{
  int32_t wanted = self->uri->auth == REEVE_URI_AUTH_SASL ? AUTH_KIND_SASL
                                                          : AUTH_KIND_POLKIT;

  *kind = list->types.n_items > 0 ? list->types.items[0] : AUTH_KIND_NONE;
  if (self->uri->auth == REEVE_URI_AUTH_ANY)
    return TRUE;

  *kind = wanted;
  for (uint32_t i = 0; i < list->types.n_items; i++)
    if (list->types.items[i] == wanted)
      return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
               _ ("authentication failed: the server does not offer %s"),
               wanted == AUTH_KIND_SASL ? "sasl" : "polkit");
  return FALSE;
}

static gboolean
authenticate_by (ReeveOpening *self, int32_t kind, GError **error)
{
  auth_polkit_ret ret = { 0 };

  switch (kind) {
  case AUTH_KIND_NONE:
    return TRUE;
  case AUTH_KIND_SASL:
    return authenticate_by_sasl (self, error);
  case AUTH_KIND_POLKIT:
    return reeve_opening_call (self, &auth_program, AUTH_PROC_POLKIT, NULL,
                               &ret, error);
  default:
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED,
                 _ ("The server wants the authentication %d, which is not "
                    "supported"),
                 kind);
    return FALSE;
  }
}

gboolean
reeve_opening_authenticate (ReeveOpening *self, GError **error)
{
  auth_list_ret list = { 0 };
  g_autoptr (GError) why = NULL;
  int32_t kind;
  gboolean is_chosen;

  /* A server without the call wants no authentication. */
  if (!reeve_opening_call (self, &auth_program, AUTH_PROC_LIST, NULL, &list,
                           &why) &&
      !g_error_matches (why, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT) &&
      !g_error_matches (why, REEVE_ERROR, REEVE_ERROR_RPC)) {
    g_propagate_error (error, g_steal_pointer (&why));
    return FALSE;
  }

  is_chosen = choose_kind (self, &list, &kind, error);
  auth_list_ret_clear (&list);
  return is_chosen && authenticate_by (self, kind, error);
}
