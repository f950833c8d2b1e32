/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "machine/config.h"

/* A machine's definition: our own text of it is taken again. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (ReeveConfig) config = NULL;
  g_autoptr (ReeveConfig) again = NULL;
  g_autoptr (GError) error = NULL;

  config = reeve_config_new_from_xml (text, &error);
  g_assert_true ((config == NULL) == (error != NULL));
  if (config == NULL)
    return 0;

  again = reeve_config_new_from_xml (reeve_config_get_xml (config), &error);
  g_assert_no_error (error);
  g_assert_cmpstr (reeve_config_get_name (again), ==,
                   reeve_config_get_name (config));
  return 0;
}
