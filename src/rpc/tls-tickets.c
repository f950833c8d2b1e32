/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/tls-tickets.h"

#include "event/thread.h"

#define MAX_TICKETS 64

typedef struct {
  char *key;      /* (owned) */
  GBytes *ticket; /* (owned) */
} Kept;

static ReeveMutex lock = { PTHREAD_MUTEX_INITIALIZER };
static GQueue kept
    REEVE_GUARDED; /* (element-type Kept) (owned): oldest first */

static GBytes *
take_locked (const char *key) REEVE_REQUIRES (lock)
{
  for (GList *link = kept.head; link != NULL; link = link->next) {
    Kept *self = link->data;
    GBytes *ticket = self->ticket;

    if (!g_str_equal (self->key, key))
      continue;
    g_queue_delete_link (&kept, link);
    g_free (self->key);
    g_free (self);
    return ticket;
  }

  return NULL;
}

void
reeve_tls_tickets_keep (const char *key, GBytes *ticket)
{
  Kept *self = g_new (Kept, 1);

  *self = (Kept){ g_strdup (key), ticket };

  REEVE_LOCK_SCOPE (&lock);

  g_bytes_unref (take_locked (key));
  if (kept.length == MAX_TICKETS)
    g_bytes_unref (take_locked (((Kept *) kept.head->data)->key));
  g_queue_push_tail (&kept, self);
}

GBytes *
reeve_tls_tickets_take (const char *key)
{
  REEVE_LOCK_SCOPE (&lock);

  return take_locked (key);
}
