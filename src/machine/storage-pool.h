/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"

#include <stdint.h>

G_BEGIN_DECLS

/**
 * ReeveStoragePool:
 *
 * A directory whose regular files are volumes. What it has is read from the
 * disk each time; in memory there is only which volumes are in use, so that
 * one that is written is not removed or read meanwhile.
 *
 * Thread: any that may wait for a disk, where nothing else is said.
 */
typedef struct _ReeveStoragePool ReeveStoragePool;

#define REEVE_VOLUME_MAX_NAME 200

/**
 * reeve_storage_pool_open:
 * @state_dir: has (or gets) the pool's definition, pools/NAME.xml; its target
 *   is images/ beside it unless the definition names another directory
 *
 * Makes what is missing, and removes what a creation left that was stopped.
 *
 * Errors: %REEVE_ERROR_SYSTEM, %REEVE_ERROR_XML, %REEVE_ERROR_XML_DETAIL.
 */
ReeveStoragePool *reeve_storage_pool_open (ReeveLoop *loop,
                                           const char *state_dir,
                                           const char *name,
                                           GError **error);
/* Volumes whose making did not end; if no other daemon makes any. */
void reeve_storage_pool_remove_unfinished (ReeveStoragePool *self);
ReeveStoragePool *reeve_storage_pool_ref (ReeveStoragePool *self);
void reeve_storage_pool_unref (ReeveStoragePool *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveStoragePool, reeve_storage_pool_unref)

/* Immutable. Thread: any. */
ReeveLoop *reeve_storage_pool_get_loop (ReeveStoragePool *self);
const char *reeve_storage_pool_get_name (ReeveStoragePool *self);
const char *reeve_storage_pool_get_dir (ReeveStoragePool *self);
const uint8_t *reeve_storage_pool_get_uuid (ReeveStoragePool *self);

/* In bytes, of the file system. */
typedef struct {
  uint64_t capacity;
  uint64_t allocation;
  uint64_t available;
} ReeveStorageSpace;

gboolean reeve_storage_pool_get_space (ReeveStoragePool *self,
                                       ReeveStorageSpace *space,
                                       GError **error);
/* (transfer full): the pool's description. */
char *reeve_storage_pool_to_xml (ReeveStoragePool *self, GError **error);

/* (element-type utf8) (transfer full): names of volumes, sorted. */
GPtrArray *reeve_storage_pool_list (ReeveStoragePool *self, GError **error);

/* Whether it can name a volume: no path, and not hidden. */
gboolean reeve_storage_pool_check_name (const char *name, GError **error);
/* (transfer full): where a volume is, or would be; @name was checked. */
char *reeve_storage_pool_make_path (ReeveStoragePool *self, const char *name);

/**
 * ReeveVolumeUse:
 *
 * What somebody does with a volume, which nobody else may disturb.
 */
typedef struct _ReeveVolumeUse ReeveVolumeUse;

/**
 * reeve_storage_pool_use:
 * @is_exclusive: %FALSE if others may read it, too
 *
 * The volume need not be there.
 *
 * Thread: any.
 * Errors: %REEVE_ERROR_NO_VOLUME for what can be no name,
 * %REEVE_ERROR_OPERATION_INVALID while it is in use.
 */
ReeveVolumeUse *reeve_storage_pool_use (ReeveStoragePool *self,
                                        const char *name,
                                        gboolean is_exclusive,
                                        GError **error);
/* Thread: any. */
void reeve_volume_use_free (ReeveVolumeUse *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveVolumeUse, reeve_volume_use_free)
/* (transfer none): both immutable. */
ReeveStoragePool *reeve_volume_use_get_pool (ReeveVolumeUse *self);
const char *reeve_volume_use_get_name (ReeveVolumeUse *self);
/* (transfer none) */
const char *reeve_volume_use_get_path (ReeveVolumeUse *self);

/* Where a new volume is until it is complete. (transfer none) */
const char *reeve_volume_use_get_new_path (ReeveVolumeUse *self);
/**
 * reeve_volume_use_publish:
 *
 * Makes what is at the new path the volume, durably. On failure it is removed.
 *
 * Errors: %REEVE_ERROR_VOLUME_EXISTS, %REEVE_ERROR_SYSTEM.
 */
gboolean reeve_volume_use_publish (ReeveVolumeUse *self, GError **error);

G_END_DECLS
