/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/server-inside.h"

#include <errno.h>

/* The loops of a server that have threads of their own. The daemon's thread
 * has them stand still when it has to see, or change, what is theirs; they
 * never wait for it otherwise, so that takes them as long as one turn. */

static ReeveServerLoop *
get_loop (ReeveServer *self, unsigned index)
{
  return self->loops->pdata[index];
}

ReeveServerLoop *
reeve_server_get_own_loop (ReeveServer *self)
{
  return self->own_loop;
}

unsigned
reeve_server_get_io_threads (ReeveServer *self)
{
  return self->loops->len - 1;
}

/* ---------------------------------------------------------------- life --- */

static gboolean
add_loop (ReeveServer *self, GError **error)
{
  g_autoptr (ReeveLoop) loop = reeve_loop_new (NULL);
  g_autoptr (ReeveServerLoop) added =
      loop == NULL ? NULL
                   : reeve_server_loop_new (self, loop, self->loops->len);

  if (added == NULL || !reeve_server_loop_start (added))
    return reeve_error_from_errno (error, errno,
                                   _ ("Cannot make another loop's thread"));

  g_ptr_array_add (self->loops, g_steal_pointer (&added));
  return TRUE;
}

gboolean
reeve_server_set_io_threads (ReeveServer *self,
                             unsigned n_threads,
                             GError **error)
{
  g_return_val_if_fail (self->loops->len == 1 && self->services->len == 0,
                        FALSE);

  if (n_threads > REEVE_SERVER_MAX_IO_THREADS) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("%1$u threads for clients are more than %2$u"), n_threads,
                 REEVE_SERVER_MAX_IO_THREADS);
    return FALSE;
  }

  while (self->loops->len <= n_threads)
    if (!add_loop (self, error)) {
      reeve_server_end_loops (self);
      g_ptr_array_set_size (self->loops, 1);
      return FALSE;
    }

  return TRUE;
}

void
reeve_server_end_loops (ReeveServer *self)
{
  unsigned n_loops = self->are_loops_ended ? 1 : self->loops->len;

  self->are_loops_ended = TRUE;
  for (unsigned i = 1; i < n_loops; i++)
    reeve_loop_quit (get_loop (self, i)->loop);
  if (self->n_holds > 0) {
    self->n_holds = 1;
    reeve_server_release_loops (self);
  }
  for (unsigned i = 1; i < n_loops; i++)
    reeve_server_loop_end (get_loop (self, i));
}

void
reeve_server_catch_up (ReeveServer *self)
{
  /* What one has another one do, does nothing for anybody else. */
  for (unsigned i = self->loops->len; i-- > 0;)
    reeve_loop_catch_up (get_loop (self, i)->loop);
  for (unsigned i = 1; i < self->loops->len; i++)
    reeve_loop_catch_up (get_loop (self, i)->loop);
}

/* ------------------------------------------------------ standing still --- */

static void
park (ReeveLoop *loop, gpointer data)
{
  ReeveServer *self = data;

  REEVE_LOCK_SCOPE (&self->hold_lock);

  self->n_parked++;
  reeve_cond_broadcast (&self->hold_changed);
  while (self->is_held)
    reeve_cond_wait (&self->hold_changed, &self->hold_lock);
  self->n_parked--;
  reeve_cond_broadcast (&self->hold_changed);
}

static void
set_held (ReeveServer *self, gboolean is_held)
{
  REEVE_LOCK_SCOPE (&self->hold_lock);

  self->is_held = is_held;
  reeve_cond_broadcast (&self->hold_changed);
}

static void
wait_for_parked (ReeveServer *self, unsigned n_parked)
{
  REEVE_LOCK_SCOPE (&self->hold_lock);

  while (self->n_parked != n_parked)
    reeve_cond_wait (&self->hold_changed, &self->hold_lock);
}

void
reeve_server_hold_loops (ReeveServer *self)
{
  if (self->n_holds++ > 0 || self->are_loops_ended || self->loops->len == 1)
    return;

  set_held (self, TRUE);
  for (unsigned i = 1; i < self->loops->len; i++)
    reeve_loop_invoke (get_loop (self, i)->loop, park, self);
  wait_for_parked (self, self->loops->len - 1);
}

void
reeve_server_release_loops (ReeveServer *self)
{
  if (--self->n_holds > 0 || self->loops->len == 1)
    return;

  set_held (self, FALSE);
  /* So that the next hold counts none of this one. */
  wait_for_parked (self, 0);
}

/* ------------------------------------------------------------- clients --- */

ReeveServerLoop *
reeve_server_choose_loop (ReeveServer *self)
{
  unsigned n_threads = reeve_server_get_io_threads (self);
  ReeveServerLoop *chosen = self->own_loop;

  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < n_threads; i++) {
    ReeveServerLoop *loop =
        get_loop (self, 1 + (self->last_loop + i) % n_threads);

    if (chosen->index == 0 || loop->n_clients < chosen->n_clients)
      chosen = loop;
  }

  self->last_loop = chosen->index;
  chosen->n_clients++;
  return chosen;
}

void
reeve_server_leave_loop (ReeveServer *self, ReeveServerLoop *loop)
{
  REEVE_LOCK_SCOPE (&self->lock);

  loop->n_clients--;
}

unsigned
reeve_server_count_loop_clients (ReeveServer *self, unsigned index)
{
  g_return_val_if_fail (index < self->loops->len, 0);

  REEVE_LOCK_SCOPE (&self->lock);

  return get_loop (self, index)->n_clients;
}

gboolean
reeve_server_have_loops_turned (ReeveServer *self)
{
  gboolean have_all = TRUE;

  for (unsigned i = 1; i < self->loops->len; i++)
    have_all = reeve_server_loop_has_turned (get_loop (self, i)) && have_all;
  return have_all;
}
