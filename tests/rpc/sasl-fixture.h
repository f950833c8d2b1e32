/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/sasl-client.h"

G_BEGIN_DECLS

/* A file of passwords of its own, with one user, for both ends of SASL. */

#define SASL_FIXTURE_REALM "reeve.test"
#define SASL_FIXTURE_NAME "alice"
#define SASL_FIXTURE_PASSWORD "wonderland"

typedef struct {
  char *directory; /* (owned) */
  char *database;  /* (owned) */
} SaslFixture;

void sasl_fixture_set_up (SaslFixture *self);
void sasl_fixture_tear_down (SaslFixture *self);

/* What a client knows; for ReeveSaslCredentialFunc. */
typedef struct {
  const char *name;     /* (nullable) */
  const char *password; /* (nullable) */
} SaslFixtureUser;

extern const SaslFixtureUser sasl_fixture_alice;
char *sasl_fixture_get (ReeveSaslCredential which, gpointer user);

/* (transfer container): for sessions. */
ReeveSaslOptions *sasl_fixture_make_options (const SaslFixture *self,
                                             const char *mechanisms,
                                             unsigned min_ssf);

/* Lets them talk until both are content, or one is not. */
gboolean sasl_fixture_talk (ReeveSaslSession *session,
                            ReeveSaslClient *client,
                            const char *mechanism,
                            ReeveSaslMessage said,
                            GError **error);

/* The layers of the two ends of an exchange, by a mechanism that has one. */
void sasl_fixture_make_layers (const ReeveSaslOptions *options,
                               ReeveSaslLayer **server,
                               ReeveSaslLayer **client);

G_END_DECLS
