/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/types.h"

#include "protocol/admin.h"
#include "protocol/auth.h"
#include "protocol/qemu.h"
#include "protocol/reeve.h"
#include "protocol/remote.h"
#include "rpc/wire-xdr.h"

#include <string.h>

static const ReeveProgram *const programs[] = {
  &remote_program, &qemu_program, &reeve_program, &auth_program, &admin_program,
};

const ReeveType *
fuzz_choose_type (unsigned choice)
{
  size_t n_types = 0;

  for (size_t i = 0; i < G_N_ELEMENTS (programs); i++)
    n_types += programs[i]->n_types;
  choice %= n_types;
  for (size_t i = 0;; i++) {
    if (choice < programs[i]->n_types)
      return programs[i]->types[choice];
    choice -= (unsigned) programs[i]->n_types;
  }
}

void
fuzz_check_xdr (const ReeveType *type, gconstpointer value)
{
  g_autoptr (GError) error = NULL;
  g_autofree uint8_t *bytes = NULL;
  gpointer again = reeve_type_new (type);
  gssize size = reeve_xdr_measure (type, value, &error);
  size_t used;

  g_assert_no_error (error);
  bytes = g_malloc (MAX ((size_t) size, 1));
  reeve_xdr_encode (type, value, bytes, (size_t) size);
  reeve_xdr_decode (type, bytes, (size_t) size, again, &used, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (used, ==, (size_t) size);
  g_assert_true (reeve_type_equal (type, value, again));
  reeve_type_free (type, again);
}
