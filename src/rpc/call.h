/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/program.h"
#include "rpc/server-client.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/*
 * ReeveCall: one call of a client, from its decoding to its reply. A handler
 * gets it as its first argument and either returns its result, or defers: it
 * keeps the call and answers later, from any thread. Every call is answered
 * exactly once: by its handler, by its deadline, or not at all when its client
 * went away.
 */

/* (transfer none): who calls. */
ReeveServerClient *reeve_call_get_client (ReeveCall *self);
/* (transfer none): which procedure of which program. */
const ReeveProcedure *reeve_call_get_procedure (ReeveCall *self);
const ReeveProgram *reeve_call_get_program (ReeveCall *self);
/* What was given to reeve_server_add_program(). */
gpointer reeve_call_get_user_data (ReeveCall *self);
/**
 * reeve_call_move_to_pool:
 *
 * For the handler of an inline procedure which finds that this call takes
 * longer than a loop may wait, before it has done anything else: it returns
 * %TRUE, its `ret` is not used, and it is called once more, by a worker.
 *
 * Thread: the handler's.
 *
 * Returns: %FALSE where a worker runs the call already
 */
gboolean reeve_call_move_to_pool (ReeveCall *self);

/* In g_get_monotonic_time()'s time. */
gint64 reeve_call_get_deadline_us (ReeveCall *self);

/**
 * reeve_call_get_cancellable:
 *
 * Cancelled when the client goes away and when the deadline passes.
 *
 * Thread: any, while the caller holds the call.
 *
 * Returns: (transfer none)
 */
GCancellable *reeve_call_get_cancellable (ReeveCall *self);

/**
 * reeve_call_defer:
 *
 * Called by the handler, before it hands the call to whoever will answer it.
 * The handler then returns %TRUE; its `ret` is not used. The arguments of the
 * call stay valid until it is answered.
 *
 * Thread: the handler's.
 *
 * Returns: (transfer full): the call, for exactly one of reeve_call_reply()
 * and reeve_call_fail()
 */
ReeveCall *reeve_call_defer (ReeveCall *self);

/**
 * reeve_call_reply:
 * @self: (transfer full): a deferred call
 * @ret: (transfer none): a value of the procedure's return type; ignored for
 *   void
 *
 * Answers. Nothing is sent when the call was answered by its deadline, or its
 * client is gone. Never blocks. Thread: any.
 */
void reeve_call_reply (ReeveCall *self, gconstpointer ret);

/**
 * reeve_call_fail:
 * @self: (transfer full): a deferred call
 * @failure: (transfer none): why
 *
 * As reeve_call_reply(), with an error.
 */
void reeve_call_fail (ReeveCall *self, const GError *failure);

/**
 * reeve_call_lend_ret:
 * @owner: (transfer full): of all that the handler's result points to
 * @free_func: frees @owner, once the reply was written or copied, or the call
 *   has failed
 *
 * Instead of making copies that are freed with the result, a handler that does
 * not defer its call may return what somebody else owns. Thread: the
 * handler's, once.
 */
void
reeve_call_lend_ret (ReeveCall *self, gpointer owner, GDestroyNotify free_func);

/* How many file descriptors came with the call: 0 unless its procedure takes
 * some. Thread: the handler's, as what follows. */
unsigned reeve_call_get_n_fds (ReeveCall *self);

/* (transfer full): the @index-th of them (close-on-exec), or -1 if it was taken
 * before. Those that are not taken are closed with the call. */
int reeve_call_steal_fd (ReeveCall *self, unsigned index);

/**
 * reeve_call_add_reply_fd:
 * @fd: (transfer full): closed on failure, too
 *
 * Sends @fd with the reply, behind those that were added before; an error has
 * none. Before the handler returns, or by whoever answers the deferred call.
 *
 * Errors: %REEVE_ERROR_NO_SUPPORT for a client that is not on a unix socket,
 * %REEVE_ERROR_LIMIT for more than a message may have, or than the client may
 * have waiting for it.
 */
gboolean reeve_call_add_reply_fd (ReeveCall *self, int fd, GError **error);

/* Closes the client's connection once the reply to this call was written.
 * Thread: the handler's. */
void reeve_call_close_after_reply (ReeveCall *self);

G_END_DECLS
