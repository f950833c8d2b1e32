/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/tls-private.h"

/* The certificate of a peer, and what is wrong with it. */

typedef struct {
  gnutls_x509_crt_t certificate; /* (owned) (nullable) */
  ReeveTlsSide side;             /* ours */
  const char *host;              /* (nullable) */
  char **why;                    /* (nullable) */
} Judgement;

/* @text: (transfer full) */
static ReeveTlsVerdict
refuse (const Judgement *self, ReeveTlsVerdict verdict, char *text)
{
  if (self->why != NULL)
    *self->why = text;
  else
    g_free (text);
  return verdict;
}

static gnutls_x509_crt_t
get_certificate (gnutls_session_t session)
{
  unsigned n_certificates = 0;
  const gnutls_datum_t *data =
      gnutls_certificate_get_peers (session, &n_certificates);
  gnutls_x509_crt_t certificate;

  if (data == NULL || n_certificates == 0 ||
      gnutls_x509_crt_init (&certificate) < 0)
    return NULL;
  if (gnutls_x509_crt_import (certificate, data, GNUTLS_X509_FMT_DER) < 0) {
    gnutls_x509_crt_deinit (certificate);
    return NULL;
  }
  return certificate;
}

static char *
dup_issuer (gnutls_x509_crt_t certificate)
{
  char issuer[512] = "";
  size_t size = sizeof issuer;

  gnutls_x509_crt_get_issuer_dn (certificate, issuer, &size);
  return g_strdup (issuer);
}

static ReeveTlsVerdict
refuse_issuer (const Judgement *self)
{
  g_autofree char *issuer = dup_issuer (self->certificate);

  return refuse (self, REEVE_TLS_UNTRUSTED,
                 g_strdup_printf (_ ("it is signed by “%s”, which is not "
                                     "trusted"),
                                  issuer));
}

/* The dates of the certificate itself, or of one above it. */
static ReeveTlsVerdict
refuse_dates (const Judgement *self, gboolean is_expired)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  gint64 start = gnutls_x509_crt_get_activation_time (self->certificate);
  gint64 end = gnutls_x509_crt_get_expiration_time (self->certificate);
  g_autofree char *time = reeve_tls_format_time (is_expired ? end : start);

  if (is_expired)
    return refuse (self, REEVE_TLS_EXPIRED,
                   end < now
                       ? g_strdup_printf (_ ("it expired on %s"), time)
                       : g_strdup (_ ("one of the CAs above it expired")));
  return refuse (
      self, REEVE_TLS_NOT_YET_VALID,
      start > now ? g_strdup_printf (_ ("it is not valid before %s"), time)
                  : g_strdup (_ ("one of the CAs above it is not valid yet")));
}

static ReeveTlsVerdict
refuse_host (const Judgement *self)
{
  g_autofree char *names = reeve_tls_dup_hosts (self->certificate);

  return refuse (self, REEVE_TLS_WRONG_NAME,
                 g_strdup_printf (_ ("it is for %1$s, and not for %2$s"), names,
                                  self->host));
}

