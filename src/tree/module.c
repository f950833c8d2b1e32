/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/module.h"

#include "daemon/daemon-private.h"
#include "machine/module.h"
#include "resource/mount.h"
#include "resource/program.h"

#include "protocol/resource.h"

#include <string.h>

/* How often, and how long, a mount waits for the one of another daemon that is
 * ending, or is dead, to go. */
#define RETRY_MS 20
#define MAX_RETRIES 100

typedef struct {
  ReeveTreeBase base;
  char *path;                    /* (owned): of the mount point */
  ReeveResourceTree *tree;       /* (owned) */
  ReeveTreeMachines *machines;   /* (owned) */
  ReeveResourceProgram *program; /* (owned) */
  ReeveResourcePool *pool;       /* (owned) (nullable) */
  ReeveResourceMount *mount;     /* (owned) (nullable) */
  int retry;                     /* a watch; 0: none */
  int n_retries;
  ReeveWorkerLane mount_lane;
  gboolean is_left; /* nothing is mounted any more */
} Module;

static const ReeveDaemonSetting settings[] = {
  { "resource", "mount", 0, 1, 0 },
  { "resource", "inotify", 0, 1, 0 },
};

static gboolean
init (ReeveDaemon *daemon, gpointer *state, GError **error)
{
  Module *self = g_new0 (Module, 1);

  *state = self;
  self->base.daemon = daemon;
  self->base.machines = reeve_machine_module_get_machines (
      reeve_daemon_get_state (daemon, &reeve_machine_module));
  self->base.worker = reeve_worker_new (reeve_daemon_get_loop (daemon));
  reeve_worker_lane_init (&self->base.lane, self->base.worker);
  reeve_worker_lane_init (&self->mount_lane, self->base.worker);
  self->path = g_build_filename (reeve_daemon_get_places (daemon)->run_dir,
                                 "tree", NULL);
  self->tree = reeve_resource_tree_new ();
  reeve_tree_add_server (self->tree, &self->base);
  reeve_tree_add_clients (self->tree, &self->base);
  self->machines = reeve_tree_machines_new (self->tree, &self->base);
  self->program =
      reeve_resource_program_new (reeve_daemon_get_server (daemon), self->tree);
  return TRUE;
}

/* Whether something is mounted at @path, by what the kernel says without asking
 * who serves it. */
static gboolean
is_mount_point (const char *path)
{
  g_autofree char *mounts = NULL;
  g_autofree char *escaped = g_strescape (path, NULL);
  g_autofree char *words = g_strdup_printf (" %s ", escaped);

  return g_file_get_contents ("/proc/self/mounts", &mounts, NULL, NULL) &&
         strstr (mounts, words) != NULL;
}

/* (transfer none): made once something needs it. */
static ReeveResourcePool *
get_pool (Module *self)
{
  if (self->pool == NULL)
    self->pool = reeve_resource_pool_new (
        reeve_daemon_get_loop (self->base.daemon), &reeve_resource_pool_size);
  return self->pool;
}

/* A daemon serves without a mount, too. @mount: (nullable) (transfer full) */
static void
take_mount (Module *self, ReeveResourceMount *mount, const GError *error)
{
  self->mount = mount;
  if (mount == NULL)
    g_warning ("%s", error->message);
  else if (reeve_daemon_get_setting (self->base.daemon, &settings[1]) != 0)
    reeve_resource_mount_tell_inotify (mount, get_pool (self));
}

static void
make_mount (Module *self)
{
  g_autoptr (GError) error = NULL;
  ReeveResourceMount *mount = reeve_resource_mount_new (
      reeve_daemon_get_loop (self->base.daemon), self->tree,
      reeve_daemon_get_info (self->base.daemon)->name, self->path, &error);

  take_mount (self, mount, error);
}

/* What is mounted once the loop runs, which does not wait for fusermount3. */
typedef struct {
  Module *module;
  const char *name;
  ReeveResourceMountPoint *point; /* (owned) (nullable) */
  GError *error;                  /* (owned) (nullable) */
} Mounting;

/* In another thread. */
static void
make_point (gpointer data)
{
  Mounting *self = data;

  self->point = reeve_resource_mount_point_new (self->name, self->module->path,
                                                &self->error);
}

static void
finish_mount (gpointer data)
{
  Mounting *self = data;
  Module *module = self->module;
  ReeveResourceMount *mount = NULL;

  if (!module->is_left) {
    if (self->point != NULL)
      mount = reeve_resource_mount_new_at (
          reeve_daemon_get_loop (module->base.daemon), module->tree,
          g_steal_pointer (&self->point), &self->error);
    take_mount (module, mount, self->error);
  }
  reeve_resource_mount_point_free (self->point);
  g_clear_error (&self->error);
  g_free (self);
}

static void
retry_mount (ReeveLoop *loop, int watch, gpointer data)
{
  Module *self = data;
  Mounting *mounting = NULL;

  if (is_mount_point (self->path) && ++self->n_retries < MAX_RETRIES)
    return;
  reeve_loop_remove (loop, self->retry);
  self->retry = 0;

  mounting = g_new0 (Mounting, 1);
  mounting->module = self;
  mounting->name = reeve_daemon_get_info (self->base.daemon)->name;
  reeve_worker_lane_push (&self->mount_lane, make_point, finish_mount,
                          mounting);
}

static gboolean
start (ReeveDaemon *daemon, gpointer state, GError **error)
{
  Module *self = state;

  if (reeve_daemon_get_setting (daemon, &settings[0]) == 0)
    return TRUE;
  if (is_mount_point (self->path))
    self->retry = reeve_loop_add_timeout (reeve_daemon_get_loop (daemon),
                                          RETRY_MS, retry_mount, self, NULL);
  else
    make_mount (self);
  return TRUE;
}

static void
unmount (Module *self)
{
  if (self->retry > 0)
    reeve_loop_remove (reeve_daemon_get_loop (self->base.daemon), self->retry);
  self->retry = 0;
  self->is_left = TRUE;
  g_clear_pointer (&self->mount, reeve_resource_mount_free);
}

static void
stop (ReeveDaemon *daemon, gpointer state)
{
  Module *self = state;

  unmount (self);
  /* What was being written has an end. */
  reeve_worker_close (self->base.worker);
  reeve_loop_catch_up (reeve_daemon_get_loop (daemon));
  reeve_resource_program_free (self->program);
  reeve_resource_pool_free (self->pool);
  reeve_tree_machines_free (self->machines);
  reeve_resource_tree_free (self->tree);
  reeve_worker_free (self->base.worker);
  g_free (self->path);
  g_free (self);
}

/* ------------------------------------------------------------- takeover -- */

/* Nothing goes along: the other process mounts anew when we have unmounted, and
 * clients open anew what they have open. */

static void
freeze (gpointer state)
{
  reeve_resource_program_interrupt (((Module *) state)->program);
}

static gboolean
save_nothing (gpointer state, ReeveSavedState *saved, GError **error)
{
  return TRUE;
}

static void
leave (gpointer state)
{
  unmount (state);
}

static const ReeveDaemonTakeover takeover = {
  .freeze = freeze,
  .save = save_nothing,
  .restore = save_nothing,
  .leave = leave,
};

static const ReeveProgram *const programs[] = { &resource_program, NULL };

const ReeveDaemonModule reeve_tree_module = {
  .name = "tree",
  .init = init,
  .start = start,
  .stop = stop,
  .settings = settings,
  .n_settings = G_N_ELEMENTS (settings),
  .programs = programs,
  .takeover = &takeover,
};
