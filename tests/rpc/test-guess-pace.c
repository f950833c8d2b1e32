/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/guess-pace.h"

#define COST_US G_USEC_PER_SEC
#define START_US (1000 * G_USEC_PER_SEC)

typedef struct {
  ReeveGuessPace pace;
  gint64 now_us;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  reeve_guess_pace_init (&self->pace);
  self->now_us = START_US;
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_guess_pace_clear (&self->pace);
}

static gint64
take (Fixture *self, const char *peer)
{
  return reeve_guess_pace_take (&self->pace, peer, COST_US, self->now_us);
}

/* How many fail in so many seconds, each as soon as it may. */
static unsigned
guess (Fixture *self, const char *peer, unsigned seconds)
{
  gint64 end_us = self->now_us + seconds * G_USEC_PER_SEC;
  unsigned n = 0;

  while (self->now_us < end_us) {
    gint64 wait_us = take (self, peer);

    n += wait_us == 0 ? 1 : 0;
    self->now_us += wait_us;
  }
  return n;
}

static void
test_burst_then_evenly (Fixture *self, gconstpointer data)
{
  g_assert_cmpuint (guess (self, "a", 60), ==, REEVE_GUESS_BURST + 59);
  self->now_us += G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC;
  g_assert_cmpuint (guess (self, "a", 1), ==, REEVE_GUESS_BURST);
}

static void
test_who_succeeds_never_waits (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < 1000; i++) {
    g_assert_cmpint (take (self, "a"), ==, 0);
    reeve_guess_pace_give_back (&self->pace, "a", COST_US);
  }
}

static void
test_peers_are_apart (Fixture *self, gconstpointer data)
{
  guess (self, "a", 10);
  g_assert_cmpint (take (self, "a"), ==, 0);
  g_assert_cmpint (take (self, "a"), >, 0);
  g_assert_cmpint (take (self, "b"), ==, 0);
}

static void
test_a_wait_costs_nothing (Fixture *self, gconstpointer data)
{
  gint64 wait_us;

  for (unsigned i = 0; i < REEVE_GUESS_BURST; i++)
    g_assert_cmpint (take (self, "a"), ==, 0);
  wait_us = take (self, "a");
  g_assert_cmpint (wait_us, ==, COST_US);
  g_assert_cmpint (take (self, "a"), ==, wait_us);
  reeve_guess_pace_give_back (&self->pace, "a", COST_US);
  g_assert_cmpint (take (self, "a"), ==, 0);
}

/* Those there is no room for are as fast together as one. */
static void
test_many_peers_are_bounded (Fixture *self, gconstpointer data)
{
  unsigned n = 0;

  for (unsigned i = 0; i < 4 * REEVE_GUESS_PEERS; i++) {
    g_autofree char *peer = g_strdup_printf ("%u", i);

    n += take (self, peer) == 0 ? 1 : 0;
  }
  g_assert_cmpuint (n, ==, REEVE_GUESS_PEERS + REEVE_GUESS_BURST);
  g_assert_cmpuint (g_hash_table_size (self->pace.peers), <=,
                    REEVE_GUESS_PEERS + 1);
  /* Whoever has failed long ago makes room. */
  self->now_us += 100 * G_USEC_PER_SEC;
  g_assert_cmpint (take (self, "new"), ==, 0);
  g_assert_cmpuint (g_hash_table_size (self->pace.peers), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func)                                                        \
  g_test_add ("/rpc/guess-pace/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("burst-then-evenly", test_burst_then_evenly);
  ADD ("who-succeeds-never-waits", test_who_succeeds_never_waits);
  ADD ("peers-are-apart", test_peers_are_apart);
  ADD ("a-wait-costs-nothing", test_a_wait_costs_nothing);
  ADD ("many-peers-are-bounded", test_many_peers_are_bounded);
#undef ADD
  return g_test_run ();
}
