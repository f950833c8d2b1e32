/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * Making certificates: what `reeve pki` does. Everything waits for the disk and
 * for arithmetic.
 */

typedef enum {
  REEVE_CERTIFICATE_CA,
  REEVE_CERTIFICATE_SERVER,
  REEVE_CERTIFICATE_CLIENT,
} ReeveCertificateKind;

typedef enum {
  REEVE_KEY_RSA,
  REEVE_KEY_ECDSA,
  REEVE_KEY_ED25519,
} ReeveKeyKind;

/**
 * ReeveCertificateRequest:
 * @name: a common name; or, with a `=`, a distinguished name as in
 *   `C=GB,O=Acme,CN=web`
 * @hosts: (nullable) (array zero-terminated=1): names and addresses by which
 *   clients reach a server
 * @start: seconds since the epoch, as @end
 * @ca: (nullable): the file of the CA that signs, and of its key; a CA signs
 *   itself
 * @certificate: the file to write, as @key
 *
 * A key and a certificate to make.
 */
typedef struct {
  ReeveCertificateKind kind;
  ReeveKeyKind key_kind;
  const char *name;
  const char *const *hosts;
  gint64 start;
  gint64 end;
  const char *ca;
  const char *ca_key;
  const char *certificate;
  const char *key;
} ReeveCertificateRequest;

/* Makes both files, of which nobody else may read the key. Replaces what is
 * there. Errors: REEVE_ERROR_INVALID_ARG, REEVE_ERROR_SYSTEM. */
gboolean
reeve_tls_issue (const ReeveCertificateRequest *request, GError **error);

/**
 * reeve_tls_revoke:
 * @crl: the file to write, or to write anew with one more
 * @certificate: what is not to be trusted any more
 *
 * Errors: %REEVE_ERROR_INVALID_ARG for a certificate that is not the CA's or
 * is revoked already, %REEVE_ERROR_SYSTEM.
 */
gboolean reeve_tls_revoke (const char *ca,
                           const char *ca_key,
                           const char *crl,
                           const char *certificate,
                           GError **error);

/* When the certificate in @path expires; -1 with @error. */
gint64 reeve_tls_read_expiry (const char *path, GError **error);

G_END_DECLS
