/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/message.h"

#include "event/intl.h"
#include "protocol/message.h"
#include "rpc/error.h"
#include "rpc/wire-xdr.h"

/* Where libvirt's clients expect an error to come from. */
enum {
  ORIGIN_XML = 5,
  ORIGIN_RPC = 7,
  ORIGIN_QEMU = 10,
  ORIGIN_STORAGE = 18,
  ORIGIN_ACCESS = 55,
};
enum { LEVEL_ERROR = 2 };
/* The word in front of the value that says how many file descriptors follow. */
#define FDS_COUNT_SIZE 4u

static void
put_word (uint8_t *data, uint32_t word)
{
  word = GUINT32_TO_BE (word);
  memcpy (data, &word, sizeof word);
}

void
reeve_header_decode (ReeveHeader *self, const uint8_t *data)
{
  self->program = reeve_length_decode (data);
  self->version = reeve_length_decode (data + 4);
  self->procedure = (int32_t) reeve_length_decode (data + 8);
  self->type = reeve_length_decode (data + 12);
  self->serial = reeve_length_decode (data + 16);
  self->status = reeve_length_decode (data + 20);
}

void
reeve_header_encode (const ReeveHeader *self, uint8_t *data)
{
  put_word (data, self->program);
  put_word (data + 4, self->version);
  put_word (data + 8, (uint32_t) self->procedure);
  put_word (data + 12, self->type);
  put_word (data + 16, self->serial);
  put_word (data + 20, self->status);
}

gssize
reeve_message_measure (const ReeveType *type,
                       gconstpointer value,
                       GError **error)
{
  gssize size = 0;

  if (type != NULL && type->kind != REEVE_KIND_VOID)
    size = reeve_xdr_measure (type, value, error);
  if (size < 0)
    return -1;
  if ((size_t) size > REEVE_MESSAGE_MAX - REEVE_PAYLOAD_OFFSET) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("A message of %1$zd bytes is over the limit of %2$u"), size,
                 REEVE_MESSAGE_MAX);
    return -1;
  }

  return size + (gssize) REEVE_PAYLOAD_OFFSET;
}

void
reeve_message_write_header (const ReeveHeader *header,
                            uint8_t *data,
                            size_t size)
{
  put_word (data, (uint32_t) size);
  reeve_header_encode (header, data + REEVE_LENGTH_SIZE);
}

void
reeve_message_write (const ReeveHeader *header,
                     const ReeveType *type,
                     gconstpointer value,
                     uint8_t *data,
                     size_t size)
{
  reeve_message_write_header (header, data, size);
  if (size > REEVE_PAYLOAD_OFFSET)
    reeve_xdr_encode (type, value, data + REEVE_PAYLOAD_OFFSET,
                      size - REEVE_PAYLOAD_OFFSET);
}

GBytes *
reeve_message_encode (const ReeveHeader *header,
                      const ReeveType *type,
                      gconstpointer value,
                      GError **error)
{
  gssize size = reeve_message_measure (type, value, error);
  uint8_t *data;

  if (size < 0)
    return NULL;

  data = g_malloc ((size_t) size);
  reeve_message_write (header, type, value, data, (size_t) size);
  return g_bytes_new_take (data, (size_t) size);
}

GBytes *
reeve_message_encode_with_fds (const ReeveHeader *header,
                               unsigned n_fds,
                               const ReeveType *type,
                               gconstpointer value,
                               GError **error)
{
  gssize measured = reeve_message_measure (type, value, error);
  ReeveHeader with_fds = *header;
  size_t size = (size_t) measured + FDS_COUNT_SIZE;
  uint8_t *data;

  if (measured < 0)
    return NULL;
  if (size > REEVE_MESSAGE_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("A message of %1$zu bytes is over the limit of %2$u"), size,
                 REEVE_MESSAGE_MAX);
    return NULL;
  }

  with_fds.type = header->type == REEVE_MESSAGE_CALL
                      ? REEVE_MESSAGE_CALL_WITH_FDS
                      : REEVE_MESSAGE_REPLY_WITH_FDS;
  data = g_malloc (size);
  put_word (data, (uint32_t) size);
  reeve_header_encode (&with_fds, data + REEVE_LENGTH_SIZE);
  put_word (data + REEVE_PAYLOAD_OFFSET, n_fds);
  if (size > REEVE_PAYLOAD_OFFSET + FDS_COUNT_SIZE)
    reeve_xdr_encode (type, value, data + REEVE_PAYLOAD_OFFSET + FDS_COUNT_SIZE,
                      size - REEVE_PAYLOAD_OFFSET - FDS_COUNT_SIZE);
  return g_bytes_new_take (data, size);
}

static int32_t
get_origin (int code)
{
  switch (code) {
  case REEVE_ERROR_RPC:
  case REEVE_ERROR_AUTH_FAILED:
  case REEVE_ERROR_AUTH_CANCELLED:
  case REEVE_ERROR_AUTH_UNAVAILABLE:
  case REEVE_ERROR_NO_SERVER:
  case REEVE_ERROR_NO_CLIENT:
    return ORIGIN_RPC;
  case REEVE_ERROR_XML:
  case REEVE_ERROR_XML_DETAIL:
    return ORIGIN_XML;
  case REEVE_ERROR_NO_POOL:
  case REEVE_ERROR_NO_VOLUME:
  case REEVE_ERROR_VOLUME_EXISTS:
    return ORIGIN_STORAGE;
  case REEVE_ERROR_ACCESS_DENIED:
    return ORIGIN_ACCESS;
  default:
    return ORIGIN_QEMU;
  }
}

GBytes *
reeve_message_encode_error (const ReeveHeader *header, const GError *failure)
{
  int code = failure->domain == REEVE_ERROR ? failure->code
                                            : (int) REEVE_ERROR_INTERNAL;
  g_autofree char *text = g_utf8_make_valid (failure->message, -1);
  const char *generic = "%s";
  message_error body = {
    .code = code,
    .origin = get_origin (code),
    .message = text,
    .level = LEVEL_ERROR,
    .str1 = (char *) generic,
    .str2 = text,
    .int1 = -1,
    .int2 = -1,
  };
  ReeveHeader reply = *header;

  if (strlen (text) > MESSAGE_STRING_MAX)
    text[MESSAGE_STRING_MAX] = '\0';
  reply.status = REEVE_STATUS_ERROR;
  return reeve_message_encode (&reply, &message_error_type, &body, NULL);
}

GError *
reeve_message_decode_error (const uint8_t *payload, size_t size)
{
  g_autoptr (GError) why = NULL;
  message_error body = { 0 };
  GError *failure;

  if (!reeve_xdr_decode (&message_error_type, payload, size, &body, NULL, &why))
    return g_error_new (REEVE_ERROR, REEVE_ERROR_RPC,
                        _ ("The server's error cannot be decoded: %s"),
                        why->message);

  failure = g_error_new_literal (
      REEVE_ERROR, body.code != 0 ? body.code : (int) REEVE_ERROR_INTERNAL,
      body.message != NULL && body.message[0] != '\0'
          ? body.message
          : _ ("The server gave no reason"));
  message_error_clear (&body);
  return failure;
}
