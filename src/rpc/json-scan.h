/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/*
 * Where texts of JSON begin and end, without a tree of what is in them: it is
 * not all that the grammar asks for that is looked at here.
 */

/* Objects and arrays inside each other, at most. */
#define REEVE_JSON_MAX_DEPTH 64u

/**
 * ReeveJsonScan:
 * @offset: how many bytes were looked at
 *
 * Zeros, before the first byte of a message.
 */
typedef struct {
  size_t offset;
  uint64_t arrays; /* a bit for each level: it is an array */
  unsigned depth;
  gboolean is_string;
  gboolean is_escape;
} ReeveJsonScan;

typedef enum {
  REEVE_JSON_SCAN_MORE, /* bytes are needed */
  REEVE_JSON_SCAN_DONE, /* it ends at the offset */
  REEVE_JSON_SCAN_BAD,  /* it is none, seen at the offset */
} ReeveJsonScanned;

/* Looks for the end of an object or an array, and passes white space in front
 * of it. @data: from the first byte of the message; those before the offset are
 * not looked at again. */
ReeveJsonScanned
reeve_json_scan (ReeveJsonScan *self, const uint8_t *data, size_t size);

/* A piece of a text. */
typedef struct {
  const char *text; /* (nullable) */
  size_t size;
} ReeveJsonSpan;

/**
 * ReeveJsonCursor:
 *
 * Goes through the members of an object, or the elements of an array, of which
 * reeve_json_scan() found the end.
 */
typedef struct {
  const char *at;
  const char *end;
  gboolean is_array;
  gboolean is_bad; /* it has ended for that reason */
  gboolean has_begun;
} ReeveJsonCursor;

void reeve_json_cursor_init (ReeveJsonCursor *self, ReeveJsonSpan text);
/* FALSE at the end. @key: without its quotes, with its escapes; empty for an
 * element. */
gboolean reeve_json_cursor_next (ReeveJsonCursor *self,
                                 ReeveJsonSpan *key,
                                 ReeveJsonSpan *value);

gboolean reeve_json_span_equal (ReeveJsonSpan self, const char *text);

G_END_DECLS
