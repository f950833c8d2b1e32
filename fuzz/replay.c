/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

/* A target without an engine: runs once over each file of a folder, as TAP. */
int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) folder = g_dir_open (argv[1], 0, &error);
  unsigned n_files = 0;
  const char *name;

  if (folder == NULL) {
    fprintf (stderr, "%s\n", error->message);
    return EXIT_FAILURE;
  }

  while ((name = g_dir_read_name (folder)) != NULL) {
    g_autofree char *path = g_build_filename (argv[1], name, NULL);
    g_autofree char *data = NULL;
    gsize size;

    if (!g_file_get_contents (path, &data, &size, &error)) {
      fprintf (stderr, "%s\n", error->message);
      return EXIT_FAILURE;
    }
    LLVMFuzzerTestOneInput ((const uint8_t *) data, size);
    printf ("ok %u - %s\n", ++n_files, name);
    fflush (stdout);
  }

  printf ("1..%u\n", n_files);
  return n_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
