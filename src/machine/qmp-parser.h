/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define REEVE_QMP_MAX_MESSAGE (64u * 1024 * 1024)
#define REEVE_QMP_MAX_DEPTH 128u

/**
 * ReeveQmpParser:
 *
 * Cuts a stream of bytes into JSON objects, by counting braces, and parses
 * each. Every byte is looked at once, however the stream is split. What is
 * held back is bounded by one message of @max_bytes and what was last fed.
 * After an error the stream cannot be followed any more.
 */
typedef struct {
  GByteArray *bytes;
  size_t n_consumed; /* of bytes: messages that were given out */
  size_t n_scanned;  /* of bytes */
  unsigned depth;
  gboolean is_string;
  gboolean is_escape;
  size_t max_bytes;
  unsigned max_depth;
} ReeveQmpParser;

void reeve_qmp_parser_init (ReeveQmpParser *self,
                            size_t max_bytes,
                            unsigned max_depth);
void reeve_qmp_parser_clear (ReeveQmpParser *self);

/* (transfer none): what was fed and not given out; valid until it is fed. */
const uint8_t *reeve_qmp_parser_peek (const ReeveQmpParser *self, size_t *size);
void
reeve_qmp_parser_feed (ReeveQmpParser *self, const void *data, size_t size);

/**
 * reeve_qmp_parser_next:
 * @message: (out) (transfer full) (nullable): the next object; %NULL when more
 *   bytes are needed
 *
 * Errors: %REEVE_ERROR_LIMIT for a message too long or too deep,
 * %REEVE_ERROR_RPC for bytes that are not JSON objects
 *
 * Returns: %FALSE when the stream is broken
 */
gboolean reeve_qmp_parser_next (ReeveQmpParser *self,
                                JsonObject **message,
                                GError **error);

/**
 * reeve_qmp_parse_object:
 *
 * Parses one JSON object that stands alone, white space around it allowed,
 * with the parser's limit of depth.
 *
 * Returns: (transfer full) (nullable): %NULL with %REEVE_ERROR_INVALID_ARG
 */
JsonObject *reeve_qmp_parse_object (const char *text, GError **error);

/* (transfer full): an object as JSON text in one line. */
char *reeve_qmp_object_to_text (JsonObject *object);

G_END_DECLS
