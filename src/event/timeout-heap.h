/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A heap of moments, the earliest first. A node is embedded in what waits for
 * that moment. No locking of its own. */

typedef struct {
  gint64 due_us;  /* changed only while it is not in the heap */
  unsigned index; /* place in the heap + 1; 0 while it is not in one */
} ReeveTimeoutNode;

typedef struct {
  GPtrArray *nodes; /* (element-type ReeveTimeoutNode) */
} ReeveTimeoutHeap;

void reeve_timeout_heap_init (ReeveTimeoutHeap *self);
/* Asserts that it is empty. */
void reeve_timeout_heap_clear (ReeveTimeoutHeap *self);

void reeve_timeout_heap_insert (ReeveTimeoutHeap *self, ReeveTimeoutNode *node);
/* Nothing happens when @node is not in the heap. */
void reeve_timeout_heap_remove (ReeveTimeoutHeap *self, ReeveTimeoutNode *node);
/* (nullable) */
ReeveTimeoutNode *reeve_timeout_heap_peek (ReeveTimeoutHeap *self);

G_END_DECLS
