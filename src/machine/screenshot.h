/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/qmp.h"

G_BEGIN_DECLS

/**
 * ReeveScreenshotDone:
 * @fd: (transfer full): a file in memory, without a name, that holds the
 *   picture; -1 on error
 * @type: (nullable): of the picture, as MIME has it
 * @error: (nullable)
 */
typedef void (*ReeveScreenshotDone) (int fd,
                                     const char *type,
                                     const GError *error,
                                     gpointer data);

/**
 * reeve_screenshot_take:
 * @device: (nullable): QEMU's name of the video device; %NULL: the first
 * @head: of that device
 * @done: called once, unless this function fails, and not from inside it
 *
 * Asks QEMU for a picture, in PNG if it can, else in PPM. A QEMU that answers
 * after the deadline leaves nothing behind.
 *
 * Thread: loop.
 * Errors: %REEVE_ERROR_SYSTEM; those of reeve_qmp_execute(), by @done
 */
gboolean reeve_screenshot_take (ReeveQmp *qmp,
                                const char *device,
                                unsigned head,
                                gint64 deadline_us,
                                ReeveScreenshotDone done,
                                gpointer data,
                                GError **error);

G_END_DECLS
