/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/tls-issue.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/tls-private.h"

#include <gio/gio.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdint.h>
#include <string.h>

#define RSA_BITS 3072
#define SERIAL_SIZE 16

/* GnuTLS' numbers for errors, of which only few can happen to us. */
static gboolean
check (int status, const char *what, GError **error)
{
  if (status >= 0)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG, "%s: %s", what,
               gnutls_strerror (status));
  return FALSE;
}

/* A CA as it signs: its certificate and its key. */
static gboolean
read_signer (ReeveTlsFiles *self,
             const char *certificate,
             const char *key,
             GError **error)
{
  const ReeveTlsSettings settings = { .ca = certificate, .key = key };

  return reeve_tls_files_read (self, &settings, error) &&
         reeve_tls_check_cas (self, certificate, error);
}

static gboolean
write_file (const char *path,
            const gnutls_datum_t *data,
            int mode,
            GError **error)
{
  g_autoptr (GError) why = NULL;

  if (g_file_set_contents_full (path, (const char *) data->data, data->size,
                                G_FILE_SET_CONTENTS_CONSISTENT |
                                    G_FILE_SET_CONTENTS_DURABLE,
                                mode, &why))
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_SYSTEM, why->message);
  return FALSE;
}

/* --------------------------------------------------------- certificate --- */

static gboolean
generate_key (gnutls_x509_privkey_t key, ReeveKeyKind kind, GError **error)
{
  static const struct {
    gnutls_pk_algorithm_t algorithm;
    unsigned bits;
  } rows[] = {
    [REEVE_KEY_RSA] = { GNUTLS_PK_RSA, RSA_BITS },
    [REEVE_KEY_ECDSA] = { GNUTLS_PK_ECDSA,
                          GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1) },
    [REEVE_KEY_ED25519] = { GNUTLS_PK_EDDSA_ED25519, 256 },
  };

  return check (gnutls_x509_privkey_generate2 (key, rows[kind].algorithm,
                                               rows[kind].bits, 0, NULL, 0),
                _ ("Cannot make a key"), error);
}

/* A distinguished name, whose parts GnuTLS wants the other way round. */
static gboolean
set_name (gnutls_x509_crt_t certificate, const char *name, GError **error)
{
  g_autoptr (GString) reversed = g_string_new (NULL);
  g_auto (GStrv) parts = NULL;
  const char *position = NULL;

  if (strchr (name, '=') == NULL)
    return check (
        gnutls_x509_crt_set_dn_by_oid (certificate, GNUTLS_OID_X520_COMMON_NAME,
                                       0, name, (unsigned) strlen (name)),
        name, error);

  parts = g_strsplit (name, ",", -1);
  for (char **part = parts; *part != NULL; part++) {
    g_string_prepend (reversed, part == parts ? "" : ",");
    g_string_prepend (reversed, g_strstrip (*part));
  }
  return check (gnutls_x509_crt_set_dn (certificate, reversed->str, &position),
                name, error);
}

static gboolean
add_hosts (gnutls_x509_crt_t certificate,
           const char *const *hosts,
           GError **error)
{
  for (; hosts != NULL && *hosts != NULL; hosts++) {
    g_autoptr (GInetAddress) address = g_inet_address_new_from_string (*hosts);
    int status;

    if (address != NULL)
      status = gnutls_x509_crt_set_subject_alt_name (
          certificate, GNUTLS_SAN_IPADDRESS, g_inet_address_to_bytes (address),
          (unsigned) g_inet_address_get_native_size (address),
          GNUTLS_FSAN_APPEND);
    else
      status = gnutls_x509_crt_set_subject_alt_name (
          certificate, GNUTLS_SAN_DNSNAME, *hosts, (unsigned) strlen (*hosts),
          GNUTLS_FSAN_APPEND);
    if (!check (status, *hosts, error))
      return FALSE;
  }

  return TRUE;
}

