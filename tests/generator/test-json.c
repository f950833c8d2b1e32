/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "protocol/qemu.h"
#include "protocol/reeve.h"
#include "protocol/remote.h"
#include "random-value.h"
#include "rpc/json-print.h"
#include "rpc/json-value.h"
#include "rpc/wire-json.h"
#include "shapes.h"

/* Random values of every type, as JSON text and back. */

#define N_VALUES 20

static void
check_value (const ReeveType *type, gconstpointer value)
{
  g_autoptr (JsonNode) node = reeve_json_encode (type, value);
  g_autofree char *text = json_to_string (node, FALSE);
  g_autoptr (GString) direct = g_string_new (NULL);
  g_autoptr (GString) printed = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) read = json_from_string (text, &error);
  gpointer back = reeve_type_new (type);

  g_assert_no_error (error);
  reeve_json_decode (type, read, back, &error);
  g_assert_no_error (error);
  if (!reeve_type_equal (type, value, back))
    g_test_message ("%s", text);
  g_assert_true (reeve_type_equal (type, value, back));
  reeve_type_free (type, back);

  /* One text, whether there is a node or not. */
  reeve_json_value_print (type, value, direct);
  reeve_json_print (node, printed);
  g_assert_cmpstr (direct->str, ==, printed->str);
}

static void
test_type (gconstpointer data)
{
  const ReeveType *type = data;
  g_autoptr (GRand) random =
      g_rand_new_with_seed ((guint32) g_test_rand_int ());

  for (int i = 0; i < N_VALUES; i++) {
    gpointer value = reeve_type_new (type);

    random_value_fill (type, value, random);
    check_value (type, value);
    reeve_type_free (type, value);
  }
}

static void
add_types (const ReeveType *const *types, size_t n_types)
{
  for (size_t i = 0; i < n_types; i++) {
    g_autofree char *path =
        g_strconcat ("/generator/json/", types[i]->name, NULL);

    g_test_add_data_func (path, types[i], test_type);
  }
}

int
main (int argc, char **argv)
{
  static const ReeveProgram *const programs[] = {
    &qemu_program,
    &reeve_program,
    &remote_program,
  };
  static const ReeveType *const shapes[] = {
    &shapes_simple_type, &shapes_inline_type,    &shapes_named_type,
    &shapes_list_type,   &shapes_by_number_type, &shapes_by_colour_type,
    &shapes_unions_type,
  };

  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (programs); i++)
    add_types (programs[i]->types, programs[i]->n_types);
  add_types (shapes, G_N_ELEMENTS (shapes));
  return g_test_run ();
}
