/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/module.h"

#include "machine/emulator.h"
#include "machine/machine-list.h"
#include "machine/remote.h"
#include "machine/storage-image.h"
#include "machine/storage-pool.h"
#include "protocol/machine.h"
#include "protocol/qemu.h"
#include "protocol/remote.h"
#include "protocol/watch.h"

typedef struct {
  ReeveMachineList *machines; /* (owned) */
  ReeveStoragePool *pool;     /* (owned) (nullable) */
  ReeveRemote *remote;        /* (owned) */
} Module;

/* Sizes of consoles: the most that a spool, a ring or a log may take; and how
 * many machines start at once. */
static const ReeveDaemonSetting settings[] = {
  { "console", "buffer_bytes", 4096, 64 * 1024 * 1024, 256 * 1024 },
  { "console", "log_bytes", 0, UINT64_C (1) << 40, 2 * 1024 * 1024 },
  { "console", "log_files", 0, 1000, 3 },
  { "machines", "max_starting", 0, 1000, 0 },
};

static void
set_limits (Module *self, ReeveDaemon *daemon)
{
  const ReeveConsoleLimits limits = {
    .buffer_bytes = reeve_daemon_get_setting (daemon, &settings[0]),
    .log_bytes = reeve_daemon_get_setting (daemon, &settings[1]),
    .log_files = (unsigned) reeve_daemon_get_setting (daemon, &settings[2]),
  };

  reeve_machine_list_set_console_limits (self->machines, &limits);
  reeve_machine_list_set_max_starting (
      self->machines,
      (unsigned) reeve_daemon_get_setting (daemon, &settings[3]));
}

static gboolean
init (ReeveDaemon *daemon, gpointer *state, GError **error)
{
  const ReevePlaces *places = reeve_daemon_get_places (daemon);
  g_autofree char *config_dir =
      g_build_filename (places->state_dir, "machines", NULL);
  g_autofree char *run_dir =
      g_build_filename (places->run_dir, "machines", NULL);
  g_autofree char *log_dir =
      g_build_filename (places->log_dir, "machines", NULL);
  g_autofree char *console_log_dir =
      g_build_filename (places->log_dir, "consoles", NULL);
  const ReeveMachinePaths paths = { config_dir, run_dir, log_dir,
                                    console_log_dir };
  Module *self = g_new0 (Module, 1);

  *state = self;
  reeve_emulator_open_cache (places->cache_dir);
  self->machines =
      reeve_machine_list_new (reeve_daemon_get_loop (daemon), &paths);
  set_limits (self, daemon);
  self->pool = reeve_storage_pool_open (reeve_daemon_get_loop (daemon),
                                        places->state_dir, "default", error);
  if (self->pool == NULL)
    return FALSE;
  self->remote =
      reeve_remote_new (self->machines, self->pool,
                        places->mode == REEVE_MODE_SESSION ? "qemu:///session"
                                                           : "qemu:///system");
  reeve_remote_register (self->remote, reeve_daemon_get_server (daemon));
  if (reeve_daemon_is_taking_over (daemon))
    return reeve_machine_list_prepare (self->machines, error);

  reeve_storage_pool_remove_unfinished (self->pool);
  return reeve_machine_list_load (self->machines, error);
}

ReeveMachineList *
reeve_machine_module_get_machines (gpointer state)
{
  return ((Module *) state)->machines;
}

static gboolean
start (ReeveDaemon *daemon, gpointer state, GError **error)
{
  Module *self = state;

  /* The other one has started all of them, or it would not hand over. */
  if (!reeve_daemon_is_taking_over (daemon))
    reeve_machine_list_autostart (self->machines);
  return TRUE;
}

static void
stop (ReeveDaemon *daemon, gpointer state)
{
  Module *self = state;

  reeve_image_wait ();
  reeve_machine_list_close (self->machines);
  reeve_remote_free (self->remote);
  reeve_storage_pool_unref (self->pool);
  reeve_machine_list_unref (self->machines);
  reeve_emulator_close_cache ();
  g_free (self);
}

/* Somebody has to look after what runs. */
static gboolean
is_busy (ReeveDaemon *daemon, gpointer state)
{
  Module *self = state;

  return reeve_machine_list_count (self->machines, REEVE_MACHINES_ACTIVE) > 0;
}

static void
tell_numbers (gpointer state, ReeveDaemonNumberFunc tell, gpointer data)
{
  Module *self = state;
  ReeveStartCounts counts;

  reeve_machine_list_get_start_counts (self->machines, &counts);
  tell ("machines_starting", counts.n_starting, data);
  tell ("machines_starting_max", counts.max_starting, data);
  tell ("machines_waiting_to_start", counts.n_waiting, data);
}

/* ------------------------------------------------------------- takeover -- */

static void
freeze (gpointer state)
{
  reeve_machine_list_freeze (((Module *) state)->machines);
}

static void
thaw (gpointer state)
{
  reeve_machine_list_thaw (((Module *) state)->machines);
}

static gboolean
is_quiet (gpointer state, char **why)
{
  return reeve_machine_list_is_quiet (((Module *) state)->machines, why);
}

static gboolean
save (gpointer state, ReeveSavedState *saved, GError **error)
{
  return reeve_machine_list_save (((Module *) state)->machines, saved, error);
}

static gboolean
restore (gpointer state, ReeveSavedState *saved, GError **error)
{
  return reeve_machine_list_restore (((Module *) state)->machines, saved,
                                     error);
}

static void
leave (gpointer state)
{
  reeve_machine_list_leave (((Module *) state)->machines);
}

static const ReeveDaemonTakeover takeover = {
  .freeze = freeze,
  .thaw = thaw,
  .is_quiet = is_quiet,
  .save = save,
  .restore = restore,
  .leave = leave,
};

static const ReeveProgram *const programs[] = {
  &remote_program, &qemu_program, &watch_program, &machine_program, NULL,
};

const ReeveDaemonModule reeve_machine_module = {
  .name = "machine",
  .init = init,
  .start = start,
  .stop = stop,
  .settings = settings,
  .n_settings = G_N_ELEMENTS (settings),
  .is_busy = is_busy,
  .programs = programs,
  .takeover = &takeover,
  .tell_numbers = tell_numbers,
};
