/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/start-gate.h"

#include "event/refs.h"

#include <stdatomic.h>

/* A start is processor time, mostly; a few more than processors hide what
 * waits for a disk. */
#define STARTS_PER_PROCESSOR 2
#define MIN_LIMIT 2
#define MAX_LIMIT 32

struct _ReeveStartGate {
  ReeveRefs refs;
  ReeveLoop *loop;         /* immutable (owned) */
  ReeveStartGateFunc func; /* immutable */

  /* loop's */
  unsigned limit;
  GQueue line; /* links of places */
  gboolean is_opening;

  /* the loop's thread writes them */
  atomic_uint n_waiting;
  atomic_uint n_starting;
  atomic_uint max_starting;
};

ReeveStartGate *
reeve_start_gate_new (ReeveLoop *loop, ReeveStartGateFunc func)
{
  ReeveStartGate *self = g_new0 (ReeveStartGate, 1);

  reeve_refs_init (&self->refs);
  self->loop = reeve_loop_ref (loop);
  self->func = func;
  g_queue_init (&self->line);
  reeve_start_gate_set_limit (self, 0);
  return self;
}

void
reeve_start_gate_unref (ReeveStartGate *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  g_assert (self->line.length == 0 && self->n_starting == 0);
  reeve_loop_unref (self->loop);
  g_free (self);
}

void
reeve_start_gate_set_limit (ReeveStartGate *self, unsigned limit)
{
  self->limit = limit != 0
                    ? limit
                    : CLAMP (g_get_num_processors () * STARTS_PER_PROCESSOR,
                             MIN_LIMIT, MAX_LIMIT);
}

void
reeve_start_place_init (ReeveStartPlace *self, gpointer data)
{
  *self = (ReeveStartPlace){ .link.data = data };
}

static void
let_in (ReeveStartGate *self, ReeveStartPlace *place)
{
  unsigned n_starting = atomic_fetch_add (&self->n_starting, 1) + 1;

  place->is_inside = TRUE;
  if (n_starting > self->max_starting)
    self->max_starting = n_starting;
}

static void
leave_line (ReeveStartGate *self, ReeveStartPlace *place)
{
  g_queue_unlink (&self->line, &place->link);
  place->is_waiting = FALSE;
  atomic_fetch_sub (&self->n_waiting, 1);
}

static void
open_gate (ReeveLoop *loop, gpointer data)
{
  ReeveStartGate *self = data;

  while (self->line.head != NULL && self->n_starting < self->limit) {
    GList *link = self->line.head;
    ReeveStartPlace *place = (ReeveStartPlace *) link; /* its first member */

    leave_line (self, place);
    let_in (self, place);
    self->func (link->data);
  }
  self->is_opening = FALSE;
  reeve_start_gate_unref (self);
}

gboolean
reeve_start_gate_enter (ReeveStartGate *self, ReeveStartPlace *place)
{
  if (place->is_inside)
    return TRUE;
  if (place->is_waiting)
    return FALSE;
  /* Who waits was here before, even if there is room by now. */
  if (self->line.head == NULL && self->n_starting < self->limit) {
    let_in (self, place);
    return TRUE;
  }

  place->is_waiting = TRUE;
  g_queue_push_tail_link (&self->line, &place->link);
  atomic_fetch_add (&self->n_waiting, 1);
  return FALSE;
}

/* Not from here: a start that fails at once would begin the next one inside of
 * its own end, and so on. */
static void
schedule (ReeveStartGate *self)
{
  if (self->is_opening || self->line.head == NULL)
    return;

  self->is_opening = TRUE;
  reeve_refs_inc (&self->refs);
  reeve_loop_invoke (self->loop, open_gate, self);
}

void
reeve_start_gate_leave (ReeveStartGate *self, ReeveStartPlace *place)
{
  if (place->is_waiting) {
    leave_line (self, place);
  } else if (place->is_inside) {
    place->is_inside = FALSE;
    atomic_fetch_sub (&self->n_starting, 1);
    schedule (self);
  }
}

void
reeve_start_gate_get_counts (ReeveStartGate *self, ReeveStartCounts *counts)
{
  counts->n_waiting = self->n_waiting;
  counts->n_starting = self->n_starting;
  counts->max_starting = self->max_starting;
}
