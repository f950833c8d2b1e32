/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * Tickets that servers gave to the clients of this process, in memory alone: a
 * few, each for one use, the oldest forgotten first. A key names the server and
 * whoever comes to it. Thread: any.
 */

/* @ticket: (transfer full): takes the place of one with the same key. */
void reeve_tls_tickets_keep (const char *key, GBytes *ticket);
/* (transfer full) (nullable) */
GBytes *reeve_tls_tickets_take (const char *key);

G_END_DECLS
