/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/data-stream.h"
#include "rpc/saved-state.h"
#include "rpc/server.h"

G_BEGIN_DECLS

/*
 * A server that another process goes on with: it is frozen, its calls end, it
 * is saved there and restored here, thawed. See docs/takeover.md. Everything
 * is called in the loop's thread, or by the owner before the loop runs, unless
 * it says otherwise.
 */

/**
 * ReeveServerAttachment:
 * @name: of it in the saved state
 * @key: as of reeve_server_client_attach()
 * @save: appends what @data says; with no lock held. %FALSE with @error set
 * @restore: (nullable): attaches it again
 *
 * What a program keeps for its clients, and how that goes along. What has none
 * of these is left behind; and so is a client with such data that did not
 * authenticate yet.
 */
typedef struct {
  const char *name;
  gconstpointer key;
  gboolean (*save) (ReeveServerClient *client,
                    gpointer data,
                    ReeveSavedState *state,
                    GByteArray *saved,
                    GError **error);
  gboolean (*restore) (ReeveServerClient *client,
                       ReeveStateReader *reader,
                       ReeveSavedState *state,
                       gpointer user_data,
                       GError **error);
} ReeveServerAttachment;

/**
 * ReeveServerStreamKind:
 * @name: of it in the saved state
 * @funcs: of streams of this kind
 * @save: as of #ReeveServerAttachment, with the stream's user data
 * @restore: makes its user data (transfer full) anew; %NULL with @error set
 *   ends the stream with that error, and nothing else
 * @restored: (nullable): the stream is there
 * @free_func: as of reeve_data_stream_open()
 *
 * Data streams that go on in another process. What is of no such kind has to
 * end before.
 */
typedef struct {
  const char *name;
  const ReeveDataStreamFuncs *funcs;
  gboolean (*save) (gpointer stream_data,
                    ReeveSavedState *state,
                    GByteArray *saved,
                    GError **error);
  gpointer (*restore) (ReeveStateReader *reader,
                       ReeveSavedState *state,
                       gpointer user_data,
                       GError **error);
  void (*restored) (ReeveDataStream *stream, gpointer stream_data);
  GDestroyNotify free_func;
} ReeveServerStreamKind;

/* Before the server listens. The constants outlive it. */
void reeve_server_add_attachment (ReeveServer *self,
                                  const ReeveServerAttachment *attachment,
                                  gpointer user_data);
void reeve_server_add_stream_kind (ReeveServer *self,
                                   const ReeveServerStreamKind *kind,
                                   gpointer user_data);

/**
 * reeve_server_can_freeze:
 * @why: (out) (optional) (transfer full): what has to end before, if so
 *
 * Whether nothing goes on that could not end while the server is frozen.
 */
gboolean reeve_server_can_freeze (ReeveServer *self, char **why);

/**
 * reeve_server_freeze:
 *
 * From now on no connection is accepted, and nothing is read from clients. What
 * runs goes on, and is answered. A server that is frozen before it has clients
 * stays silent until it is thawed.
 */
void reeve_server_freeze (ReeveServer *self);
void reeve_server_thaw (ReeveServer *self);
/* Thread: any. */
gboolean reeve_server_is_frozen (ReeveServer *self);

/* Whether nothing runs any more, so that it can be saved; then its threads
 * stand still until it is thawed or stopped. @why: as above. */
gboolean reeve_server_is_quiet (ReeveServer *self, char **why);

/**
 * reeve_server_save:
 *
 * Adds the server's clients to @state. Those that cannot move are not in it:
 * which speak TLS, or SASL that encrypts, or are about to; and which are in the
 * middle of a batch of JSON, and do not read their replies.
 *
 * Errors: of what attachments and streams say; %REEVE_ERROR_RPC over a limit.
 */
gboolean
reeve_server_save (ReeveServer *self, ReeveSavedState *state, GError **error);

/**
 * reeve_server_restore:
 *
 * Makes the clients that are in @state. The server is frozen; nothing is read
 * from them, nor written to them, before it is thawed.
 *
 * Errors: of reeve_saved_state_find() and of attachments; the server is to be
 * stopped then.
 */
gboolean reeve_server_restore (ReeveServer *self,
                               ReeveSavedState *state,
                               GError **error);

G_END_DECLS
