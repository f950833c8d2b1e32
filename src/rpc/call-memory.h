/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

/*
 * Memory for calls with short arguments, used again and again: who reads calls
 * takes it, whoever answered them gives it back. There is no lock, and what is
 * kept is bounded. AddressSanitizer sees fresh memory each time.
 */
typedef struct _ReeveCallMemoryPiece ReeveCallMemoryPiece;

typedef struct {
  atomic_uint n_returned;                    /* more or less */
  _Atomic (ReeveCallMemoryPiece *) returned; /* (owned) */
} ReeveCallMemory;

/* What one thread has of it, and gives to new calls; zeroed, it is empty. */
typedef struct {
  ReeveCallMemoryPiece *first; /* (owned) */
} ReeveCallStock;

/* What is longer is not kept. */
#define REEVE_CALL_MEMORY_SIZE 512
/* How many pieces that are given back wait for who takes them. */
#define REEVE_CALL_MEMORY_MAX 512

/* Pieces that are given back together; zeroed, there are none. */
typedef struct {
  ReeveCallMemoryPiece *first; /* (owned) */
  ReeveCallMemoryPiece *last;
  unsigned n;
} ReeveCallMemoryPieces;

/* (transfer full): not cleared. Thread: that of @stock. */
gpointer reeve_call_memory_take (ReeveCallMemory *self,
                                 ReeveCallStock *stock,
                                 size_t size);
void reeve_call_stock_clear (ReeveCallStock *self);
/* @piece: (transfer full): and the @size that it was taken with. Thread: any,
 * as what follows. */
void reeve_call_memory_add (ReeveCallMemoryPieces *pieces,
                            gpointer piece,
                            size_t size);
/* @pieces: (transfer full) */
void reeve_call_memory_give (ReeveCallMemory *self,
                             const ReeveCallMemoryPieces *pieces);
/* When nobody else uses it any more. */
void reeve_call_memory_clear (ReeveCallMemory *self);

G_END_DECLS
