/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

/**
 * ReeveRefs:
 *
 * A reference count. GLib's is a function of a library that ThreadSanitizer
 * does not see into: what one thread did before its last use would race with
 * the freeing by another.
 */
typedef struct {
  atomic_int n;
} ReeveRefs;

static inline void
reeve_refs_init (ReeveRefs *self)
{
  atomic_init (&self->n, 1);
}

static inline void
reeve_refs_inc (ReeveRefs *self)
{
  int before = atomic_fetch_add_explicit (&self->n, 1, memory_order_relaxed);

  g_assert (before > 0);
}

/* Gives back @n; returns whether they were the last. Who has all that there
 * are is alone: nobody can make another one of them meanwhile. */
static inline gboolean
reeve_refs_sub (ReeveRefs *self, int n)
{
  if (atomic_load_explicit (&self->n, memory_order_acquire) == n)
    return TRUE;
  return atomic_fetch_sub_explicit (&self->n, n, memory_order_acq_rel) == n;
}

static inline gboolean
reeve_refs_dec (ReeveRefs *self)
{
  return reeve_refs_sub (self, 1);
}

G_END_DECLS
