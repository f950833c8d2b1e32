/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * ReeveConsoleLog:
 *
 * A file that takes a console's text, run after run, and is rotated by size:
 * FILE, FILE.1, FILE.2, … from the newest to the oldest. A mark, a small file
 * elsewhere, ties the log to the text of this run, so that a daemon that was
 * killed leaves neither a hole nor a double in it. Somebody else may move or
 * remove the files.
 *
 * Embed it. Thread: one at a time, which may wait for a disk.
 */
typedef struct {
  char *path;       /* immutable */
  char *mark_path;  /* immutable */
  size_t max_bytes; /* of one file; 0: there is no log. immutable */
  unsigned n_old;   /* files that are kept beside the newest. immutable */
  gboolean is_failing;

  /* The mark: byte @mark_position of the text is byte @mark_size of the file
   * @mark_file. */
  ino_t mark_file; /* 0: none */
  uint64_t mark_size;
  uint64_t mark_position;
} ReeveConsoleLog;

void reeve_console_log_init (ReeveConsoleLog *self,
                             const char *path,
                             const char *mark_path,
                             size_t max_bytes,
                             unsigned n_old);
void reeve_console_log_clear (ReeveConsoleLog *self);

/**
 * reeve_console_log_find_position:
 *
 * Returns: up to which position of its text an earlier daemon wrote the log;
 * 0 if that is not known
 */
uint64_t reeve_console_log_find_position (ReeveConsoleLog *self);

/* Writes what stands at @position of the text. A log that cannot be written
 * is warned of once, until it can be again. */
void reeve_console_log_append (ReeveConsoleLog *self,
                               uint64_t position,
                               const uint8_t *data,
                               size_t size);

G_END_DECLS
