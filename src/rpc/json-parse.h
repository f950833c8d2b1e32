/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Values in one text, so that it costs a bounded multiple of its size. */
#define REEVE_JSON_MAX_VALUES 262144u

/**
 * reeve_json_parse:
 * @text: of @size bytes; one value, with white space around it
 *
 * Takes what RFC 8259 says and no more: text in UTF-8, no member twice, no
 * `\u0000`, surrogates in pairs. A whole number keeps all its digits: beyond
 * what an int64_t holds it is a string of them. No more than
 * REEVE_JSON_MAX_DEPTH (rpc/json-scan.h) levels.
 *
 * Thread: any.
 * Errors: %REEVE_ERROR_RPC with the offset, %REEVE_ERROR_LIMIT.
 *
 * Returns: (transfer full) (nullable)
 */
JsonNode *reeve_json_parse (const char *text, size_t size, GError **error);

G_END_DECLS
