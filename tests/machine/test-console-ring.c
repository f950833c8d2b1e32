/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/console-ring.h"

#include <string.h>

typedef struct {
  const char *name;
  size_t max_bytes;
  uint64_t position;
  const char *pieces[4];
  uint64_t start;
  const char *kept;
} AppendCase;

static const AppendCase append_cases[] = {
  { "keeps-what-fits", 8, 0, { "abc", "def" }, 0, "abcdef" },
  { "keeps-exactly-the-limit", 8, 0, { "abcd", "efgh" }, 0, "abcdefgh" },
  { "drops-the-oldest", 8, 0, { "abcd", "efgh", "ij" }, 2, "cdefghij" },
  { "keeps-the-end-of-a-long-piece",
    8,
    0,
    { "ab", "0123456789" },
    4,
    "23456789" },
  { "wraps-more-than-once", 3, 0, { "abcd", "efg", "hi" }, 6, "ghi" },
  { "starts-anywhere", 8, 1000003, { "abcde", "fghij" }, 1000005, "cdefghij" },
  { "takes-nothing", 8, 5, { "" }, 5, "" },
};

static char *
read_all (const ReeveConsoleRing *ring)
{
  char *text = g_malloc0 (ring->end - ring->start + 1);

  g_assert_cmpuint (
      reeve_console_ring_read (ring, ring->start, (uint8_t *) text, G_MAXSIZE),
      ==, ring->end - ring->start);
  return text;
}

static void
test_append (gconstpointer data)
{
  const AppendCase *row = data;
  ReeveConsoleRing ring = { 0 };
  g_autofree char *kept = NULL;

  reeve_console_ring_init (&ring, row->max_bytes, row->position);
  for (size_t i = 0; i < G_N_ELEMENTS (row->pieces) && row->pieces[i]; i++)
    reeve_console_ring_append (&ring, (const uint8_t *) row->pieces[i],
                               strlen (row->pieces[i]));
  kept = read_all (&ring);
  g_assert_cmpuint (ring.start, ==, row->start);
  g_assert_cmpstr (kept, ==, row->kept);
  reeve_console_ring_clear (&ring);
}

static void
test_memory_grows_with_the_text (void)
{
  ReeveConsoleRing ring = { 0 };
  const uint8_t block[4096] = { 0 };

  reeve_console_ring_init (&ring, 100000, 0);
  g_assert_cmpuint (ring.n_bytes, ==, 0);
  reeve_console_ring_append (&ring, block, 10);
  g_assert_cmpuint (ring.n_bytes, ==, 4096);
  for (int i = 0; i < 100; i++)
    reeve_console_ring_append (&ring, block, sizeof block);
  g_assert_cmpuint (ring.n_bytes, ==, 100000);
  g_assert_cmpuint (ring.end - ring.start, ==, 100000);
  reeve_console_ring_clear (&ring);
}

/* A reader that keeps up, with a buffer of any size, sees the text whole,
 * while the ring grows and wraps under it. */
static void
test_reader_keeps_up (void)
{
  ReeveConsoleRing ring = { 0 };
  uint64_t position = 7;
  uint8_t next = 0, expected = 0;

  reeve_console_ring_init (&ring, 10000, position);
  for (int i = 0; i < 2000; i++) {
    uint8_t piece[300];
    size_t size = (size_t) g_test_rand_int_range (0, sizeof piece);
    size_t n_read;

    for (size_t j = 0; j < size; j++)
      piece[j] = next++;
    reeve_console_ring_append (&ring, piece, size);
    do {
      n_read = reeve_console_ring_read (
          &ring, position, piece, (size_t) g_test_rand_int_range (1, 200));
      for (size_t j = 0; j < n_read; j++)
        g_assert_cmpuint (piece[j], ==, expected++);
      position += n_read;
    } while (n_read > 0);
  }
  g_assert_cmpuint (position, ==, ring.end);
  reeve_console_ring_clear (&ring);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (append_cases); i++) {
    g_autofree char *path = g_strconcat ("/machine/console-ring/append/",
                                         append_cases[i].name, NULL);

    g_test_add_data_func (path, &append_cases[i], test_append);
  }
  g_test_add_func ("/machine/console-ring/memory-grows-with-the-text",
                   test_memory_grows_with_the_text);
  g_test_add_func ("/machine/console-ring/reader-keeps-up",
                   test_reader_keeps_up);
  return g_test_run ();
}
