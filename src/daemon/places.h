/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveMode:
 * @REEVE_MODE_SYSTEM: one daemon for the host, below /etc, /var and /run
 * @REEVE_MODE_SESSION: one for a user, below the XDG directories
 * @REEVE_MODE_PRIVATE: an instance with everything below one directory
 */
typedef enum {
  REEVE_MODE_SYSTEM,
  REEVE_MODE_SESSION,
  REEVE_MODE_PRIVATE,
} ReeveMode;

/**
 * ReevePlaces:
 *
 * Where a daemon keeps its files. Immutable; absolute paths.
 */
typedef struct {
  ReeveMode mode;
  char *config_dir;
  char *state_dir; /* survives a reboot */
  char *run_dir;   /* sockets, pid file, what lives as long as the host does */
  char *cache_dir; /* can be deleted */
  char *log_dir;
} ReevePlaces;

/**
 * reeve_places_new:
 * @directory: the name of the daemon's directories, e.g. "reeve"
 * @root: (nullable): for %REEVE_MODE_PRIVATE, the directory to live below
 *
 * Makes nothing. A session without $XDG_RUNTIME_DIR keeps its sockets below
 * the cache directory.
 *
 * Returns: (transfer full)
 */
ReevePlaces *
reeve_places_new (ReeveMode mode, const char *directory, const char *root);
void reeve_places_free (ReevePlaces *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReevePlaces, reeve_places_free)

/* Makes the directories that are missing: 0755 in system mode (0700 for the
 * state), 0700 otherwise, whatever the umask is. Errors: REEVE_ERROR_SYSTEM
 * with the path. Thread: owner, before there are others. */
gboolean reeve_places_make (const ReevePlaces *self, GError **error);

G_END_DECLS
