/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/machine-event.h"

ReeveMachineEvent *
reeve_machine_event_new (ReeveMachineEventType type)
{
  ReeveMachineEvent *self = g_new0 (ReeveMachineEvent, 1);

  reeve_refs_init (&self->refs);
  self->type = type;
  self->id = -1;
  return self;
}

ReeveMachineEvent *
reeve_machine_event_ref (ReeveMachineEvent *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_machine_event_unref (ReeveMachineEvent *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  g_free (self->name);
  g_free (self->device);
  g_free (self->path);
  g_free (self->reason);
  g_free (self->details);
  g_free (self);
}
