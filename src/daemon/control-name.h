/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * The name by which Open vSwitch's clients find a daemon's socket: a link
 * NAME.PID.ctl to it, beside its pid file NAME.pid.
 */

/* Makes the link to NAME.sock in the same directory, and removes those of
 * processes that are no more. Fails with a warning alone. */
void reeve_control_name_make (const char *directory, const char *name);
void reeve_control_name_remove (const char *directory, const char *name);

G_END_DECLS
