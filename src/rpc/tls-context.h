/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The port of TLS where none is named. */
#define REEVE_TLS_PORT 16514

/**
 * ReeveTlsSide:
 *
 * Which end of a connection; a certificate is for one of them.
 */
typedef enum {
  REEVE_TLS_SERVER,
  REEVE_TLS_CLIENT,
} ReeveTlsSide;

/**
 * ReeveTlsFlags:
 * @REEVE_TLS_NO_VERIFY: take the peer's certificate, or none, for granted
 * @REEVE_TLS_NO_SANITY: take our own files for granted
 * @REEVE_TLS_NO_TICKETS: every handshake is a whole one
 */
typedef enum {
  REEVE_TLS_DEFAULT = 0,
  REEVE_TLS_NO_VERIFY = 1 << 0,
  REEVE_TLS_NO_SANITY = 1 << 1,
  REEVE_TLS_NO_TICKETS = 1 << 2,
} ReeveTlsFlags;

/**
 * ReeveTlsSettings:
 * @certificate: (nullable): what we show: a PEM file, which may go on with the
 *   CAs between it and the root; a server needs one
 * @key: (nullable): of the certificate
 * @ca: (nullable): whom we trust to have signed the peer's certificate; may be
 *   missing where the peer is not verified
 * @crl: (nullable): which of those certificates are revoked
 * @priority: (nullable): GnuTLS' priority string; TLS 1.2 and 1.3 without it
 * @allowed_names: (nullable) (array zero-terminated=1): patterns of the
 *   distinguished names of peers that may come, as in `C=GB,O=Acme,CN=*`;
 *   without it every name may
 *
 * What to make a #ReeveTlsContext from; paths of files.
 */
typedef struct {
  const char *certificate;
  const char *key;
  const char *ca;
  const char *crl;
  const char *priority;
  const char *const *allowed_names;
  ReeveTlsFlags flags;
} ReeveTlsSettings;

/**
 * ReeveTlsContext:
 *
 * What all TLS sessions of one side share: certificate and key, whom to trust,
 * whom to let in. A server's has a key of its own for the tickets by which its
 * clients take up a session later: those of another context, as of files that
 * changed or of other rules, are of no use with it. Immutable. Thread: any.
 */
typedef struct _ReeveTlsContext ReeveTlsContext;

/**
 * reeve_tls_context_new:
 *
 * Reads the files, and checks ours unless told not to: their dates, that the
 * certificate is one of an end, is meant for this side, belongs to the key and
 * leads to the CA; that the CA is one; that the list of revoked certificates
 * is the CA's and up to date. Waits for the disk: not for a loop's thread.
 *
 * Errors: %REEVE_ERROR_SYSTEM for a file that cannot be read,
 * %REEVE_ERROR_INVALID_ARG for what is wrong with it; both name the file.
 *
 * Returns: (transfer full)
 */
ReeveTlsContext *reeve_tls_context_new (ReeveTlsSide side,
                                        const ReeveTlsSettings *settings,
                                        GError **error);
ReeveTlsContext *reeve_tls_context_ref (ReeveTlsContext *self);
void reeve_tls_context_unref (ReeveTlsContext *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveTlsContext, reeve_tls_context_unref)

/* (nullable): the distinguished name in our certificate, if we have one. */
const char *reeve_tls_context_get_name (ReeveTlsContext *self);
/* When our certificate expires, in seconds since the epoch; -1 without one. */
gint64 reeve_tls_context_get_expiry (ReeveTlsContext *self);

/* Whether @name is like one of @patterns, in which `*` stands for any text and
 * `?` for any character; (nullable): everything is like no patterns. What is
 * not UTF-8 is like none. */
gboolean
reeve_tls_name_is_allowed (const char *name, const char *const *patterns);

/**
 * ReeveTlsSlot:
 *
 * Where a listener finds the context for its next client. It is exchanged when
 * files have changed; sessions keep the one they began with. Thread: any.
 */
typedef struct _ReeveTlsSlot ReeveTlsSlot;

/* @context: (nullable) (transfer none): nobody gets in without one */
ReeveTlsSlot *reeve_tls_slot_new (ReeveTlsContext *context);
ReeveTlsSlot *reeve_tls_slot_ref (ReeveTlsSlot *self);
void reeve_tls_slot_unref (ReeveTlsSlot *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveTlsSlot, reeve_tls_slot_unref)

/* @context: (nullable) (transfer none) */
void reeve_tls_slot_set_context (ReeveTlsSlot *self, ReeveTlsContext *context);
/* (transfer full) (nullable) */
ReeveTlsContext *reeve_tls_slot_dup_context (ReeveTlsSlot *self);

G_END_DECLS
