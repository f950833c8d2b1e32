/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/storage-image.h"

#include "event/fd.h"
#include "event/intl.h"
#include "event/thread.h"
#include "machine/probe.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <inttypes.h>

#define PROGRAM "qemu-img"
#define MAX_RUNNING 8

typedef struct {
  ReeveVolumeUse *use; /* (owned) */
  GPtrArray *argv;     /* (element-type utf8) (owned): with a NULL at the end */
  gboolean is_new;     /* is to be published */
  int timeout_ms;
  GCancellable *cancellable; /* (owned) */
  ReeveImageDone done;
  gpointer data;
} Image;

static ReeveMutex running_lock = { PTHREAD_MUTEX_INITIALIZER };
static ReeveCond fewer_run = { PTHREAD_COND_INITIALIZER };
static unsigned n_running; /* under the lock */

static void
image_free (Image *self)
{
  reeve_volume_use_free (self->use);
  g_ptr_array_unref (self->argv);
  g_object_unref (self->cancellable);
  g_free (self);
}

static Image *
image_new (ReeveVolumeUse *use,
           int timeout_ms,
           GCancellable *cancellable,
           ReeveImageDone done,
           gpointer data)
{
  Image *self = g_new0 (Image, 1);

  self->use = use;
  self->argv = g_ptr_array_new_with_free_func (g_free);
  self->timeout_ms = timeout_ms;
  self->cancellable = g_object_ref (cancellable);
  self->done = done;
  self->data = data;
  return self;
}

static void
add_word (Image *self, const char *word)
{
  g_ptr_array_add (self->argv, g_strdup (word));
}

static void
add_size (Image *self, uint64_t size)
{
  g_ptr_array_add (self->argv, g_strdup_printf ("%" PRIu64, size));
}

/* ----------------------------------------------------------------- run --- */

static gboolean
sync_image (const char *path, GError **error)
{
  REEVE_AUTOFD int fd = open (path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

  if (fd < 0 || fsync (fd) < 0)
    return reeve_error_from_errno (error, errno, "%s", path);
  return TRUE;
}

/* qemu-img keeps the permissions of what is there. */
static gboolean
make_file (const char *path, GError **error)
{
  REEVE_AUTOFD int fd =
      open (path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd < 0)
    return reeve_error_from_errno (error, errno, _ ("cannot make %s"), path);
  return TRUE;
}

static gboolean
run_program (Image *self, GError **error)
{
  return reeve_probe_run_quiet ((const char *const *) self->argv->pdata,
                                self->timeout_ms, self->cancellable, error);
}

static gboolean
make_image (Image *self, GError **error)
{
  const char *path = reeve_volume_use_get_new_path (self->use);

  if (!make_file (path, error))
    return FALSE;
  if (!run_program (self, error)) {
    (void) unlink (path);
    return FALSE;
  }
  return reeve_volume_use_publish (self->use, error);
}

static gboolean
change_image (Image *self, GError **error)
{
  return run_program (self, error) &&
         sync_image (reeve_volume_use_get_path (self->use), error);
}

static void
count_out (void)
{
  REEVE_LOCK_SCOPE (&running_lock);

  n_running--;
  reeve_cond_broadcast (&fewer_run);
}

static void *
run (void *data)
{
  Image *self = data;
  g_autoptr (GError) error = NULL;

  if (self->is_new)
    make_image (self, &error);
  else
    change_image (self, &error);
  self->done (self->use, error, self->data);
  image_free (self);
  count_out ();
  return NULL;
}

static gboolean
count_in (GError **error)
{
  REEVE_LOCK_SCOPE (&running_lock);

  if (n_running < MAX_RUNNING) {
    n_running++;
    return TRUE;
  }
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
               _ ("%u images are being made or changed already"), n_running);
  return FALSE;
}

/* @self: (transfer full) */
static gboolean
start (Image *self, GError **error)
{
  pthread_attr_t attributes;
  pthread_t thread;
  int failure;

  g_ptr_array_add (self->argv, NULL);
  if (!count_in (error)) {
    image_free (self);
    return FALSE;
  }

  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  failure = pthread_create (&thread, &attributes, run, self);
  pthread_attr_destroy (&attributes);
  if (failure == 0)
    return TRUE;

  count_out ();
  image_free (self);
  return reeve_error_from_errno (error, failure, _ ("cannot run %s"), PROGRAM);
}

void
reeve_image_wait (void)
{
  REEVE_LOCK_SCOPE (&running_lock);

  while (n_running > 0)
    reeve_cond_wait (&fewer_run, &running_lock);
}

/* ------------------------------------------------------------ commands --- */

static const char *
get_format_name (ReeveVolumeFormat format)
{
  return format == REEVE_VOLUME_QCOW2 ? "qcow2" : "raw";
}

gboolean
reeve_image_create (ReeveVolumeUse *use,
                    const ReeveVolumePlan *plan,
                    gboolean allocates_metadata,
                    int timeout_ms,
                    GCancellable *cancellable,
                    ReeveImageDone done,
                    gpointer data,
                    GError **error)
{
  Image *self = image_new (use, timeout_ms, cancellable, done, data);

  self->is_new = TRUE;
  add_word (self, PROGRAM);
  add_word (self, "create");
  add_word (self, "-q");
  add_word (self, "-f");
  add_word (self, "qcow2");
  if (allocates_metadata) {
    add_word (self, "-o");
    add_word (self, "preallocation=metadata");
  }
  if (plan->backing_path != NULL) {
    add_word (self, "-F");
    add_word (self, get_format_name (plan->backing_format));
    add_word (self, "-b");
    add_word (self, plan->backing_path);
  }
  add_word (self, reeve_volume_use_get_new_path (use));
  add_size (self, plan->capacity);
  return start (self, error);
}

gboolean
reeve_image_resize (ReeveVolumeUse *use,
                    uint64_t capacity,
                    gboolean shrinks,
                    int timeout_ms,
                    GCancellable *cancellable,
                    ReeveImageDone done,
                    gpointer data,
                    GError **error)
{
  Image *self = image_new (use, timeout_ms, cancellable, done, data);

  add_word (self, PROGRAM);
  add_word (self, "resize");
  add_word (self, "-q");
  add_word (self, "-f");
  add_word (self, "qcow2");
  if (shrinks)
    add_word (self, "--shrink");
  add_word (self, reeve_volume_use_get_path (use));
  add_size (self, capacity);
  return start (self, error);
}
