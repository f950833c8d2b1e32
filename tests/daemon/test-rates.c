/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/rates.h"

#include <sys/socket.h>
#include <unistd.h>

#define SECONDS(n) ((gint64) (n) *G_USEC_PER_SEC)
#define N_CLIENTS 12

typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  ReeveRates *rates;
  gint64 start_us;
  int ends[N_CLIENTS];
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->loop = reeve_loop_new (g_main_context_default ());
  self->server = reeve_server_new ("test", self->loop, NULL);
  self->start_us = g_get_monotonic_time ();
  self->rates = reeve_rates_new (self->server);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_server_stop (self->server);
  reeve_rates_free (self->rates);
  reeve_server_unref (self->server);
  for (size_t i = 0; i < N_CLIENTS; i++)
    close (self->ends[i]);
  reeve_loop_unref (self->loop);
}

static void
connect_clients (Fixture *self)
{
  for (size_t i = 0; i < N_CLIENTS; i++) {
    int ends[2];

    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
    reeve_server_add_fd_client (self->server, ends[0], NULL);
    self->ends[i] = ends[1];
  }
}

static size_t
find (const char *name)
{
  size_t i = 0;

  while (!g_str_equal (reeve_rates_get_name (i), name))
    i++;
  return i;
}

static void
look_until (Fixture *self, int from_s, int to_s)
{
  for (int s = from_s; s <= to_s; s += 5)
    reeve_rates_look (self->rates, self->start_us + SECONDS (s));
}

static void
assert_rates (Fixture *self, double last_5s, double minute, double hour)
{
  ReeveServerStats stats;
  ReeveRate rate;

  reeve_server_get_stats (self->server, &stats);
  g_assert_cmpuint (
      reeve_rates_get (self->rates, find ("clients_accepted"), &stats, &rate),
      ==, stats.n_accepted);
  g_assert_cmpfloat_with_epsilon (rate.last_5s, last_5s, 0.01);
  g_assert_cmpfloat_with_epsilon (rate.last_minute, minute, 0.001);
  g_assert_cmpfloat_with_epsilon (rate.last_hour, hour, 0.00001);
  reeve_rates_get (self->rates, find ("calls"), &stats, &rate);
  g_assert_cmpfloat (rate.last_hour, ==, 0);
}

static void
test_rates (Fixture *self, gconstpointer data)
{
  connect_clients (self);
  assert_rates (self, 0, 0, 0);
  look_until (self, 5, 5);
  assert_rates (self, N_CLIENTS / 5.0, N_CLIENTS / 60.0, N_CLIENTS / 3600.0);
  look_until (self, 10, 60);
  assert_rates (self, 0, N_CLIENTS / 60.0, N_CLIENTS / 3600.0);
  look_until (self, 65, 65);
  assert_rates (self, 0, 0, N_CLIENTS / 3600.0);
  look_until (self, 70, 3600);
  assert_rates (self, 0, 0, N_CLIENTS / 3600.0);
  look_until (self, 3605, 3660);
  assert_rates (self, 0, 0, 0);
}

/* Whatever kept the loop from looking makes no rate higher. */
static void
test_late_look (Fixture *self, gconstpointer data)
{
  connect_clients (self);
  look_until (self, 120, 120);
  assert_rates (self, N_CLIENTS / 120.0, N_CLIENTS / 120.0, N_CLIENTS / 3600.0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/daemon/rates/fall-with-time", Fixture, NULL, set_up, test_rates,
              tear_down);
  g_test_add ("/daemon/rates/late-look", Fixture, NULL, set_up, test_late_look,
              tear_down);
  return g_test_run ();
}
