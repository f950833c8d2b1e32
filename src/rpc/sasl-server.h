/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"
#include "rpc/call.h"
#include "rpc/sasl-session.h"

G_BEGIN_DECLS

/**
 * ReeveSaslServer:
 *
 * Runs the exchanges of a server's clients, in a thread of its own: they read
 * the file of passwords, they compute for as long as the mechanism wants, and
 * anybody who can connect can make them. So that no worker waits for a guess
 * either, a failure is kept for a while before it is told; after the third the
 * connection is closed. Guesses are no faster over many connections: those of
 * one peer have a pace (rpc/guess-pace.h), and wait for their turn.
 */
typedef struct _ReeveSaslServer ReeveSaslServer;

/**
 * reeve_sasl_server_new:
 * @options: (transfer none): outlives the server and its clients
 * @names: (nullable): patterns, one of which a client's name must match;
 *   outlives the server
 *
 * Thread: owner; blocks.
 * Errors: %REEVE_ERROR_NO_SUPPORT.
 *
 * Returns: (transfer full)
 */
ReeveSaslServer *reeve_sasl_server_new (ReeveLoop *loop,
                                        const ReeveSaslOptions *options,
                                        const char *const *names,
                                        GError **error);
/* Waits for the exchange that runs; forgets those that are left, whose clients
 * must be closed. Thread: loop, or owner after the loop. */
void reeve_sasl_server_free (ReeveSaslServer *self);

/* @call: (transfer full): a deferred one of sasl_init, sasl_start and
 * sasl_step, by a client that is to authenticate by SASL. Thread: any. */
void reeve_sasl_server_take (ReeveSaslServer *self, ReeveCall *call);

G_END_DECLS
