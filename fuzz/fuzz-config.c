/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/config.h"
#include "fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

/* A daemon's configuration file. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (ReeveDaemonConfig) config = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  int fd = memfd_create ("config", MFD_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, data, size), ==, size);
  path = g_strdup_printf ("/proc/self/fd/%d", fd);
  config = reeve_daemon_config_load (path, NULL, warnings, &error);
  g_assert_true ((config == NULL) == (error != NULL));
  close (fd);
  return 0;
}
