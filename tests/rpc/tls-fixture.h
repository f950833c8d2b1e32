/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/tls-issue.h"
#include "rpc/tls-session.h"

G_BEGIN_DECLS

/* Certificates in a folder of their own: a certificate NAME is NAME.pem, with
 * its key in NAME.key. */

/* Makes the folder and the usual ones: `ca`, and of it `server` (for localhost
 * and 127.0.0.1) and `client` (C=GB,O=Acme,CN=client). */
void tls_fixture_set_up (void);
void tls_fixture_tear_down (void);

/* (transfer none): valid until tear_down. */
const char *tls_fixture_get_path (const char *name, const char *suffix);

/* @ca: (nullable): itself. Days count from now. */
void tls_fixture_issue (const char *name,
                        ReeveCertificateKind kind,
                        const char *ca,
                        int start_days,
                        int end_days);

/* A server's, of the usual CA, for @host alone. */
void tls_fixture_issue_for (const char *name, const char *host);

/* Adds the certificate @name of @ca to @ca.crl. */
void tls_fixture_revoke (const char *ca, const char *name);

/* (transfer full): of the usual CA. @name: (nullable): no certificate; the
 * list of revoked ones is used once it is there. */
ReeveTlsContext *tls_fixture_make_context (ReeveTlsSide side,
                                           const char *name,
                                           ReeveTlsFlags flags);

/* Moves bytes until both sides have done what they can. */
typedef struct {
  ReeveTlsSession *sessions[2]; /* (owned): client, server */
  int fds[2];
  ReeveTlsProgress progress[2];
  char *why[2];
} TlsPair;

void tls_pair_init (TlsPair *self,
                    ReeveTlsContext *client,
                    ReeveTlsContext *server,
                    const char *host);
void tls_pair_handshake (TlsPair *self);
void tls_pair_clear (TlsPair *self);

G_END_DECLS
