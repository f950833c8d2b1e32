/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "fuzz/types.h"
#include "rpc/wire-xdr.h"

/* XDR: two bytes choose a type of a program, the rest is a value of it. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  const ReeveType *type;
  gpointer value;

  if (size < 2)
    return 0;

  type = fuzz_choose_type (data[0] * 256u + data[1]);
  value = reeve_type_new (type);
  if (reeve_xdr_decode (type, data + 2, size - 2, value, NULL, &error))
    fuzz_check_xdr (type, value);
  else
    g_assert_nonnull (error);
  reeve_type_free (type, value);
  return 0;
}
