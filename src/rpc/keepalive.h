/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/message.h"

G_BEGIN_DECLS

/**
 * ReeveKeepalive:
 *
 * Tells a peer that is silent from one that is gone, for either end of a
 * connection: after an interval without a sign of life it is asked; when a
 * number of questions stayed without one for an interval each, it is gone.
 * Zeroed, but for alive_us, it is new. No locking of its own; times are those
 * of g_get_monotonic_time().
 */
typedef struct {
  gint64 alive_us;      /* the last sign of life: any byte is one */
  gint64 asked_us;      /* the last question */
  gint64 n_taken;       /* bytes that the peer took, and */
  gboolean had_backlog; /* whether more waited, when that was noted */
  unsigned n_asked;
} ReeveKeepalive;

typedef enum {
  REEVE_KEEPALIVE_WAIT, /* until it is due */
  REEVE_KEEPALIVE_ASK,  /* now, and wait until it is due */
  REEVE_KEEPALIVE_END,  /* the peer is gone */
} ReeveKeepaliveStep;

/* What is to be done now, and when to come again. A step that comes more than
 * an interval late says more about us than about the peer, which gets all its
 * chances again. */
ReeveKeepaliveStep reeve_keepalive_step (ReeveKeepalive *self,
                                         int interval_s,
                                         unsigned count,
                                         gint64 now_us,
                                         gint64 *due_us);

/* Notes before a step how many bytes of ours the peer took in all, and whether
 * more wait for it. That it takes some of a backlog is a sign of life: our
 * question waits behind them. */
void reeve_keepalive_note_output (ReeveKeepalive *self,
                                  gint64 n_taken,
                                  gboolean has_backlog,
                                  gint64 now_us);

/* Whether it belongs to the program `keepalive`; a call of it does not. */
gboolean reeve_keepalive_is_message (const ReeveHeader *header);
/* (transfer full) (nullable): the answer, if it asks for one. */
GBytes *reeve_keepalive_answer (const ReeveHeader *header);
/* (transfer full): the question. */
GBytes *reeve_keepalive_make_ping (void);

G_END_DECLS
