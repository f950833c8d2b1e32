/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/volume-holder.h"

static gboolean
is_file (const char *path, const struct stat *file)
{
  struct stat other;

  return path != NULL && stat (path, &other) == 0 &&
         other.st_dev == file->st_dev && other.st_ino == file->st_ino;
}

static gboolean
has_disk (ReeveConfig *config, const struct stat *file)
{
  GPtrArray *disks = reeve_config_get_disks (config);

  for (unsigned i = 0; i < disks->len; i++)
    if (is_file (((const ReeveConfigDisk *) disks->pdata[i])->path, file))
      return TRUE;

  return FALSE;
}

static gboolean
has_open (pid_t pid, const struct stat *file)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fd", (int) pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL);

    if (is_file (path, file))
      return TRUE;
  }

  return FALSE;
}

static gboolean
holds (ReeveMachine *machine, const struct stat *file)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  reeve_machine_get_snapshot (machine, &snapshot);
  return (snapshot.live_config != NULL &&
          has_disk (snapshot.live_config, file)) ||
         (snapshot.pid > 0 && has_open (snapshot.pid, file));
}

gboolean
reeve_machine_list_holds_file (ReeveMachineList *self, const struct stat *file)
{
  g_autoptr (GPtrArray) machines =
      reeve_machine_list_get_machines (self, REEVE_MACHINES_ACTIVE, NULL);

  for (unsigned i = 0; i < machines->len; i++)
    if (holds (machines->pdata[i], file))
      return TRUE;

  return FALSE;
}
