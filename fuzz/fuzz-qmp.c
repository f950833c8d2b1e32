/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "machine/qmp-parser.h"

/* QEMU's stream: however it is cut, the same messages come out of it. The first
 * byte is the size of the pieces. */

#define MAX_BYTES 4096u
#define MAX_DEPTH 16u

static void
take (ReeveQmpParser *parser, gboolean *is_broken, GString *texts)
{
  while (!*is_broken) {
    g_autoptr (JsonObject) message = NULL;
    g_autoptr (GError) error = NULL;
    g_autofree char *text = NULL;

    *is_broken = !reeve_qmp_parser_next (parser, &message, &error);
    g_assert_true (*is_broken == (error != NULL));
    if (message == NULL)
      break;
    text = reeve_qmp_object_to_text (message);
    g_string_append (texts, text);
    g_string_append_c (texts, '\n');
  }
}

static GString *
parse (const uint8_t *data, size_t size, size_t piece)
{
  GString *texts = g_string_new (NULL);
  ReeveQmpParser parser;
  gboolean is_broken = FALSE;

  reeve_qmp_parser_init (&parser, MAX_BYTES, MAX_DEPTH);
  for (size_t i = 0; i < size && !is_broken; i += piece) {
    reeve_qmp_parser_feed (&parser, data + i, MIN (piece, size - i));
    take (&parser, &is_broken, texts);
  }
  reeve_qmp_parser_clear (&parser);
  return texts;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  GString *whole, *pieces;

  if (size < 2)
    return 0;

  whole = parse (data + 1, size - 1, size);
  pieces = parse (data + 1, size - 1, MAX (data[0], 1));
  g_assert_cmpstr (whole->str, ==, pieces->str);
  g_string_free (whole, TRUE);
  g_string_free (pieces, TRUE);
  return 0;
}
