/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/event-queue.h"

#include "event/refs.h"
#include "event/thread.h"

/* That are kept after they were delivered. */
#define HISTORY_MAX 1024

typedef struct {
  ReeveRefs refs;
  unsigned id;
  uint64_t from_sequence; /* gets greater ones */
  ReeveEventQueueFunc func;
  gpointer data;
  GDestroyNotify free_func;
  gint is_gone; /* atomic */
} Subscriber;

struct _ReeveEventQueue {
  ReeveRefs refs;
  ReeveLoop *loop; /* immutable (owned) */
  uint64_t epoch;  /* immutable, once there was an event */

  ReeveMutex lock;
  GQueue events REEVE_GUARDED;          /* (element-type ReeveMachineEvent) */
  GPtrArray *subscribers REEVE_GUARDED; /* (element-type Subscriber) (owned) */
  uint64_t sequence REEVE_GUARDED;
  unsigned last_id REEVE_GUARDED;
  gboolean is_closed REEVE_GUARDED;

  /* loop's */
  gboolean is_delivering;
  GQueue history;     /* (element-type ReeveMachineEvent) (owned): the latest */
  uint64_t delivered; /* the sequence of the last one */
  uint64_t forgotten; /* the sequence of the last one that went out of it */
};

static Subscriber *
subscriber_ref (Subscriber *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

/* Only ever in the loop's thread: there the free function has to run. */
static void
subscriber_unref (Subscriber *self)
{
  if (!reeve_refs_dec (&self->refs))
    return;

  if (self->free_func != NULL)
    self->free_func (self->data);
  g_free (self);
}

REEVE_UNCHECKED ReeveEventQueue *
reeve_event_queue_new (ReeveLoop *loop)
{
  ReeveEventQueue *self = g_new0 (ReeveEventQueue, 1);

  reeve_refs_init (&self->refs);
  self->loop = reeve_loop_ref (loop);
  self->epoch = (uint64_t) g_random_int () << 32 | g_random_int () | 1;
  reeve_mutex_init (&self->lock);
  g_queue_init (&self->events);
  g_queue_init (&self->history);
  self->subscribers = g_ptr_array_new ();
  return self;
}

ReeveEventQueue *
reeve_event_queue_ref (ReeveEventQueue *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

REEVE_UNCHECKED void
reeve_event_queue_unref (ReeveEventQueue *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  reeve_event_queue_close (self);
  g_queue_clear_full (&self->history,
                      (GDestroyNotify) reeve_machine_event_unref);
  g_ptr_array_unref (self->subscribers);
  reeve_mutex_clear (&self->lock);
  reeve_loop_unref (self->loop);
  g_free (self);
}

/* Takes out the next event, and those who are to get it. */
static ReeveMachineEvent *
pop (ReeveEventQueue *self, GPtrArray *subscribers)
{
  ReeveMachineEvent *event;

  REEVE_LOCK_SCOPE (&self->lock);

  event = g_queue_pop_head (&self->events);
  for (guint i = 0; event != NULL && i < self->subscribers->len; i++) {
    Subscriber *subscriber = g_ptr_array_index (self->subscribers, i);

    if (subscriber->from_sequence < event->sequence)
      g_ptr_array_add (subscribers, subscriber_ref (subscriber));
  }
  return event;
}

static void
remember (ReeveEventQueue *self, ReeveMachineEvent *event)
{
  ReeveMachineEvent *oldest;

  /* They are many, and change nothing by themselves. */
  if (event->type == REEVE_MACHINE_EVENT_MONITOR)
    return;

  g_queue_push_tail (&self->history, reeve_machine_event_ref (event));
  if (self->history.length <= HISTORY_MAX)
    return;
  oldest = g_queue_pop_head (&self->history);
  self->forgotten = oldest->sequence;
  reeve_machine_event_unref (oldest);
}

static gboolean
deliver_one (ReeveEventQueue *self)
{
  g_autoptr (GPtrArray) subscribers =
      g_ptr_array_new_with_free_func ((GDestroyNotify) subscriber_unref);
  g_autoptr (ReeveMachineEvent) event = pop (self, subscribers);

  if (event == NULL)
    return FALSE;

  self->delivered = event->sequence;
  remember (self, event);
  event->frames = reeve_event_frames_new ();
  for (guint i = 0; i < subscribers->len; i++) {
    Subscriber *subscriber = g_ptr_array_index (subscribers, i);

    if (!g_atomic_int_get (&subscriber->is_gone))
      subscriber->func (event, subscriber->data);
  }
  g_clear_pointer (&event->frames, reeve_event_frames_free);
  return TRUE;
}

static void
deliver (ReeveEventQueue *self)
{
  /* A subscriber whose doing makes an event gets it after this one. */
  if (self->is_delivering)
    return;

  self->is_delivering = TRUE;
  while (deliver_one (self))
    ;
  self->is_delivering = FALSE;
}

void
reeve_event_queue_flush (ReeveEventQueue *self)
{
  deliver (self);
}

void
reeve_event_queue_save (ReeveEventQueue *self,
                        ReeveMachineRevision *now,
                        uint64_t *forgotten,
                        GPtrArray *latest)
{
  deliver (self);
  now->epoch = self->epoch;
  now->sequence = self->delivered;
  *forgotten = self->forgotten;
  for (GList *link = self->history.head; link != NULL; link = link->next)
    g_ptr_array_add (latest, reeve_machine_event_ref (link->data));
}

static void
set_sequence (ReeveEventQueue *self, uint64_t sequence)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->sequence = sequence;
}

void
reeve_event_queue_restore (ReeveEventQueue *self,
                           const ReeveMachineRevision *now,
                           uint64_t forgotten,
                           GPtrArray *latest)
{
  self->epoch = now->epoch;
  self->delivered = now->sequence;
  self->forgotten = forgotten;
  set_sequence (self, now->sequence);
  for (guint i = 0; i < latest->len; i++)
    remember (self, latest->pdata[i]);
}

static void
on_pushed (ReeveLoop *loop, gpointer data)
{
  ReeveEventQueue *self = data;

  deliver (self);
  reeve_event_queue_unref (self);
}

static uint64_t
append (ReeveEventQueue *self, ReeveMachineEvent *event)
{
  REEVE_LOCK_SCOPE (&self->lock);

  event->sequence = ++self->sequence;
  if (self->is_closed)
    reeve_machine_event_unref (event);
  else
    g_queue_push_tail (&self->events, event);
  return self->sequence;
}

uint64_t
reeve_event_queue_push (ReeveEventQueue *self, ReeveMachineEvent *event)
{
  uint64_t sequence = append (self, event);

  if (reeve_loop_is_current (self->loop))
    deliver (self);
  else
    reeve_loop_invoke (self->loop, on_pushed, reeve_event_queue_ref (self));
  return sequence;
}

uint64_t
reeve_event_queue_get_sequence (ReeveEventQueue *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->sequence;
}

gboolean
reeve_event_queue_sync (ReeveEventQueue *self,
                        const ReeveMachineRevision *since,
                        GPtrArray *events,
                        ReeveMachineRevision *now)
{
  deliver (self);
  now->epoch = self->epoch;
  now->sequence = self->delivered;
  if (since->epoch != self->epoch || since->sequence < self->forgotten ||
      since->sequence > self->delivered)
    return FALSE;

  for (GList *link = self->history.head; link != NULL; link = link->next) {
    ReeveMachineEvent *event = link->data;

    if (event->sequence > since->sequence)
      g_ptr_array_add (events, reeve_machine_event_ref (event));
  }
  return TRUE;
}

unsigned
reeve_event_queue_subscribe (ReeveEventQueue *self,
                             ReeveEventQueueFunc func,
                             gpointer data,
                             GDestroyNotify free_func,
                             uint64_t *sequence)
{
  Subscriber *subscriber = g_new0 (Subscriber, 1);

  reeve_refs_init (&subscriber->refs);
  subscriber->func = func;
  subscriber->data = data;
  subscriber->free_func = free_func;

  REEVE_LOCK_SCOPE (&self->lock);

  if (++self->last_id == 0)
    self->last_id = 1;
  subscriber->id = self->last_id;
  subscriber->from_sequence = self->sequence;
  if (sequence != NULL)
    *sequence = self->sequence;
  g_ptr_array_add (self->subscribers, subscriber);
  return subscriber->id;
}

static Subscriber *
take_out (ReeveEventQueue *self, unsigned id)
{
  REEVE_LOCK_SCOPE (&self->lock);

  for (guint i = 0; i < self->subscribers->len; i++) {
    Subscriber *subscriber = g_ptr_array_index (self->subscribers, i);

    if (subscriber->id == id) {
      g_ptr_array_remove_index (self->subscribers, i);
      return subscriber;
    }
  }
  return NULL;
}

static void
on_unsubscribed (ReeveLoop *loop, gpointer data)
{
  subscriber_unref (data);
}

void
reeve_event_queue_unsubscribe (ReeveEventQueue *self, unsigned id)
{
  Subscriber *subscriber = take_out (self, id);

  if (subscriber == NULL)
    return;

  g_atomic_int_set (&subscriber->is_gone, TRUE);
  reeve_loop_invoke (self->loop, on_unsubscribed, subscriber);
}

static GPtrArray *
take_all_out (ReeveEventQueue *self)
{
  GPtrArray *subscribers;

  REEVE_LOCK_SCOPE (&self->lock);

  self->is_closed = TRUE;
  g_queue_clear_full (&self->events,
                      (GDestroyNotify) reeve_machine_event_unref);
  subscribers = self->subscribers;
  self->subscribers = g_ptr_array_new ();
  return subscribers;
}

void
reeve_event_queue_close (ReeveEventQueue *self)
{
  g_autoptr (GPtrArray) subscribers = take_all_out (self);

  for (guint i = 0; i < subscribers->len; i++) {
    Subscriber *subscriber = g_ptr_array_index (subscribers, i);

    g_atomic_int_set (&subscriber->is_gone, TRUE);
    subscriber_unref (subscriber);
  }
}
