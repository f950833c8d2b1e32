/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/remote-private.h"
#include "machine/storage-volume.h"

G_BEGIN_DECLS

/* What remote-pool.c and remote-volume.c have in common. */

/* (transfer none) (nullable): by its uuid. */
ReeveStoragePool *reeve_remote_find_pool (ReeveCall *call,
                                          const remote_storage_pool *pool,
                                          GError **error);
/* (transfer none) (nullable) */
ReeveStoragePool *reeve_remote_find_pool_by_name (ReeveCall *call,
                                                  const char *name,
                                                  GError **error);

/* The handle of a volume; owned by the reply. */
void reeve_remote_fill_volume (remote_storage_vol *handle,
                               ReeveStoragePool *pool,
                               const char *name);

G_END_DECLS
