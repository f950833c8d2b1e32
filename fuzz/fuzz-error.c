/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "rpc/error.h"
#include "rpc/message.h"

/* The error struct: what a reply says comes back from one of our own. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const ReeveHeader header = { .type = REEVE_MESSAGE_REPLY };
  g_autoptr (GError) error = reeve_message_decode_error (data, size);
  g_autoptr (GBytes) frame = NULL;
  g_autoptr (GError) again = NULL;
  g_autofree char *text = NULL;
  const uint8_t *bytes;
  gsize n_bytes;

  g_assert_nonnull (error);
  g_assert_true (error->domain == REEVE_ERROR);
  g_assert_cmpstr (error->message, !=, "");
  frame = reeve_message_encode_error (&header, error);
  g_assert_nonnull (frame);
  bytes = g_bytes_get_data (frame, &n_bytes);
  g_assert_cmpuint (reeve_length_decode (bytes), ==, n_bytes);
  again = reeve_message_decode_error (bytes + REEVE_PAYLOAD_OFFSET,
                                      n_bytes - REEVE_PAYLOAD_OFFSET);
  text = g_utf8_make_valid (error->message, -1);
  g_assert_cmpint (again->code, ==, error->code);
  g_assert_cmpstr (again->message, ==, text);
  return 0;
}
