/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/uuid.h"

#include <string.h>

gboolean
reeve_uuid_parse (const char *text, uint8_t *uuid)
{
  uint8_t bytes[REEVE_UUID_SIZE];
  int n_bytes = 0;

  while (*text != '\0') {
    int high, low;

    if (*text == '-') {
      text++;
      continue;
    }
    high = g_ascii_xdigit_value (text[0]);
    low = high < 0 ? -1 : g_ascii_xdigit_value (text[1]);
    if (low < 0 || n_bytes == REEVE_UUID_SIZE)
      return FALSE;
    bytes[n_bytes++] = (uint8_t) (high << 4 | low);
    text += 2;
  }

  if (n_bytes != REEVE_UUID_SIZE)
    return FALSE;
  memcpy (uuid, bytes, sizeof bytes);
  return TRUE;
}

void
reeve_uuid_format (const uint8_t *uuid, char *text)
{
  static const char digits[] = "0123456789abcdef";

  for (int i = 0; i < REEVE_UUID_SIZE; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *text++ = '-';
    *text++ = digits[uuid[i] >> 4];
    *text++ = digits[uuid[i] & 0xf];
  }
  *text = '\0';
}

void
reeve_uuid_generate (uint8_t *uuid)
{
  for (int i = 0; i < REEVE_UUID_SIZE; i += 4) {
    uint32_t word = g_random_int ();

    memcpy (uuid + i, &word, sizeof word);
  }
  uuid[6] = (uint8_t) ((uuid[6] & 0x0f) | 0x40);
  uuid[8] = (uint8_t) ((uuid[8] & 0x3f) | 0x80);
}
