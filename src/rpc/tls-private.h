/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the files of TLS know of each other: tls-files.c reads PEM files,
 * tls-sanity.c looks at our own, tls-context.c puts them together, tls-verify.c
 * judges a peer's, tls-session.c has the records.
 */

#include "rpc/tls-context.h"
#include "rpc/tls-session.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

G_BEGIN_DECLS

/* -------------------------------------------------------- tls-files.c --- */

/* What is in the files of some settings; what has no file is empty. */
typedef struct {
  gnutls_x509_crt_t *certificates; /* ours first, then its CAs */
  unsigned n_certificates;
  gnutls_x509_privkey_t key; /* (nullable) */
  gnutls_x509_crt_t *cas;
  unsigned n_cas;
  gnutls_x509_crl_t *crls;
  unsigned n_crls;
} ReeveTlsFiles;

void reeve_tls_files_clear (ReeveTlsFiles *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReeveTlsFiles, reeve_tls_files_clear)

/* Errors as reeve_tls_context_new(). */
gboolean reeve_tls_files_read (ReeveTlsFiles *self,
                               const ReeveTlsSettings *settings,
                               GError **error);

/* Each reads one file. (transfer full) */
gboolean reeve_tls_read_certificates (const char *path,
                                      gnutls_x509_crt_t **certificates,
                                      unsigned *n_certificates,
                                      GError **error);
gnutls_x509_privkey_t reeve_tls_read_key (const char *path, GError **error);
gboolean reeve_tls_read_crls (const char *path,
                              gnutls_x509_crl_t **crls,
                              unsigned *n_crls,
                              GError **error);

/* (transfer full): "C=GB,O=Acme,CN=web" */
char *reeve_tls_dup_name (gnutls_x509_crt_t certificate);
/* (transfer full): names and addresses of a server, or its name. */
char *reeve_tls_dup_hosts (gnutls_x509_crt_t certificate);
/* (transfer full): a time as people write it, in UTC */
char *reeve_tls_format_time (gint64 seconds);

/* ------------------------------------------------------- tls-sanity.c --- */

/* Each looks at one thing, and names the file in its error. */
gboolean reeve_tls_check_dates (gnutls_x509_crt_t certificate,
                                const char *path,
                                GError **error);
/* That it is the certificate of an end, and may be used for @side. */
gboolean reeve_tls_check_purpose (gnutls_x509_crt_t certificate,
                                  ReeveTlsSide side,
                                  const char *path,
                                  GError **error);
/* A bundle may hold CAs that are of no use: one that is suffices. */
gboolean reeve_tls_check_cas (const ReeveTlsFiles *files,
                              const char *path,
                              GError **error);
/* That the key is the certificate's. */
gboolean reeve_tls_check_key (const ReeveTlsFiles *files,
                              const ReeveTlsSettings *settings,
                              GError **error);
/* That ours leads to one of the CAs. */
gboolean reeve_tls_check_chain (const ReeveTlsFiles *files,
                                const ReeveTlsSettings *settings,
                                GError **error);
gboolean reeve_tls_check_crls (const ReeveTlsFiles *files,
                               const ReeveTlsSettings *settings,
                               GError **error);

/* All of it. */
gboolean reeve_tls_check_files (const ReeveTlsFiles *files,
                                ReeveTlsSide side,
                                const ReeveTlsSettings *settings,
                                GError **error);

/* ------------------------------------------------------ tls-context.c --- */

ReeveTlsSide reeve_tls_context_get_side (ReeveTlsContext *self);
gboolean reeve_tls_context_verifies (ReeveTlsContext *self);
const char *const *reeve_tls_context_get_allowed_names (ReeveTlsContext *self);
gnutls_certificate_credentials_t
reeve_tls_context_get_credentials (ReeveTlsContext *self);
gnutls_priority_t reeve_tls_context_get_priority (ReeveTlsContext *self);
/* (nullable): of our certificate, as text. */
const char *reeve_tls_context_get_fingerprint (ReeveTlsContext *self);
gboolean reeve_tls_context_has_tickets (ReeveTlsContext *self);
/* What a server makes tickets with, if it does. */
const gnutls_datum_t *reeve_tls_context_get_ticket_key (ReeveTlsContext *self);

/* ------------------------------------------------------- tls-verify.c --- */

/* Judges the certificate that the peer of @session showed.
 *
 * @host: (nullable): the name it must have
 * @name: (out) (nullable): its distinguished name, if it is accepted
 * @why: (out) (nullable): a sentence, if it is not
 */
ReeveTlsVerdict reeve_tls_verify (gnutls_session_t session,
                                  ReeveTlsContext *context,
                                  const char *host,
                                  char **name,
                                  char **why);

/* What the certificate says that the peer of @session showed. */
void reeve_tls_describe (gnutls_session_t session, ReeveTlsPeer *peer);

G_END_DECLS
