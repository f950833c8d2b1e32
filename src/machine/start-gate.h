/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"

G_BEGIN_DECLS

/**
 * ReeveStartGate:
 *
 * Lets a bounded number of starts in at a time, from the making of the process
 * to the answer of its monitor. The others wait, in the order in which they
 * came, and cost no thread. It is the loop's, but for its counts.
 */
typedef struct _ReeveStartGate ReeveStartGate;

/**
 * ReeveStartPlace:
 *
 * Of one start, to embed: outside, in the line, or inside.
 */
typedef struct {
  GList link; /* its data is what @func of the gate gets */
  gboolean is_waiting;
  gboolean is_inside;
} ReeveStartPlace;

/* How many wait and start, and the most that ever did at once. */
typedef struct {
  unsigned n_waiting;
  unsigned n_starting;
  unsigned max_starting;
} ReeveStartCounts;

typedef void (*ReeveStartGateFunc) (gpointer data);

/* @func: the turn of a start that waited has come; not called by any function
 * of the gate, but by the loop. */
ReeveStartGate *reeve_start_gate_new (ReeveLoop *loop, ReeveStartGateFunc func);
/* Nobody is inside or waits. */
void reeve_start_gate_unref (ReeveStartGate *self);

/* @limit: 0: by the number of processors. Thread: loop. */
void reeve_start_gate_set_limit (ReeveStartGate *self, unsigned limit);

/* @data: of whoever has that place. Thread: any. */
void reeve_start_place_init (ReeveStartPlace *self, gpointer data);

/**
 * reeve_start_gate_enter:
 * @place: stays where it is until it has left
 *
 * Thread: loop. Returns: whether it is inside; else it waits in the line,
 * where it may be put again
 */
gboolean reeve_start_gate_enter (ReeveStartGate *self, ReeveStartPlace *place);

/* From inside, or from the line; no-op outside. Thread: loop. */
void reeve_start_gate_leave (ReeveStartGate *self, ReeveStartPlace *place);

/* Thread: any. */
void
reeve_start_gate_get_counts (ReeveStartGate *self, ReeveStartCounts *counts);

G_END_DECLS
