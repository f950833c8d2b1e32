/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/remote-private.h"
#include "machine/storage-volume.h"

G_BEGIN_DECLS

/* What remote-pool.c and remote-volume.c have in common. */

/* What names a pool: one of these. */
typedef struct {
  const uint8_t *uuid;
  const char *name;
  const char *path; /* its directory */
} ReevePoolKey;

/* (transfer none) (nullable) */
ReeveStoragePool *reeve_remote_look_up_pool (ReeveCall *call,
                                             const ReevePoolKey *key,
                                             GError **error);
/* What it fails with, for a pool that is to be taken for missing. */
void reeve_remote_miss_pool (const ReevePoolKey *key, GError **error);

/* (transfer none) (nullable): by its uuid. */
ReeveStoragePool *reeve_remote_find_pool (ReeveCall *call,
                                          const remote_storage_pool *pool,
                                          GError **error);
/* (transfer none) (nullable) */
ReeveStoragePool *reeve_remote_find_pool_by_name (ReeveCall *call,
                                                  const char *name,
                                                  GError **error);

/* (transfer full) (nullable): the name of the volume at a path, and (transfer
 * none) its pool; there may be no such volume. */
ReeveStoragePool *reeve_remote_split_path (ReeveCall *call,
                                           const char *path,
                                           char **name,
                                           GError **error);

/* (transfer full): by what rules of access call a volume, POOL/NAME. */
char *reeve_remote_name_volume (ReeveStoragePool *pool, const char *name);

/* The handle of a volume; owned by the reply. */
void reeve_remote_fill_volume (remote_storage_vol *handle,
                               ReeveStoragePool *pool,
                               const char *name);

G_END_DECLS
