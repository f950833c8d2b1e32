/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/intl.h"
#include "machine/machine-list-private.h"
#include "machine/machine-private.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <unistd.h>

/*
 * Machines start by themselves once for each boot of the host. Those that still
 * have to have a mark: a file in the directory `autostart`, named after their
 * uuid, which goes when the start has ended. All marks are made before the file
 * `autostarted` says that those of this boot are known: so a daemon that ends
 * at any moment leaves what it did not start to the next one, and nothing else.
 * Both are of no use after another boot, so they are not synced to a disk.
 */

#define DIR_NAME "autostart"
#define BOOT_NAME "autostarted"

static char *
make_mark_path (ReeveMachineList *self, const uint8_t uuid[16])
{
  char text[REEVE_UUID_TEXT_SIZE];

  reeve_uuid_format (uuid, text);
  return g_build_filename (self->run_dir, DIR_NAME, text, NULL);
}

void
reeve_machine_list_forget_autostart (ReeveMachineList *self,
                                     const uint8_t uuid[16])
{
  g_autofree char *path = make_mark_path (self, uuid);

  (void) unlink (path);
}

/* (transfer full) (element-type utf8): the uuids that have a mark. */
static GHashTable *
read_marks (ReeveMachineList *self)
{
  g_autofree char *path = g_build_filename (self->run_dir, DIR_NAME, NULL);
  g_autoptr (GDir) entries = g_dir_open (path, 0, NULL);
  GHashTable *marks =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  const char *name;

  while (entries != NULL && (name = g_dir_read_name (entries)) != NULL)
    g_hash_table_add (marks, g_strdup (name));
  return marks;
}

static void
remove_marks (ReeveMachineList *self, GHashTable *marks)
{
  GHashTableIter iter;
  gpointer name;

  g_hash_table_iter_init (&iter, marks);
  while (g_hash_table_iter_next (&iter, &name, NULL)) {
    g_autofree char *path =
        g_build_filename (self->run_dir, DIR_NAME, name, NULL);

    (void) unlink (path);
  }
}

static gboolean
make_mark (ReeveMachineList *self, ReeveMachine *machine, GError **error)
{
  g_autofree char *path = make_mark_path (self, machine->uuid);
  REEVE_AUTOFD int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  return fd >= 0 ||
         reeve_error_from_errno (error, errno, _ ("cannot write %s"), path);
}

static gboolean
make_marks (ReeveMachineList *self, GPtrArray *machines, GError **error)
{
  g_autofree char *dir = g_build_filename (self->run_dir, DIR_NAME, NULL);

  if (machines->len > 0 && g_mkdir_with_parents (dir, 0700) < 0)
    return reeve_error_from_errno (error, errno,
                                   _ ("cannot make the directory %s"), dir);
  for (guint i = 0; i < machines->len; i++)
    if (!make_mark (self, machines->pdata[i], error))
      return FALSE;
  return TRUE;
}

/* @machines: all that may start; @boot_id: (nullable): if it is not known, no
 * daemon takes this boot for marked. */
static gboolean
mark_boot (ReeveMachineList *self,
           GPtrArray *machines,
           const char *boot_id,
           GError **error)
{
  g_autofree char *path = g_build_filename (self->run_dir, BOOT_NAME, NULL);
  g_autoptr (GHashTable) stale = read_marks (self);

  remove_marks (self, stale);
  return make_marks (self, machines, error) &&
         (boot_id == NULL || g_file_set_contents (path, boot_id, -1, error));
}

/* Whether an earlier daemon has marked those of this boot. */
static gboolean
is_boot_marked (ReeveMachineList *self, const char *boot_id)
{
  g_autofree char *path = g_build_filename (self->run_dir, BOOT_NAME, NULL);
  g_autofree char *marked = NULL;

  return g_file_get_contents (path, &marked, NULL, NULL) &&
         g_strcmp0 (marked, boot_id) == 0;
}

/* Leaves in @machines those that have a mark, in their order. The marks of
 * others go: they run, or are not to start any more. */
static void
keep_marked (ReeveMachineList *self, GPtrArray *machines)
{
  g_autoptr (GHashTable) marks = read_marks (self);
  guint n_kept = 0;

  for (guint i = 0; i < machines->len; i++) {
    ReeveMachine *machine = machines->pdata[i];
    char uuid[REEVE_UUID_TEXT_SIZE];

    reeve_uuid_format (machine->uuid, uuid);
    if (!g_hash_table_remove (marks, uuid))
      continue;
    machines->pdata[i] = machines->pdata[n_kept];
    machines->pdata[n_kept++] = machine;
  }
  g_ptr_array_set_size (machines, (gint) n_kept);
  remove_marks (self, marks);
}

static void
forget (gpointer data)
{
  ReeveMachine *machine = data;

  reeve_machine_list_forget_autostart (machine->list, machine->uuid);
}

static void
on_forgotten (gpointer data)
{
  reeve_machine_unref (data);
}

static void
on_started (ReeveMachine *machine, const GError *error, gpointer data)
{
  g_autofree char *name = NULL;

  /* The next daemon finds it running, or starts it. */
  if (machine->list->is_closed)
    return;

  name = reeve_machine_dup_name (machine);
  if (error != NULL)
    g_warning (_ ("Cannot start the machine '%1$s' by itself: %2$s"), name,
               error->message);
  else
    g_message (_ ("Started the machine '%s' by itself"), name);
  /* In the lane of what this run leaves: as long as the mark is there, so is
   * the directory that tells of the run. */
  reeve_worker_lane_push (&machine->lane, forget, on_forgotten,
                          reeve_machine_ref (machine));
}

void
reeve_machine_list_autostart (ReeveMachineList *self)
{
  g_autoptr (GPtrArray) machines = reeve_machine_list_get_machines (
      self, REEVE_MACHINES_INACTIVE | REEVE_MACHINES_AUTOSTART, NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *boot_id = NULL;

  (void) g_file_get_contents ("/proc/sys/kernel/random/boot_id", &boot_id, NULL,
                              NULL);
  if (is_boot_marked (self, boot_id))
    keep_marked (self, machines);
  else if (!mark_boot (self, machines, boot_id, &error))
    g_warning (_ ("Machines may start by themselves more than once: %s"),
               error->message);

  for (guint i = 0; i < machines->len; i++)
    reeve_machine_start_plainly (machines->pdata[i], G_MAXINT64, on_started,
                                 NULL);
}
