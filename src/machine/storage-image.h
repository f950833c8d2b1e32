/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/storage-volume.h"

G_BEGIN_DECLS

/*
 * What qemu-img does with images. It may take long, so that a thread of its
 * own waits for it, not a worker; there are not more than a few at the same
 * time.
 */

/* @error: (nullable): why it failed. Thread: the image's own. */
typedef void (*ReeveImageDone) (ReeveVolumeUse *use,
                                const GError *error,
                                gpointer data);

/**
 * reeve_image_create:
 * @use: (transfer full)
 * @cancellable: ends it
 * @done: called once, with @use, which is freed after it; not when this fails
 *
 * Makes a qcow2 volume, and publishes it.
 *
 * Errors: %REEVE_ERROR_LIMIT, %REEVE_ERROR_SYSTEM.
 */
gboolean reeve_image_create (ReeveVolumeUse *use,
                             const ReeveVolumePlan *plan,
                             gboolean allocates_metadata,
                             int timeout_ms,
                             GCancellable *cancellable,
                             ReeveImageDone done,
                             gpointer data,
                             GError **error);

/* Makes a qcow2 volume larger or (@shrinks) smaller; otherwise the same. */
gboolean reeve_image_resize (ReeveVolumeUse *use,
                             uint64_t capacity,
                             gboolean shrinks,
                             int timeout_ms,
                             GCancellable *cancellable,
                             ReeveImageDone done,
                             gpointer data,
                             GError **error);

/* Waits for those that run; what was asked for has been cancelled. */
void reeve_image_wait (void);

G_END_DECLS
