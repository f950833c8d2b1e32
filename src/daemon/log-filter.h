/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveLogFilter:
 *
 * Which messages of a part of the program are logged, in place of the common
 * level. The text is `LEVEL:MATCH`, with the levels 1 (debug) to 4 (error) and
 * a piece of the name of a source, in which `*` and `?` stand for anything.
 *
 * A message's source is the folder and the file that it comes from, as in
 * `rpc.server-client`, or the log domain where those are not known.
 */
typedef struct _ReeveLogFilter ReeveLogFilter;

/* (nullable): of 1 to 4. What is as severe, or more so, has no greater value.
 */
GLogLevelFlags reeve_log_level_from_digit (char digit);

/**
 * reeve_log_filters_parse:
 * @text: filters with spaces between them
 *
 * Errors: %REEVE_ERROR_INVALID_ARG, naming the one that is wrong.
 *
 * Returns: (transfer full) (element-type ReeveLogFilter)
 */
GPtrArray *reeve_log_filters_parse (const char *text, GError **error);

/* (transfer full): the filters with spaces between them. */
char *reeve_log_filters_format (GPtrArray *filters);

/* The level of the first one that matches @source or @domain; else @common. */
GLogLevelFlags reeve_log_filters_get_level (GPtrArray *filters,
                                            const char *source,
                                            const char *domain,
                                            GLogLevelFlags common);

/* The least severe level that one of them wants; else @common. */
GLogLevelFlags
reeve_log_filters_get_widest (GPtrArray *filters, GLogLevelFlags common);

/* Adds copies of what they match to @sources. */
void reeve_log_filters_add_sources (GPtrArray *filters, GPtrArray *sources);

/* (transfer full): from the path of a source file. */
char *reeve_log_source_from_path (const char *path);

G_END_DECLS
