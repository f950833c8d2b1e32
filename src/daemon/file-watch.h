/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveFileWatch:
 *
 * Tells when one of some files changed, came or went. Neither they nor their
 * folders need to be there. What is written in several steps is told once,
 * when it is quiet for a moment.
 */
typedef struct _ReeveFileWatch ReeveFileWatch;

/* Thread: one of its own, so that it may read the files. */
typedef void (*ReeveFileWatchFunc) (gpointer data);

/**
 * reeve_file_watch_new:
 * @paths: (array zero-terminated=1): absolute; copied
 *
 * Errors: %REEVE_ERROR_SYSTEM when the process has no file descriptor or thread
 * left.
 */
ReeveFileWatch *reeve_file_watch_new (const char *const *paths,
                                      ReeveFileWatchFunc func,
                                      gpointer data,
                                      GError **error);
/* Waits for @func. Thread: any other. */
void reeve_file_watch_free (ReeveFileWatch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveFileWatch, reeve_file_watch_free)

G_END_DECLS
