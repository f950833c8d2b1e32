/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * reeve_log_init:
 * @level: the least severe level that is written
 *
 * Takes over GLib's structured log for the process: lines on stderr, with a
 * priority prefix under systemd ($JOURNAL_STREAM is set) and with the time and
 * the level elsewhere. Thread: owner, before there are others.
 */
void reeve_log_init (GLogLevelFlags level);

/* "debug", "info", "notice" (message), "warning", "error" (critical).
 * Errors: REEVE_ERROR_INVALID_ARG. */
gboolean
reeve_log_parse_level (const char *name, GLogLevelFlags *level, GError **error);

/* May be called at any time. Thread: any. */
void reeve_log_set_level (GLogLevelFlags level);

G_END_DECLS
