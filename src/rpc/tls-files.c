/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/tls-private.h"

#include <errno.h>
#include <gio/gio.h>
#include <sys/stat.h>

/* No certificate, nor a bundle of them, comes near; a CRL may. */
#define MAX_FILE_SIZE (16 * 1024 * 1024)

void
reeve_tls_files_clear (ReeveTlsFiles *self)
{
  for (unsigned i = 0; i < self->n_certificates; i++)
    gnutls_x509_crt_deinit (self->certificates[i]);
  for (unsigned i = 0; i < self->n_cas; i++)
    gnutls_x509_crt_deinit (self->cas[i]);
  for (unsigned i = 0; i < self->n_crls; i++)
    gnutls_x509_crl_deinit (self->crls[i]);
  if (self->key != NULL)
    gnutls_x509_privkey_deinit (self->key);
  gnutls_free (self->certificates);
  gnutls_free (self->cas);
  gnutls_free (self->crls);
  *self = (ReeveTlsFiles){ 0 };
}

static gboolean
read_file (const char *path, gnutls_datum_t *data, GError **error)
{
  g_autoptr (GError) why = NULL;
  struct stat file;
  gsize size;

  if (stat (path, &file) < 0)
    return reeve_error_from_errno (error, errno, "%s", path);
  if (!S_ISREG (file.st_mode) || file.st_size > MAX_FILE_SIZE) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("%s: it is no file of a possible size"), path);
    return FALSE;
  }
  if (!g_file_get_contents (path, (char **) &data->data, &size, &why)) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_SYSTEM, why->message);
    return FALSE;
  }

  data->size = (unsigned) size;
  return TRUE;
}

static gboolean
refuse (const char *path, const char *what, int status, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG, "%s: %s: %s", path,
               what, gnutls_strerror (status));
  return FALSE;
}

gboolean
reeve_tls_read_certificates (const char *path,
                             gnutls_x509_crt_t **certificates,
                             unsigned *n_certificates,
                             GError **error)
{
  gnutls_datum_t data;
  int status;

  if (!read_file (path, &data, error))
    return FALSE;

  status = gnutls_x509_crt_list_import2 (certificates, n_certificates, &data,
                                         GNUTLS_X509_FMT_PEM, 0);
  g_free (data.data);
  if (status < 0)
    return refuse (path, _ ("there is no certificate in it"), status, error);
  return TRUE;
}

gnutls_x509_privkey_t
reeve_tls_read_key (const char *path, GError **error)
{
  gnutls_x509_privkey_t key;
  gnutls_datum_t data;
  int status;

  if (!read_file (path, &data, error))
    return NULL;

  gnutls_x509_privkey_init (&key);
  status = gnutls_x509_privkey_import2 (key, &data, GNUTLS_X509_FMT_PEM, NULL,
                                        GNUTLS_PKCS_PLAIN);
  gnutls_memset (data.data, 0, data.size);
  g_free (data.data);
  if (status < 0) {
    gnutls_x509_privkey_deinit (key);
    refuse (path, _ ("there is no key in it"), status, error);
    return NULL;
  }
  return key;
}

gboolean
reeve_tls_read_crls (const char *path,
                     gnutls_x509_crl_t **crls,
                     unsigned *n_crls,
                     GError **error)
{
  gnutls_datum_t data;
  int status;

  if (!read_file (path, &data, error))
    return FALSE;

  status = gnutls_x509_crl_list_import2 (crls, n_crls, &data,
                                         GNUTLS_X509_FMT_PEM, 0);
  g_free (data.data);
  if (status < 0)
    return refuse (path, _ ("there is no list of revoked certificates in it"),
                   status, error);
  return TRUE;
}

gboolean
reeve_tls_files_read (ReeveTlsFiles *self,
                      const ReeveTlsSettings *settings,
                      GError **error)
{
  if (settings->certificate != NULL &&
      !reeve_tls_read_certificates (settings->certificate, &self->certificates,
                                    &self->n_certificates, error))
    return FALSE;
  if (settings->key != NULL) {
    self->key = reeve_tls_read_key (settings->key, error);
    if (self->key == NULL)
      return FALSE;
  }
  if (settings->ca != NULL &&
      !reeve_tls_read_certificates (settings->ca, &self->cas, &self->n_cas,
                                    error))
    return FALSE;
  return settings->crl == NULL ||
         reeve_tls_read_crls (settings->crl, &self->crls, &self->n_crls, error);
}

char *
reeve_tls_dup_name (gnutls_x509_crt_t certificate)
{
  char text[1024];
  size_t size = sizeof text;
  g_autofree char *longer = NULL;

  /* This one, unlike its successors, has the order that people know. */
  if (gnutls_x509_crt_get_dn (certificate, text, &size) >= 0)
    return g_strdup (text);

  longer = g_malloc0 (size + 1);
  if (gnutls_x509_crt_get_dn (certificate, longer, &size) < 0)
    return g_strdup ("");
  return g_steal_pointer (&longer);
}

char *
reeve_tls_dup_hosts (gnutls_x509_crt_t certificate)
{
  g_autoptr (GString) names = g_string_new (NULL);
  char name[256];

  for (unsigned i = 0; i < 32; i++) {
    size_t size = sizeof name;
    int kind = gnutls_x509_crt_get_subject_alt_name (certificate, i, name,
                                                     &size, NULL);
    g_autofree char *text = NULL;

    if (kind == GNUTLS_SAN_DNSNAME) {
      text = g_strndup (name, size);
    } else if (kind == GNUTLS_SAN_IPADDRESS && (size == 4 || size == 16)) {
      g_autoptr (GInetAddress) address = g_inet_address_new_from_bytes (
          (const guint8 *) name,
          size == 4 ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6);

      text = g_inet_address_to_string (address);
    } else if (kind < 0) {
      break;
    }
    if (text != NULL)
      g_string_append_printf (names, "%s%s", names->len == 0 ? "" : ", ", text);
  }

  return names->len > 0 ? g_strdup (names->str)
                        : reeve_tls_dup_name (certificate);
}

char *
reeve_tls_format_time (gint64 seconds)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (seconds);

  return time == NULL ? g_strdup_printf ("%" G_GINT64_FORMAT, seconds)
                      : g_date_time_format (time, "%Y-%m-%d %H:%M:%S UTC");
}
