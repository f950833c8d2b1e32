/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "fuzz/types.h"
#include "rpc/wire-xdr.h"

#include <string.h>

/* XDR: two bytes choose a type of a program, the rest is a value of it. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  const ReeveType *type;
  g_autofree uint8_t *copy = NULL;
  gpointer value, in_place;

  if (size < 2)
    return 0;

  type = fuzz_choose_type (data[0] * 256u + data[1]);
  value = reeve_type_new (type);
  if (reeve_xdr_decode (type, data + 2, size - 2, value, NULL, &error))
    fuzz_check_xdr (type, value);
  else
    g_assert_nonnull (error);

  copy = g_malloc (size);
  memcpy (copy, data + 2, size - 2);
  in_place = reeve_type_new (type);
  g_assert_cmpint (
      reeve_xdr_decode_in_place (type, copy, size - 2, in_place, NULL), ==,
      error == NULL);
  g_assert_true (reeve_type_equal (type, value, in_place));
  reeve_xdr_free_in_place (type, in_place);
  reeve_type_free (type, value);
  return 0;
}
