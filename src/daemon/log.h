/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/*
 * The log of a daemon. A message is written if it is as severe as the common
 * level, or as the filter that matches its source wants; then each output takes
 * it that wants its level. Define G_LOG_USE_STRUCTURED for your own code, so
 * that your messages carry the file that they come from.
 *
 * Outputs and filters are those of libvirt: see reeved.conf(5). All functions
 * but the first two come after reeve_log_init().
 */

/**
 * reeve_log_init:
 * @level: the least severe level that is written
 *
 * Takes over GLib's structured log for the process. It goes to the journal if
 * standard error does, and else to standard error: with a priority prefix where
 * systemd reads it ($JOURNAL_STREAM names it), with time and level elsewhere.
 *
 * Thread: owner, before there are others.
 */
void reeve_log_init (GLogLevelFlags level);

/* "debug", "info", "notice" (message), "warning", "error" (critical).
 * Errors: REEVE_ERROR_INVALID_ARG. */
gboolean
reeve_log_parse_level (const char *name, GLogLevelFlags *level, GError **error);

/* The common level. May be called at any time. Thread: any. */
void reeve_log_set_level (GLogLevelFlags level);

/* Thread: any. */
GLogLevelFlags reeve_log_get_level (void);

/**
 * reeve_log_set_defaults:
 * @outputs: (nullable): as of reeve_log_set_outputs()
 * @filters: (nullable): as of reeve_log_set_filters()
 *
 * What holds from now on, and again whenever the other two functions are
 * called with %NULL.
 *
 * Thread: any.
 * Errors: as of the other two; nothing is changed then.
 */
gboolean reeve_log_set_defaults (const char *outputs,
                                 const char *filters,
                                 GError **error);

/**
 * reeve_log_set_outputs:
 * @outputs: (nullable): `LEVEL:stderr`, `LEVEL:file:PATH`, `LEVEL:syslog:NAME`
 *   and `LEVEL:journald`, with spaces between them; the levels are 1 (debug) to
 *   4 (error). %NULL or empty: the defaults
 *
 * Says where the log goes from now on.
 *
 * Thread: any; may block.
 * Errors: %REEVE_ERROR_INVALID_ARG naming the output that is wrong,
 * %REEVE_ERROR_SYSTEM for a file that cannot be opened; nothing is changed
 * then.
 */
gboolean reeve_log_set_outputs (const char *outputs, GError **error);

/* Opens the files of the outputs anew, for instance after they were renamed.
 * Thread: any; may block. Errors: as of reeve_log_set_outputs(). */
gboolean reeve_log_reopen (GError **error);

/* Gives the files of the outputs to a user, who is to open them anew. Thread:
 * any; may block. */
void reeve_log_give (uid_t uid, gid_t gid);

/* Whether a journal listens on this host. Thread: any; may block. */
gboolean reeve_log_has_journal (void);

/* (transfer full): as they are now. Thread: any. */
char *reeve_log_dup_outputs (unsigned *n_outputs);

/**
 * reeve_log_set_filters:
 * @filters: (nullable): `LEVEL:MATCH` with spaces between them; the first one
 *   whose match is part of a message's source, `rpc.server` for instance,
 *   counts. %NULL or empty: the defaults
 *
 * Thread: any.
 * Errors: %REEVE_ERROR_INVALID_ARG naming the filter that is wrong; nothing is
 * changed then.
 */
gboolean reeve_log_set_filters (const char *filters, GError **error);

/* (transfer full): as they are now. Thread: any. */
char *reeve_log_dup_filters (unsigned *n_filters);

G_END_DECLS
