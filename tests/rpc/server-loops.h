/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/server.h"

G_BEGIN_DECLS

/* A server with as many threads for clients as REEVE_TEST_IO_THREADS says, by
 * which the tests of servers run a second time; none if it is not set. */
static inline ReeveServer *
new_server (const char *name, ReeveLoop *loop, const ReeveServerLimits *limits)
{
  ReeveServer *server = reeve_server_new (name, loop, limits);
  const char *n_threads = g_getenv ("REEVE_TEST_IO_THREADS");
  g_autoptr (GError) error = NULL;

  if (n_threads != NULL)
    reeve_server_set_io_threads (server, (unsigned) atoi (n_threads), &error);
  g_assert_no_error (error);
  return server;
}

/* Until one that was added is there: a thread of its own takes it in. */
static inline void
wait_for_client (ReeveServer *server, uint64_t id)
{
  for (int wait_ms = 0; wait_ms < 30000; wait_ms++) {
    g_autoptr (ReeveServerClient) client =
        reeve_server_find_client (server, id);

    if (client != NULL)
      return;
    g_usleep (1000);
  }
  g_assert_not_reached ();
}

G_END_DECLS
