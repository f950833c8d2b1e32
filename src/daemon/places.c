/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/places.h"

#include "event/intl.h"
#include "rpc/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

static void
fill_system (ReevePlaces *self, const char *directory)
{
  self->config_dir = g_build_filename (REEVE_SYSCONFDIR, directory, NULL);
  self->state_dir =
      g_build_filename (REEVE_LOCALSTATEDIR, "lib", directory, NULL);
  self->run_dir = g_build_filename (REEVE_RUNSTATEDIR, directory, NULL);
  self->cache_dir =
      g_build_filename (REEVE_LOCALSTATEDIR, "cache", directory, NULL);
  self->log_dir =
      g_build_filename (REEVE_LOCALSTATEDIR, "log", directory, NULL);
}

static void
fill_session (ReevePlaces *self, const char *directory)
{
  self->config_dir =
      g_build_filename (g_get_user_config_dir (), directory, NULL);
  self->state_dir = g_build_filename (g_get_user_data_dir (), directory, NULL);
  self->cache_dir = g_build_filename (g_get_user_cache_dir (), directory, NULL);
  self->log_dir = g_build_filename (g_get_user_state_dir (), directory, NULL);
  /* GLib gives the cache directory where there is no run-time one; the sockets
   * then stand apart from what "can be deleted". */
  if (g_getenv ("XDG_RUNTIME_DIR") != NULL)
    self->run_dir =
        g_build_filename (g_get_user_runtime_dir (), directory, NULL);
  else
    self->run_dir = g_build_filename (self->cache_dir, "run", NULL);
}

static void
fill_private (ReevePlaces *self, const char *root)
{
  g_autofree char *absolute = g_canonicalize_filename (root, NULL);

  self->config_dir = g_build_filename (absolute, "etc", NULL);
  self->state_dir = g_build_filename (absolute, "lib", NULL);
  self->run_dir = g_build_filename (absolute, "run", NULL);
  self->cache_dir = g_build_filename (absolute, "cache", NULL);
  self->log_dir = g_build_filename (absolute, "log", NULL);
}

ReevePlaces *
reeve_places_new (ReeveMode mode, const char *directory, const char *root)
{
  ReevePlaces *self = g_new0 (ReevePlaces, 1);

  self->mode = mode;
  switch (mode) {
  case REEVE_MODE_SYSTEM:
    fill_system (self, directory);
    break;
  case REEVE_MODE_SESSION:
    fill_session (self, directory);
    break;
  case REEVE_MODE_PRIVATE:
    fill_private (self, root);
    break;
  }

  return self;
}

void
reeve_places_free (ReevePlaces *self)
{
  if (self == NULL)
    return;

  g_free (self->config_dir);
  g_free (self->state_dir);
  g_free (self->run_dir);
  g_free (self->cache_dir);
  g_free (self->log_dir);
  g_free (self);
}

/* The mask is for files: others have to reach the sockets. */
static gboolean
make_directory (const char *path, int mode, GError **error)
{
  mode_t mask = umask (022);
  int failure = g_mkdir_with_parents (path, mode) < 0 ? errno : 0;

  umask (mask);
  return failure == 0 ||
         reeve_error_from_errno (error, failure, _ ("Cannot make %s"), path);
}

gboolean
reeve_places_make (const ReevePlaces *self, GError **error)
{
  int shared = self->mode == REEVE_MODE_SYSTEM ? 0755 : 0700;
  const struct {
    const char *path;
    int mode;
  } directories[] = {
    { self->config_dir, shared }, { self->state_dir, 0700 },
    { self->run_dir, shared },    { self->cache_dir, shared },
    { self->log_dir, 0700 },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (directories); i++)
    if (!make_directory (directories[i].path, directories[i].mode, error))
      return FALSE;

  return TRUE;
}
