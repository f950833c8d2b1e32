/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/operation.h"

#include "event/intl.h"
#include "event/refs.h"
#include "machine/config.h"
#include "machine/machine-private.h"
#include "rpc/error.h"

/* A start that nobody else gives a time has this long from its turn: the others
 * wait for its place. */
#define START_TIMEOUT_US (60 * G_USEC_PER_SEC)

static void begin_next (ReeveMachine *machine);

ReeveOperation *
reeve_operation_new (const ReeveOperationClass *class,
                     ReeveMachine *machine,
                     gint64 deadline_us,
                     ReeveMachineDone done,
                     gpointer data)
{
  ReeveOperation *self = g_new0 (ReeveOperation, 1);

  reeve_refs_init (&self->refs);
  self->class = class;
  self->machine = reeve_machine_ref (machine);
  self->deadline_us = deadline_us;
  self->done = done;
  self->data = data;
  self->timer = -1;
  reeve_start_place_init (&self->place, machine);
  return self;
}

ReeveOperation *
reeve_operation_ref (ReeveOperation *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_operation_unref (ReeveOperation *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  g_clear_pointer (&self->config, reeve_config_unref);
  reeve_machine_unref (self->machine);
  g_free (self);
}

/* Tells whoever asked. It is out of the queue already. */
static void
end (ReeveOperation *self, const GError *error)
{
  ReeveLoop *loop = reeve_machine_list_get_loop (self->machine->list);

  self->is_finished = TRUE;
  if (self->timer >= 0)
    reeve_loop_remove (loop, self->timer);
  self->timer = -1;
  reeve_start_gate_leave (self->machine->list->gate, &self->place);
  if (!self->has_begun && self->class->drop != NULL)
    self->class->drop (self);
  if (self->done != NULL)
    self->done (self->machine, error, self->data);
}

void
reeve_operation_finish (ReeveOperation *self, const GError *error)
{
  g_autoptr (ReeveMachine) machine = reeve_machine_ref (self->machine);
  g_autoptr (ReeveOperation) hold G_GNUC_UNUSED = reeve_operation_ref (self);

  if (self->is_finished)
    return;

  if (machine->current == self) {
    machine->current = NULL;
    reeve_operation_unref (self);
  } else if (g_queue_remove (&machine->operations, self)) {
    reeve_operation_unref (self);
  }
  end (self, error);
  begin_next (machine);
}

void
reeve_operation_fail (ReeveOperation *self, int code, const char *format, ...)
{
  g_autoptr (GError) error = NULL;
  va_list arguments;

  va_start (arguments, format);
  error = g_error_new_valist (REEVE_ERROR, code, format, arguments);
  va_end (arguments);
  reeve_operation_finish (self, error);
}

static void
give_up (ReeveOperation *self, const GError *error)
{
  g_autoptr (ReeveOperation) hold G_GNUC_UNUSED = reeve_operation_ref (self);
  gboolean was_running = self->machine->current == self;

  reeve_operation_finish (self, error);
  if (was_running && self->class->give_up != NULL)
    self->class->give_up (self);
}

static void
on_deadline (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveOperation *self = data;
  g_autoptr (GError) error =
      g_error_new (REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                   self->place.is_waiting
                       ? _ ("other machines start, and the turn of this one "
                            "did not come in time")
                       : _ ("the operation did not end in time"));

  give_up (self, error);
}

static void
set_deadline (ReeveOperation *self)
{
  gint64 left_us = self->deadline_us - g_get_monotonic_time ();
  gint64 left_ms = MAX (left_us, 0) / 1000 + 1;

  if (self->deadline_us == G_MAXINT64)
    return;
  self->timer = reeve_loop_add_timeout (
      reeve_machine_list_get_loop (self->machine->list),
      (int) MIN (left_ms, G_MAXINT), on_deadline, reeve_operation_ref (self),
      (GDestroyNotify) reeve_operation_unref);
}

/* FALSE: its turn comes later. One whose machine runs fails without a place. */
static gboolean
take_place (ReeveOperation *self)
{
  if (!self->class->needs_place || self->machine->phase != REEVE_PHASE_OFF)
    return TRUE;
  if (!reeve_start_gate_enter (self->machine->list->gate, &self->place))
    return FALSE;

  if (self->deadline_us == G_MAXINT64) {
    self->deadline_us = g_get_monotonic_time () + START_TIMEOUT_US;
    set_deadline (self);
  }
  return TRUE;
}

static void
begin_next (ReeveMachine *machine)
{
  ReeveOperation *next;

  if (machine->current != NULL)
    return;

  next = g_queue_peek_head (&machine->operations);
  if (next == NULL || !take_place (next))
    return;

  machine->current = g_queue_pop_head (&machine->operations);
  next->has_begun = TRUE;
  reeve_operation_ref (next);
  next->class->begin (next);
  reeve_operation_unref (next);
}

void
reeve_operation_begin_next (gpointer machine)
{
  begin_next (machine);
}

void
reeve_operation_abort_waiting (ReeveMachine *machine, const GError *error)
{
  GQueue waiting = machine->operations;
  ReeveOperation *operation;

  g_queue_init (&machine->operations);
  while ((operation = g_queue_pop_head (&waiting)) != NULL) {
    end (operation, error);
    reeve_operation_unref (operation);
  }
}

static gboolean
is_waiting_for_place (ReeveMachine *machine)
{
  ReeveOperation *next = g_queue_peek_head (&machine->operations);

  return next != NULL && next->place.is_waiting;
}

/* A destroy waits for nothing but another destroy. */
static void
make_way (ReeveOperation *self)
{
  ReeveMachine *machine = self->machine;
  g_autoptr (GError) error =
      g_error_new (REEVE_ERROR, REEVE_ERROR_ABORTED,
                   _ ("the machine was destroyed meanwhile"));

  self->has_spared = is_waiting_for_place (machine);
  /* What waits goes first, lest the end of one begins the next. */
  reeve_operation_abort_waiting (machine, error);
  if (machine->current != NULL && !machine->current->class->is_urgent)
    give_up (machine->current, error);
}

static void
on_submitted (ReeveLoop *loop, gpointer data)
{
  ReeveOperation *self = data;
  ReeveMachine *machine = self->machine;

  if (reeve_machine_list_is_closed (machine->list)) {
    reeve_operation_fail (self, REEVE_ERROR_CLOSED,
                          _ ("the daemon is about to end"));
    reeve_operation_unref (self);
    return;
  }
  if (self->class->is_urgent)
    make_way (self);
  if (g_queue_get_length (&machine->operations) >=
      REEVE_MACHINE_MAX_OPERATIONS) {
    reeve_operation_fail (self, REEVE_ERROR_LIMIT,
                          _ ("too many operations wait for the machine"));
    reeve_operation_unref (self);
    return;
  }

  set_deadline (self);
  g_queue_push_tail (&machine->operations, self);
  begin_next (machine);
}

void
reeve_operation_submit (ReeveOperation *self)
{
  reeve_loop_invoke (reeve_machine_list_get_loop (self->machine->list),
                     on_submitted, self);
}
