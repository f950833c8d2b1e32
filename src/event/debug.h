/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

/* The least severe level that somebody wants; who writes the log says it. */
extern atomic_int reeve_debug_wanted;

static inline gboolean
reeve_debug_is_wanted (GLogLevelFlags level)
{
  return (int) level <=
         atomic_load_explicit (&reeve_debug_wanted, memory_order_relaxed);
}

static inline void
reeve_debug_set_wanted (GLogLevelFlags level)
{
  atomic_store_explicit (&reeve_debug_wanted, (int) level,
                         memory_order_relaxed);
}

/**
 * REEVE_DEBUG:
 *
 * g_debug() that costs nothing while nobody wants it: for what is said at each
 * call.
 */
#define REEVE_DEBUG(...)                                                       \
  do {                                                                         \
    if (reeve_debug_is_wanted (G_LOG_LEVEL_DEBUG))                             \
      g_debug (__VA_ARGS__);                                                   \
  } while (0)

G_END_DECLS
