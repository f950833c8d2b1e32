/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/type.h"

#include <string.h>

G_BEGIN_DECLS

/*
 * Messages in libvirt's framing: a length word (which counts itself), a header
 * of six words, a payload; all big endian.
 */

#define REEVE_LENGTH_SIZE 4u
#define REEVE_HEADER_SIZE 24u
/* length word and header: where the payload starts */
#define REEVE_PAYLOAD_OFFSET (REEVE_LENGTH_SIZE + REEVE_HEADER_SIZE)
/* largest value of the length word */
#define REEVE_MESSAGE_MAX (33554432u + REEVE_LENGTH_SIZE)
#define REEVE_MESSAGE_MAX_FDS 32u

typedef enum {
  REEVE_MESSAGE_CALL = 0,
  REEVE_MESSAGE_REPLY = 1,
  REEVE_MESSAGE_EVENT = 2,
  REEVE_MESSAGE_STREAM = 3,
  REEVE_MESSAGE_CALL_WITH_FDS = 4,
  REEVE_MESSAGE_REPLY_WITH_FDS = 5,
  REEVE_MESSAGE_STREAM_HOLE = 6,
} ReeveMessageType;

typedef enum {
  REEVE_STATUS_OK = 0,
  REEVE_STATUS_ERROR = 1,
  REEVE_STATUS_CONTINUE = 2,
} ReeveMessageStatus;

typedef struct {
  uint32_t program;
  uint32_t version;
  int32_t procedure;
  uint32_t type; /* ReeveMessageType, or what the peer sent */
  uint32_t serial;
  uint32_t status; /* ReeveMessageStatus, or what the peer sent */
} ReeveHeader;

/* Read or write the 24 bytes behind the length word. */
void reeve_header_decode (ReeveHeader *self, const uint8_t *data);
void reeve_header_encode (const ReeveHeader *self, uint8_t *data);

/* The length word in front of the header. */
static inline uint32_t
reeve_length_decode (const uint8_t *data)
{
  uint32_t word;

  memcpy (&word, data, sizeof word);
  return GUINT32_FROM_BE (word);
}

/* Writes length word and header of a frame of @size bytes. */
void reeve_message_write_header (const ReeveHeader *header,
                                 uint8_t *data,
                                 size_t size);

/* The size of a whole frame, or -1; errors as of reeve_message_encode(). */
gssize reeve_message_measure (const ReeveType *type,
                              gconstpointer value,
                              GError **error);

/* Writes a whole frame of the size that reeve_message_measure() gave. */
void reeve_message_write (const ReeveHeader *header,
                          const ReeveType *type,
                          gconstpointer value,
                          uint8_t *data,
                          size_t size);

/**
 * reeve_message_encode:
 * @type: (nullable): the payload's type, or %NULL for an empty payload
 * @value: (nullable): the payload
 *
 * Errors: %REEVE_ERROR_RPC as of reeve_xdr_measure(), and for a message over
 * %REEVE_MESSAGE_MAX.
 *
 * Returns: (transfer full): one whole frame, length word included
 */
GBytes *reeve_message_encode (const ReeveHeader *header,
                              const ReeveType *type,
                              gconstpointer value,
                              GError **error);

/* The same for a message with file descriptors: their number stands in front
 * of @value. Of @header, the type is not looked at: it becomes that of a call
 * or reply with them. */
GBytes *reeve_message_encode_with_fds (const ReeveHeader *header,
                                       unsigned n_fds,
                                       const ReeveType *type,
                                       gconstpointer value,
                                       GError **error);

/**
 * reeve_message_encode_error:
 *
 * A frame whose payload is libvirt's error struct, made of @failure (the
 * domain and code of which are kept when it is a %REEVE_ERROR, and become
 * %REEVE_ERROR_INTERNAL otherwise). @header's status is not looked at.
 */
GBytes *
reeve_message_encode_error (const ReeveHeader *header, const GError *failure);

/* (transfer full): the error that is in the payload of a reply with status
 * error. Never fails: an undecodable payload gives REEVE_ERROR_RPC. */
GError *reeve_message_decode_error (const uint8_t *payload, size_t size);

G_END_DECLS
