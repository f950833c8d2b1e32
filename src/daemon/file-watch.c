/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/file-watch.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>

/* Nothing happens for so long: it is quiet. But nobody waits for ever. */
#define QUIET_MS 100
#define MAX_WAIT_US (2 * G_USEC_PER_SEC)

#define EVENTS                                                                 \
  (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |      \
   IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

struct _ReeveFileWatch {
  char **paths; /* (owned): immutable, as what follows */
  ReeveFileWatchFunc func;
  gpointer data;
  int stop_fd; /* (owned) */
  pthread_t thread;

  /* Of the thread. */
  int inotify_fd; /* (owned) */
  char *state;    /* (owned): of the files */
};

/* What changes when one of the files does. */
static char *
get_state (ReeveFileWatch *self)
{
  GString *state = g_string_new (NULL);

  for (char **path = self->paths; *path != NULL; path++) {
    struct stat file;

    if (stat (*path, &file) < 0)
      g_string_append_printf (state, "%d;", errno);
    else
      g_string_append_printf (
          state, "%ju %ju %ju %jd.%ld %jd.%ld;", (uintmax_t) file.st_dev,
          (uintmax_t) file.st_ino, (uintmax_t) file.st_size,
          (intmax_t) file.st_mtim.tv_sec, file.st_mtim.tv_nsec,
          (intmax_t) file.st_ctim.tv_sec, file.st_ctim.tv_nsec);
  }
  return g_string_free (state, FALSE);
}

/* The folder of a file; of one that is not there, the nearest that is. */
static void
watch_folder (ReeveFileWatch *self, const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);

  while (inotify_add_watch (self->inotify_fd, folder, EVENTS) < 0 &&
         (errno == ENOENT || errno == ENOTDIR) && !g_str_equal (folder, "/")) {
    char *above = g_path_get_dirname (folder);

    g_free (folder);
    folder = above;
  }
}

/* Anew, because folders may have come and gone. */
static gboolean
watch_folders (ReeveFileWatch *self)
{
  reeve_fd_clear (&self->inotify_fd);
  self->inotify_fd = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
  if (self->inotify_fd < 0)
    return FALSE;

  for (char **path = self->paths; *path != NULL; path++)
    watch_folder (self, *path);
  return TRUE;
}

/* Returns whether the thread goes on; *@is_ready if something happened. */
static gboolean
wait_for_events (ReeveFileWatch *self, int timeout_ms, gboolean *is_ready)
{
  char events[4096];
  struct pollfd files[] = {
    { .fd = self->stop_fd, .events = POLLIN },
    { .fd = self->inotify_fd, .events = POLLIN },
  };

  if (poll (files, G_N_ELEMENTS (files), timeout_ms) < 0)
    files[0].revents = files[1].revents = 0;
  *is_ready = files[1].revents != 0;
  while (*is_ready && read (self->inotify_fd, events, sizeof events) > 0)
    ;
  return files[0].revents == 0;
}

static gboolean
wait_for_quiet (ReeveFileWatch *self)
{
  gint64 end_us = g_get_monotonic_time () + MAX_WAIT_US;
  gboolean is_ready = TRUE;

  while (is_ready && g_get_monotonic_time () < end_us)
    if (!wait_for_events (self, QUIET_MS, &is_ready))
      return FALSE;

  return TRUE;
}

/* What happens from here on is noticed the next time. */
static gboolean
has_changed (ReeveFileWatch *self)
{
  g_autofree char *old = g_steal_pointer (&self->state);

  if (!watch_folders (self))
    g_warning (_ ("Cannot watch files any more: %s"), g_strerror (errno));
  self->state = get_state (self);
  return !g_str_equal (old, self->state);
}

static void *
run (void *data)
{
  ReeveFileWatch *self = data;
  gboolean is_ready;

  while (wait_for_events (self, -1, &is_ready)) {
    if (!is_ready)
      continue;
    if (!wait_for_quiet (self))
      break;
    if (has_changed (self))
      self->func (self->data);
  }

  return NULL;
}

ReeveFileWatch *
reeve_file_watch_new (const char *const *paths,
                      ReeveFileWatchFunc func,
                      gpointer data,
                      GError **error)
{
  ReeveFileWatch *self = g_new0 (ReeveFileWatch, 1);
  int failure;

  self->paths = g_strdupv ((char **) paths);
  self->func = func;
  self->data = data;
  self->inotify_fd = -1;
  self->stop_fd = eventfd (0, EFD_CLOEXEC);
  failure = self->stop_fd < 0 || !watch_folders (self) ? errno : 0;
  self->state = get_state (self);
  if (failure == 0)
    failure = pthread_create (&self->thread, NULL, run, self);
  if (failure == 0) {
    pthread_setname_np (self->thread, "file-watch");
    return self;
  }

  reeve_error_from_errno (error, failure, _ ("Cannot watch files"));
  reeve_fd_clear (&self->stop_fd);
  reeve_file_watch_free (self);
  return NULL;
}

void
reeve_file_watch_free (ReeveFileWatch *self)
{
  const uint64_t one = 1;

  if (self == NULL)
    return;

  if (self->stop_fd >= 0) {
    if (write (self->stop_fd, &one, sizeof one) < 0)
      g_assert_not_reached ();
    pthread_join (self->thread, NULL);
  }
  reeve_fd_clear (&self->stop_fd);
  reeve_fd_clear (&self->inotify_fd);
  g_strfreev (self->paths);
  g_free (self->state);
  g_free (self);
}
