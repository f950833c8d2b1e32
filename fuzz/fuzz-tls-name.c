/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "rpc/tls-context.h"

#include <string.h>

/* Patterns of distinguished names: lines, the first of which is the name. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_auto (GStrv) lines = g_strsplit (text, "\n", 8);
  const char *const all[] = { "*", NULL };

  if (lines[0] == NULL)
    return 0;

  (void) reeve_tls_name_is_allowed (lines[0], (const char *const *) lines + 1);
  g_assert_true (reeve_tls_name_is_allowed (lines[0], all) ==
                 g_utf8_validate (lines[0], -1, NULL));
  g_assert_true (reeve_tls_name_is_allowed (lines[0], NULL));
  return 0;
}