/* What GnuTLS found; the first of several that tells most. */
static ReeveTlsVerdict
refuse_for (const Judgement *self, unsigned found)
{
  gnutls_datum_t text = { 0 };
  char *copy;

  if (found & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA |
               GNUTLS_CERT_SIGNATURE_FAILURE))
    return refuse_issuer (self);
  if (found & GNUTLS_CERT_REVOKED)
    return refuse (self, REEVE_TLS_REVOKED, g_strdup (_ ("it was revoked")));
  if (found & GNUTLS_CERT_EXPIRED)
    return refuse_dates (self, TRUE);
  if (found & GNUTLS_CERT_NOT_ACTIVATED)
    return refuse_dates (self, FALSE);
  if (found & GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED)
    return refuse (self, REEVE_TLS_CRL_OUTDATED,
                   g_strdup (_ ("the list of revoked certificates is out of "
                                "date")));
  if (found & GNUTLS_CERT_INSECURE_ALGORITHM)
    return refuse (self, REEVE_TLS_UNSUITABLE,
                   g_strdup (_ ("its key or signature is too weak")));
  if (found & GNUTLS_CERT_PURPOSE_MISMATCH)
    return refuse (self, REEVE_TLS_UNSUITABLE,
                   g_strdup (self->side == REEVE_TLS_CLIENT
                                 ? _ ("it is not meant for servers")
                                 : _ ("it is not meant for clients")));
  if (found & GNUTLS_CERT_UNEXPECTED_OWNER)
    return refuse_host (self);

  if (gnutls_certificate_verification_status_print (found, GNUTLS_CRT_X509,
                                                    &text, 0) < 0)
    return refuse (self, REEVE_TLS_UNTRUSTED, g_strdup (""));
  copy = g_strndup ((const char *) text.data, text.size);
  gnutls_free (text.data);
  return refuse (self, REEVE_TLS_UNTRUSTED, g_strstrip (copy));
}

static ReeveTlsVerdict
judge (const Judgement *self,
       gnutls_session_t session,
       ReeveTlsContext *context,
       char **name)
{
  gnutls_typed_vdata_st wanted[] = {
    { GNUTLS_DT_KEY_PURPOSE_OID,
      (void *) (self->side == REEVE_TLS_SERVER ? GNUTLS_KP_TLS_WWW_CLIENT
                                               : GNUTLS_KP_TLS_WWW_SERVER),
      0 },
    { GNUTLS_DT_DNS_HOSTNAME, (void *) self->host, 0 },
  };
  g_autofree char *found_name = NULL;
  unsigned found = 0;
  int status;

  if (self->certificate == NULL)
    return refuse (self, REEVE_TLS_NO_CERTIFICATE,
                   g_strdup (_ ("there is none")));

  status = gnutls_certificate_verify_peers (session, wanted,
                                            self->host == NULL ? 1 : 2, &found);
  if (status < 0)
    return refuse (self, REEVE_TLS_UNTRUSTED,
                   g_strdup (gnutls_strerror (status)));
  if (found != 0)
    return refuse_for (self, found);

  found_name = reeve_tls_dup_name (self->certificate);
  if (!reeve_tls_name_is_allowed (
          found_name, reeve_tls_context_get_allowed_names (context)))
    return refuse (self, REEVE_TLS_WRONG_NAME,
                   g_strdup_printf (_ ("its name “%s” is not on the list of "
                                       "allowed names"),
                                    found_name));
  if (name != NULL)
    *name = g_steal_pointer (&found_name);
  return REEVE_TLS_ACCEPTED;
}

ReeveTlsVerdict
reeve_tls_verify (gnutls_session_t session,
                  ReeveTlsContext *context,
                  const char *host,
                  char **name,
                  char **why)
{
  Judgement self = { .certificate = get_certificate (session),
                     .side = reeve_tls_context_get_side (context),
                     .host = host,
                     .why = why };
  ReeveTlsVerdict verdict = judge (&self, session, context, name);

  if (self.certificate != NULL)
    gnutls_x509_crt_deinit (self.certificate);
  return verdict;
}

void
reeve_tls_describe (gnutls_session_t session, ReeveTlsPeer *peer)
{
  gnutls_x509_crt_t certificate = get_certificate (session);

  *peer = (ReeveTlsPeer){ 0 };
  if (certificate == NULL)
    return;

  peer->name = reeve_tls_dup_name (certificate);
  peer->issuer = dup_issuer (certificate);
  peer->hosts = reeve_tls_dup_hosts (certificate);
  peer->start = gnutls_x509_crt_get_activation_time (certificate);
  peer->end = gnutls_x509_crt_get_expiration_time (certificate);
  gnutls_x509_crt_deinit (certificate);
}
