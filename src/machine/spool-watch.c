/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/spool-watch.h"

#include "event/fd.h"
#include "event/intl.h"
#include "machine/paced-watch.h"

#include <sys/inotify.h>

/* A guest that prints byte by byte makes half a million events a second. */
#define INTERVAL_MS 2
/* Without inotify. */
#define LOOK_INTERVAL_MS 100

typedef struct {
  int descriptor; /* inotify's, -1: none */
  ReeveSpoolFunc func;
  gpointer data;
} Spool;

struct _ReeveSpoolWatch {
  ReeveLoop *loop; /* (owned) */
  int fd;          /* (owned), -1: none */
  ReevePacedWatch watch;
  int look_timer;            /* -1: none */
  GHashTable *spools;        /* (owned): id -> (owned) Spool */
  GHashTable *by_descriptor; /* (owned): inotify's descriptor -> Spool */
  unsigned last_id;
};

static void
tell_all (ReeveSpoolWatch *self)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->spools);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const Spool *spool = value;

    spool->func (spool->data);
  }
}

static void
on_look (ReeveLoop *loop, int watch, gpointer data)
{
  tell_all (data);
}

static void
start_looking (ReeveSpoolWatch *self)
{
  if (self->look_timer >= 0)
    return;

  g_warning (_ ("inotify: %1$s; consoles are looked at each %2$d ms instead"),
             g_strerror (errno), LOOK_INTERVAL_MS);
  self->look_timer = reeve_loop_add_timeout (self->loop, LOOK_INTERVAL_MS,
                                             on_look, self, NULL);
}

static void
take_event (ReeveSpoolWatch *self, const struct inotify_event *event)
{
  const Spool *spool;

  /* More happened than inotify can hold. */
  if ((event->mask & IN_Q_OVERFLOW) != 0) {
    tell_all (self);
    return;
  }

  spool =
      g_hash_table_lookup (self->by_descriptor, GINT_TO_POINTER (event->wd));
  if (spool != NULL && (event->mask & IN_MODIFY) != 0)
    spool->func (spool->data);
}

static void
on_events (ReeveEvents events, gpointer data)
{
  ReeveSpoolWatch *self = data;
  _Alignas(struct inotify_event) char buffer[16384];
  ssize_t size = read (self->fd, buffer, sizeof buffer);

  for (ssize_t offset = 0; offset < size;) {
    const struct inotify_event *event =
        (const struct inotify_event *) (buffer + offset);

    take_event (self, event);
    offset += (ssize_t) (sizeof *event + event->len);
  }
}

ReeveSpoolWatch *
reeve_spool_watch_new (ReeveLoop *loop)
{
  ReeveSpoolWatch *self = g_new0 (ReeveSpoolWatch, 1);

  self->loop = reeve_loop_ref (loop);
  self->look_timer = -1;
  self->spools = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->by_descriptor = g_hash_table_new (NULL, NULL);
  self->fd = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
  if (self->fd < 0 || !reeve_paced_watch_init (&self->watch, loop, self->fd,
                                               REEVE_EVENT_READABLE,
                                               INTERVAL_MS, on_events, self))
    start_looking (self);
  return self;
}

void
reeve_spool_watch_free (ReeveSpoolWatch *self)
{
  if (self == NULL)
    return;

  reeve_paced_watch_clear (&self->watch);
  if (self->look_timer >= 0)
    reeve_loop_remove (self->loop, self->look_timer);
  reeve_fd_clear (&self->fd);
  g_hash_table_unref (self->by_descriptor);
  g_hash_table_unref (self->spools);
  reeve_loop_unref (self->loop);
  g_free (self);
}

unsigned
reeve_spool_watch_add (ReeveSpoolWatch *self,
                       const char *path,
                       ReeveSpoolFunc func,
                       gpointer data)
{
  Spool *spool = g_new0 (Spool, 1);

  spool->func = func;
  spool->data = data;
  spool->descriptor =
      self->fd < 0 ? -1 : inotify_add_watch (self->fd, path, IN_MODIFY);
  if (spool->descriptor >= 0)
    g_hash_table_insert (self->by_descriptor,
                         GINT_TO_POINTER (spool->descriptor), spool);
  else if (self->fd >= 0 && errno != ENOENT)
    start_looking (self);
  g_hash_table_insert (self->spools, GUINT_TO_POINTER (++self->last_id), spool);
  return self->last_id;
}

void
reeve_spool_watch_remove (ReeveSpoolWatch *self, unsigned id)
{
  const Spool *spool =
      g_hash_table_lookup (self->spools, GUINT_TO_POINTER (id));

  if (spool == NULL)
    return;
  if (spool->descriptor >= 0) {
    g_hash_table_remove (self->by_descriptor,
                         GINT_TO_POINTER (spool->descriptor));
    (void) inotify_rm_watch (self->fd, spool->descriptor);
  }
  g_hash_table_remove (self->spools, GUINT_TO_POINTER (id));
}
