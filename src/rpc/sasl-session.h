/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/sasl-layer.h"

#include <glib.h>

G_BEGIN_DECLS

/* What a server's exchanges are like. */
typedef struct {
  char *service;
  char *realm;      /* of a name that says none; the server's own name */
  char *database;   /* (nullable): the file of passwords */
  char *mechanisms; /* with blanks between them */
  unsigned min_ssf; /* what a layer has to be worth where the transport
                       protects nothing */
  unsigned failure_delay_ms; /* how long a failure is kept before it is told */
} ReeveSaslOptions;

/**
 * ReeveSaslSession:
 *
 * The server's side of one exchange of SASL. It may read the file of
 * passwords, and it computes: not for a loop's thread. Of one thread at a time.
 */
typedef struct _ReeveSaslSession ReeveSaslSession;

/* Whether there can be sessions in this build, on this host. Blocks. Errors:
 * REEVE_ERROR_NO_SUPPORT. */
gboolean reeve_sasl_session_is_possible (GError **error);

/**
 * reeve_sasl_session_new:
 * @options: (transfer none): outlives the session
 * @is_protected: by the transport: a layer is not needed, and not agreed on
 *
 * Errors: %REEVE_ERROR_AUTH_FAILED.
 *
 * Returns: (transfer full)
 */
ReeveSaslSession *reeve_sasl_session_new (const ReeveSaslOptions *options,
                                          gboolean is_protected,
                                          GError **error);
void reeve_sasl_session_free (ReeveSaslSession *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveSaslSession, reeve_sasl_session_free)

/* (transfer full): with commas between them. Errors: REEVE_ERROR_AUTH_FAILED
 * when there are none. */
char *
reeve_sasl_session_list_mechanisms (ReeveSaslSession *self, GError **error);

/* What one side says. */
typedef struct {
  const char *data; /* (nullable), which is not the same as empty; of its
                       sender, until it says more */
  size_t size;
  gboolean is_complete; /* it is content */
} ReeveSaslMessage;

/**
 * reeve_sasl_session_start:
 * @data: (nullable)
 *
 * Errors: %REEVE_ERROR_AUTH_FAILED, which says nothing of the reason; that is
 * for the log. The session is of no use any more.
 */
gboolean reeve_sasl_session_start (ReeveSaslSession *self,
                                   const char *mechanism,
                                   const char *data,
                                   size_t size,
                                   ReeveSaslMessage *reply,
                                   GError **error);
gboolean reeve_sasl_session_step (ReeveSaslSession *self,
                                  const char *data,
                                  size_t size,
                                  ReeveSaslMessage *reply,
                                  GError **error);

/* (transfer none): who it is, once it is complete. Errors:
 * REEVE_ERROR_AUTH_FAILED when the mechanism found no name. */
const char *
reeve_sasl_session_get_name (ReeveSaslSession *self, GError **error);
/* (transfer none): what was chosen. */
const char *reeve_sasl_session_get_mechanism (ReeveSaslSession *self);
/* (transfer full) (nullable): for the log, why a step failed. */
char *reeve_sasl_session_get_detail (ReeveSaslSession *self);

/* @self: (transfer full): a complete session. (transfer full) (nullable): the
 * layer that it agreed on. */
ReeveSaslLayer *reeve_sasl_session_to_layer (ReeveSaslSession *self);

G_END_DECLS
