/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/server-loop.h"

#include "rpc/server-inside.h"

#include <errno.h>
#include <stdio.h>

/* How often the deadlines of calls are looked at, while there are calls. */
#define SWEEP_MS 250
/* The longest time that a reply is held, so that the next goes with it. */
#define HOLD_MS 1
/* Calls of others that are run before it is the loop's own files' turn. */
#define MAX_HANDED 64

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

/* --------------------------------------------------- replies that wait --- */

static void
flush (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveServerLoop *self = data;
  ReeveJobPool *pool = reeve_server_get_pool (self->server);

  if (pool != NULL)
    reeve_job_pool_look (pool, g_get_monotonic_time ());
  self->looks =
      self->looks && pool != NULL && reeve_server_loop_look_at_reader (self);
  for (unsigned i = self->watched->len; i-- > 0;)
    if (!reeve_server_client_flush (self->watched->pdata[i]))
      g_ptr_array_remove_index_fast (self->watched, i);

  if (self->watched->len == 0 && !self->looks)
    reeve_loop_update_timeout (loop, watch, -1);
}

void
reeve_server_loop_begin_look (ReeveServerLoop *self, gpointer data)
{
  if (self->looks)
    return;

  if (self->watched->len == 0)
    reeve_loop_update_timeout (self->loop, self->flush, HOLD_MS);
  self->looks = TRUE;
  reeve_call_reader_begin_look (&self->reader);
}

void
reeve_server_loop_watch (ReeveServerLoop *self, ReeveServerClient *client)
{
  if (self->watched->len == 0 && !self->looks)
    reeve_loop_update_timeout (self->loop, self->flush, HOLD_MS);
  g_ptr_array_add (self->watched, reeve_server_client_ref (client));
}

void
reeve_server_loop_let_go (ReeveServerLoop *self)
{
  g_ptr_array_set_size (self->calling, 0);
  g_ptr_array_set_size (self->watched, 0);
  self->looks = FALSE;
}

/* -------------------------------------------------- from other threads --- */

typedef struct {
  ReeveServerLoop *to;
  ReeveServerLoopFunc func;
  gpointer data;
} Errand;

static void
run_errand (ReeveLoop *loop, gpointer data)
{
  Errand *self = data;
  ReeveServer *server = self->to->server;

  self->func (self->to, self->data);
  atomic_fetch_sub (&server->n_errands, 1);
  reeve_server_unref (server);
  g_free (self);
}

void
reeve_server_loop_send (ReeveServerLoop *self,
                        ReeveServerLoopFunc func,
                        gpointer data)
{
  Errand *errand = g_new (Errand, 1);

  *errand = (Errand){ self, func, data };
  reeve_server_ref (self->server);
  atomic_fetch_add (&self->server->n_errands, 1);
  reeve_loop_invoke (self->loop, run_errand, errand);
}

/* Takes some; returns whether more are left. */
static gboolean
take_handed (ReeveServerLoop *self, GQueue *calls)
{
  GList *link;

  REEVE_LOCK_SCOPE (&self->lock);

  while (calls->length < MAX_HANDED &&
         (link = g_queue_pop_head_link (&self->handed)) != NULL)
    g_queue_push_tail_link (calls, link);
  return self->handed.length > 0;
}

/* The replies of one client leave together, as far as its calls came so. */
static void
run_handed (ReeveLoop *loop, gpointer data)
{
  ReeveServerLoop *self = data;
  GQueue calls = G_QUEUE_INIT;
  GList *link;

  /* The calls hold the server; so this one is told before they are gone. */
  if (take_handed (self, &calls))
    reeve_loop_invoke (loop, run_handed, self);
  while ((link = g_queue_pop_head_link (&calls)) != NULL) {
    const GList *next = g_queue_peek_head_link (&calls);
    ReeveServerClient *client = ((ReeveCall *) link->data)->client;
    gboolean is_last =
        next == NULL || ((ReeveCall *) next->data)->client != client;

    /* Without a reference of ours, it might end with the server before the
     * replies are sent. */
    reeve_server_client_ref (client);
    reeve_reply_batch_run (&self->batch, link->data);
    if (is_last)
      reeve_reply_batch_flush (&self->batch);
    reeve_server_client_unref (client);
  }
}

/* Returns whether they are the first. */
static gboolean
append_handed (ReeveServerLoop *self, GQueue *calls)
{
  GList *link;
  gboolean is_first;

  REEVE_LOCK_SCOPE (&self->lock);

  is_first = g_queue_is_empty (&self->handed);
  while ((link = g_queue_pop_head_link (calls)) != NULL)
    g_queue_push_tail_link (&self->handed, link);
  return is_first;
}

void
reeve_server_loop_hand_over (ReeveServerLoop *self, GQueue *calls)
{
  if (append_handed (self, calls))
    reeve_loop_invoke (self->loop, run_handed, self);
}

static void
answer (ReeveServerLoop *self, gpointer data)
{
  atomic_store (&self->is_asked, FALSE);
}

gboolean
reeve_server_loop_has_turned (ReeveServerLoop *self)
{
  if (atomic_exchange (&self->is_asked, TRUE))
    return FALSE;

  reeve_server_loop_send (self, answer, NULL);
  return TRUE;
}

/* ---------------------------------------------------------------- life --- */

static void *
run (void *data)
{
  ReeveServerLoop *self = data;
  char name[16];

  snprintf (name, sizeof name, "io-%u", self->index);
  pthread_setname_np (pthread_self (), name);
  reeve_loop_run (self->loop);
  return NULL;
}

gboolean
reeve_server_loop_start (ReeveServerLoop *self)
{
  errno = pthread_create (&self->thread, NULL, run, self);
  return errno == 0;
}

void
reeve_server_loop_end (ReeveServerLoop *self)
{
  pthread_join (self->thread, NULL);
}

gboolean
reeve_server_loop_is_elsewhere (ReeveServerLoop *self)
{
  return self->index > 0 && reeve_loop_is_current (self->loop);
}

ReeveServerLoop *
reeve_server_loop_new (ReeveServer *server,
                       ReeveLoop *loop,
                       unsigned index) REEVE_UNCHECKED
{
  ReeveServerLoop *self = g_new0 (ReeveServerLoop, 1);

  self->server = server;
  self->loop = reeve_loop_ref (loop);
  self->index = index;
  reeve_mutex_init (&self->lock);
  reeve_call_reader_init (&self->reader);
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
reeve_server_loop_free (ReeveServerLoop *self) REEVE_UNCHECKED
{
  if (self == NULL)
    return;

  g_assert (g_queue_is_empty (&self->handed));
  reeve_loop_remove (self->loop, self->sweep);
  reeve_loop_remove (self->loop, self->flush);
  g_ptr_array_unref (self->calling);
  g_ptr_array_unref (self->watched);
  reeve_call_reader_clear (&self->reader);
  reeve_reply_batch_clear (&self->batch);
  reeve_call_stock_clear (&self->call_stock);
  reeve_call_memory_clear (&self->call_memory);
  g_free (self->scratch);
  reeve_mutex_clear (&self->lock);
  reeve_loop_unref (self->loop);
  g_free (self);
}
