/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "shell/shell.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Everything a command prints goes through here, as text or as JSON. */

/* A member of a JSON object and how it is titled in text. */
typedef struct {
  const char *key;
  const char *title; /* translatable */
} ReeveField;

/**
 * reeve_output_table:
 * @rows: (transfer full): objects
 *
 * Text: a table of @columns. JSON: the array, with all members.
 */
void reeve_output_table (ReeveShell *shell,
                         const ReeveField *columns,
                         size_t n_columns,
                         JsonArray *rows);

/* Text: a line "Title: value" for each of @fields that @object has. JSON: the
 * object. (transfer full): @object. */
void reeve_output_object (ReeveShell *shell,
                          const ReeveField *fields,
                          size_t n_fields,
                          JsonObject *object);

/* Text: @text and a newline unless it ends in one. JSON: {"@key": "@text"}. */
void reeve_output_text (ReeveShell *shell, const char *key, const char *text);

/* Text: @node in JSON all the same, pretty. (transfer none). */
void reeve_output_json (ReeveShell *shell, JsonNode *node);

/* Says that something was done to @name, in words (not if quiet) or as
 * {"name": …}. */
void
reeve_output_done (ReeveShell *shell, const char *name, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* One line of a stream of objects (events): text, or one compact object. */
void
reeve_output_line (ReeveShell *shell, const char *text, JsonObject *object);

/* Errors go to stderr: "error: …", or {"error": {…}}. */
void reeve_output_error (ReeveShell *shell, const GError *error);

/* Sets a 64-bit number: a string of digits beyond 2^53. */
void reeve_json_set_uint (JsonObject *object, const char *key, uint64_t value);

G_END_DECLS
