/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/intl.h"
#include "machine/config.h"
#include "machine/machine-list-private.h"
#include "machine/machine-private.h"
#include "machine/store.h"
#include "rpc/error.h"

#include <string.h>
#include <sys/stat.h>

/*
 * What a daemon does before it serves: read the definitions, and find what an
 * earlier one left running.
 */

#define LOOK_INTERVAL_US 5000
#define MAX_LOOKS 200

static gboolean
make_dir (const char *path, GError **error)
{
  if (g_mkdir_with_parents (path, 0700) < 0)
    return reeve_error_from_errno (error, errno,
                                   _ ("cannot make the directory %s"), path);
  return TRUE;
}

/* What a console printed before its machine ended, with no daemon to read it,
 * goes into its log. */
static void
save_last_words (ReeveMachineList *self,
                 ReeveRunDir *dir,
                 const ReeveStatus *status)
{
  g_autoptr (ReeveConfig) config =
      reeve_config_new_from_xml (status->definition, NULL);
  g_autoptr (GPtrArray) consoles = NULL;

  if (config == NULL)
    return;
  consoles = reeve_machine_list_make_consoles (self, dir, config, NULL, NULL);
  reeve_machine_finish_consoles (consoles);
}

/* Removes what a machine left that is not running; says why it ended. */
static void
clear_dead (ReeveMachineList *self, ReeveRunDir *dir, const uint8_t uuid[16])
{
  g_auto (ReeveStatus) status = { 0 };
  g_autoptr (ReeveMachine) machine =
      reeve_machine_list_lookup_uuid (self, uuid, NULL);

  if (reeve_status_read (&status, dir->status_path, NULL)) {
    save_last_words (self, dir, &status);
    if (machine != NULL)
      reeve_machine_found_dead (machine, &status);
  }
  /* It was started, whatever became of it. */
  if (reeve_run_dir_read_pid (dir) > 0)
    reeve_machine_list_forget_autostart (self, uuid);
  reeve_run_dir_remove (dir);
}

/* The machine may have been defined, or undefined, or be a transient one. */
static ReeveMachine *
find_or_make (ReeveMachineList *self, const ReeveStatus *status, GError **error)
{
  ReeveMachine *machine =
      reeve_machine_list_lookup_uuid (self, status->uuid, NULL);

  if (machine != NULL)
    return machine;

  machine = reeve_machine_new (self, status->uuid, status->name);
  if (reeve_machine_list_add (self, machine))
    return machine;

  reeve_machine_unref (machine);
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
               _ ("another machine is named '%s'"), status->name);
  return NULL;
}

static gboolean
take_up_living (ReeveMachineList *self,
                ReeveRunDir *dir,
                const uint8_t uuid[16],
                GError **error)
{
  g_auto (ReeveStatus) status = { 0 };
  g_autoptr (ReeveConfig) config = NULL;
  g_autoptr (ReeveMachine) machine = NULL;

  if (!reeve_status_read (&status, dir->status_path, error))
    return FALSE;
  if (memcmp (status.uuid, uuid, sizeof status.uuid) != 0) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("%s is the status of another machine"), dir->status_path);
    return FALSE;
  }
  config = reeve_config_new_from_xml (status.definition, error);
  if (config == NULL)
    return FALSE;

  machine = find_or_make (self, &status, error);
  if (machine == NULL)
    return FALSE;
  if (reeve_machine_take_up (machine, &status, config, error))
    return TRUE;
  /* One that was made for this has no definition. */
  reeve_machine_list_drop_pending (self, machine, NULL);
  return FALSE;
}

/* Returns whether it is worth to look again: QEMU's process may be about to
 * become QEMU, or about to be gone. */
static gboolean
try_dir (ReeveMachineList *self,
         ReeveRunDir *dir,
         const uint8_t uuid[16],
         GError **error)
{
  gboolean is_taken;
  REEVE_AUTOFD int lock_fd = reeve_run_dir_lock (dir, FALSE, &is_taken, error);

  if (lock_fd >= 0) {
    clear_dead (self, dir, uuid);
    return FALSE;
  }
  if (!is_taken)
    return FALSE;

  g_clear_error (error);
  return !take_up_living (self, dir, uuid, error);
}

