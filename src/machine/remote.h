/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/machine-list.h"
#include "machine/storage-pool.h"
#include "rpc/server.h"

G_BEGIN_DECLS

/**
 * ReeveRemote:
 *
 * The programs `remote` and `qemu`: what libvirt's clients call, answered from
 * a list of machines and a storage pool.
 */
typedef struct _ReeveRemote ReeveRemote;

/* @uri: what a client that asked for none is told, e.g. "qemu:///system".
 * Thread: owner. */
ReeveRemote *reeve_remote_new (ReeveMachineList *machines,
                               ReeveStoragePool *pool,
                               const char *uri);

/* After the server was stopped. */
void reeve_remote_free (ReeveRemote *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveRemote, reeve_remote_free)

/* Adds both programs. Before the server listens. */
void reeve_remote_register (ReeveRemote *self, ReeveServer *server);

G_END_DECLS
