/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/config.h"

G_BEGIN_DECLS

/*
 * Definitions on disk: one file NAME.xml for each machine, and a link
 * autostart/NAME.xml for those that start by themselves. A change is on the
 * disk, its directory included, when the function returns, and is there as a
 * whole or not at all, whenever the host stops (but see reeve_store_load()).
 *
 * Thread: any that may wait for a disk; one at a time.
 * Errors: REEVE_ERROR_SYSTEM, then nothing was changed.
 */

#define REEVE_STORE_SUFFIX ".xml"
#define REEVE_STORE_MARKS "autostart"

typedef void (*ReeveStoreFunc) (ReeveConfig *config,
                                gboolean is_autostart,
                                gpointer data);

/* Reads all, on several threads where there are many; @func is called in the
 * caller's, in the order of their names. A file that is no definition is logged
 * and left alone. After a rename that was interrupted both machines come, which
 * differ in their names alone. */
gboolean reeve_store_load (const char *dir,
                           ReeveStoreFunc func,
                           gpointer data,
                           GError **error);
gboolean
reeve_store_save (const char *dir, ReeveConfig *config, GError **error);
gboolean reeve_store_remove (const char *dir, const char *name, GError **error);
/* Stores @config in the place of @old_name; the mark goes along. */
gboolean reeve_store_rename (const char *dir,
                             const char *old_name,
                             ReeveConfig *config,
                             GError **error);
gboolean reeve_store_set_autostart (const char *dir,
                                    const char *name,
                                    gboolean is_autostart,
                                    GError **error);

G_END_DECLS
