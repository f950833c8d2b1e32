/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server-loops.h"

#include "rpc/error.h"
#include "rpc/message.h"
#include "rpc/server-limits.h"

typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_server_stop (self->server);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
}

static void
assert_same (const ReeveServerLimits *a, const ReeveServerLimits *b)
{
#define ASSERT_SAME(type, name, value) g_assert_true (a->name == b->name);
  REEVE_EACH_LIMIT (ASSERT_SAME)
  g_assert_cmpmem (&a->workers, sizeof a->workers, &b->workers,
                   sizeof b->workers);
}

/* ----------------------------------------------------------------- set --- */

static void
test_set (Fixture *self, gconstpointer data)
{
  ReeveServerLimits limits = { 0 };
  ReeveServerLimits now = { 0 };
  ReeveJobPoolStats stats;
  g_autoptr (GError) error = NULL;

  reeve_server_get_limits (self->server, &limits);
  limits.max_clients = 7;
  limits.max_unauth_clients = 6;
  limits.max_accepts_per_second = 5;
  limits.max_client_stream_bytes = 1 << 20;
  limits.keepalive_interval_s = -1;
  limits.workers.lo_water = 4;
  limits.workers.n_priority = 0;
  g_assert_true (reeve_server_set_limits (self->server, &limits, &error));
  g_assert_no_error (error);

  reeve_server_get_limits (self->server, &now);
  assert_same (&now, &limits);
  reeve_job_pool_get_stats (reeve_server_get_pool (self->server), &stats);
  g_assert_cmpuint (stats.n_threads, >=, 4);
}

static void
test_defaults (Fixture *self, gconstpointer data)
{
  const ReeveServerLimits zeros = { .max_clients = 100 };
  ReeveServerLimits now = { 0 };
  ReeveServerLimits before = { 0 };

  reeve_server_get_limits (self->server, &before);
  g_assert_true (reeve_server_set_limits (self->server, &zeros, NULL));
  reeve_server_get_limits (self->server, &now);
  g_assert_cmpuint (now.max_clients, ==, 100);
  /* The default would be more than all. */
  g_assert_cmpuint (now.max_unauth_clients, ==, 100);

  now.max_clients = before.max_clients;
  now.max_unauth_clients = before.max_unauth_clients;
  assert_same (&now, &before);
}

typedef struct {
  const char *name;
  ReeveServerLimits limits;
} RefusalCase;

static const RefusalCase refusal_cases[] = {
  { "more-unauthenticated-than-all",
    { .max_clients = 5, .max_unauth_clients = 6 } },
  { "no-message-is-so-small",
    { .max_message_bytes = REEVE_PAYLOAD_OFFSET - 1 } },
  { "no-message-is-so-large", { .max_message_bytes = REEVE_MESSAGE_MAX + 1 } },
  { "no-first-message-is-so-small",
    { .max_unauth_message_bytes = REEVE_PAYLOAD_OFFSET - 1 } },
  { "no-such-pool",
    { .max_clients = 9, .workers = { .lo_water = 3, .maximum = 2 } } },
};

static void
test_refusal (Fixture *self, gconstpointer data)
{
  const RefusalCase *row = data;
  ReeveServerLimits before = { 0 };
  ReeveServerLimits now = { 0 };
  g_autoptr (GError) error = NULL;

  reeve_server_get_limits (self->server, &before);
  g_assert_false (reeve_server_set_limits (self->server, &row->limits, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
  reeve_server_get_limits (self->server, &now);
  assert_same (&now, &before);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/rpc/server-limits/set/holds-at-once", Fixture, NULL, set_up,
              test_set, tear_down);
  g_test_add ("/rpc/server-limits/set/zeros-are-the-defaults", Fixture, NULL,
              set_up, test_defaults, tear_down);
  for (unsigned i = 0; i < G_N_ELEMENTS (refusal_cases); i++) {
    g_autofree char *path = g_strconcat ("/rpc/server-limits/refusal/",
                                         refusal_cases[i].name, NULL);

    g_test_add (path, Fixture, &refusal_cases[i], set_up, test_refusal,
                tear_down);
  }
  return g_test_run ();
}
