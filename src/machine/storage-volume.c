/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/storage-volume.h"

#include "event/fd.h"
#include "event/intl.h"
#include "machine/durable.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <string.h>

/* Space is taken in steps, between which a cancelled call is noticed. */
#define ALLOCATE_STEP (INT64_C (1) << 30)

/* Of qcow2's header, all big endian. */
enum {
  QCOW2_MAGIC = 0x514649fb,
  QCOW2_VERSION_OFFSET = 4,
  QCOW2_BACKING_OFFSET = 8,
  QCOW2_BACKING_SIZE = 16,
  QCOW2_CAPACITY = 24,
  QCOW2_HEADER_SIZE = 32,
  QCOW2_MAX_BACKING = 1023,
};

void
reeve_volume_clear (ReeveVolume *self)
{
  g_clear_pointer (&self->name, g_free);
  g_clear_pointer (&self->path, g_free);
  g_clear_pointer (&self->backing_path, g_free);
}

static gboolean
fail_missing (const char *name, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_VOLUME,
               _ ("no storage vol with matching name '%s'"), name);
  return FALSE;
}

/* What is no regular file is no volume. */
static int
open_regular (const char *path, const char *name, int flags, GError **error)
{
  REEVE_AUTOFD int fd =
      open (path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  struct stat info;

  if (fd < 0 && errno != ENOENT && errno != ELOOP) {
    reeve_error_from_errno (error, errno, "%s", path);
    return -1;
  }
  if (fd < 0 || fstat (fd, &info) < 0 || !S_ISREG (info.st_mode)) {
    fail_missing (name, error);
    return -1;
  }
  return g_steal_fd (&fd);
}

int
reeve_volume_open (ReeveVolumeUse *use, int flags, GError **error)
{
  return open_regular (reeve_volume_use_get_path (use),
                       reeve_volume_use_get_name (use), flags, error);
}

/* ---------------------------------------------------------------- read --- */

static uint32_t
get_word (const uint8_t *data)
{
  uint32_t word;

  memcpy (&word, data, sizeof word);
  return GUINT32_FROM_BE (word);
}

static uint64_t
get_long (const uint8_t *data)
{
  return (uint64_t) get_word (data) << 32 | get_word (data + 4);
}

/* (nullable): a name that cannot be one is left out. */
static char *
read_backing (int fd, uint64_t offset, uint32_t size)
{
  g_autofree char *path = NULL;

  if (offset == 0 || offset > INT64_MAX || size == 0 ||
      size > QCOW2_MAX_BACKING)
    return NULL;

  path = g_malloc0 (size + 1);
  if (pread (fd, path, size, (off_t) offset) != (ssize_t) size ||
      !g_utf8_validate (path, -1, NULL))
    return NULL;
  return g_steal_pointer (&path);
}

static void
read_header (ReeveVolume *self, int fd)
{
  uint8_t header[QCOW2_HEADER_SIZE];

  if (pread (fd, header, sizeof header, 0) != sizeof header ||
      get_word (header) != QCOW2_MAGIC ||
      get_word (header + QCOW2_VERSION_OFFSET) < 2 ||
      get_word (header + QCOW2_VERSION_OFFSET) > 3)
    return;

  self->format = REEVE_VOLUME_QCOW2;
  self->capacity = get_long (header + QCOW2_CAPACITY);
  self->backing_path =
      read_backing (fd, get_long (header + QCOW2_BACKING_OFFSET),
                    get_word (header + QCOW2_BACKING_SIZE));
}

gboolean
reeve_volume_read (ReeveStoragePool *pool,
                   const char *name,
                   ReeveVolume *volume,
                   GError **error)
{
  g_autofree char *path = NULL;
  REEVE_AUTOFD int fd = -1;

  /* A name that cannot be one names no volume. */
  if (!reeve_storage_pool_check_name (name, NULL))
    return fail_missing (name, error);
  path = reeve_storage_pool_make_path (pool, name);
  fd = open_regular (path, name, O_RDONLY, error);
  if (fd < 0)
    return FALSE;

  *volume = (ReeveVolume){ .name = g_strdup (name) };
  volume->path = g_steal_pointer (&path);
  if (fstat (fd, &volume->info) < 0)
    return reeve_error_from_errno (error, errno, "%s", volume->path);
  volume->format = REEVE_VOLUME_RAW;
  volume->capacity = (uint64_t) volume->info.st_size;
  volume->allocation = (uint64_t) volume->info.st_blocks * 512;
  read_header (volume, fd);
  return TRUE;
}

/* -------------------------------------------------------------- change --- */

static gboolean
allocate (int fd, int64_t from, int64_t to, GCancellable *cancellable)
{
  for (int64_t offset = from; offset < to; offset += ALLOCATE_STEP) {
    int failure;

    if (g_cancellable_is_cancelled (cancellable)) {
      errno = ECANCELED;
      return FALSE;
    }
    failure = posix_fallocate (fd, offset, MIN (ALLOCATE_STEP, to - offset));
    if (failure != 0) {
      errno = failure;
      return FALSE;
    }
  }

  return TRUE;
}

gboolean
reeve_volume_create_raw (ReeveVolumeUse *use,
                         const ReeveVolumePlan *plan,
                         GCancellable *cancellable,
                         GError **error)
{
  const char *path = reeve_volume_use_get_new_path (use);
  REEVE_AUTOFD int fd =
      open (path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd >= 0 && ftruncate (fd, (off_t) plan->capacity) == 0 &&
      allocate (fd, 0, (int64_t) MIN (plan->allocation, plan->capacity),
                cancellable))
    return TRUE;

  reeve_error_from_errno (error, errno, _ ("cannot make the volume '%s'"),
                          plan->name);
  if (fd >= 0)
    (void) unlink (path);
  return FALSE;
}

gboolean
reeve_volume_resize_raw (ReeveVolumeUse *use,
                         uint64_t capacity,
                         gboolean allocates,
                         GCancellable *cancellable,
                         GError **error)
{
  REEVE_AUTOFD int fd = reeve_volume_open (use, O_RDWR, error);
  struct stat info;

  if (fd < 0)
    return FALSE;
  if (fstat (fd, &info) < 0 ||
      (allocates &&
       !allocate (fd, info.st_size, (int64_t) capacity, cancellable)) ||
      ftruncate (fd, (off_t) capacity) < 0 || fsync (fd) < 0)
    return reeve_error_from_errno (error, errno,
                                   _ ("cannot resize the volume '%s'"),
                                   reeve_volume_use_get_name (use));
  return TRUE;
}

gboolean
reeve_volume_delete (ReeveVolumeUse *use, GError **error)
{
  ReeveStoragePool *pool = reeve_volume_use_get_pool (use);
  /* It is a volume, not a directory or a device. */
  REEVE_AUTOFD int fd = reeve_volume_open (use, O_RDONLY, error);

  if (fd < 0)
    return FALSE;
  if (unlink (reeve_volume_use_get_path (use)) < 0)
    return reeve_error_from_errno (error, errno, _ ("cannot remove %s"),
                                   reeve_volume_use_get_path (use));
  return reeve_durable_sync_dir (reeve_storage_pool_get_dir (pool), error);
}
