/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/tls-private.h"

#include <string.h>

/* What would fail later, at each handshake and at the other end, is found when
 * our own files are read. */

static gboolean
refuse (const char *path, const char *why, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG, "%s: %s", path,
               why);
  return FALSE;
}

static gboolean
refuse_time (const char *path,
             const char *format,
             gint64 seconds,
             GError **error)
{
  g_autofree char *time = reeve_tls_format_time (seconds);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG, format, path, time);
#pragma GCC diagnostic pop
  return FALSE;
}

gboolean
reeve_tls_check_dates (gnutls_x509_crt_t certificate,
                       const char *path,
                       GError **error)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  gint64 start = gnutls_x509_crt_get_activation_time (certificate);
  gint64 end = gnutls_x509_crt_get_expiration_time (certificate);

  if (start > now)
    return refuse_time (path,
                        _ ("%1$s: the certificate is not valid before "
                           "%2$s"),
                        start, error);
  if (end < now)
    return refuse_time (path, _ ("%1$s: the certificate expired on %2$s"), end,
                        error);
  return TRUE;
}

/* (nullable): what a critical list of key usages fails to allow. */
static const char *
find_missing_usage (gnutls_x509_crt_t certificate, gboolean is_ca)
{
  unsigned usage = 0, is_critical = 0;

  if (gnutls_x509_crt_get_key_usage (certificate, &usage, &is_critical) < 0 ||
      !is_critical)
    return NULL;
  if (is_ca)
    return usage & GNUTLS_KEY_KEY_CERT_SIGN
               ? NULL
               : _ ("it is not meant for signing certificates");
  if (!(usage & GNUTLS_KEY_DIGITAL_SIGNATURE))
    return _ ("it is not meant for signatures");
  /* No other kind of key enciphers keys. */
  if (gnutls_x509_crt_get_pk_algorithm (certificate, NULL) == GNUTLS_PK_RSA &&
      !(usage & GNUTLS_KEY_KEY_ENCIPHERMENT))
    return _ ("it is not meant for enciphering keys");
  return NULL;
}

static gboolean
has_purpose (gnutls_x509_crt_t certificate, const char *wanted)
{
  unsigned is_critical, any_critical = 0;
  char purpose[128];
  size_t size;
  int status;

  for (unsigned i = 0;; i++) {
    size = sizeof purpose;
    is_critical = 0;
    status = gnutls_x509_crt_get_key_purpose_oid (certificate, i, purpose,
                                                  &size, &is_critical);
    if (status == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
      break;
    any_critical |= is_critical;
    if (status >= 0 &&
        (g_str_equal (purpose, wanted) || g_str_equal (purpose, GNUTLS_KP_ANY)))
      return TRUE;
  }

  /* There is no list, or it is no more than advice. */
  return !any_critical;
}

gboolean
reeve_tls_check_purpose (gnutls_x509_crt_t certificate,
                         ReeveTlsSide side,
                         const char *path,
                         GError **error)
{
  const char *missing = find_missing_usage (certificate, FALSE);
  gboolean is_server = side == REEVE_TLS_SERVER;

  if (gnutls_x509_crt_get_ca_status (certificate, NULL) > 0)
    return refuse (path,
                   is_server ? _ ("it is the certificate of a CA, not of a "
                                  "server")
                             : _ ("it is the certificate of a CA, not of a "
                                  "client"),
                   error);
  if (missing != NULL)
    return refuse (path, missing, error);
  if (!has_purpose (certificate, is_server ? GNUTLS_KP_TLS_WWW_SERVER
                                           : GNUTLS_KP_TLS_WWW_CLIENT))
    return refuse (path,
                   is_server ? _ ("it is not meant for servers")
                             : _ ("it is not meant for clients"),
                   error);
  return TRUE;
}

static gboolean
check_ca (gnutls_x509_crt_t certificate, const char *path, GError **error)
{
  const char *missing = find_missing_usage (certificate, TRUE);

  if (gnutls_x509_crt_get_ca_status (certificate, NULL) <= 0)
    return refuse (path, _ ("it is not the certificate of a CA"), error);
  if (missing != NULL)
    return refuse (path, missing, error);
  return reeve_tls_check_dates (certificate, path, error);
}

gboolean
reeve_tls_check_key (const ReeveTlsFiles *files,
                     const ReeveTlsSettings *settings,
                     GError **error)
{
  unsigned char ids[2][64] = { { 0 } };
  size_t sizes[2] = { sizeof ids[0], sizeof ids[1] };

  if (gnutls_x509_crt_get_key_id (files->certificates[0], 0, ids[0],
                                  &sizes[0]) >= 0 &&
      gnutls_x509_privkey_get_key_id (files->key, 0, ids[1], &sizes[1]) >= 0 &&
      sizes[0] == sizes[1] && memcmp (ids[0], ids[1], sizes[0]) == 0)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("%1$s: it is not the key of the certificate in %2$s"),
               settings->key, settings->certificate);
  return FALSE;
}

