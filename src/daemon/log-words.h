/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The log in the words of Open vSwitch's `vlog`. */

enum {
  REEVE_LOG_CONSOLE, /* standard error, or the journal in its place */
  REEVE_LOG_SYSLOG,
  REEVE_LOG_FILE,
  REEVE_LOG_N_DESTINATIONS,
};

/* The least severe level of one source that gets to each destination: DBG,
 * INFO, WARN, ERR, or OFF. Nothing is owned. */
typedef struct {
  const char *source; /* "any", or of a filter */
  const char *levels[REEVE_LOG_N_DESTINATIONS];
} ReeveLogThresholds;

typedef void (*ReeveLogThresholdFunc) (const ReeveLogThresholds *row,
                                       gpointer data);

/* Thread: any. */
void reeve_log_foreach_threshold (ReeveLogThresholdFunc func, gpointer data);

/**
 * reeve_log_set_words:
 * @words: a source, a destination and a level, with colons, commas or spaces
 *   between them; each may be left out: `any`, `any` and `dbg` stand for them
 *
 * A level for a source becomes a filter, one for a destination that of its
 * outputs, and one for neither the common one.
 *
 * Thread: any; may block.
 * Errors: %REEVE_ERROR_INVALID_ARG for two of a kind, for a destination that
 * has no output, and for what cannot be said in outputs and filters: a level
 * of a source for one destination, and OFF.
 */
gboolean reeve_log_set_words (const char *words, GError **error);

G_END_DECLS
