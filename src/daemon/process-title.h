/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveProcessTitle:
 *
 * The place of the process's command line, where ps(1) finds it.
 *
 * Not thread-safe.
 */
typedef struct _ReeveProcessTitle ReeveProcessTitle;

/* @argv: (transfer none): of main(). */
ReeveProcessTitle *reeve_process_title_new (int argc, char **argv);
/* Puts back what was there. */
void reeve_process_title_free (ReeveProcessTitle *self);

/* What is longer than the command line was ends in "...". */
void reeve_process_title_set (ReeveProcessTitle *self, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

G_END_DECLS
