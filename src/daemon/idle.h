/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"

G_BEGIN_DECLS

/**
 * ReeveIdle:
 *
 * Finds out that there has been nothing to do for some time. While a time is
 * set it looks once in a second, so it is up to two seconds late, and never
 * early.
 */
typedef struct _ReeveIdle ReeveIdle;

/**
 * ReeveIdleFunc:
 *
 * Returns: whether there is something to do, or was since the last look
 */
typedef gboolean (*ReeveIdleFunc) (gpointer data);

/* @is_busy and @ended are called in the loop's thread; @ended once. No time is
 * set. Thread: loop. */
ReeveIdle *reeve_idle_new (ReeveLoop *loop,
                           ReeveIdleFunc is_busy,
                           ReeveLoopFunc ended,
                           gpointer data);
/* Thread: loop, or owner when the loop does not run. */
void reeve_idle_free (ReeveIdle *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveIdle, reeve_idle_free)

/* There is something to do until it was released as often. Thread: any. */
void reeve_idle_hold (ReeveIdle *self);
void reeve_idle_release (ReeveIdle *self);

/* Starts the time anew; 0 seconds: for ever. Thread: any. */
void reeve_idle_set_timeout (ReeveIdle *self, unsigned seconds);

G_END_DECLS
