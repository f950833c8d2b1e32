/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/uri.h"
#include "fuzz/fuzz.h"
#include "rpc/socket-name.h"

/* A URI, and the name of a stream. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (ReeveUri) uri = NULL;
  g_autoptr (GError) error = NULL;

  uri = reeve_uri_parse (text, (size & 1) != 0, &error);
  g_assert_true ((uri == NULL) == (error != NULL));
  if (uri != NULL)
    g_assert_nonnull (uri->stream);

  for (int is_passive = 0; is_passive < 2; is_passive++) {
    g_autoptr (GError) why = NULL;
    g_autoptr (GSocketConnectable) name =
        reeve_socket_name_parse (text, is_passive, &why);

    g_assert_true ((name == NULL) == (why != NULL));
  }
  return 0;
}
