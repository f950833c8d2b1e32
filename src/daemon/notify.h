/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/**
 * ReeveNotify:
 *
 * Tells who supervises the daemon, systemd or the monitor, what it does: by
 * sd_notify(3)'s datagrams to `$NOTIFY_SOCKET`. Where nobody wants to hear,
 * nothing is sent.
 *
 * Immutable. Thread: any.
 */
typedef struct _ReeveNotify ReeveNotify;

/**
 * reeve_notify_new_from_environment:
 *
 * Removes `$NOTIFY_SOCKET`, `$WATCHDOG_USEC`, `$WATCHDOG_PID` and `$FDSTORE`
 * from the environment, so that no child speaks for us. What cannot be
 * understood is left with a warning.
 *
 * Thread: owner, before there are others.
 *
 * Returns: (transfer full)
 */
ReeveNotify *reeve_notify_new_from_environment (void);

/**
 * reeve_notify_new:
 * @path: (nullable): a socket; with '@' in front, an abstract one
 * @keeps_fds: whether what is stored comes back
 * @watchdog_us: the longest time between two WATCHDOG=1, or 0
 *
 * Returns: (transfer full)
 */
ReeveNotify *
reeve_notify_new (const char *path, gboolean keeps_fds, uint64_t watchdog_us);
void reeve_notify_free (ReeveNotify *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveNotify, reeve_notify_free)

/**
 * reeve_notify_dup_path:
 *
 * Returns: (transfer full) (nullable): as of reeve_notify_new(); %NULL where
 *   nobody wants to hear
 */
char *reeve_notify_dup_path (const ReeveNotify *self);

/* From now on it speaks to whom @other (transfer full) speaks to. Owner, before
 * others use it. */
void reeve_notify_become (ReeveNotify *self, ReeveNotify *other);

/* In microseconds, the longest time between two WATCHDOG=1; 0: none are
 * wanted. */
uint64_t reeve_notify_get_watchdog (const ReeveNotify *self);

/* Whether file descriptors that are stored come back at the next start. */
gboolean reeve_notify_keeps_fds (const ReeveNotify *self);

/**
 * reeve_notify_send:
 * @format: lines such as `READY=1`, with newlines between them
 *
 * Waits a tenth of a second at most.
 *
 * Returns: whether it was sent
 */
gboolean reeve_notify_send (const ReeveNotify *self, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

/* Lets the supervisor keep @fd (transfer none) for the next start, when it
 * comes as a file descriptor of that name. */
gboolean reeve_notify_store (const ReeveNotify *self, const char *name, int fd);

/* RELOADING=1 and what goes with it; READY=1 ends it. */
void reeve_notify_reloading (const ReeveNotify *self);

G_END_DECLS
