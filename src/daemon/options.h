/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/places.h"

G_BEGIN_DECLS

/**
 * ReeveDaemonOptions:
 *
 * The command line that every daemon made with the library understands.
 */
typedef struct {
  ReeveMode mode;
  char *root;        /* (owned) (nullable): of REEVE_MODE_PRIVATE */
  char *config_path; /* (owned) (nullable) */
  char **listen;     /* (owned) (nullable): names of passive streams */
  int timeout;       /* seconds; -1: not given */
  char *pid_path;    /* (owned) (nullable): of --pidfile; may be relative */
  char *user;        /* (owned) (nullable): to become */
  gboolean detach;
  gboolean keep_directory; /* when it detaches */
  gboolean monitor;
  gboolean takeover;
  gboolean check_config;
  gboolean show_version;
  gboolean verbose;
} ReeveDaemonOptions;

/**
 * reeve_daemon_options_parse:
 * @summary: what the daemon is, for --help
 *
 * --help prints and exits.
 *
 * Errors: %REEVE_ERROR_INVALID_ARG.
 *
 * Returns: (transfer full)
 */
ReeveDaemonOptions *reeve_daemon_options_parse (const char *summary,
                                                int argc,
                                                char **argv,
                                                GError **error);
void reeve_daemon_options_free (ReeveDaemonOptions *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveDaemonOptions, reeve_daemon_options_free)

G_END_DECLS
