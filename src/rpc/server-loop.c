/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/server-loop.h"

/* How often the deadlines of calls are looked at, while there are calls. */
#define SWEEP_MS 250
/* The longest time that a reply is held, so that the next goes with it. */
#define HOLD_MS 1

/* ----------------------------------------------------------- deadlines --- */

static void
sweep (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveServerLoop *self = data;
  gint64 now_us = g_get_monotonic_time ();

  for (unsigned i = self->calling->len; i-- > 0;)
    if (!reeve_server_client_expire (self->calling->pdata[i], now_us))
      g_ptr_array_remove_index_fast (self->calling, i);

  if (self->calling->len == 0)
    reeve_loop_update_timeout (loop, watch, -1);
}

void
reeve_server_loop_sweep (ReeveServerLoop *self, ReeveServerClient *client)
{
  if (self->calling->len == 0)
    reeve_loop_update_timeout (self->loop, self->sweep, SWEEP_MS);
  g_ptr_array_add (self->calling, reeve_server_client_ref (client));
}

gboolean
reeve_server_loop_note_caller (ReeveServerLoop *self, ReeveServerClient *client)
{
  gboolean is_same = self->last_caller == client;

  self->last_caller = client;
  return is_same;
}

/* --------------------------------------------------- replies that wait --- */

static void
flush (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveServerLoop *self = data;
  ReeveJobPool *pool = reeve_server_get_pool (self->server);

  if (pool != NULL)
    reeve_job_pool_look (pool);
  for (unsigned i = self->watched->len; i-- > 0;)
    if (!reeve_server_client_flush (self->watched->pdata[i]))
      g_ptr_array_remove_index_fast (self->watched, i);

  if (self->watched->len == 0)
    reeve_loop_update_timeout (loop, watch, -1);
}

void
reeve_server_loop_watch (ReeveServerLoop *self, ReeveServerClient *client)
{
  if (self->watched->len == 0)
    reeve_loop_update_timeout (self->loop, self->flush, HOLD_MS);
  g_ptr_array_add (self->watched, reeve_server_client_ref (client));
}

void
reeve_server_loop_let_go (ReeveServerLoop *self)
{
  g_ptr_array_set_size (self->calling, 0);
  g_ptr_array_set_size (self->watched, 0);
}

/* ---------------------------------------------------------------- life --- */

ReeveServerLoop *
reeve_server_loop_new (ReeveServer *server, ReeveLoop *loop)
{
  ReeveServerLoop *self = g_new0 (ReeveServerLoop, 1);

  self->server = server;
  self->loop = reeve_loop_ref (loop);
  self->sweep = reeve_loop_add_timeout (loop, -1, sweep, self, NULL);
  self->calling = g_ptr_array_new_with_free_func (
      (GDestroyNotify) reeve_server_client_unref);
  self->flush = reeve_loop_add_timeout (loop, -1, flush, self, NULL);
  self->watched = g_ptr_array_new_with_free_func (
      (GDestroyNotify) reeve_server_client_unref);
  self->scratch = g_malloc (REEVE_SERVER_SCRATCH_SIZE);
  return self;
}

void
reeve_server_loop_free (ReeveServerLoop *self)
{
  if (self == NULL)
    return;

  reeve_loop_remove (self->loop, self->sweep);
  reeve_loop_remove (self->loop, self->flush);
  g_ptr_array_unref (self->calling);
  g_ptr_array_unref (self->watched);
  reeve_reply_batch_clear (&self->batch);
  reeve_call_memory_clear (&self->call_memory);
  g_free (self->scratch);
  reeve_loop_unref (self->loop);
  g_free (self);
}
