/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/timeout-heap.h"

static ReeveTimeoutNode *
get (ReeveTimeoutHeap *self, unsigned i)
{
  return self->nodes->pdata[i];
}

static void
put (ReeveTimeoutHeap *self, unsigned i, ReeveTimeoutNode *node)
{
  self->nodes->pdata[i] = node;
  node->index = i + 1;
}

static void
sift_up (ReeveTimeoutHeap *self, unsigned i)
{
  ReeveTimeoutNode *node = get (self, i);

  while (i > 0 && node->due_us < get (self, (i - 1) / 2)->due_us) {
    put (self, i, get (self, (i - 1) / 2));
    i = (i - 1) / 2;
  }
  put (self, i, node);
}

static void
sift_down (ReeveTimeoutHeap *self, unsigned i)
{
  ReeveTimeoutNode *node = get (self, i);

  for (;;) {
    unsigned child = 2 * i + 1;

    if (child >= self->nodes->len)
      break;
    if (child + 1 < self->nodes->len &&
        get (self, child + 1)->due_us < get (self, child)->due_us)
      child++;
    if (node->due_us <= get (self, child)->due_us)
      break;
    put (self, i, get (self, child));
    i = child;
  }
  put (self, i, node);
}

void
reeve_timeout_heap_init (ReeveTimeoutHeap *self)
{
  self->nodes = g_ptr_array_new ();
}

void
reeve_timeout_heap_clear (ReeveTimeoutHeap *self)
{
  g_assert (self->nodes->len == 0);
  g_ptr_array_unref (self->nodes);
}

void
reeve_timeout_heap_insert (ReeveTimeoutHeap *self, ReeveTimeoutNode *node)
{
  g_assert (node->index == 0);
  g_ptr_array_add (self->nodes, node);
  sift_up (self, self->nodes->len - 1);
}

void
reeve_timeout_heap_remove (ReeveTimeoutHeap *self, ReeveTimeoutNode *node)
{
  unsigned i = node->index - 1;
  ReeveTimeoutNode *last;

  if (node->index == 0)
    return;

  node->index = 0;
  last = g_ptr_array_steal_index (self->nodes, self->nodes->len - 1);
  if (last == node)
    return;

  put (self, i, last);
  sift_up (self, i);
  sift_down (self, last->index - 1);
}

ReeveTimeoutNode *
reeve_timeout_heap_peek (ReeveTimeoutHeap *self)
{
  return self->nodes->len > 0 ? get (self, 0) : NULL;
}
