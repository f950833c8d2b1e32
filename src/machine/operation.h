/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/refs.h"
#include "machine/machine.h"
#include "machine/start-gate.h"

G_BEGIN_DECLS

/**
 * ReeveOperation:
 *
 * One change of one machine, from its asking to its end. The operations of a
 * machine wait in its queue; the first one runs. It ends once, whatever comes
 * first: its own finish, its deadline, or a destroy.
 *
 * After its making, all of it belongs to the loop's thread.
 */
typedef struct _ReeveOperation ReeveOperation;

typedef void (*ReeveOperationFunc) (ReeveOperation *operation);

/**
 * ReeveOperationClass:
 * @begin: its turn has come
 * @give_up: (nullable): it was ended from outside while it ran: undo
 * @drop: (nullable): it was ended before its turn came
 * @is_urgent: it ends what runs and what waits, and begins at once
 * @needs_place: it waits for a place among those that start
 */
typedef struct {
  ReeveOperationFunc begin;
  ReeveOperationFunc give_up;
  ReeveOperationFunc drop;
  gboolean is_urgent;
  gboolean needs_place;
} ReeveOperationClass;

struct _ReeveOperation {
  ReeveRefs refs;
  const ReeveOperationClass *class; /* immutable */
  ReeveMachine *machine;            /* immutable (owned) */
  gint64 deadline_us;               /* does not change once it has begun */
  ReeveMachineDone done;
  gpointer data;
  int timer;
  ReeveStartPlace place;
  gboolean has_begun;
  gboolean is_finished;
  gboolean has_spared; /* a machine the start that waited for its place */

  /* what was asked for; each class has its own */
  ReeveConfig *config; /* (owned) (nullable) */
  unsigned flags;
  unsigned hold_ms;
  uint64_t value;
  gconstpointer owner;
  unsigned keys[REEVE_MACHINE_MAX_KEYS];
  size_t n_keys;
  int step;
};

#define REEVE_MACHINE_MAX_OPERATIONS 256

ReeveOperation *reeve_operation_new (const ReeveOperationClass *class,
                                     ReeveMachine *machine,
                                     gint64 deadline_us,
                                     ReeveMachineDone done,
                                     gpointer data);
ReeveOperation *reeve_operation_ref (ReeveOperation *self);
void reeve_operation_unref (ReeveOperation *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveOperation, reeve_operation_unref)

/* Queues it. @self: (transfer full). Thread: any. */
void reeve_operation_submit (ReeveOperation *self);

/* Ends it, tells whoever asked, and begins the next one of the machine; no-op
 * on one that has ended. Thread: loop. */
void reeve_operation_finish (ReeveOperation *self, const GError *error);

/* As above, with a new error. */
void
reeve_operation_fail (ReeveOperation *self, int code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* The turn of a machine's start that waited for a place has come. Thread: loop.
 */
void reeve_operation_begin_next (gpointer machine);

/* Ends all that wait. Thread: loop. */
void reeve_operation_abort_waiting (ReeveMachine *machine, const GError *error);

G_END_DECLS
