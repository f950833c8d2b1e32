/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/stream.h"
#include "rpc/tls-session.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* The steps of opening a connection. */
typedef enum {
  REEVE_TLS_STEP_FILES,
  REEVE_TLS_STEP_CONNECT,
  REEVE_TLS_STEP_HANDSHAKE,
  REEVE_TLS_STEP_SERVER,   /* to accept its certificate */
  REEVE_TLS_STEP_ACCEPTED, /* by it */
  REEVE_TLS_STEP_DONE,
} ReeveTlsStep;

/**
 * ReeveTlsClientReport:
 * @step: that was begun last; if opening failed, it is the one that did
 * @protocol: (nullable): as it was agreed on, from @REEVE_TLS_STEP_SERVER on
 * @server: what its certificate says, from the same on
 *
 * How opening a connection went. Clear it in any case.
 */
typedef struct {
  ReeveTlsStep step;
  char *protocol;
  ReeveTlsPeer server;
} ReeveTlsClientReport;

void reeve_tls_client_report_clear (ReeveTlsClientReport *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReeveTlsClientReport,
                                  reeve_tls_client_report_clear)

/**
 * ReeveTlsClientOptions:
 * @pki_path: (nullable): the folder of `cacert.pem`, `cacrl.pem`,
 *   `clientcert.pem` and `clientkey.pem`; without it they are where libvirt's
 *   clients have them: in `~/.pki/libvirt`, unless the user is root, and below
 *   `/etc/pki`
 * @priority: (nullable): as of #ReeveTlsSettings
 * @report: (nullable): is filled
 *
 * How a client makes a TLS connection.
 */
typedef struct {
  const char *pki_path;
  const char *priority;
  ReeveTlsFlags flags;
  ReeveTlsClientReport *report;
} ReeveTlsClientOptions;

/* The files of a client; NULL: it is not there, and need not be. */
typedef struct {
  char *certificate; /* (owned) (nullable) */
  char *key;         /* (owned) (nullable) */
  char *ca;          /* (owned) */
  char *crl;         /* (owned) (nullable) */
} ReeveTlsClientFiles;

void
reeve_tls_client_files_find (ReeveTlsClientFiles *self, const char *pki_path);
void reeve_tls_client_files_clear (ReeveTlsClientFiles *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReeveTlsClientFiles,
                                  reeve_tls_client_files_clear)

/**
 * reeve_tls_client_open:
 * @name: `tls:HOST[:PORT]`
 * @options: (nullable): for the defaults
 *
 * Connects, shakes hands, verifies the server, and waits until it accepted us.
 * Otherwise as reeve_stream_open().
 *
 * Errors: those, and %REEVE_ERROR_AUTH_FAILED when one side does not accept the
 * other's certificate; for files those of reeve_tls_context_new().
 */
ReeveStream *reeve_tls_client_open (const char *name,
                                    const ReeveTlsClientOptions *options,
                                    gint64 deadline_us,
                                    GCancellable *cancellable,
                                    GError **error);

G_END_DECLS