static int
set_uses (gnutls_x509_crt_t certificate, ReeveCertificateKind kind)
{
  int status;

  if (kind == REEVE_CERTIFICATE_CA) {
    status = gnutls_x509_crt_set_basic_constraints (certificate, 1, -1);
    return status < 0 ? status
                      : gnutls_x509_crt_set_key_usage (
                            certificate,
                            GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
  }

  status = gnutls_x509_crt_set_basic_constraints (certificate, 0, -1);
  if (status >= 0)
    status = gnutls_x509_crt_set_key_purpose_oid (
        certificate,
        kind == REEVE_CERTIFICATE_SERVER ? GNUTLS_KP_TLS_WWW_SERVER
                                         : GNUTLS_KP_TLS_WWW_CLIENT,
        0);
  /* libvirt's clients insist on the second, whatever the kind of the key. */
  return status < 0 ? status
                    : gnutls_x509_crt_set_key_usage (
                          certificate, GNUTLS_KEY_DIGITAL_SIGNATURE |
                                           GNUTLS_KEY_KEY_ENCIPHERMENT);
}

/* So that a chain can be built by keys, not by names alone. */
static int
set_key_ids (gnutls_x509_crt_t certificate, gnutls_x509_crt_t signer)
{
  uint8_t id[64];
  size_t size = sizeof id;
  int status = gnutls_x509_crt_get_key_id (certificate, 0, id, &size);

  if (status >= 0)
    status = gnutls_x509_crt_set_subject_key_id (certificate, id, size);
  if (status < 0 || signer == certificate)
    return status;

  size = sizeof id;
  if (gnutls_x509_crt_get_subject_key_id (signer, id, &size, NULL) < 0)
    return 0;
  return gnutls_x509_crt_set_authority_key_id (certificate, id, size);
}

static int
set_serial (gnutls_x509_crt_t certificate)
{
  uint8_t serial[SERIAL_SIZE];
  int status = gnutls_rnd (GNUTLS_RND_NONCE, serial, sizeof serial);

  /* A positive number that begins with no zero. */
  serial[0] = (serial[0] & 0x7f) | 0x40;
  return status < 0
             ? status
             : gnutls_x509_crt_set_serial (certificate, serial, sizeof serial);
}

/* Ed25519 has a digest of its own. */
static gnutls_digest_algorithm_t
get_digest (gnutls_x509_privkey_t key)
{
  return gnutls_x509_privkey_get_pk_algorithm (key) == GNUTLS_PK_EDDSA_ED25519
             ? GNUTLS_DIG_SHA512
             : GNUTLS_DIG_SHA256;
}

static gboolean
fill_certificate (gnutls_x509_crt_t certificate,
                  gnutls_x509_privkey_t key,
                  const ReeveCertificateRequest *request,
                  const ReeveTlsFiles *signer,
                  GError **error)
{
  gboolean is_own = signer->n_cas == 0;
  gnutls_x509_crt_t above = is_own ? certificate : signer->cas[0];
  gnutls_x509_privkey_t above_key = is_own ? key : signer->key;
  const char *what = request->certificate;

  return check (gnutls_x509_crt_set_version (certificate, 3), what, error) &&
         check (set_serial (certificate), what, error) &&
         set_name (certificate, request->name, error) &&
         check (
             gnutls_x509_crt_set_activation_time (certificate, request->start),
             what, error) &&
         check (gnutls_x509_crt_set_expiration_time (certificate, request->end),
                what, error) &&
         check (gnutls_x509_crt_set_key (certificate, key), what, error) &&
         add_hosts (certificate, request->hosts, error) &&
         check (set_uses (certificate, request->kind), what, error) &&
         check (set_key_ids (certificate, above), what, error) &&
         check (gnutls_x509_crt_sign2 (certificate, above, above_key,
                                       get_digest (above_key), 0),
                what, error);
}

static gboolean
write_both (gnutls_x509_crt_t certificate,
            gnutls_x509_privkey_t key,
            const ReeveCertificateRequest *request,
            GError **error)
{
  gnutls_datum_t text = { 0 };
  gboolean is_done;

  is_done =
      check (gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, NULL,
                                                GNUTLS_PKCS_PLAIN, &text),
             request->key, error) &&
      write_file (request->key, &text, 0600, error);
  if (text.data != NULL)
    gnutls_memset (text.data, 0, text.size);
  gnutls_free (text.data);
  if (!is_done)
    return FALSE;

  text = (gnutls_datum_t){ 0 };
  is_done =
      check (gnutls_x509_crt_export2 (certificate, GNUTLS_X509_FMT_PEM, &text),
             request->certificate, error) &&
      write_file (request->certificate, &text, 0644, error);
  gnutls_free (text.data);
  return is_done;
}

gboolean
reeve_tls_issue (const ReeveCertificateRequest *request, GError **error)
{
  g_auto (ReeveTlsFiles) signer = { 0 };
  gnutls_x509_crt_t certificate;
  gnutls_x509_privkey_t key;
  gboolean is_done;

  if (request->ca != NULL &&
      !read_signer (&signer, request->ca, request->ca_key, error))
    return FALSE;

  gnutls_x509_crt_init (&certificate);
  gnutls_x509_privkey_init (&key);
  is_done = generate_key (key, request->key_kind, error) &&
            fill_certificate (certificate, key, request, &signer, error) &&
            write_both (certificate, key, request, error);
  gnutls_x509_privkey_deinit (key);
  gnutls_x509_crt_deinit (certificate);
  return is_done;
}

