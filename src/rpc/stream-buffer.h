/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/data-stream.h"
#include "rpc/message.h"

G_BEGIN_DECLS

/*
 * Memory for the longest frame of a data stream. A few that are free are kept
 * for the whole process: memory of this size that is fresh from the kernel
 * costs more than the bytes that go through it.
 */

#define REEVE_STREAM_BUFFER_SIZE                                               \
  ((size_t) REEVE_PAYLOAD_OFFSET + REEVE_DATA_STREAM_CHUNK)

/* (transfer full): g_free() frees it, too. Thread: any. */
uint8_t *reeve_stream_buffer_new (void);

/* @buffer: (transfer full): from g_malloc() and at least as long. Thread: any.
 */
void reeve_stream_buffer_free (gpointer buffer);

G_END_DECLS
