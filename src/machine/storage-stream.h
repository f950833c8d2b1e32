/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/storage-pool.h"
#include "rpc/data-stream.h"

G_BEGIN_DECLS

/* What part of a volume goes through a stream, and how. */
typedef struct {
  uint64_t offset;
  uint64_t length; /* 0: up to the end */
  gboolean is_sparse;
} ReeveStorageRange;

/* Opens the stream of @call that fills a volume, or gives what is in it. @use:
 * (transfer full). A volume that was filled is on the disk when the client is
 * told so. Thread: a handler's. */
gboolean reeve_storage_open_upload (ReeveCall *call,
                                    ReeveVolumeUse *use,
                                    const ReeveStorageRange *range,
                                    GError **error);
gboolean reeve_storage_open_download (ReeveCall *call,
                                      ReeveVolumeUse *use,
                                      const ReeveStorageRange *range,
                                      GError **error);

G_END_DECLS
