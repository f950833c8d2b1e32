/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/storage-stream.h"

#include "event/fd.h"
#include "event/intl.h"
#include "machine/storage-volume.h"
#include "rpc/error.h"

#include <fcntl.h>

/* Where holes cannot be punched, zeros are written. */
#define ZEROS_SIZE 65536

typedef struct {
  ReeveVolumeUse *use; /* (owned) */
  int fd;              /* (owned) */
  int64_t offset;      /* of what comes next */
  int64_t end;         /* of what goes through */
  gboolean is_sparse;
} Transfer;

static void
transfer_free (gpointer data)
{
  Transfer *self = data;

  if (self == NULL)
    return;

  reeve_fd_clear (&self->fd);
  reeve_volume_use_free (self->use);
  g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Transfer, transfer_free)

static gboolean
fail_write (const Transfer *self, GError **error)
{
  return reeve_error_from_errno (error, errno,
                                 _ ("cannot write the volume '%s'"),
                                 reeve_volume_use_get_name (self->use));
}

static gboolean
fail_read (const Transfer *self, GError **error)
{
  return reeve_error_from_errno (error, errno,
                                 _ ("cannot read the volume '%s'"),
                                 reeve_volume_use_get_name (self->use));
}

/* -------------------------------------------------------------- upload --- */

/* No more than the client said it would send. */
static gboolean
check_length (const Transfer *self, uint64_t length, GError **error)
{
  if (length <= (uint64_t) (self->end - self->offset))
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
               _ ("more is sent for the volume '%s' than was said"),
               reeve_volume_use_get_name (self->use));
  return FALSE;
}

static gssize
take_data (ReeveDataStream *stream,
           const uint8_t *data,
           size_t size,
           gpointer user_data,
           GError **error)
{
  Transfer *self = user_data;
  ssize_t n_written;

  if (!check_length (self, size, error))
    return -1;
  do
    n_written = pwrite (self->fd, data, size, self->offset);
  while (n_written < 0 && errno == EINTR);
  if (n_written < 0) {
    fail_write (self, error);
    return -1;
  }

  self->offset += n_written;
  return n_written;
}

static gboolean
write_zeros (Transfer *self, int64_t length, GError **error)
{
  static const uint8_t zeros[ZEROS_SIZE];

  while (length > 0) {
    gssize n_written =
        take_data (NULL, zeros, MIN (length, ZEROS_SIZE), self, error);

    if (n_written < 0)
      return FALSE;
    length -= n_written;
  }
  return TRUE;
}

static gboolean
take_hole (ReeveDataStream *stream,
           int64_t length,
           gpointer user_data,
           GError **error)
{
  Transfer *self = user_data;
  struct stat info;
  int64_t in_file;

  if (!check_length (self, (uint64_t) length, error))
    return FALSE;
  if (fstat (self->fd, &info) < 0)
    return fail_write (self, error);

  in_file = CLAMP (info.st_size - self->offset, 0, length);
  if (in_file > 0 &&
      fallocate (self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                 self->offset, in_file) < 0) {
    if (errno != EOPNOTSUPP)
      return fail_write (self, error);
    if (!write_zeros (self, in_file, error))
      return FALSE;
    length -= in_file;
  }
  self->offset += length;
  if (self->offset > info.st_size && ftruncate (self->fd, self->offset) < 0)
    return fail_write (self, error);
  return TRUE;
}

static gboolean
finish_upload (ReeveDataStream *stream, gpointer user_data, GError **error)
{
  Transfer *self = user_data;

  if (fsync (self->fd) < 0)
    return fail_write (self, error);
  return TRUE;
}

static const ReeveDataStreamFuncs upload_funcs = {
  .receive = take_data,
  .finish = finish_upload,
};
static const ReeveDataStreamFuncs sparse_upload_funcs = {
  .receive = take_data,
  .receive_hole = take_hole,
  .finish = finish_upload,
};

/* ------------------------------------------------------------ download --- */

