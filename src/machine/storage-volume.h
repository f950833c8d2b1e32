/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/storage-pool.h"

#include <gio/gio.h>
#include <sys/stat.h>

G_BEGIN_DECLS

/* Volumes of a pool. Thread: any that may wait for a disk. */

typedef enum {
  REEVE_VOLUME_RAW,
  REEVE_VOLUME_QCOW2,
} ReeveVolumeFormat;

/* What is known of one; from its file's inode and header. */
typedef struct {
  char *name; /* (owned), as all strings */
  char *path;
  ReeveVolumeFormat format;
  uint64_t capacity;   /* what a guest sees */
  uint64_t allocation; /* of the disk */
  char *backing_path;  /* (nullable) */
  struct stat info;
} ReeveVolume;

void reeve_volume_clear (ReeveVolume *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReeveVolume, reeve_volume_clear)

/* Errors: REEVE_ERROR_NO_VOLUME if no volume has that name. */
gboolean reeve_volume_read (ReeveStoragePool *pool,
                            const char *name,
                            ReeveVolume *volume,
                            GError **error);
/* Opens it with @flags of open(2); errors as of reeve_volume_read(). */
int reeve_volume_open (ReeveVolumeUse *use, int flags, GError **error);

/* (transfer full) */
char *reeve_volume_to_xml (const ReeveVolume *self);

/* What a new one is to be. */
typedef struct {
  char *name; /* (owned), as all strings */
  ReeveVolumeFormat format;
  uint64_t capacity;
  uint64_t allocation; /* at once */
  char *backing_path;  /* (nullable): in the same pool */
  ReeveVolumeFormat backing_format;
} ReeveVolumePlan;

void reeve_volume_plan_clear (ReeveVolumePlan *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReeveVolumePlan, reeve_volume_plan_clear)

/* Errors: REEVE_ERROR_XML, REEVE_ERROR_XML_DETAIL, REEVE_ERROR_NO_VOLUME (the
 * backing one), REEVE_ERROR_CONFIG_UNSUPPORTED. */
gboolean reeve_volume_plan_parse (ReeveVolumePlan *self,
                                  ReeveStoragePool *pool,
                                  const char *xml,
                                  GError **error);

/* Makes a raw one at the use's new path. */
gboolean reeve_volume_create_raw (ReeveVolumeUse *use,
                                  const ReeveVolumePlan *plan,
                                  GCancellable *cancellable,
                                  GError **error);
/* Makes a raw one larger or smaller. */
gboolean reeve_volume_resize_raw (ReeveVolumeUse *use,
                                  uint64_t capacity,
                                  gboolean allocates,
                                  GCancellable *cancellable,
                                  GError **error);
gboolean reeve_volume_delete (ReeveVolumeUse *use, GError **error);

G_END_DECLS
