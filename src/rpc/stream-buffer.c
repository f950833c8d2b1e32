/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/stream-buffer.h"

#include <stdatomic.h>

/* What a window has at the same time. */
#define MAX_KEPT 4

static _Atomic (uint8_t *) kept[MAX_KEPT]; /* (owned) (nullable) */

uint8_t *
reeve_stream_buffer_new (void)
{
  for (size_t i = 0; i < MAX_KEPT; i++) {
    uint8_t *buffer = atomic_exchange (&kept[i], NULL);

    if (buffer != NULL)
      return buffer;
  }
  return g_malloc (REEVE_STREAM_BUFFER_SIZE);
}

void
reeve_stream_buffer_free (gpointer buffer)
{
  for (size_t i = 0; i < MAX_KEPT; i++) {
    uint8_t *none = NULL;

    if (atomic_compare_exchange_strong (&kept[i], &none, buffer))
      return;
  }
  g_free (buffer);
}
