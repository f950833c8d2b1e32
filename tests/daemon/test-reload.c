/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/reload.h"

#include "../log-capture.h"
#include "rpc/error.h"

#include <stdatomic.h>

typedef struct {
  ReeveLoop *loop;
  ReeveNotify *notify;
  ReeveReload *reload;
  atomic_int n_calls;
  atomic_bool may_end;
  GString *order; /* of the reload's thread */
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->loop = reeve_loop_new (NULL);
  self->notify = reeve_notify_new (NULL, FALSE, 0);
  self->reload = reeve_reload_new (self->loop, self->notify);
  self->order = g_string_new (NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_reload_free (self->reload);
  reeve_loop_unref (self->loop);
  reeve_notify_free (self->notify);
  g_string_free (self->order, TRUE);
}

static gboolean
fail (gpointer data, GError **error)
{
  Fixture *self = data;

  g_string_append (self->order, "fail ");
  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_SYSTEM, "no such luck");
  return FALSE;
}

/* Waits until it may end; the second time it ends the loop. */
static gboolean
work (gpointer data, GError **error)
{
  Fixture *self = data;

  g_string_append (self->order, "work ");
  atomic_fetch_add (&self->n_calls, 1);
  while (!atomic_load (&self->may_end))
    g_usleep (100);
  if (atomic_load (&self->n_calls) == 2)
    reeve_loop_quit (self->loop);
  return TRUE;
}

/* Two that are asked for while one runs are one. */
static void
test_again (Fixture *self, gconstpointer data)
{
  reeve_reload_add (self->reload, "a", fail, self);
  reeve_reload_add (self->reload, "b", work, self);
  reeve_reload_start (self->reload);
  while (atomic_load (&self->n_calls) == 0)
    g_usleep (100);
  reeve_reload_start (self->reload);
  reeve_reload_start (self->reload);
  atomic_store (&self->may_end, TRUE);
  reeve_loop_run (self->loop);
  reeve_reload_free (g_steal_pointer (&self->reload));
  for (int i = 0; i < 2; i++) {
    log_capture_take ("warning *a: no such luck");
    log_capture_take ("notice *b");
  }
  log_capture_assert_empty ();
  g_assert_cmpstr (self->order->str, ==, "fail work fail work ");
}

/* The end of a reload that the loop does not come to any more. */
static void
test_free (Fixture *self, gconstpointer data)
{
  atomic_store (&self->may_end, TRUE);
  reeve_reload_add (self->reload, "b", work, self);
  reeve_reload_start (self->reload);
  reeve_reload_start (self->reload);
  reeve_reload_free (g_steal_pointer (&self->reload));
  log_capture_take ("notice *b");
  log_capture_assert_empty ();
  g_assert_cmpint (atomic_load (&self->n_calls), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  log_capture_begin ();
  g_test_add ("/daemon/reload/start/once-more-after-the-one-that-runs", Fixture,
              NULL, set_up, test_again, tear_down);
  g_test_add ("/daemon/reload/free/waits", Fixture, NULL, set_up, test_free,
              tear_down);
  return g_test_run ();
}