gboolean
reeve_tls_check_chain (const ReeveTlsFiles *files,
                       const ReeveTlsSettings *settings,
                       GError **error)
{
  unsigned verdict = 0;
  int status = gnutls_x509_crt_list_verify (
      files->certificates, (int) files->n_certificates, files->cas,
      (int) files->n_cas, NULL, 0, 0, &verdict);

  if (status >= 0 && verdict == 0)
    return TRUE;

  if (verdict & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNATURE_FAILURE |
                 GNUTLS_CERT_SIGNER_NOT_CA))
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("%1$s: it is not signed by the CA in %2$s"),
                 settings->certificate, settings->ca);
  else if (verdict & GNUTLS_CERT_INSECURE_ALGORITHM)
    refuse (settings->certificate, _ ("its key or signature is too weak"),
            error);
  else
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("%1$s: it does not lead to the CA in %2$s"),
                 settings->certificate, settings->ca);
  return FALSE;
}

/* GnuTLS ignores a list that is not of its CA, and refuses everybody once it
 * is out of date. */
gboolean
reeve_tls_check_crls (const ReeveTlsFiles *files,
                      const ReeveTlsSettings *settings,
                      GError **error)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;

  for (unsigned i = 0; i < files->n_crls; i++) {
    gint64 end = gnutls_x509_crl_get_next_update (files->crls[i]);
    unsigned verdict = 0;
    int status = gnutls_x509_crl_verify (files->crls[i], files->cas,
                                         (int) files->n_cas, 0, &verdict);

    if (end > 0 && end < now)
      return refuse_time (settings->crl,
                          _ ("%1$s: the list of revoked certificates is out of "
                             "date since %2$s"),
                          end, error);
    if (status < 0 || verdict != 0) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                   _ ("%1$s: the list of revoked certificates is not signed by "
                      "the CA in %2$s"),
                   settings->crl, settings->ca);
      return FALSE;
    }
  }

  return TRUE;
}

gboolean
reeve_tls_check_cas (const ReeveTlsFiles *files,
                     const char *path,
                     GError **error)
{
  g_autoptr (GError) first = NULL;

  for (unsigned i = 0; i < files->n_cas; i++)
    if (check_ca (files->cas[i], path, first == NULL ? &first : NULL))
      return TRUE;

  if (first != NULL)
    g_propagate_error (error, g_steal_pointer (&first));
  return first == NULL && files->n_cas == 0;
}

gboolean
reeve_tls_check_files (const ReeveTlsFiles *files,
                       ReeveTlsSide side,
                       const ReeveTlsSettings *settings,
                       GError **error)
{
  if (!reeve_tls_check_cas (files, settings->ca, error))
    return FALSE;
  for (unsigned i = 0; i < files->n_certificates; i++)
    if (!reeve_tls_check_dates (files->certificates[i], settings->certificate,
                                error))
      return FALSE;
  if (files->n_certificates > 0 &&
      !reeve_tls_check_purpose (files->certificates[0], side,
                                settings->certificate, error))
    return FALSE;
  if (files->n_certificates > 0 && files->key != NULL &&
      !reeve_tls_check_key (files, settings, error))
    return FALSE;
  if (files->n_certificates > 0 && files->n_cas > 0 &&
      !reeve_tls_check_chain (files, settings, error))
    return FALSE;
  return reeve_tls_check_crls (files, settings, error);
}
