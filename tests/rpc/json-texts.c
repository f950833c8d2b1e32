/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/json-parse.h"
#include "rpc/json-print.h"

#include <stdio.h>

/* Texts come on standard input, each with its size in bytes and a newline in
 * front. For each there is a line on standard output: what we understand, as we
 * print it, or nothing. */

#define MAX_BYTES 1000000

static void
print_understood (const char *text, size_t size)
{
  g_autoptr (JsonNode) node = reeve_json_parse (text, size, NULL);
  g_autoptr (GString) printed = g_string_new (NULL);

  if (node != NULL)
    reeve_json_print (node, printed);
  puts (printed->str);
}

int
main (void)
{
  unsigned size;

  while (scanf ("%u", &size) == 1) {
    g_autofree char *text = NULL;

    if (getchar () != '\n' || size > MAX_BYTES)
      return 1;
    /* Of just that size, so that a sanitizer sees what is read behind it. */
    text = g_malloc (MAX (size, 1));
    if (fread (text, 1, size, stdin) != size)
      return 1;
    print_understood (text, size);
  }
  return 0;
}
