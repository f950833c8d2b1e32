/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/log-output.h"

G_BEGIN_DECLS

/* The log in the words of Open vSwitch's `vlog`. */

/* The least severe level of one source that gets to each destination: DBG,
 * INFO, WARN, ERR, EMER, or OFF. Nothing is owned. */
typedef struct {
  const char *source; /* "any", or of a filter or a rule */
  const char *levels[REEVE_LOG_N_DESTINATIONS];
  gboolean is_limited; /* how often one place in the code writes */
} ReeveLogThresholds;

typedef void (*ReeveLogThresholdFunc) (const ReeveLogThresholds *row,
                                       gpointer data);

/* Thread: any. */
void reeve_log_foreach_threshold (ReeveLogThresholdFunc func, gpointer data);

/**
 * reeve_log_set_words:
 * @words: a source, a destination and a level in any order, with colons, commas
 *   or spaces between them; without one it is all of them, or `dbg`. Or
 *   `FACILITY:NAME`, for syslog
 *
 * The last that was said about a source and a destination counts. Filters and
 * outputs say it, too, as far as they can.
 *
 * Thread: any; may block.
 * Errors: %REEVE_ERROR_INVALID_ARG for two of a kind, for what is none, for a
 * destination that has no output, and for `PATTERN:…`; %REEVE_ERROR_LIMIT.
 */
gboolean reeve_log_set_words (const char *words, GError **error);

/* @source: or `any`. Thread: any. Errors: as of reeve_log_set_words(). */
gboolean reeve_log_limit_source (const char *source,
                                 gboolean is_limited,
                                 GError **error);

G_END_DECLS
