/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/server-client.h"

G_BEGIN_DECLS

/**
 * ReeveEventFrames:
 *
 * One event as it goes to many clients: what was encoded for one of them goes
 * to all others that speak the same wire. Thread: owner.
 */
typedef struct _ReeveEventFrames ReeveEventFrames;

ReeveEventFrames *reeve_event_frames_new (void);
void reeve_event_frames_free (ReeveEventFrames *self);
/* How often something was encoded. */
unsigned reeve_event_frames_get_n_encoded (ReeveEventFrames *self);

/**
 * reeve_event_frames_send:
 * @client: who gets it
 * @key: tells apart bodies that are not the same, such as by the number that
 *   the client has given to its callback
 *
 * As reeve_server_client_send_event(). A second body of the same procedure and
 * @key is taken to be the first one.
 */
gboolean reeve_event_frames_send (ReeveEventFrames *self,
                                  ReeveServerClient *client,
                                  int32_t key,
                                  const ReeveProgram *program,
                                  const ReeveProcedure *procedure,
                                  gconstpointer body);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveEventFrames, reeve_event_frames_free)

G_END_DECLS
