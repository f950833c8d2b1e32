/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/idle.h"

typedef struct {
  ReeveLoop *loop;  /* (owned) */
  ReeveIdle *idle;  /* (owned) */
  unsigned n_busy;  /* looks at which there is something to do */
  unsigned n_looks; /* so far */
  gboolean has_ended;
} Fixture;

typedef struct {
  const char *name;
  unsigned timeout;
  unsigned n_busy;
  int hold_ms;  /* from the start; 0: it is not held */
  int least_ms; /* until the end; 0: it does not come */
} IdleCase;

static const IdleCase cases[] = {
  { "ends", 1, 0, 0, 1000 },
  { "waits-while-busy", 1, 1, 0, 3000 },
  { "waits-while-held", 1, 0, 1200, 3000 },
  { "never", 0, 0, 0, 0 },
  { "not-yet", 60, 0, 0, 0 },
};

static gboolean
is_busy (gpointer data)
{
  Fixture *self = data;

  return ++self->n_looks <= self->n_busy;
}

static void
end (ReeveLoop *loop, gpointer data)
{
  Fixture *self = data;

  self->has_ended = TRUE;
  reeve_loop_quit (loop);
}

static void
give_up (ReeveLoop *loop, int watch, gpointer data)
{
  reeve_loop_quit (loop);
}

static void
release (ReeveLoop *loop, int watch, gpointer data)
{
  Fixture *self = data;

  reeve_loop_remove (loop, watch);
  reeve_idle_release (self->idle);
}

static void
test_idle (gconstpointer data)
{
  const IdleCase *row = data;
  Fixture fixture = { .loop = reeve_loop_new (NULL), .n_busy = row->n_busy };
  gint64 start_us = g_get_monotonic_time ();

  fixture.idle = reeve_idle_new (fixture.loop, is_busy, end, &fixture);
  reeve_idle_set_timeout (fixture.idle, 60);
  reeve_idle_set_timeout (fixture.idle, row->timeout);
  if (row->hold_ms > 0) {
    reeve_idle_hold (fixture.idle);
    reeve_loop_add_timeout (fixture.loop, row->hold_ms, release, &fixture,
                            NULL);
  }
  reeve_loop_add_timeout (fixture.loop, row->least_ms > 0 ? 20000 : 1500,
                          give_up, NULL, NULL);
  reeve_loop_run (fixture.loop);
  g_assert_cmpint (fixture.has_ended, ==, row->least_ms > 0);
  g_assert_cmpint ((g_get_monotonic_time () - start_us) / 1000, >=,
                   row->least_ms);
  reeve_idle_free (fixture.idle);
  reeve_loop_unref (fixture.loop);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strconcat ("/daemon/idle/", cases[i].name, NULL);

    g_test_add_data_func (path, &cases[i], test_idle);
  }
  return g_test_run ();
}
