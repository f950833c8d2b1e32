/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/call-batch.h"

#include "event/refs.h"
#include "event/thread.h"

struct _ReeveCallBatch {
  ReeveRefs refs;

  ReeveMutex lock;
  GByteArray *replies REEVE_GUARDED; /* (owned) (nullable) */
  unsigned n_expected REEVE_GUARDED; /* the message itself is one */
};

ReeveCallBatch *
reeve_call_batch_new (void) REEVE_UNCHECKED
{
  ReeveCallBatch *self = g_new0 (ReeveCallBatch, 1);

  reeve_refs_init (&self->refs);
  reeve_mutex_init (&self->lock);
  self->replies = g_byte_array_new ();
  self->n_expected = 1;
  return self;
}

ReeveCallBatch *
reeve_call_batch_ref (ReeveCallBatch *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_call_batch_unref (ReeveCallBatch *self) REEVE_UNCHECKED
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  if (self->replies != NULL)
    g_byte_array_unref (self->replies);
  reeve_mutex_clear (&self->lock);
  g_free (self);
}

void
reeve_call_batch_expect (ReeveCallBatch *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->n_expected++;
}

GBytes *
reeve_call_batch_add (ReeveCallBatch *self, const void *reply, size_t size)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (size > 0) {
    g_byte_array_append (self->replies,
                         (const guint8 *) (self->replies->len == 0 ? "[" : ","),
                         1);
    g_byte_array_append (self->replies, reply, (guint) size);
  }
  if (--self->n_expected > 0)
    return NULL;

  if (self->replies->len > 0)
    g_byte_array_append (self->replies, (const guint8 *) "]\n", 2);
  return g_byte_array_free_to_bytes (g_steal_pointer (&self->replies));
}

GBytes *
reeve_call_batch_end (ReeveCallBatch *self)
{
  return reeve_call_batch_add (self, NULL, 0);
}

size_t
reeve_call_batch_get_size (ReeveCallBatch *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->replies == NULL ? 0 : self->replies->len;
}
