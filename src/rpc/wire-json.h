/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/type.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/*
 * The JSON codec: one value <-> one JsonNode. Thread: any.
 *
 * struct: object by member name · union: object with the discriminant and the
 * arm's member · array: array · string: string · opaque: base64 string; fixed
 * opaque of 16 bytes in a type whose name ends in "uuid": the usual text with
 * dashes · enum: its identifier (a number is taken, too) · optional: null or
 * absent · 64-bit integers beyond 2^53: a string of digits (taken for any
 * integer; a real without a fraction is taken, too) · real: number, or "nan",
 * "inf", "-inf" · bool: true, false · char arrays: array of numbers.
 */

/* (transfer full): cannot fail for a value that can be XDR encoded. */
JsonNode *reeve_json_encode (const ReeveType *type, gconstpointer value);

/**
 * reeve_json_decode:
 * @value: (out caller-allocates): a zeroed value of @type; on failure it is
 *   left zeroed
 *
 * A missing member is zero, empty or absent; a missing string is "".
 *
 * Errors: %REEVE_ERROR_INVALID_ARG for a wrong kind, an unknown member, a
 * number out of range, a broken limit; the message has the path of the member
 * (`params[2].field`).
 */
gboolean reeve_json_decode (const ReeveType *type,
                            JsonNode *node,
                            gpointer value,
                            GError **error);

G_END_DECLS
