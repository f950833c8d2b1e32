/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/mount-private.h"
#include "resource/pool.h"

#include <fcntl.h>
#include <sys/stat.h>

/*
 * Changes for inotify. The loop's thread must not touch a path below its own
 * mount, so that a thread of a pool does, while the loop's answers it.
 */

/* What changes within this time is told at once, and once. */
#define PACE_MS 10

/* Of the loop's thread. */
struct _ReeveMountTeller {
  grefcount refs;          /* of the mount, and of the round */
  ReeveLoop *loop;         /* (owned) */
  ReeveResourcePool *pool; /* (not owned) */
  char *mount_path;        /* (owned) */
  GHashTable *changed;     /* (element-type utf8) (owned): paths in it */
  gboolean is_busy;        /* a thread tells */
  int timer;               /* 0: none */
  gboolean is_ended;       /* the mount is gone */
};

/* What a thread tells in one go; its own until it is done. */
typedef struct {
  ReeveJob job;
  ReeveMountTeller *teller; /* (owned) */
  GPtrArray *paths;         /* (element-type utf8) (owned) */
} Round;

static void
teller_unref (ReeveMountTeller *self)
{
  if (!g_ref_count_dec (&self->refs))
    return;

  g_hash_table_unref (self->changed);
  reeve_loop_unref (self->loop);
  g_free (self->mount_path);
  g_free (self);
}

static void arm (ReeveMountTeller *self);

static void
end_round (ReeveLoop *loop, gpointer data)
{
  Round *self = data;

  self->teller->is_busy = FALSE;
  if (!self->teller->is_ended)
    arm (self->teller);
  teller_unref (self->teller);
  g_ptr_array_unref (self->paths);
  g_free (self);
}

/* On a thread of the pool. What is gone by now has nobody who would be told. */
static void
run_round (ReeveJob *job)
{
  static const struct timespec times[2] = {
    { .tv_nsec = UTIME_OMIT },
    { .tv_nsec = UTIME_NOW },
  };
  Round *self = job->link.data;

  for (unsigned i = 0; i < self->paths->len; i++)
    (void) utimensat (AT_FDCWD, self->paths->pdata[i], times,
                      AT_SYMLINK_NOFOLLOW);
  reeve_loop_invoke (self->teller->loop, end_round, self);
}

static void
begin_round (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveMountTeller *self = data;
  Round *round = g_new0 (Round, 1);
  GQueue jobs = G_QUEUE_INIT;
  GHashTableIter iter;
  gpointer path;

  reeve_loop_remove (loop, self->timer);
  self->timer = 0;
  self->is_busy = TRUE;
  g_ref_count_inc (&self->refs);
  round->teller = self;
  round->paths = g_ptr_array_new_with_free_func (g_free);
  g_hash_table_iter_init (&iter, self->changed);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    g_ptr_array_add (round->paths, g_strconcat (self->mount_path, path, NULL));
  g_hash_table_remove_all (self->changed);
  round->job.link.data = round;
  round->job.run = run_round;
  round->job.name = "inotify";
  g_queue_push_tail_link (&jobs, &round->job.link);
  reeve_job_pool_push (reeve_resource_pool_get_jobs (self->pool), &jobs);
}

static void
arm (ReeveMountTeller *self)
{
  if (self->timer == 0 && !self->is_busy &&
      g_hash_table_size (self->changed) > 0)
    self->timer =
        reeve_loop_add_timeout (self->loop, PACE_MS, begin_round, self, NULL);
}

static void
note_change (ReeveResourceNode *node, gpointer data)
{
  const ReeveMountInode *inode = data;

  g_hash_table_add (inode->teller->changed, g_strdup (inode->path));
  arm (inode->teller);
}

void
reeve_mount_tell_of (ReeveMountTeller *self, ReeveMountInode *inode)
{
  inode->teller = self;
  inode->watch = reeve_resource_watch_new (inode->node, note_change, inode);
}

void
reeve_resource_mount_tell_inotify (ReeveResourceMount *self,
                                   ReeveResourcePool *pool)
{
  ReeveMountTeller *teller = g_new0 (ReeveMountTeller, 1);

  g_ref_count_init (&teller->refs);
  teller->loop = reeve_loop_ref (self->loop);
  teller->pool = pool;
  teller->mount_path = g_strdup (self->path);
  teller->changed =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->teller = teller;
}

void
reeve_mount_teller_free (ReeveMountTeller *self)
{
  if (self == NULL)
    return;

  if (self->timer > 0)
    reeve_loop_remove (self->loop, self->timer);
  self->timer = 0;
  self->is_ended = TRUE;
  teller_unref (self);
}
