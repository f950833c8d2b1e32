/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/log.h"

#include <glib/gstdio.h>
#include <string.h>

/* A log in a file of its own. */
typedef struct {
  char *folder;  /* (owned) */
  char *path;    /* (owned): in it */
  char *outputs; /* (owned) */
} LogFixture;

/* @others: outputs besides the file, each with a space behind it */
static inline void
log_fixture_set_up (LogFixture *self, const char *others)
{
  self->folder = g_dir_make_tmp ("reeve-log-XXXXXX", NULL);
  self->path = g_build_filename (self->folder, "log", NULL);
  self->outputs = g_strdup_printf ("%s1:file:%s", others, self->path);
  g_assert_true (reeve_log_set_outputs (self->outputs, NULL));
}

static inline void
log_fixture_tear_down (LogFixture *self)
{
  reeve_log_set_level (G_LOG_LEVEL_MESSAGE);
  g_assert_true (reeve_log_set_defaults (NULL, NULL, NULL));
  g_unlink (self->path);
  g_rmdir (self->folder);
  g_free (self->outputs);
  g_free (self->path);
  g_free (self->folder);
}

static inline unsigned
log_fixture_count_lines (LogFixture *self, const char *words)
{
  g_autofree char *content = NULL;
  g_auto (GStrv) lines = NULL;
  unsigned n_lines = 0;

  g_assert_true (g_file_get_contents (self->path, &content, NULL, NULL));
  lines = g_strsplit (content, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    n_lines += strstr (*line, words) != NULL;
  return n_lines;
}
