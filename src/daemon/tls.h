/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/config.h"
#include "daemon/places.h"

G_BEGIN_DECLS

/**
 * ReeveDaemonTls:
 *
 * The certificate of a daemon's TLS listeners, and whom they let in: read from
 * the files that the configuration names, and again when one of them changes.
 * What cannot be used changes nothing; if nothing could be used so far, the
 * listeners let nobody in.
 */
typedef struct _ReeveDaemonTls ReeveDaemonTls;

/**
 * reeve_daemon_tls_new:
 * @config: must outlive @self, as @places
 * @places: files that are not configured are in `pki/` of its config_dir
 *
 * Reads the files; what is wrong with them is logged. Thread: owner, which may
 * block.
 */
ReeveDaemonTls *reeve_daemon_tls_new (const ReeveDaemonTlsConfig *config,
                                      const ReevePlaces *places);
void reeve_daemon_tls_free (ReeveDaemonTls *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveDaemonTls, reeve_daemon_tls_free)

/* (transfer none): for #ReeveServiceOptions. */
ReeveTlsSlot *reeve_daemon_tls_get_slot (ReeveDaemonTls *self);

/* Reads the files anew. Waits for the disk. Thread: any but the loop's.
 * Errors: as of reeve_tls_context_new(). */
gboolean reeve_daemon_tls_reload (ReeveDaemonTls *self, GError **error);

/* @config: (transfer full): whose group [tls] is in force from now on, unless
 * its files cannot be used; but for the time of handshakes. Otherwise as
 * reeve_daemon_tls_reload(). */
gboolean reeve_daemon_tls_set_config (ReeveDaemonTls *self,
                                      ReeveDaemonConfig *config,
                                      GError **error);

G_END_DECLS
