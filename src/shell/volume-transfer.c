/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/volume-transfer.h"

#include "client/connection-stream.h"
#include "event/fd.h"
#include "event/intl.h"
#include "rpc/data-stream.h"
#include "rpc/error.h"
#include "shell/output.h"
#include "shell/volume-name.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SPARSE_STREAM (1u << 0)

typedef struct {
  ReeveShell *shell;
  ReeveConnectionStream *stream; /* (owned) (nullable) */
  const char *path;
  int fd;           /* (owned) */
  gboolean is_file; /* that can have holes, and a position */
  gboolean is_sparse;
  int64_t offset; /* in the file */
} Transfer;

static void
transfer_clear (Transfer *self)
{
  g_clear_pointer (&self->stream, reeve_connection_stream_free);
  reeve_fd_clear (&self->fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Transfer, transfer_clear)

/* ---------------------------------------------------------------- open --- */

static gboolean
open_file (Transfer *self, int flags, GError **error)
{
  gboolean is_output = (flags & O_WRONLY) != 0;
  struct stat info;

  self->fd =
      g_str_equal (self->path, "-")
          ? fcntl (is_output ? STDOUT_FILENO : STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
          : open (self->path, flags | O_CLOEXEC, 0666);
  if (self->fd < 0)
    return reeve_error_from_errno (error, errno, "%s", self->path);

  self->is_file = fstat (self->fd, &info) == 0 && S_ISREG (info.st_mode);
  if (self->is_file)
    self->offset = MAX (lseek (self->fd, 0, SEEK_CUR), 0);
  return TRUE;
}

/* Upload and download have the same arguments. */
static gboolean
open_stream (Transfer *self,
             const ReeveArguments *arguments,
             int32_t procedure,
             GError **error)
{
  ReeveConnection *connection;
  remote_storage_vol_upload_args args = { 0 };

  if (!reeve_arguments_get_size (arguments, "offset", &args.offset, error) ||
      !reeve_arguments_get_size (arguments, "length", &args.length, error) ||
      !reeve_volume_name_get (self->shell, arguments, &args.vol, error))
    return FALSE;

  self->is_sparse = reeve_arguments_has (arguments, "sparse");
  args.flags = self->is_sparse ? SPARSE_STREAM : 0;
  connection = reeve_shell_connect (self->shell, error);
  if (connection != NULL)
    self->stream = reeve_connection_open_stream (
        connection, &remote_program,
        reeve_program_find (&remote_program, procedure), &args, NULL,
        self->shell->timeout_ms, NULL, error);
  remote_storage_vol_upload_args_clear (&args);
  return self->stream != NULL;
}

/* The server writes to its disk before it answers, which takes its time. */
static gboolean
finish (Transfer *self, GError **error)
{
  int timeout_ms = self->shell->timeout_ms;

  return reeve_connection_stream_finish (
      self->stream, timeout_ms < 0 ? G_MAXINT : timeout_ms, NULL, error);
}

/* -------------------------------------------------------------- upload --- */

/* How much data comes next; 0 after a hole was sent, -1 on failure. */
static int64_t
skip_hole (Transfer *self, GError **error)
{
  int64_t data = lseek (self->fd, self->offset, SEEK_DATA);
  int64_t end;

  if (data < 0 && errno == ENXIO)
    data = MAX (lseek (self->fd, 0, SEEK_END), self->offset);
  if (data < 0) {
    reeve_error_from_errno (error, errno, "%s", self->path);
    return -1;
  }
  if (data > self->offset) {
    int64_t hole = data - self->offset;

    self->offset = data;
    return reeve_connection_stream_write_hole (
               self->stream, hole, self->shell->timeout_ms, NULL, error)
               ? 0
               : -1;
  }

  end = lseek (self->fd, self->offset, SEEK_HOLE);
  if (lseek (self->fd, self->offset, SEEK_SET) < 0 || end < 0)
    end = self->offset + REEVE_DATA_STREAM_CHUNK;
  return end - self->offset;
}

/* Returns the bytes that were sent, 0 at the end, -1 on failure. */
static ssize_t
send_some (Transfer *self, uint8_t *buffer, size_t size, GError **error)
{
  ssize_t n_read;

  do
    n_read = read (self->fd, buffer, size);
  while (n_read < 0 && errno == EINTR);
  if (n_read < 0) {
    reeve_error_from_errno (error, errno, "%s", self->path);
    return -1;
  }

  self->offset += n_read;
  if (n_read > 0 &&
      !reeve_connection_stream_write (self->stream, buffer, (size_t) n_read,
                                      self->shell->timeout_ms, NULL, error))
    return -1;
  return n_read;
}

static gboolean
send_all (Transfer *self, GError **error)
{
  g_autofree uint8_t *buffer = g_malloc (REEVE_DATA_STREAM_CHUNK);
  gboolean has_holes = self->is_sparse && self->is_file;
  ssize_t n_sent;

  do {
    int64_t left = REEVE_DATA_STREAM_CHUNK;

    do
      left = has_holes ? skip_hole (self, error) : left;
    while (left == 0);
    if (left < 0)
      return FALSE;
    n_sent = send_some (self, buffer,
                        (size_t) MIN (left, (int64_t) REEVE_DATA_STREAM_CHUNK),
                        error);
  } while (n_sent > 0);

  return n_sent == 0;
}

gboolean
reeve_volume_upload (ReeveShell *shell,
                     const ReeveArguments *arguments,
                     GError **error)
{
  g_auto (Transfer) self = {
    .shell = shell,
    .path = reeve_arguments_get (arguments, "file"),
    .fd = -1,
  };

  if (!open_file (&self, O_RDONLY, error) ||
      !open_stream (&self, arguments, REMOTE_PROC_STORAGE_VOL_UPLOAD, error) ||
      !send_all (&self, error) || !finish (&self, error))
    return FALSE;

  reeve_output_done (shell, reeve_arguments_get (arguments, "vol"),
                     _ ("Volume '%1$s' filled from %2$s"),
                     reeve_arguments_get (arguments, "vol"), self.path);
  return TRUE;
}

/* ------------------------------------------------------------ download --- */

static gboolean
write_all (Transfer *self, const uint8_t *data, size_t size, GError **error)
{
  self->offset += (int64_t) size;
  if (!reeve_fd_write_all (self->fd, data, size))
    return reeve_error_from_errno (error, errno, "%s", self->path);
  return TRUE;
}

/* A hole in a file that was empty; zeros anywhere else. */
static gboolean
write_hole (Transfer *self, int64_t length, GError **error)
{
  static const uint8_t zeros[65536];

  if (self->is_file) {
    self->offset += length;
    if (ftruncate (self->fd, self->offset) < 0 ||
        lseek (self->fd, self->offset, SEEK_SET) < 0)
      return reeve_error_from_errno (error, errno, "%s", self->path);
    return TRUE;
  }

  for (; length > 0; length -= MIN (length, (int64_t) sizeof zeros))
    if (!write_all (self, zeros, (size_t) MIN (length, (int64_t) sizeof zeros),
                    error))
      return FALSE;
  return TRUE;
}

static gboolean
receive_all (Transfer *self, GError **error)
{
  for (;;) {
    int64_t hole;
    g_autoptr (GBytes) part = reeve_connection_stream_read (
        self->stream, &hole, self->shell->timeout_ms, NULL, error);
    const uint8_t *data;
    gsize size;

    if (part == NULL)
      return FALSE;
    data = g_bytes_get_data (part, &size);
    if (size == 0 && hole == 0)
      return TRUE;
    if (hole > 0 ? !write_hole (self, hole, error)
                 : !write_all (self, data, size, error))
      return FALSE;
  }
}

gboolean
reeve_volume_download (ReeveShell *shell,
                       const ReeveArguments *arguments,
                       GError **error)
{
  g_auto (Transfer) self = {
    .shell = shell,
    .path = reeve_arguments_get (arguments, "file"),
    .fd = -1,
  };

  /* A volume that is not there leaves the file alone. */
  if (!open_stream (&self, arguments, REMOTE_PROC_STORAGE_VOL_DOWNLOAD,
                    error) ||
      !open_file (&self, O_WRONLY | O_CREAT | O_TRUNC, error) ||
      !receive_all (&self, error) || !finish (&self, error))
    return FALSE;

  if (!g_str_equal (self.path, "-"))
    reeve_output_done (shell, reeve_arguments_get (arguments, "vol"),
                       _ ("Volume '%1$s' copied to %2$s"),
                       reeve_arguments_get (arguments, "vol"), self.path);
  return TRUE;
}
