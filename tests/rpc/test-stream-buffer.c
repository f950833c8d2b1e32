/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/stream-buffer.h"

#include <string.h>

#define N_BUFFERS 8
#define N_THREADS 4
#define N_ROUNDS 2000

static void
test_is_used_again (void)
{
  uint8_t *first = reeve_stream_buffer_new ();
  uint8_t *again;

  memset (first, 1, REEVE_STREAM_BUFFER_SIZE);
  reeve_stream_buffer_free (first);
  again = reeve_stream_buffer_new ();
  g_assert_true (again == first);
  reeve_stream_buffer_free (again);
}

/* More than are kept. */
static void
test_each_is_another (void)
{
  uint8_t *buffers[N_BUFFERS];

  for (size_t i = 0; i < N_BUFFERS; i++) {
    buffers[i] = reeve_stream_buffer_new ();
    memset (buffers[i], (int) i, REEVE_STREAM_BUFFER_SIZE);
    for (size_t j = 0; j < i; j++)
      g_assert_true (buffers[i] != buffers[j]);
  }
  for (size_t i = 0; i < N_BUFFERS; i++) {
    g_assert_cmpuint (buffers[i][REEVE_STREAM_BUFFER_SIZE - 1], ==, i);
    reeve_stream_buffer_free (buffers[i]);
  }
}

static gpointer
use (gpointer data)
{
  const uint8_t mine = (uint8_t) GPOINTER_TO_UINT (data);

  for (int i = 0; i < N_ROUNDS; i++) {
    uint8_t *one = reeve_stream_buffer_new ();
    uint8_t *two = reeve_stream_buffer_new ();

    one[0] = two[0] = mine;
    g_thread_yield ();
    g_assert_cmpuint (one[0], ==, mine);
    g_assert_cmpuint (two[0], ==, mine);
    reeve_stream_buffer_free (one);
    reeve_stream_buffer_free (two);
  }
  return NULL;
}

static void
test_threads_share_none (void)
{
  GThread *threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("use", use, GUINT_TO_POINTER (i + 1));
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rpc/stream-buffer/is-used-again", test_is_used_again);
  g_test_add_func ("/rpc/stream-buffer/each-is-another", test_each_is_another);
  g_test_add_func ("/rpc/stream-buffer/threads-share-none",
                   test_threads_share_none);
  return g_test_run ();
}
