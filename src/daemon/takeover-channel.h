/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "protocol/takeover.h"

#include <glib.h>

G_BEGIN_DECLS

/*
 * What the two daemons of a takeover say to each other: one message for each
 * packet of a SOCK_SEQPACKET socket, with file descriptors.
 */

/* Of the messages; another one is refused. */
#define REEVE_TAKEOVER_PROTOCOL 1

#define REEVE_TAKEOVER_MAX_PACKET 4096u
#define REEVE_TAKEOVER_MAX_PACKET_FDS 128u

/* For a union whose words are not owned. Errors: %REEVE_ERROR_SYSTEM;
 * %REEVE_ERROR_TIMED_OUT at @deadline_us; %REEVE_ERROR_CLOSED if the peer is
 * gone. @fds: (array length=n_fds) */
gboolean reeve_takeover_send (int socket,
                              const takeover_message *message,
                              const int *fds,
                              unsigned n_fds,
                              gint64 deadline_us,
                              GError **error);

/**
 * reeve_takeover_receive:
 * @message: (out caller-allocates)
 * @fds: (element-type int): takes what came with it
 *
 * Waits for the next message until @deadline_us; with 0, only takes one that
 * is there.
 *
 * Errors: as above; %REEVE_ERROR_RPC for what is no message.
 */
gboolean reeve_takeover_receive (int socket,
                                 takeover_message *message,
                                 GArray *fds,
                                 gint64 deadline_us,
                                 GError **error);

/* (transfer full): as much of it as a message has room for. */
char *reeve_takeover_cut_words (const char *text);

/* Closes those that are left. */
void reeve_takeover_drop_fds (GArray *fds);

/* (transfer full): the path of the socket. */
char *reeve_takeover_make_path (const char *run_dir, const char *name);

/* Fills in the address. Errors: REEVE_ERROR_INVALID_ARG for one too long. */
gboolean reeve_takeover_fill_address (gpointer address,
                                      const char *path,
                                      GError **error);

G_END_DECLS
