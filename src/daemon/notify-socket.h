/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * ReeveNotifySocket:
 *
 * Where a process hears what a child of its does, in place of systemd: the
 * other end of #ReeveNotify.
 *
 * Not thread-safe.
 */
typedef struct _ReeveNotifySocket ReeveNotifySocket;

/* What is longer is cut. */
#define REEVE_NOTIFY_MAX_SIZE 4096

/* Errors: REEVE_ERROR_SYSTEM. */
ReeveNotifySocket *reeve_notify_socket_new (GError **error);
void reeve_notify_socket_free (ReeveNotifySocket *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveNotifySocket, reeve_notify_socket_free)

/* (transfer none): for reeve_notify_new(). */
const char *reeve_notify_socket_get_path (const ReeveNotifySocket *self);
/* To poll for reading. */
int reeve_notify_socket_get_fd (const ReeveNotifySocket *self);

/**
 * reeve_notify_socket_receive:
 * @sender: whose messages count; those of others are dropped
 * @fd: (out): what came with it, or -1
 *
 * Does not wait.
 *
 * Returns: (transfer full) (nullable): the lines of the next message, as
 *   variables with their values; %NULL when there is none
 */
GHashTable *
reeve_notify_socket_receive (ReeveNotifySocket *self, pid_t sender, int *fd);

G_END_DECLS
