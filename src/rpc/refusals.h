/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/thread.h"

#include <glib.h>

G_BEGIN_DECLS

/* What a server can refuse. */
typedef enum {
  REEVE_REFUSAL_CLIENT,    /* one too many, or of another user */
  REEVE_REFUSAL_UNAUTH,    /* one too many that did not authenticate */
  REEVE_REFUSAL_RATE,      /* connections wait: too many in a second */
  REEVE_REFUSAL_FILES,     /* there are no file descriptors left */
  REEVE_REFUSAL_HANDSHAKE, /* of TLS, that went wrong or took too long */
  REEVE_REFUSAL_MESSAGE,   /* it cannot be */
  REEVE_REFUSAL_SILENT,    /* a client without a sign of life */
  REEVE_N_REFUSALS,
} ReeveRefusal;

/**
 * ReeveRefusals:
 *
 * Counts what was refused, and says when that is worth a line in the log: at
 * most one of each kind in some seconds, however many there are. Thread: any.
 */
typedef struct {
  ReeveMutex lock;
  guint64 n[REEVE_N_REFUSALS] REEVE_GUARDED;
  guint64 n_unsaid[REEVE_N_REFUSALS] REEVE_GUARDED;
  gint64 said_us[REEVE_N_REFUSALS] REEVE_GUARDED;
} ReeveRefusals;

void reeve_refusals_init (ReeveRefusals *self);
void reeve_refusals_clear (ReeveRefusals *self);

/* Counts one; TRUE if it is to be logged, with the number of those before it
 * that were not. */
gboolean reeve_refusals_note (ReeveRefusals *self,
                              ReeveRefusal kind,
                              gint64 now_us,
                              guint64 *n_unsaid);
guint64 reeve_refusals_count (ReeveRefusals *self, ReeveRefusal kind);

G_END_DECLS
