/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sasl-fixture.h"

#include <glib/gstdio.h>
#include <sasl/sasl.h>
#include <string.h>

const SaslFixtureUser sasl_fixture_alice = { SASL_FIXTURE_NAME,
                                             SASL_FIXTURE_PASSWORD };

static int
get_option (void *context,
            const char *plugin,
            const char *name,
            const char **value,
            unsigned *size)
{
  const SaslFixture *self = context;

  if (g_str_equal (name, "sasldb_path"))
    *value = self->database;
  else if (g_str_equal (name, "auxprop_plugin"))
    *value = "sasldb";
  else
    return SASL_FAIL;
  if (size != NULL)
    *size = (unsigned) strlen (*value);
  return SASL_OK;
}

/* As saslpasswd2(8) does it. */
static void
add_user (SaslFixture *self)
{
  const sasl_callback_t callbacks[] = {
    { SASL_CB_GETOPT, (int (*) (void)) get_option, self },
    { SASL_CB_LIST_END, NULL, NULL },
  };
  sasl_conn_t *exchange = NULL;

  g_assert_cmpint (sasl_server_new ("libvirt", SASL_FIXTURE_REALM, NULL, NULL,
                                    NULL, callbacks, 0, &exchange),
                   ==, SASL_OK);
  g_assert_cmpint (
      sasl_setpass (exchange, SASL_FIXTURE_NAME, SASL_FIXTURE_PASSWORD,
                    strlen (SASL_FIXTURE_PASSWORD), NULL, 0, SASL_SET_CREATE),
      ==, SASL_OK);
  sasl_dispose (&exchange);
}

void
sasl_fixture_set_up (SaslFixture *self)
{
  g_autoptr (GError) error = NULL;

  self->directory = g_dir_make_tmp ("reeve-sasl-XXXXXX", &error);
  g_assert_no_error (error);
  self->database = g_build_filename (self->directory, "passwd.db", NULL);
  reeve_sasl_session_is_possible (&error);
  g_assert_no_error (error);
  add_user (self);
}

void
sasl_fixture_tear_down (SaslFixture *self)
{
  g_unlink (self->database);
  g_rmdir (self->directory);
  g_free (self->database);
  g_free (self->directory);
}

char *
sasl_fixture_get (ReeveSaslCredential which, gpointer data)
{
  const SaslFixtureUser *user = data;

  switch (which) {
  case REEVE_SASL_NAME:
    return g_strdup (user->name);
  case REEVE_SASL_PASSWORD:
    return g_strdup (user->password);
  default:
    return NULL;
  }
}

ReeveSaslOptions *
sasl_fixture_make_options (const SaslFixture *self,
                           const char *mechanisms,
                           unsigned min_ssf)
{
  ReeveSaslOptions *options = g_new0 (ReeveSaslOptions, 1);

  options->service = (char *) "libvirt";
  options->realm = (char *) SASL_FIXTURE_REALM;
  options->database = self->database;
  options->mechanisms = (char *) mechanisms;
  options->min_ssf = min_ssf;
  return options;
}

gboolean
sasl_fixture_talk (ReeveSaslSession *session,
                   ReeveSaslClient *client,
                   const char *mechanism,
                   ReeveSaslMessage said,
                   GError **error)
{
  gboolean has_begun = FALSE;
  ReeveSaslMessage answer = { 0 };

  while (!said.is_complete || !answer.is_complete) {
    if (has_begun ? !reeve_sasl_session_step (session, said.data, said.size,
                                              &answer, error)
                  : !reeve_sasl_session_start (session, mechanism, said.data,
                                               said.size, &answer, error))
      return FALSE;
    has_begun = TRUE;
    if (!said.is_complete &&
        !reeve_sasl_client_step (client, answer.data, answer.size, &said,
                                 error))
      return FALSE;
  }

  return TRUE;
}

void
sasl_fixture_make_layers (const ReeveSaslOptions *options,
                          ReeveSaslLayer **server,
                          ReeveSaslLayer **client)
{
  g_autoptr (GError) error = NULL;
  ReeveSaslSession *session = reeve_sasl_session_new (options, FALSE, &error);
  ReeveSaslClient *other =
      reeve_sasl_client_new ("localhost", FALSE, sasl_fixture_get,
                             (gpointer) &sasl_fixture_alice, &error);
  const char *mechanism;
  ReeveSaslMessage said;

  g_assert_no_error (error);
  reeve_sasl_client_start (other, options->mechanisms, &mechanism, &said,
                           &error);
  g_assert_no_error (error);
  sasl_fixture_talk (session, other, mechanism, said, &error);
  g_assert_no_error (error);
  *server = reeve_sasl_session_to_layer (session);
  *client = reeve_sasl_client_to_layer (other);
}
