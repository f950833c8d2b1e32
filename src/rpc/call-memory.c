/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/call-memory.h"

struct _ReeveCallMemoryPiece {
  ReeveCallMemoryPiece *next;
};

/* Memory that is used again looks as good as new after it was freed. */
#ifdef __SANITIZE_ADDRESS__
#define LONGEST 0
#else
#define LONGEST REEVE_CALL_MEMORY_SIZE
#endif

static gpointer
allocate (size_t size)
{
  return g_malloc (MAX (size, LONGEST));
}

gpointer
reeve_call_memory_take (ReeveCallMemory *self,
                        ReeveCallStock *stock,
                        size_t size)
{
  ReeveCallMemoryPiece *piece;

  if (size > LONGEST)
    return allocate (size);

  /* All at once: so none can come back meanwhile under an address that was seen
   * before. */
  if (stock->first == NULL) {
    stock->first =
        atomic_exchange_explicit (&self->returned, NULL, memory_order_acquire);
    atomic_store_explicit (&self->n_returned, 0, memory_order_relaxed);
  }
  piece = stock->first;
  if (piece == NULL)
    return allocate (size);

  stock->first = piece->next;
  return piece;
}

void
reeve_call_memory_add (ReeveCallMemoryPieces *pieces,
                       gpointer data,
                       size_t size)
{
  ReeveCallMemoryPiece *piece = data;

  if (size > LONGEST) {
    g_free (data);
    return;
  }

  piece->next = pieces->first;
  pieces->first = piece;
  if (pieces->n++ == 0)
    pieces->last = piece;
}

static void
free_all (ReeveCallMemoryPiece *piece)
{
  while (piece != NULL) {
    ReeveCallMemoryPiece *next = piece->next;

    g_free (piece);
    piece = next;
  }
}

void
reeve_call_memory_give (ReeveCallMemory *self,
                        const ReeveCallMemoryPieces *pieces)
{
  ReeveCallMemoryPiece *last = pieces->last;

  if (atomic_load_explicit (&self->n_returned, memory_order_relaxed) >=
      REEVE_CALL_MEMORY_MAX) {
    free_all (pieces->first);
    return;
  }
  if (pieces->n == 0)
    return;

  atomic_fetch_add_explicit (&self->n_returned, pieces->n,
                             memory_order_relaxed);
  last->next = atomic_load_explicit (&self->returned, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit (
      &self->returned, &last->next, pieces->first, memory_order_release,
      memory_order_relaxed))
    ;
}

void
reeve_call_memory_clear (ReeveCallMemory *self)
{
  free_all (atomic_exchange (&self->returned, NULL));
}

void
reeve_call_stock_clear (ReeveCallStock *self)
{
  free_all (g_steal_pointer (&self->first));
}
