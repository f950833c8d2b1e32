/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/sasl-session.h"

G_BEGIN_DECLS

typedef enum {
  REEVE_SASL_NAME,
  REEVE_SASL_PASSWORD,
  REEVE_SASL_REALM,
} ReeveSaslCredential;

/* (transfer full) (nullable): may block. */
typedef char *(*ReeveSaslCredentialFunc) (ReeveSaslCredential which,
                                          gpointer data);

/**
 * ReeveSaslClient:
 *
 * The client's side of one exchange of SASL. Of one thread at a time.
 */
typedef struct _ReeveSaslClient ReeveSaslClient;

/**
 * reeve_sasl_client_new:
 * @host: the server's, as the user calls it
 * @is_protected: by the transport: a layer is not needed, and not agreed on
 * @get: called by start and step when the mechanism wants to know
 *
 * Errors: %REEVE_ERROR_NO_SUPPORT.
 *
 * Returns: (transfer full)
 */
ReeveSaslClient *reeve_sasl_client_new (const char *host,
                                        gboolean is_protected,
                                        ReeveSaslCredentialFunc get,
                                        gpointer data,
                                        GError **error);
void reeve_sasl_client_free (ReeveSaslClient *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveSaslClient, reeve_sasl_client_free)

/**
 * reeve_sasl_client_start:
 * @mechanisms: with commas between them; the best one is chosen
 * @mechanism: (out) (transfer none): the one that was
 *
 * Errors: %REEVE_ERROR_AUTH_FAILED.
 */
gboolean reeve_sasl_client_start (ReeveSaslClient *self,
                                  const char *mechanisms,
                                  const char **mechanism,
                                  ReeveSaslMessage *message,
                                  GError **error);
/* Errors: REEVE_ERROR_AUTH_FAILED, also when the server is not the one that
 * knows the password. */
gboolean reeve_sasl_client_step (ReeveSaslClient *self,
                                 const char *data,
                                 size_t size,
                                 ReeveSaslMessage *message,
                                 GError **error);

/* @self: (transfer full): when both sides are content. (transfer full)
 * (nullable): the layer that was agreed on. */
ReeveSaslLayer *reeve_sasl_client_to_layer (ReeveSaslClient *self);

G_END_DECLS
