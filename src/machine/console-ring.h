/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/**
 * ReeveConsoleRing:
 *
 * The last bytes of a text that may go on for ever. A position is a number of
 * bytes since the text began. Memory grows with the text, up to the limit.
 * Embed it, zeroed; its owner sees to threads.
 */
typedef struct {
  size_t max_bytes;
  uint8_t *bytes; /* (owned) (nullable): byte p is at p % n_bytes */
  size_t n_bytes;
  uint64_t start; /* position of the oldest byte that is kept */
  uint64_t end;   /* position after the last one */
} ReeveConsoleRing;

/* @max_bytes: > 0; @position: where the text goes on */
void reeve_console_ring_init (ReeveConsoleRing *self,
                              size_t max_bytes,
                              uint64_t position);
void reeve_console_ring_clear (ReeveConsoleRing *self);

void reeve_console_ring_append (ReeveConsoleRing *self,
                                const uint8_t *data,
                                size_t size);

/* Reads at a position from the start to the end; returns how many bytes. */
size_t reeve_console_ring_read (const ReeveConsoleRing *self,
                                uint64_t position,
                                uint8_t *buffer,
                                size_t size);

G_END_DECLS
