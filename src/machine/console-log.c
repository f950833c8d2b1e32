/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/console-log.h"

#include "event/fd.h"
#include "event/intl.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

/* Three numbers of 20 digits, each with a blank or line end behind it. */
#define MARK_BYTES 63

void
reeve_console_log_init (ReeveConsoleLog *self,
                        const char *path,
                        const char *mark_path,
                        size_t max_bytes,
                        unsigned n_old)
{
  *self = (ReeveConsoleLog){
    .path = g_strdup (path),
    .mark_path = g_strdup (mark_path),
    .max_bytes = max_bytes,
    .n_old = n_old,
  };
}

void
reeve_console_log_clear (ReeveConsoleLog *self)
{
  g_clear_pointer (&self->path, g_free);
  g_clear_pointer (&self->mark_path, g_free);
}

static void
set_mark (ReeveConsoleLog *self, const struct stat *file, uint64_t position)
{
  self->mark_file = file->st_ino;
  self->mark_size = (uint64_t) file->st_size;
  self->mark_position = position;
}

/* Always as long, and in one write: whoever is killed leaves the old one or
 * the new one. */
static void
write_mark (ReeveConsoleLog *self)
{
  char text[MARK_BYTES + 1];
  REEVE_AUTOFD int fd =
      open (self->mark_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  g_snprintf (text, sizeof text,
              "%020" PRIu64 " %020" PRIu64 " %020" PRIu64 "\n",
              (uint64_t) self->mark_file, self->mark_size, self->mark_position);
  if (fd < 0 || write (fd, text, MARK_BYTES) != MARK_BYTES)
    g_warning ("%s: %s", self->mark_path, g_strerror (errno));
}

static gboolean
read_mark (ReeveConsoleLog *self)
{
  char text[MARK_BYTES + 1] = { 0 };
  uint64_t file;
  REEVE_AUTOFD int fd = open (self->mark_path, O_RDONLY | O_CLOEXEC);

  if (fd < 0 || read (fd, text, MARK_BYTES) != MARK_BYTES ||
      sscanf (text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &file, &self->mark_size,
              &self->mark_position) != 3)
    return FALSE;
  self->mark_file = (ino_t) file;
  return TRUE;
}

/* Whether the end of @file is at that position of the text. */
static gboolean
is_at (const ReeveConsoleLog *self, const struct stat *file, uint64_t position)
{
  return file->st_ino == self->mark_file &&
         (uint64_t) file->st_size - self->mark_size ==
             position - self->mark_position;
}

static char *
dup_old_path (const ReeveConsoleLog *self, unsigned n)
{
  return g_strdup_printf ("%s.%u", self->path, n);
}

uint64_t
reeve_console_log_find_position (ReeveConsoleLog *self)
{
  g_autofree char *old_path = dup_old_path (self, 1);
  const char *const paths[] = { self->path, old_path };
  struct stat file;

  if (!read_mark (self))
    return 0;

  /* The daemon may have been killed between a rotation and the new mark. */
  for (size_t i = 0; i < G_N_ELEMENTS (paths); i++) {
    if (stat (paths[i], &file) == 0 && file.st_ino == self->mark_file &&
        (uint64_t) file.st_size >= self->mark_size)
      return self->mark_position + (uint64_t) file.st_size - self->mark_size;
  }
  return self->mark_position;
}

static int
open_file (const ReeveConsoleLog *self, struct stat *file)
{
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  REEVE_AUTOFD int fd = open (self->path, flags, 0600);
  g_autofree char *folder = NULL;

  if (fd < 0 && errno == ENOENT) {
    folder = g_path_get_dirname (self->path);
    (void) g_mkdir_with_parents (folder, 0700);
    fd = open (self->path, flags, 0600);
  }
  if (fd < 0 || fstat (fd, file) < 0)
    return -1;
  return g_steal_fd (&fd);
}

static void
rotate (const ReeveConsoleLog *self)
{
  if (self->n_old == 0) {
    (void) unlink (self->path);
    return;
  }
  for (unsigned n = self->n_old; n > 0; n--) {
    g_autofree char *from =
        n == 1 ? g_strdup (self->path) : dup_old_path (self, n - 1);
    g_autofree char *to = dup_old_path (self, n);

    (void) rename (from, to);
  }
}

static gboolean
append (ReeveConsoleLog *self,
        uint64_t position,
        const uint8_t *data,
        size_t size)
{
  struct stat file;
  REEVE_AUTOFD int fd = open_file (self, &file);
  ssize_t written;

  if (fd >= 0 && file.st_size > 0 &&
      (uint64_t) file.st_size + size > self->max_bytes) {
    rotate (self);
    reeve_fd_clear (&fd);
    fd = open_file (self, &file);
  }
  if (fd < 0)
    return FALSE;

  if (!is_at (self, &file, position)) {
    set_mark (self, &file, position);
    write_mark (self);
  }
  written = write (fd, data, size);
  if (written >= 0 && written < (ssize_t) size)
    errno = ENOSPC;
  return written == (ssize_t) size;
}

void
reeve_console_log_append (ReeveConsoleLog *self,
                          uint64_t position,
                          const uint8_t *data,
                          size_t size)
{
  gboolean is_failing;

  if (self->max_bytes == 0)
    return;

  is_failing = !append (self, position, data, size);
  if (is_failing && !self->is_failing)
    g_warning (_ ("%1$s: %2$s; the console's text is not logged"), self->path,
               g_strerror (errno));
  self->is_failing = is_failing;
}