/* Sends the hole at the offset, if there is one. @data_end: (out): of the data
 * there; the offset itself if there was a hole. */
static gboolean
skip_hole (Transfer *self,
           ReeveDataStream *stream,
           int64_t *data_end,
           GError **error)
{
  int64_t data = lseek (self->fd, self->offset, SEEK_DATA);
  int64_t hole;

  /* Nothing but a hole follows, or the end. */
  if (data < 0 && errno == ENXIO)
    data = MIN (self->end, lseek (self->fd, 0, SEEK_END));
  if (data < 0)
    return fail_read (self, error);
  data = MIN (data, self->end);
  if (data > self->offset) {
    reeve_data_stream_write_hole (stream, data - self->offset);
    self->offset = data;
    *data_end = data;
    return TRUE;
  }

  hole = lseek (self->fd, self->offset, SEEK_HOLE);
  *data_end = hole < 0 ? self->end : MIN (hole, self->end);
  return TRUE;
}

static ReeveDataStreamNext
send_data (Transfer *self, ReeveDataStream *stream, int64_t end, GError **error)
{
  size_t size =
      (size_t) MIN (end - self->offset, (int64_t) REEVE_DATA_STREAM_CHUNK);
  ssize_t n_read;

  do
    n_read = pread (self->fd, reeve_data_stream_get_room (stream), size,
                    self->offset);
  while (n_read < 0 && errno == EINTR);
  if (n_read < 0) {
    fail_read (self, error);
    return REEVE_DATA_STREAM_FAILED;
  }
  if (n_read == 0)
    return REEVE_DATA_STREAM_END;

  reeve_data_stream_commit (stream, (size_t) n_read);
  self->offset += n_read;
  return REEVE_DATA_STREAM_MORE;
}

static ReeveDataStreamNext
give (ReeveDataStream *stream, gpointer user_data, GError **error)
{
  Transfer *self = user_data;
  int64_t from = self->offset;
  int64_t data_end = self->end;

  if (self->offset >= self->end)
    return REEVE_DATA_STREAM_END;
  if (self->is_sparse && !skip_hole (self, stream, &data_end, error))
    return REEVE_DATA_STREAM_FAILED;
  if (self->offset > from)
    return REEVE_DATA_STREAM_MORE;
  return send_data (self, stream, data_end, error);
}

static const ReeveDataStreamFuncs download_funcs = {
  .send = give,
};

/* ---------------------------------------------------------------- open --- */

static gboolean
open_transfer (ReeveCall *call,
               ReeveVolumeUse *use,
               const ReeveStorageRange *range,
               int flags,
               const ReeveDataStreamFuncs *funcs,
               GError **error)
{
  g_autoptr (Transfer) self = g_new0 (Transfer, 1);

  self->use = use;
  self->fd = -1;
  self->is_sparse = range->is_sparse;
  if (range->offset > INT64_MAX || range->length > INT64_MAX - range->offset) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                         _ ("offset and length are beyond any volume"));
    return FALSE;
  }

  self->offset = (int64_t) range->offset;
  self->end =
      range->length == 0 ? INT64_MAX : self->offset + (int64_t) range->length;
  self->fd = reeve_volume_open (use, flags, error);
  if (self->fd < 0)
    return FALSE;

  (void) posix_fadvise (self->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  return reeve_data_stream_open (call, funcs, g_steal_pointer (&self),
                                 transfer_free, error) != NULL;
}

gboolean
reeve_storage_open_upload (ReeveCall *call,
                           ReeveVolumeUse *use,
                           const ReeveStorageRange *range,
                           GError **error)
{
  return open_transfer (call, use, range, O_WRONLY,
                        range->is_sparse ? &sparse_upload_funcs : &upload_funcs,
                        error);
}

gboolean
reeve_storage_open_download (ReeveCall *call,
                             ReeveVolumeUse *use,
                             const ReeveStorageRange *range,
                             GError **error)
{
  return open_transfer (call, use, range, O_RDONLY, &download_funcs, error);
}
