/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveStopGuard:
 *
 * Ends the process with status 1 when its orderly stop takes too long, with a
 * line in the log; and at once on another SIGTERM or SIGINT.
 */
typedef struct _ReeveStopGuard ReeveStopGuard;

/* When the loop does not run any more. Thread: owner. */
ReeveStopGuard *reeve_stop_guard_new (unsigned timeout_s);
/* The stop is done. */
void reeve_stop_guard_free (ReeveStopGuard *self);

G_END_DECLS
