/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/error.h"
#include "sasl-fixture.h"

/* Both ends of an exchange in one process, without a wire. */

typedef struct {
  const char *name;
  const char *mechanisms; /* of the server */
  gboolean is_protected;
  unsigned min_ssf;
  SaslFixtureUser user;
  const char *chosen; /* (nullable): it fails */
  gboolean has_layer;
} ExchangeCase;

#define ALICE                                                                  \
  {                                                                            \
    SASL_FIXTURE_NAME, SASL_FIXTURE_PASSWORD                                   \
  }

static const ExchangeCase exchange_cases[] = {
  { "scram-where-the-transport-protects", "SCRAM-SHA-256", TRUE, 56, ALICE,
    "SCRAM-SHA-256", FALSE },
  { "best-of-several", "DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256", TRUE, 56, ALICE,
    "SCRAM-SHA-256", FALSE },
  { "digest-needs-no-layer-where-protected", "DIGEST-MD5", TRUE, 56, ALICE,
    "DIGEST-MD5", FALSE },
  { "layer-where-nothing-protects", "DIGEST-MD5", FALSE, 56, ALICE,
    "DIGEST-MD5", TRUE },
  { "scram-brings-no-layer", "SCRAM-SHA-256", FALSE, 56, ALICE, NULL, FALSE },
  { "layer-is-chosen-over-strength", "SCRAM-SHA-256 DIGEST-MD5", FALSE, 56,
    ALICE, "DIGEST-MD5", TRUE },
  /* the client insists */
  { "client-wants-a-layer-where-the-server-does-not", "SCRAM-SHA-256", FALSE, 0,
    ALICE, NULL, FALSE },
  { "plain-text-needs-protection", "PLAIN", FALSE, 0, ALICE, NULL, FALSE },
  { "plain-text-where-protected", "PLAIN", TRUE, 56, ALICE, "PLAIN", FALSE },
  { "wrong-password",
    "SCRAM-SHA-256",
    TRUE,
    56,
    { SASL_FIXTURE_NAME, "x" },
    NULL,
    FALSE },
  { "wrong-password-of-digest",
    "DIGEST-MD5",
    FALSE,
    56,
    { SASL_FIXTURE_NAME, "x" },
    NULL,
    FALSE },
  { "unknown-user",
    "SCRAM-SHA-256",
    TRUE,
    56,
    { "bob", SASL_FIXTURE_PASSWORD },
    NULL,
    FALSE },
  { "no-name",
    "SCRAM-SHA-256",
    TRUE,
    56,
    { NULL, SASL_FIXTURE_PASSWORD },
    NULL,
    FALSE },
  { "no-password",
    "SCRAM-SHA-256",
    TRUE,
    56,
    { SASL_FIXTURE_NAME, NULL },
    NULL,
    FALSE },
  { "no-such-mechanism", "NONSENSE", TRUE, 56, ALICE, NULL, FALSE },
};

static gboolean
exchange (const ExchangeCase *row, const SaslFixture *fixture, GError **error)
{
  g_autofree ReeveSaslOptions *options =
      sasl_fixture_make_options (fixture, row->mechanisms, row->min_ssf);
  g_autoptr (ReeveSaslSession) session =
      reeve_sasl_session_new (options, row->is_protected, error);
  g_autoptr (ReeveSaslClient) client = NULL;
  g_autofree char *list = NULL;
  const char *mechanism;
  ReeveSaslMessage said;
  ReeveSaslLayer *layers[2];

  if (session == NULL)
    return FALSE;
  list = reeve_sasl_session_list_mechanisms (session, error);
  if (list == NULL)
    return FALSE;
  client =
      reeve_sasl_client_new ("localhost", row->is_protected, sasl_fixture_get,
                             (gpointer) &row->user, error);
  if (client == NULL ||
      !reeve_sasl_client_start (client, list, &mechanism, &said, error) ||
      !sasl_fixture_talk (session, client, mechanism, said, error))
    return FALSE;

  g_assert_cmpstr (reeve_sasl_session_get_mechanism (session), ==, row->chosen);
  g_assert_cmpstr (reeve_sasl_session_get_name (session, error), ==,
                   SASL_FIXTURE_NAME);
  layers[0] = reeve_sasl_session_to_layer (g_steal_pointer (&session));
  layers[1] = reeve_sasl_client_to_layer (g_steal_pointer (&client));
  for (int i = 0; i < 2; i++) {
    g_assert_cmpint (layers[i] != NULL, ==, row->has_layer);
    reeve_sasl_layer_free (layers[i]);
  }
  return TRUE;
}

static void
test_exchange (gconstpointer data)
{
  const ExchangeCase *row = data;
  SaslFixture fixture;
  g_autoptr (GError) error = NULL;
  gboolean is_done;

  sasl_fixture_set_up (&fixture);
  is_done = exchange (row, &fixture, &error);
  if (row->chosen != NULL) {
    g_assert_no_error (error);
    g_assert_true (is_done);
  } else {
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_AUTH_FAILED);
  }
  sasl_fixture_tear_down (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (exchange_cases); i++) {
    g_autofree char *path = g_strconcat ("/rpc/sasl-session/exchange/",
                                         exchange_cases[i].name, NULL);

    g_test_add_data_func (path, &exchange_cases[i], test_exchange);
  }
  return g_test_run ();
}
