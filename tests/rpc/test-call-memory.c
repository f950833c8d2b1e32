/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/call-memory.h"

#include <string.h>

#define N_THREADS 4
#define N_PIECES 5000
#define SIZE 100

#ifdef __SANITIZE_ADDRESS__
#define IS_KEPT FALSE
#else
#define IS_KEPT TRUE
#endif

static void
give (ReeveCallMemory *memory, gpointer piece, size_t size)
{
  ReeveCallMemoryPieces pieces = { 0 };

  reeve_call_memory_add (&pieces, piece, size);
  reeve_call_memory_give (memory, &pieces);
}

static void
test_is_used_again (void)
{
  ReeveCallMemory memory = { 0 };
  ReeveCallStock stock = { 0 };
  gpointer first = reeve_call_memory_take (&memory, &stock, SIZE);
  gpointer again;

  memset (first, 1, SIZE);
  give (&memory, first, SIZE);
  again = reeve_call_memory_take (&memory, &stock, REEVE_CALL_MEMORY_SIZE);
  if (IS_KEPT)
    g_assert_true (again == first);
  memset (again, 2, REEVE_CALL_MEMORY_SIZE);
  give (&memory, again, REEVE_CALL_MEMORY_SIZE);
  reeve_call_stock_clear (&stock);
  reeve_call_memory_clear (&memory);
}

static void
test_long_ones_are_not_kept (void)
{
  ReeveCallMemory memory = { 0 };
  ReeveCallStock stock = { 0 };
  gpointer piece =
      reeve_call_memory_take (&memory, &stock, REEVE_CALL_MEMORY_SIZE + 1);

  memset (piece, 1, REEVE_CALL_MEMORY_SIZE + 1);
  give (&memory, piece, REEVE_CALL_MEMORY_SIZE + 1);
  g_assert_null (memory.returned);
  reeve_call_stock_clear (&stock);
  reeve_call_memory_clear (&memory);
}

static void
test_keeps_no_more_than_so_many (void)
{
  ReeveCallMemory memory = { 0 };
  ReeveCallStock stock = { 0 };
  gpointer pieces[2 * REEVE_CALL_MEMORY_MAX];

  for (size_t i = 0; i < G_N_ELEMENTS (pieces); i++)
    pieces[i] = reeve_call_memory_take (&memory, &stock, SIZE);
  for (size_t i = 0; i < G_N_ELEMENTS (pieces); i++)
    give (&memory, pieces[i], SIZE);
  g_assert_cmpuint (memory.n_returned, ==, IS_KEPT ? REEVE_CALL_MEMORY_MAX : 0);
  reeve_call_stock_clear (&stock);
  reeve_call_memory_clear (&memory);
}

typedef struct {
  ReeveCallMemory *memory;
  _Atomic (guint64 *) piece; /* on its way */
} Giver;

static gpointer
give_back (gpointer data)
{
  Giver *self = data;
  ReeveCallMemoryPieces pieces = { 0 };

  for (int i = 0; i < N_PIECES; i++) {
    guint64 *piece;

    while ((piece = atomic_exchange (&self->piece, NULL)) == NULL)
      g_thread_yield ();
    g_assert_cmpuint (piece[0], ==, piece[SIZE / 8 - 1]);
    piece[0] = G_MAXUINT64;
    reeve_call_memory_add (&pieces, piece, SIZE);
    if (i % 3 == 0) {
      reeve_call_memory_give (self->memory, &pieces);
      pieces = (ReeveCallMemoryPieces){ 0 };
    }
  }
  reeve_call_memory_give (self->memory, &pieces);
  return NULL;
}

static void
hand_over (Giver *giver, guint64 *piece)
{
  guint64 *none = NULL;

  while (!atomic_compare_exchange_strong (&giver->piece, &none, piece)) {
    none = NULL;
    g_thread_yield ();
  }
}

/* One takes, several give, some together: none is given out twice. */
static void
test_threads_give_back (void)
{
  ReeveCallMemory memory = { 0 };
  ReeveCallStock stock = { 0 };
  Giver givers[N_THREADS];
  GThread *threads[N_THREADS];

  for (int i = 0; i < N_THREADS; i++) {
    givers[i] = (Giver){ .memory = &memory };
    threads[i] = g_thread_new ("give", give_back, &givers[i]);
  }
  for (guint64 i = 0; i < N_THREADS * N_PIECES; i++) {
    guint64 *piece = reeve_call_memory_take (&memory, &stock, SIZE);

    piece[0] = piece[SIZE / 8 - 1] = i;
    hand_over (&givers[i % N_THREADS], piece);
  }
  for (int i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  reeve_call_stock_clear (&stock);
  reeve_call_memory_clear (&memory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rpc/call-memory/is-used-again", test_is_used_again);
  g_test_add_func ("/rpc/call-memory/long-ones-are-not-kept",
                   test_long_ones_are_not_kept);
  g_test_add_func ("/rpc/call-memory/keeps-no-more-than-so-many",
                   test_keeps_no_more_than_so_many);
  g_test_add_func ("/rpc/call-memory/threads-give-back",
                   test_threads_give_back);
  return g_test_run ();
}
