/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/server-private.h"

G_BEGIN_DECLS

/*
 * One loop of a server, with all that belongs to the loop's thread: which of
 * its clients have calls in flight or replies that wait, and what a read needs.
 * A client belongs to one of them for its life, and `home` says which. Where
 * nothing else is said, everything here is of that thread, or of whoever owns
 * the server while the loop does not run.
 */
struct _ReeveServerLoop {
  ReeveServer *server; /* not a reference; immutable, as what follows */
  ReeveLoop *loop;     /* (owned) */

  int sweep;
  GPtrArray *calling; /* (element-type ReeveServerClient) (owned): who had calls
                         in flight at the last sweep, or since */
  int flush;
  GPtrArray *watched;          /* (element-type ReeveServerClient) (owned) */
  gconstpointer last_caller;   /* that called last; may be gone */
  uint8_t *scratch;            /* (owned): room for one read */
  ReeveReplyBatch batch;       /* for the replies that it leads to */
  ReeveCallMemory call_memory; /* as it says */
};

/* What one read takes at most, for all clients that have nothing kept. */
#define REEVE_SERVER_SCRATCH_SIZE 65536

ReeveServerLoop *reeve_server_loop_new (ReeveServer *server, ReeveLoop *loop);
/* When none of its clients is left. */
void reeve_server_loop_free (ReeveServerLoop *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveServerLoop, reeve_server_loop_free)

/* Looks for overdue calls of the client until none is in flight. */
void reeve_server_loop_sweep (ReeveServerLoop *self, ReeveServerClient *client);
/* Flushes the client until it holds nothing, and no worker reads it. */
void reeve_server_loop_watch (ReeveServerLoop *self, ReeveServerClient *client);
/* A client makes a call; whether it made the one before, too. */
gboolean reeve_server_loop_note_caller (ReeveServerLoop *self,
                                        ReeveServerClient *client);
/* Its clients are about to be closed: looks at none of them any more. */
void reeve_server_loop_let_go (ReeveServerLoop *self);

G_END_DECLS
