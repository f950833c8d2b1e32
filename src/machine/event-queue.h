/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"
#include "machine/machine-event.h"

G_BEGIN_DECLS

/**
 * ReeveEventQueue:
 *
 * Numbers events and hands them to subscribers, in their order, in the loop's
 * thread, with no lock held. An event that the loop's own thread pushes is
 * delivered before the push returns, unless a delivery is under way.
 *
 * Thread: any, but for the callbacks.
 */
typedef struct _ReeveEventQueue ReeveEventQueue;

typedef void (*ReeveEventQueueFunc) (ReeveMachineEvent *event, gpointer data);

ReeveEventQueue *reeve_event_queue_new (ReeveLoop *loop);
ReeveEventQueue *reeve_event_queue_ref (ReeveEventQueue *self);
void reeve_event_queue_unref (ReeveEventQueue *self);

/* @event: (transfer full). Returns its sequence. */
uint64_t
reeve_event_queue_push (ReeveEventQueue *self, ReeveMachineEvent *event);
uint64_t reeve_event_queue_get_sequence (ReeveEventQueue *self);

/* As reeve_machine_list_sync(). */
gboolean reeve_event_queue_sync (ReeveEventQueue *self,
                                 const ReeveMachineRevision *since,
                                 GPtrArray *events,
                                 ReeveMachineRevision *now);

/* Delivers what was pushed, now. Thread: loop. */
void reeve_event_queue_flush (ReeveEventQueue *self);

/* What it knows, and that another one goes on from there, which had no event
 * yet. @latest: (element-type ReeveMachineEvent): those of the past that are
 * kept; @forgotten: the last one that is not. Thread: loop. */
void reeve_event_queue_save (ReeveEventQueue *self,
                             ReeveMachineRevision *now,
                             uint64_t *forgotten,
                             GPtrArray *latest);
void reeve_event_queue_restore (ReeveEventQueue *self,
                                const ReeveMachineRevision *now,
                                uint64_t forgotten,
                                GPtrArray *latest);

/* As of reeve_machine_list_subscribe(). */
unsigned reeve_event_queue_subscribe (ReeveEventQueue *self,
                                      ReeveEventQueueFunc func,
                                      gpointer data,
                                      GDestroyNotify free_func,
                                      uint64_t *sequence);
void reeve_event_queue_unsubscribe (ReeveEventQueue *self, unsigned id);

/* Drops what was not delivered and all subscribers. Thread: loop. */
void reeve_event_queue_close (ReeveEventQueue *self);

G_END_DECLS
