/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/command.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/*
 * Arguments as words, and results as text.
 *
 * A word is what its type has in JSON without quotes; a bool may be yes, no,
 * on, off, 1 or 0, too. What is no single value is written in JSON, but a
 * struct of one member is that member. The last argument, if it is an array,
 * takes all words that are left.
 */

/* (transfer full): `NAME [FLAGS]` */
char *reeve_words_make_usage (const ReeveType *args);

/**
 * reeve_words_decode:
 * @name: of the command, for messages
 * @words: of strings
 * @value: (out caller-allocates): a zeroed value of @args, or %NULL for void;
 *   on failure it is left zeroed
 *
 * Errors: %REEVE_ERROR_INVALID_ARG for too many or too few, and as of
 * reeve_json_decode().
 */
gboolean reeve_words_decode (const ReeveType *args,
                             const char *name,
                             JsonArray *words,
                             gpointer value,
                             GError **error);

/* (transfer full): in UTF-8; it ends in a newline unless it is empty. */
char *reeve_words_print (const ReeveType *type,
                         const ReeveCommand *command,
                         gconstpointer ret);

G_END_DECLS