static void
take_dir (ReeveMachineList *self, const char *name)
{
  ReeveRunDir dir;
  uint8_t uuid[16];
  g_autoptr (GError) error = NULL;

  if (!reeve_uuid_parse (name, uuid))
    return;

  reeve_run_dir_init (&dir, self->run_dir, uuid);
  for (int i = 0; i < MAX_LOOKS && try_dir (self, &dir, uuid, &error); i++) {
    if (i + 1 < MAX_LOOKS)
      g_clear_error (&error);
    g_usleep (LOOK_INTERVAL_US);
  }
  if (error != NULL)
    g_warning (_ ("Cannot take up the machine in %1$s: %2$s"), dir.path,
               error->message);
  reeve_run_dir_clear (&dir);
}

static gboolean
take_up_all (ReeveMachineList *self, GError **error)
{
  g_autoptr (GDir) entries = g_dir_open (self->run_dir, 0, error);
  const char *name;

  if (entries == NULL)
    return FALSE;
  while ((name = g_dir_read_name (entries)) != NULL)
    take_dir (self, name);
  return TRUE;
}

/* Whether they differ in their names alone, as what a rename leaves does. */
static gboolean
is_renamed (ReeveConfig *config, ReeveConfig *other)
{
  g_autoptr (ReeveConfig) renamed =
      reeve_config_with_name (other, reeve_config_get_name (config), NULL);

  return renamed != NULL && g_str_equal (reeve_config_get_xml (renamed),
                                         reeve_config_get_xml (config));
}

/* Ends a rename that was interrupted: @left is gone, and @machine starts by
 * itself if either did. */
static void
end_rename (ReeveMachineList *self,
            ReeveMachine *machine,
            ReeveConfig *left,
            gboolean is_autostart)
{
  g_autofree char *name = reeve_machine_dup_name (machine);
  const char *left_name = reeve_config_get_name (left);
  g_autoptr (GError) error = NULL;

  if (is_autostart)
    reeve_machine_set_is_autostart (machine, TRUE);
  if ((!is_autostart ||
       reeve_store_set_autostart (self->config_dir, name, TRUE, &error)) &&
      reeve_store_remove (self->config_dir, left_name, &error))
    g_message (_ ("Removed the definition '%1$s', which an interrupted rename "
                  "had left beside '%2$s'"),
               left_name, name);
  else
    g_warning (_ ("Cannot remove the definition '%1$s', which an interrupted "
                  "rename had left beside '%2$s': %3$s"),
               left_name, name, error->message);
}

static void
add_again (ReeveMachineList *self, ReeveConfig *config, gboolean is_autostart)
{
  g_autoptr (ReeveMachine) machine = reeve_machine_list_lookup_uuid (
      self, reeve_config_get_uuid (config), NULL);
  g_autoptr (ReeveConfig) first = reeve_machine_dup_config (machine);

  if (is_renamed (first, config))
    end_rename (self, machine, config, is_autostart);
  else
    g_warning (_ ("The machine '%s' is defined twice"),
               reeve_config_get_name (config));
}

static void
add_defined (ReeveConfig *config, gboolean is_autostart, gpointer data)
{
  ReeveMachineList *self = data;
  g_autoptr (ReeveMachine) machine = reeve_machine_new (
      self, reeve_config_get_uuid (config), reeve_config_get_name (config));

  reeve_machine_set_config (machine, config);
  reeve_machine_set_is_autostart (machine, is_autostart);
  if (!reeve_machine_list_add (self, machine))
    add_again (self, config, is_autostart);
}

gboolean
reeve_machine_list_load (ReeveMachineList *self, GError **error)
{
  return make_dir (self->config_dir, error) &&
         make_dir (self->run_dir, error) && make_dir (self->log_dir, error) &&
         reeve_store_load (self->config_dir, add_defined, self, error) &&
         take_up_all (self, error);
}
