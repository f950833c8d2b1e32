/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"
#include "rpc/call.h"

G_BEGIN_DECLS

/**
 * ReevePolkit:
 *
 * Asks polkit, by the system's bus, whether the process at the other end of a
 * unix socket may use the server. Nothing waits meanwhile: polkit may ask a
 * person. What it is asked for ends with the call, or the client.
 */
typedef struct _ReevePolkit ReevePolkit;

/* @manage, @monitor: the actions that are asked for, the second one for clients
 * that are read-only. Thread: owner. */
ReevePolkit *
reeve_polkit_new (ReeveLoop *loop, const char *manage, const char *monitor);
/* Forgets what it has asked for, whose clients must be closed. Thread: loop, or
 * owner after the loop. */
void reeve_polkit_free (ReevePolkit *self);

/**
 * reeve_polkit_take:
 * @call: (transfer full): the deferred call `polkit` of a client on a unix
 *   socket, which is authenticated by it if polkit says so
 *
 * It fails with %REEVE_ERROR_AUTH_FAILED; with %REEVE_ERROR_AUTH_UNAVAILABLE
 * when a person would have to be asked, and cannot; with
 * %REEVE_ERROR_AUTH_CANCELLED when that person did not want to answer. Thread:
 * any.
 */
void reeve_polkit_take (ReevePolkit *self, ReeveCall *call);

G_END_DECLS
