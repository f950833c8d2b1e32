/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/guess-pace.h"

/* No peer's. */
#define OTHERS ""

void
reeve_guess_pace_init (ReeveGuessPace *self)
{
  self->peers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

void
reeve_guess_pace_clear (ReeveGuessPace *self)
{
  g_hash_table_unref (self->peers);
}

static gboolean
is_past (gpointer peer, gpointer due_us, gpointer now_us)
{
  return *(const gint64 *) due_us <= *(const gint64 *) now_us;
}

static gint64 *
find (ReeveGuessPace *self, const char *peer)
{
  gint64 *due_us = g_hash_table_lookup (self->peers, peer);

  return due_us != NULL ? due_us : g_hash_table_lookup (self->peers, OTHERS);
}

/* One is added where there is room; that of the others always has. */
static gint64 *
get (ReeveGuessPace *self, const char *peer, gint64 now_us)
{
  gint64 *due_us = g_hash_table_lookup (self->peers, peer);

  if (due_us != NULL)
    return due_us;

  if (g_hash_table_size (self->peers) >= REEVE_GUESS_PEERS)
    g_hash_table_foreach_remove (self->peers, is_past, &now_us);
  if (g_hash_table_size (self->peers) >= REEVE_GUESS_PEERS) {
    due_us = g_hash_table_lookup (self->peers, OTHERS);
    peer = OTHERS;
  }
  if (due_us == NULL) {
    due_us = g_new0 (gint64, 1);
    g_hash_table_insert (self->peers, g_strdup (peer), due_us);
  }
  return due_us;
}

gint64
reeve_guess_pace_take (ReeveGuessPace *self,
                       const char *peer,
                       gint64 cost_us,
                       gint64 now_us)
{
  gint64 *due_us = get (self, peer, now_us);
  gint64 wait_us = *due_us - now_us - (REEVE_GUESS_BURST - 1) * cost_us;

  if (wait_us > 0)
    return wait_us;

  *due_us = MAX (*due_us, now_us) + cost_us;
  return 0;
}

void
reeve_guess_pace_give_back (ReeveGuessPace *self,
                            const char *peer,
                            gint64 cost_us)
{
  gint64 *due_us = find (self, peer);

  if (due_us != NULL)
    *due_us -= cost_us;
}
