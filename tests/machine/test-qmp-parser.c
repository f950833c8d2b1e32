/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/qmp-parser.h"

#include "rpc/error.h"

#include <string.h>

#define MAX_BYTES 64
#define MAX_DEPTH 4

typedef struct {
  const char *name;
  const char *text;
  unsigned n_messages; /* before the error, if any */
  int error;           /* 0: none */
} StreamCase;

static const StreamCase stream_cases[] = {
  { "nothing", "", 0, 0 },
  { "blanks-alone", " \r\n\t\n", 0, 0 },
  { "one-object", "{\"a\": 1}\r\n", 1, 0 },
  { "glued-objects", "{}{}{\"a\":[]}", 3, 0 },
  { "no-line-end-is-needed", "{}", 1, 0 },
  { "half-an-object-waits", "{\"a\": {", 0, 0 },
  { "brace-in-a-string", "{\"a\":\"}{\"}", 1, 0 },
  { "escaped-quote-in-a-string", "{\"a\":\"\\\"}\"}", 1, 0 },
  { "escaped-backslash-ends-a-string", "{\"a\":\"\\\\\"}", 1, 0 },
  { "takes-the-greatest-depth", "{\"a\":[[[1]]]}", 1, 0 },
  { "refuses-one-level-more", "{\"a\":[[[[1]]]]}", 0, REEVE_ERROR_LIMIT },
  { "refuses-a-deep-flood", "{}{{{{{{{{{{{{{{{", 1, REEVE_ERROR_LIMIT },
  { "refuses-text-between", "{} hello {}", 1, REEVE_ERROR_RPC },
  { "refuses-an-array", "[]", 0, REEVE_ERROR_RPC },
  { "refuses-mismatched-brackets", "{\"a\":]", 0, REEVE_ERROR_RPC },
  { "refuses-what-is-not-json", "{a b c}", 0, REEVE_ERROR_RPC },
  { "refuses-invalid-utf-8", "{\"a\":\"\xff\"}", 0, REEVE_ERROR_RPC },
  { "refuses-a-message-too-long",
    "{\"a\":\"0123456789012345678901234567890123456789012345678901234567\"}", 0,
    REEVE_ERROR_LIMIT },
  { "refuses-an-endless-string",
    "{\"a\":\"01234567890123456789012345678901234567890123456789012345678", 0,
    REEVE_ERROR_LIMIT },
};

/* Feeds @text in pieces of @piece bytes. */
static void
check_stream (const StreamCase *row, size_t piece)
{
  ReeveQmpParser parser;
  size_t size = strlen (row->text);
  unsigned n_messages = 0;
  g_autoptr (GError) error = NULL;
  gboolean is_fine = TRUE;

  reeve_qmp_parser_init (&parser, MAX_BYTES, MAX_DEPTH);
  for (size_t at = 0; at < size && is_fine; at += piece) {
    reeve_qmp_parser_feed (&parser, row->text + at, MIN (piece, size - at));
    for (;;) {
      g_autoptr (JsonObject) message = NULL;

      is_fine = reeve_qmp_parser_next (&parser, &message, &error);
      if (message == NULL)
        break;
      n_messages++;
    }
  }

  g_assert_cmpuint (n_messages, ==, row->n_messages);
  if (row->error != 0)
    g_assert_error (error, REEVE_ERROR, row->error);
  else
    g_assert_no_error (error);
  reeve_qmp_parser_clear (&parser);
}

static void
test_stream (gconstpointer data)
{
  check_stream (data, 1);
  check_stream (data, 3);
  check_stream (data, 1000);
}

static void
test_integers_are_64_bit (void)
{
  static const char text[] = "{\"id\": 9223372036854775807, \"b\": -1}";
  g_autoptr (JsonObject) object = reeve_qmp_parse_object (text, NULL);
  g_autofree char *again = NULL;

  g_assert_nonnull (object);
  g_assert_cmpint (json_object_get_int_member (object, "id"), ==, G_MAXINT64);
  again = reeve_qmp_object_to_text (object);
  g_assert_nonnull (strstr (again, "9223372036854775807"));
}

static void
test_memory_stays_bounded (void)
{
  ReeveQmpParser parser;
  unsigned n_messages = 0;

  reeve_qmp_parser_init (&parser, MAX_BYTES, MAX_DEPTH);
  for (unsigned i = 0; i < 10000; i++) {
    g_autoptr (JsonObject) message = NULL;
    g_autoptr (GError) error = NULL;

    reeve_qmp_parser_feed (&parser, "{\"some\": \"text\"}\r\n", 18);
    g_assert_true (reeve_qmp_parser_next (&parser, &message, &error));
    g_assert_no_error (error);
    n_messages += message != NULL;
    g_assert_cmpuint (parser.bytes->len, <, 4 * MAX_BYTES);
  }
  g_assert_cmpuint (n_messages, ==, 10000);
  reeve_qmp_parser_clear (&parser);
}

typedef struct {
  const char *name;
  const char *text;
  gboolean is_good;
} ObjectCase;

static const ObjectCase object_cases[] = {
  { "object", "{\"execute\":\"stop\"}", TRUE },
  { "object-in-blanks", " {} \n", TRUE },
  { "nothing", "", FALSE },
  { "two-objects", "{}{}", FALSE },
  { "half-an-object", "{", FALSE },
  { "text-after-it", "{} x", FALSE },
  { "a-number", "1", FALSE },
};

static void
test_object (gconstpointer data)
{
  const ObjectCase *row = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = reeve_qmp_parse_object (row->text, &error);

  if (row->is_good)
    g_assert_no_error (error);
  else
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
  g_assert_cmpint (object != NULL, ==, row->is_good);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (stream_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/machine/qmp-parser/stream/", stream_cases[i].name, NULL);

    g_test_add_data_func (path, &stream_cases[i], test_stream);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (object_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/machine/qmp-parser/object/", object_cases[i].name, NULL);

    g_test_add_data_func (path, &object_cases[i], test_object);
  }
  g_test_add_func ("/machine/qmp-parser/integers-are-64-bit",
                   test_integers_are_64_bit);
  g_test_add_func ("/machine/qmp-parser/memory-stays-bounded",
                   test_memory_stays_bounded);
  return g_test_run ();
}