gint64
reeve_tls_read_expiry (const char *path, GError **error)
{
  g_auto (ReeveTlsFiles) files = { 0 };

  if (!reeve_tls_read_certificates (path, &files.certificates,
                                    &files.n_certificates, error))
    return -1;
  return gnutls_x509_crt_get_expiration_time (files.certificates[0]);
}

/* ----------------------------------------------------------- revocation -- */

/* The list that is there, or an empty one. */
static gnutls_x509_crl_t
read_or_make_crl (const char *path, GError **error)
{
  g_auto (ReeveTlsFiles) files = { 0 };
  gnutls_x509_crl_t crl;

  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    gnutls_x509_crl_init (&crl);
    return crl;
  }

  if (!reeve_tls_read_crls (path, &files.crls, &files.n_crls, error))
    return NULL;
  crl = files.crls[0];
  files.crls[0] = files.crls[files.n_crls - 1];
  files.n_crls--;
  return crl;
}

static gboolean
is_revoked (gnutls_x509_crl_t crl, gnutls_x509_crt_t certificate)
{
  return gnutls_x509_crt_check_revocation (certificate, &crl, 1) == 1;
}

/* Lists of one CA are numbered. */
static int
count_up (gnutls_x509_crl_t crl)
{
  uint8_t number[20] = { 0 };
  size_t size = sizeof number;
  uint64_t count = 0;

  if (gnutls_x509_crl_get_number (crl, number, &size, NULL) >= 0)
    for (size_t i = 0; i < size; i++)
      count = count << 8 | number[i];

  count = GUINT64_TO_BE ((count + 1) & G_MAXINT64);
  return gnutls_x509_crl_set_number (crl, &count, sizeof count);
}

static gboolean
fill_crl (gnutls_x509_crl_t crl,
          gnutls_x509_crt_t certificate,
          const ReeveTlsFiles *signer,
          const char *path,
          GError **error)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  gnutls_x509_crt_t ca = signer->cas[0];
  uint8_t id[64];
  size_t size = sizeof id;

  if (gnutls_x509_crt_get_subject_key_id (ca, id, &size, NULL) >= 0 &&
      !check (gnutls_x509_crl_set_authority_key_id (crl, id, size), path,
              error))
    return FALSE;

  /* It is as good as the CA is, so that nobody is refused because a list was
   * forgotten. */
  return check (gnutls_x509_crl_set_version (crl, 2), path, error) &&
         check (gnutls_x509_crl_set_crt (crl, certificate, now), path, error) &&
         check (gnutls_x509_crl_set_this_update (crl, now), path, error) &&
         check (gnutls_x509_crl_set_next_update (
                    crl, gnutls_x509_crt_get_expiration_time (ca)),
                path, error) &&
         check (count_up (crl), path, error) &&
         check (gnutls_x509_crl_sign2 (crl, ca, signer->key,
                                       get_digest (signer->key), 0),
                path, error);
}

static gboolean
write_crl (gnutls_x509_crl_t crl, const char *path, GError **error)
{
  gnutls_datum_t text = { 0 };
  gboolean is_done =
      check (gnutls_x509_crl_export2 (crl, GNUTLS_X509_FMT_PEM, &text), path,
             error) &&
      write_file (path, &text, 0644, error);

  gnutls_free (text.data);
  return is_done;
}

static gboolean
refuse (const char *path, const char *why, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG, "%s: %s", path,
               why);
  return FALSE;
}

gboolean
reeve_tls_revoke (const char *ca,
                  const char *ca_key,
                  const char *crl,
                  const char *certificate,
                  GError **error)
{
  g_auto (ReeveTlsFiles) signer = { 0 };
  g_auto (ReeveTlsFiles) files = { 0 };
  gnutls_x509_crl_t list;
  gboolean is_done;

  if (!read_signer (&signer, ca, ca_key, error) ||
      !reeve_tls_read_certificates (certificate, &files.certificates,
                                    &files.n_certificates, error))
    return FALSE;
  if (!gnutls_x509_crt_check_issuer (files.certificates[0], signer.cas[0]))
    return refuse (certificate, _ ("it is not signed by this CA"), error);

  list = read_or_make_crl (crl, error);
  if (list == NULL)
    return FALSE;
  is_done = is_revoked (list, files.certificates[0])
                ? refuse (certificate, _ ("it is revoked already"), error)
                : fill_crl (list, files.certificates[0], &signer, crl, error) &&
                      write_crl (list, crl, error);
  gnutls_x509_crl_deinit (list);
  return is_done;
}
