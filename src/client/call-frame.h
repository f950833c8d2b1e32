/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/message.h"
#include "rpc/program.h"

G_BEGIN_DECLS

/**
 * ReeveCallFrame:
 *
 * A call as it is sent: a frame, whose header is written when that is done, and
 * the file descriptors that go behind it. Zeroed is empty. Thread: owner.
 */
typedef struct {
  uint8_t *data; /* (owned) */
  size_t size;
  unsigned n_fds;
  int fds[REEVE_MESSAGE_MAX_FDS]; /* (owned) */
} ReeveCallFrame;

/* Whose are the descriptors: copies of @fds.
 * Errors: REEVE_ERROR_LIMIT, REEVE_ERROR_SYSTEM, those of encoding. */
gboolean reeve_call_frame_encode (ReeveCallFrame *self,
                                  const ReeveProcedure *procedure,
                                  gconstpointer args,
                                  const int *fds,
                                  unsigned n_fds,
                                  GError **error);
/* Arguments that are encoded. */
void reeve_call_frame_set_payload (ReeveCallFrame *self,
                                   const uint8_t *payload,
                                   size_t size);
void reeve_call_frame_clear (ReeveCallFrame *self);

G_END_DECLS
