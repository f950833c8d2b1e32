/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "random-value.h"
#include "rpc/wire-xdr.h"
#include "rpcgen-rows.h"

/*
 * The descriptor codec against the code that rpcgen makes of the same file:
 * the same values, byte for byte, and back; and the same verdict on bytes that
 * were damaged.
 *
 * Both sides have the same layout in memory, but for one thing: rpcgen has an
 * optional string as `char **`. So a value of ours becomes one of rpcgen's by
 * boxing those.
 */

#define N_VALUES 20
#define N_DAMAGED 10
#define MAX_BYTES (1 << 20)

typedef void (*BoxFunc) (void **slot);

static void
box (void **slot)
{
  char **boxed = g_new (char *, 1);

  *boxed = *slot;
  *slot = boxed;
}

static void
unbox (void **slot)
{
  char **boxed = *slot;

  *slot = *boxed;
  g_free (boxed);
}

static void
foreach_optional_string (const ReeveType *type, void *value, BoxFunc func);

static void
foreach_in_items (const ReeveType *element, void *items, size_t n, BoxFunc func)
{
  for (size_t i = 0; i < n; i++)
    foreach_optional_string (element, (char *) items + i * element->size, func);
}

static void
foreach_in_optional (const ReeveType *type, void **slot, BoxFunc func)
{
  if (*slot == NULL)
    return;
  if (type->element->kind == REEVE_KIND_STRING)
    func (slot);
  else
    foreach_optional_string (type->element, *slot, func);
}

static void
foreach_in_member (const ReeveMember *member, void *value, BoxFunc func)
{
  foreach_optional_string (member->type, (char *) value + member->offset, func);
}

static void
foreach_optional_string (const ReeveType *type, void *value, BoxFunc func)
{
  ReeveArray *array = value;

  switch (type->kind) {
  case REEVE_KIND_ARRAY_FIXED:
    foreach_in_items (type->element, value, type->limit, func);
    break;
  case REEVE_KIND_ARRAY:
    foreach_in_items (type->element, array->items, array->n_items, func);
    break;
  case REEVE_KIND_OPTIONAL:
    foreach_in_optional (type, value, func);
    break;
  case REEVE_KIND_STRUCT:
    for (size_t i = 0; i < type->n_members; i++)
      foreach_in_member (&type->members[i], value, func);
    break;
  case REEVE_KIND_UNION:
    foreach_in_member (reeve_type_find_arm (type, value), value, func);
    break;
  default:
    break;
  }
}

/* Returns how many bytes it wrote to @data. */
static size_t
encode_by_rpcgen (const RpcgenRow *row, void *value, uint8_t *data)
{
  size_t size;
  XDR xdr;

  foreach_optional_string (row->type, value, box);
  xdrmem_create (&xdr, (char *) data, MAX_BYTES, XDR_ENCODE);
  g_assert_true (row->rpcgen_code (&xdr, value));
  size = xdr_getpos (&xdr);
  xdr_destroy (&xdr);
  foreach_optional_string (row->type, value, unbox);
  return size;
}

static void
decode_by_rpcgen (const RpcgenRow *row, uint8_t *data, size_t size, void *value)
{
  XDR xdr;

  xdrmem_create (&xdr, (char *) data, (u_int) size, XDR_DECODE);
  g_assert_true (row->rpcgen_code (&xdr, value));
  g_assert_cmpuint (xdr_getpos (&xdr), ==, size);
  xdr_destroy (&xdr);
  foreach_optional_string (row->type, value, unbox);
}

/* Cuts the end off, or changes a byte. Returns the size that is left. */
static size_t
damage (uint8_t *data, size_t size, GRand *random)
{
  size_t place = (size_t) g_rand_int_range (random, 0, (gint32) size);

  if (g_rand_boolean (random))
    return place;

  data[place] ^= (uint8_t) (1 << g_rand_int_range (random, 0, 8));
  return size;
}

static void
check_damaged (const RpcgenRow *row,
               const uint8_t *good,
               size_t good_size,
               GRand *random)
{
  g_autofree uint8_t *data = g_memdup2 (good, good_size);
  size_t size = damage (data, good_size, random);
  gpointer ours = reeve_type_new (row->type);
  gpointer theirs = reeve_type_new (row->type);
  gboolean is_accepted, is_accepted_there;
  size_t used;
  XDR xdr;

  is_accepted = reeve_xdr_decode (row->type, data, size, ours, &used, NULL);
  xdrmem_create (&xdr, (char *) data, (u_int) size, XDR_DECODE);
  is_accepted_there = row->rpcgen_code (&xdr, theirs);
  g_assert_cmpint (is_accepted, ==, is_accepted_there);
  if (is_accepted)
    g_assert_cmpuint (used, ==, xdr_getpos (&xdr));
  xdr_destroy (&xdr);

  xdr_free (row->rpcgen_code, theirs);
  g_free (theirs);
  reeve_type_free (row->type, ours);
}

static void
check_value (const RpcgenRow *row, void *value, uint8_t *theirs, GRand *random)
{
  gpointer back = reeve_type_new (row->type);
  gpointer their_back = reeve_type_new (row->type);
  g_autoptr (GError) error = NULL;
  gssize size = reeve_xdr_measure (row->type, value, &error);
  g_autofree uint8_t *ours = NULL;
  size_t their_size, used;

  g_assert_no_error (error);
  ours = g_malloc ((size_t) size + 1);
  reeve_xdr_encode (row->type, value, ours, (size_t) size);
  their_size = encode_by_rpcgen (row, value, theirs);
  g_assert_cmpmem (ours, (size_t) size, theirs, their_size);

  reeve_xdr_decode (row->type, ours, (size_t) size, back, &used, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (used, ==, (size_t) size);
  g_assert_true (reeve_type_equal (row->type, value, back));

  decode_by_rpcgen (row, ours, (size_t) size, their_back);
  g_assert_true (reeve_type_equal (row->type, value, their_back));

  for (int i = 0; i < N_DAMAGED; i++)
    check_damaged (row, ours, (size_t) size, random);

  reeve_type_free (row->type, back);
  reeve_type_free (row->type, their_back);
}

static void
test_type (gconstpointer data)
{
  const RpcgenRow *row = data;
  g_autofree uint8_t *theirs = g_malloc (MAX_BYTES);
  g_autoptr (GRand) random =
      g_rand_new_with_seed ((guint32) g_test_rand_int ());

  g_assert_cmpuint (row->type->size, ==, row->rpcgen_size);
  for (int i = 0; i < N_VALUES; i++) {
    gpointer value = reeve_type_new (row->type);

    random_value_fill (row->type, value, random);
    check_value (row, value, theirs, random);
    reeve_type_free (row->type, value);
  }
}

int
main (int argc, char **argv)
{
  static const RpcgenRow *const tables[] = {
    admin_rpcgen_rows,   auth_rpcgen_rows,   message_rpcgen_rows,
    monitor_rpcgen_rows, qemu_rpcgen_rows,   reeve_rpcgen_rows,
    remote_rpcgen_rows,  shapes_rpcgen_rows,
  };

  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (tables); i++) {
    for (const RpcgenRow *row = tables[i]; row->name != NULL; row++) {
      g_autofree char *path =
          g_strconcat ("/generator/rpcgen/", row->name, NULL);

      g_test_add_data_func (path, row, test_type);
    }
  }
  return g_test_run ();
}
