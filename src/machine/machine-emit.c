/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/debug.h"
#include "machine/machine-private.h"

#include <string.h>

static void
fill_identity (ReeveMachine *self, ReeveMachineEvent *event)
{
  REEVE_LOCK_SCOPE (&self->lock);

  event->name = g_strdup (self->name);
  event->id = self->id;
  memcpy (event->uuid, self->uuid, sizeof event->uuid);
}

static void
note_revision (ReeveMachine *self, uint64_t sequence)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->revision = MAX (self->revision, sequence);
}

void
reeve_machine_emit (ReeveMachine *self, ReeveMachineEvent *event)
{
  if (event->name == NULL)
    fill_identity (self, event);
  REEVE_DEBUG ("machine '%s': event of type %d: %d, %d", event->name,
               event->type, event->event, event->detail);
  note_revision (self, reeve_event_queue_push (self->list->events, event));
}

void
reeve_machine_emit_lifecycle (ReeveMachine *self, int event, int detail)
{
  ReeveMachineEvent *message =
      reeve_machine_event_new (REEVE_MACHINE_EVENT_LIFECYCLE);

  message->event = event;
  message->detail = detail;
  reeve_machine_emit (self, message);
}
