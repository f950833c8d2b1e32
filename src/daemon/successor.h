/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/saved-state.h"

G_BEGIN_DECLS

/**
 * ReeveSuccessor:
 *
 * The side of the daemon that takes another's place, before it serves: it may
 * wait. `REEVE_TAKEOVER_STOP` in the environment names a step after which it
 * stops itself: connected, greeted, prepared, received, restored, committed.
 *
 * Thread: owner.
 */
typedef struct _ReeveSuccessor ReeveSuccessor;

/* Asks the daemon behind the socket. Errors: %REEVE_ERROR_NO_CONNECT if there
 * is none; %REEVE_ERROR_OPERATION_DENIED with its words if it refuses. */
ReeveSuccessor *reeve_successor_new (const char *name,
                                     const char *version,
                                     const char *path,
                                     GError **error);
/* Without a commit the other one goes on. */
void reeve_successor_free (ReeveSuccessor *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveSuccessor, reeve_successor_free)

/* (transfer full): says that nothing slow is left to do, and waits for the
 * other's state. */
ReeveSavedState *reeve_successor_take (ReeveSuccessor *self, GError **error);

/* From here on the other one serves no more, and we do; unless it fails. */
gboolean reeve_successor_commit (ReeveSuccessor *self, GError **error);

/* Tells why there will be no commit. */
void reeve_successor_give_up (ReeveSuccessor *self, const GError *why);

G_END_DECLS
