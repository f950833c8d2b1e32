/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/log-rules.h"

G_BEGIN_DECLS

/* The log of the process, for the words of log-words.h. Thread: any. */

/* Errors: as of reeve_log_rules_add(). */
gboolean reeve_log_add_rule (const ReeveLogRule *rule, GError **error);

/* Filters and outputs alone count from now on. */
void reeve_log_clear_rules (void);

/* @levels: (out caller-allocates): of a message of @source: the least severe
 *   that gets to each destination; 0: none does.
 * Returns: whether how often it may come has a limit */
gboolean reeve_log_get_levels (const char *source, GLogLevelFlags *levels);

/* (transfer full) (element-type utf8): of filters and rules, sorted. */
GPtrArray *reeve_log_dup_sources (void);

/* (nullable): the pattern of the lines there, if anything goes there. */
const char *reeve_log_get_pattern (int destination);

/* Of the outputs there, from now on. */
void reeve_log_set_destination_level (int destination, char digit);

/* What goes to files is lost until they are opened anew. */
void reeve_log_close_files (void);

G_END_DECLS
