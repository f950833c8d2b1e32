/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/uri.h"
#include "fuzz/fuzz.h"
#include "rpc/socket-name.h"

/* What is written of a name is the same name. */
static void
check_text (const ReeveSocketName *name)
{
  g_autofree char *text = reeve_socket_name_to_string (name);
  g_autofree char *again = NULL;
  g_autoptr (GError) why = NULL;
  g_autoptr (ReeveSocketName) parsed =
      reeve_socket_name_parse (text, name->is_passive, &why);
  g_autoptr (GSocketConnectable) address = reeve_socket_name_get_address (name);

  g_assert_no_error (why);
  again = reeve_socket_name_to_string (parsed);
  g_assert_cmpstr (again, ==, text);
  g_assert_cmpstr (parsed->host, ==, name->host);
  g_assert_cmpint (parsed->port, ==, name->port);
  g_assert_true ((address != NULL) == (name->kind <= REEVE_SOCKET_TLS));
}

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
    g_autoptr (ReeveSocketName) name =
        reeve_socket_name_parse (text, is_passive, &why);

    g_assert_true ((name == NULL) == (why != NULL));
    if (name != NULL)
      check_text (name);
  }
  return 0;
}
