/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What one place in the code may write: so many messages in so much time. */
#define REEVE_LOG_LIMIT_BURST 500
#define REEVE_LOG_LIMIT_WINDOW_US (10 * G_USEC_PER_SEC)

/**
 * ReeveLogLimit:
 *
 * Keeps a place in the code from filling the log, as it could when a stranger
 * does again and again what is worth a message. Only one thread at a time may
 * use it.
 */
typedef struct _ReeveLogLimit ReeveLogLimit;

ReeveLogLimit *reeve_log_limit_new (void);
void reeve_log_limit_free (ReeveLogLimit *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveLogLimit, reeve_log_limit_free)

typedef enum {
  REEVE_LOG_LIMIT_WRITE,
  REEVE_LOG_LIMIT_WRITE_LAST, /* those that follow it are left out */
  REEVE_LOG_LIMIT_LEAVE_OUT,
} ReeveLogVerdict;

/**
 * reeve_log_limit_judge:
 * @file: compared as a pointer, as @line
 * @now_us: in g_get_monotonic_time()'s time
 * @n_left_out: (out): messages of that place that were left out before this
 *   one, if it is the first to be written again; else 0
 */
ReeveLogVerdict reeve_log_limit_judge (ReeveLogLimit *self,
                                       const char *file,
                                       const char *line,
                                       gint64 now_us,
                                       unsigned *n_left_out);

G_END_DECLS
