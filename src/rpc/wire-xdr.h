/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/type.h"

G_BEGIN_DECLS

/* The XDR codec (RFC 4506), on libtirpc's primitives. Thread: any. */

/**
 * reeve_xdr_measure:
 *
 * Errors: %REEVE_ERROR_RPC when the value breaks a limit of @type, has a
 * %NULL string or a discriminant without an arm; the message names the member.
 *
 * Returns: the encoded size in bytes, a multiple of 4; -1 on error
 */
gssize
reeve_xdr_measure (const ReeveType *type, gconstpointer value, GError **error);

/**
 * reeve_xdr_encode:
 * @data: (out caller-allocates): room for @size bytes
 * @size: what reeve_xdr_measure() returned for this very value
 */
void reeve_xdr_encode (const ReeveType *type,
                       gconstpointer value,
                       uint8_t *data,
                       size_t size);

/* The bytes of a string or opaque that is a struct's last member: nothing but
 * padding stands behind them. */
typedef struct {
  const uint8_t *data; /* of the value */
  size_t size;
  size_t offset; /* where in the value the pointer to them is */
} ReeveXdrTail;

/* FALSE: @value, which was measured, does not end with such. */
gboolean reeve_xdr_find_tail (const ReeveType *type,
                              gconstpointer value,
                              ReeveXdrTail *tail);

/* As reeve_xdr_encode(), but leaves out the bytes of @tail: those in front of
 * them, then the padding, come to @size. */
void reeve_xdr_encode_without (const ReeveType *type,
                               gconstpointer value,
                               const ReeveXdrTail *tail,
                               uint8_t *data,
                               size_t size);

/* How many bytes of padding stand behind so many. */
static inline size_t
reeve_xdr_get_padding (size_t size)
{
  return -size & 3;
}

/**
 * reeve_xdr_decode:
 * @value: (out caller-allocates): a zeroed value of @type; on failure it is
 *   left zeroed
 * @used: (out) (optional): how many bytes of @data the value took; more may
 *   follow it
 *
 * No more memory is allocated than the limits of @type and a small multiple
 * of @size permit. Pad bytes may be anything; an optional's flag that is not 0
 * is "present"; a string ends at its first NUL; nothing is aborted by bad
 * input.
 *
 * Errors: %REEVE_ERROR_RPC; the message names the member and the offset.
 */
gboolean reeve_xdr_decode (const ReeveType *type,
                           const uint8_t *data,
                           size_t size,
                           gpointer value,
                           size_t *used,
                           GError **error);

/**
 * reeve_xdr_decode_in_place:
 * @data: with one byte more than @size
 *
 * As reeve_xdr_decode(); but of a string or opaque that is a struct's last
 * member, the value points into @data, which may be written to. It is freed by
 * reeve_xdr_free_in_place().
 */
gboolean reeve_xdr_decode_in_place (const ReeveType *type,
                                    uint8_t *data,
                                    size_t size,
                                    gpointer value,
                                    GError **error);
void reeve_xdr_free_in_place (const ReeveType *type, gpointer value);

G_END_DECLS
