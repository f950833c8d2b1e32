/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-private.h"
#include "rpc/wire-xdr.h"

/* Events, and who wants them. */

typedef struct {
  unsigned id;
  const ReeveProgram *program;
  const ReeveProcedure *event; /* (nullable) */
  ReeveEventFunc func;
  gpointer data;
  GDestroyNotify free_func;
  unsigned n_running; /* calls on the I/O thread's stack */
  gboolean is_removed;
} Subscription;

static void
subscription_free (Subscription *self)
{
  if (self->free_func != NULL)
    self->free_func (self->data);
  g_free (self);
}

unsigned
reeve_connection_subscribe (ReeveConnection *self,
                            const ReeveProgram *program,
                            const ReeveProcedure *event,
                            ReeveEventFunc func,
                            gpointer data,
                            GDestroyNotify free_func)
{
  Subscription *subscription = g_new0 (Subscription, 1);

  subscription->program = program;
  subscription->event = event;
  subscription->func = func;
  subscription->data = data;
  subscription->free_func = free_func;

  REEVE_LOCK_SCOPE (&self->lock);

  subscription->id = ++self->last_subscription;
  g_ptr_array_add (self->subscriptions, subscription);
  reeve_connection_wake_keepalive_locked (self);
  return subscription->id;
}

/* (nullable): the subscription if nobody uses it; else its user frees it. */
static Subscription *
steal_subscription (ReeveConnection *self, unsigned id)
{
  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < self->subscriptions->len; i++) {
    Subscription *subscription = self->subscriptions->pdata[i];

    if (subscription->id != id)
      continue;
    g_ptr_array_remove_index (self->subscriptions, i);
    subscription->is_removed = TRUE;
    return subscription->n_running == 0 ? subscription : NULL;
  }

  return NULL;
}

void
reeve_connection_unsubscribe (ReeveConnection *self, unsigned id)
{
  Subscription *subscription = steal_subscription (self, id);

  if (subscription != NULL)
    subscription_free (subscription);
}

/* (element-type Subscription): those for an event, each held. */
static GPtrArray *
hold_subscriptions (ReeveConnection *self, const ReeveHeader *header)
{
  GPtrArray *held = g_ptr_array_new ();

  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < self->subscriptions->len; i++) {
    Subscription *subscription = self->subscriptions->pdata[i];

    if (subscription->program->number != header->program ||
        subscription->program->version != header->version ||
        (subscription->event != NULL &&
         subscription->event->number != header->procedure))
      continue;
    subscription->n_running++;
    g_ptr_array_add (held, subscription);
  }

  return held;
}

static gboolean
is_removed (ReeveConnection *self, Subscription *subscription)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return subscription->is_removed;
}

/* Whether it is ours to free now. */
static gboolean
release_subscription (ReeveConnection *self, Subscription *subscription)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return --subscription->n_running == 0 && subscription->is_removed;
}

static void
tell_held (ReeveConnection *self,
           GPtrArray *held,
           const ReeveProcedure *event,
           gconstpointer body)
{
  for (unsigned i = 0; i < held->len; i++) {
    Subscription *subscription = held->pdata[i];

    if (!is_removed (self, subscription))
      subscription->func (self, event, body, subscription->data);
  }
}

static void
release_held (ReeveConnection *self, GPtrArray *held)
{
  for (unsigned i = 0; i < held->len; i++)
    if (release_subscription (self, held->pdata[i]))
      subscription_free (held->pdata[i]);
}

static void
deliver (ReeveConnection *self,
         GPtrArray *held,
         const ReeveHeader *header,
         const uint8_t *payload,
         size_t size)
{
  const ReeveProgram *program = ((Subscription *) held->pdata[0])->program;
  const ReeveProcedure *event = reeve_program_find (program, header->procedure);
  g_autoptr (GError) error = NULL;
  void *body;

  if (event == NULL || event->dispatch != REEVE_DISPATCH_EVENT)
    return;

  body = reeve_type_new (event->args);
  if (!reeve_xdr_decode (event->args, payload, size, body, NULL, &error)) {
    g_warning ("%s: %s", event->name, error->message);
  } else {
    reeve_registration_translate (self, program, event, body);
    tell_held (self, held, event, body);
  }
  reeve_type_free (event->args, body);
}

void
reeve_connection_take_event (ReeveConnection *self,
                             const ReeveHeader *header,
                             const uint8_t *payload,
                             size_t size)
{
  g_autoptr (GPtrArray) held = NULL;

  if (!reeve_connection_watch_event (self, header, payload, size))
    return;

  held = hold_subscriptions (self, header);
  if (held->len > 0)
    deliver (self, held, header, payload, size);
  release_held (self, held);
}

void
reeve_connection_tell (ReeveConnection *self,
                       const ReeveProgram *program,
                       int32_t event,
                       gconstpointer body)
{
  const ReeveHeader header = {
    .program = program->number,
    .version = program->version,
    .procedure = event,
  };
  g_autoptr (GPtrArray) held = hold_subscriptions (self, &header);

  tell_held (self, held, reeve_program_find (program, event), body);
  release_held (self, held);
}

void
reeve_connection_clear_subscriptions (ReeveConnection *self) REEVE_UNCHECKED
{
  for (unsigned i = 0; i < self->subscriptions->len; i++)
    subscription_free (self->subscriptions->pdata[i]);
  g_ptr_array_unref (self->subscriptions);
}
