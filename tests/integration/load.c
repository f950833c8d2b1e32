/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection.h"
#include "protocol/remote.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* load URI N_CLIENTS N_CALLS [lasting]: so many clients, each with a thread,
 * each call so often, one call after the other. Prints how many failed, and the
 * median and the 99th percentile of a call's microseconds. `lasting`:
 * connections that are lost come back, and there is a pause before each call;
 * each client prints "connected" first. */

#define PAUSE_US 1000

typedef struct {
  const char *uri;
  ReeveConnectionFlags flags;
  unsigned n_calls;
  unsigned n_failed;
  unsigned *took_us;           /* of each call */
  ReeveConnection *connection; /* (owned) (nullable) */
  pthread_t thread;
} Client;

static gboolean
call (ReeveConnection *connection)
{
  remote_connect_get_lib_version_ret ret = { 0 };
  g_autoptr (GError) error = NULL;

  if (reeve_connection_call (
          connection, &remote_program,
          reeve_program_find (&remote_program,
                              REMOTE_PROC_CONNECT_GET_LIB_VERSION),
          NULL, &ret, -1, NULL, &error))
    return TRUE;

  g_printerr ("%s\n", error->message);
  return FALSE;
}

static void
say (const char *word)
{
  printf ("%s\n", word);
  fflush (stdout);
}

static void *
run (void *data)
{
  Client *self = data;

  if (self->flags != REEVE_CONNECTION_DEFAULT)
    say ("connected");
  for (unsigned i = 0; i < self->n_calls; i++) {
    gint64 start_us;

    if (self->flags != REEVE_CONNECTION_DEFAULT)
      g_usleep (PAUSE_US);
    start_us = g_get_monotonic_time ();
    if (!call (self->connection))
      self->n_failed++;
    self->took_us[i] = (unsigned) (g_get_monotonic_time () - start_us);
  }
  return NULL;
}

/* One after the other: ThreadSanitizer does not understand how GLib's threads
 * share what is made of a class when it is first used. */
static void
start (Client *self)
{
  g_autoptr (GError) error = NULL;

  self->connection =
      reeve_connection_open (self->uri, self->flags, -1, NULL, &error);
  if (self->connection != NULL) {
    pthread_create (&self->thread, NULL, run, self);
    return;
  }
  g_printerr ("%s\n", error->message);
  self->n_failed = self->n_calls;
}

static void
finish (Client *self)
{
  if (self->connection == NULL)
    return;

  pthread_join (self->thread, NULL);
  reeve_connection_unref (self->connection);
}

static int
compare (const void *a, const void *b)
{
  unsigned x = *(const unsigned *) a, y = *(const unsigned *) b;

  return (x > y) - (x < y);
}

int
main (int argc, char **argv)
{
  gboolean is_lasting = argc == 5 && g_str_equal (argv[4], "lasting");
  gboolean is_usage = argc == 4 || is_lasting;
  unsigned n_clients = is_usage ? (unsigned) atoi (argv[2]) : 0;
  unsigned n_calls = is_usage ? (unsigned) atoi (argv[3]) : 0;
  unsigned n_all = n_clients * n_calls;
  unsigned n_failed = 0;
  g_autoptr (ReeveConnection) connection = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree Client *clients = g_new0 (Client, n_clients);
  g_autofree unsigned *took_us = g_new0 (unsigned, n_all);

  if (n_all == 0) {
    g_printerr ("usage: %s URI CLIENTS CALLS [lasting]\n", argv[0]);
    return 2;
  }

  /* Nobody starts unless the daemon is there; and GLib makes its types once,
   * in a way that ThreadSanitizer does not understand. */
  connection = reeve_connection_open (argv[1], REEVE_CONNECTION_DEFAULT, -1,
                                      NULL, &error);
  if (connection == NULL) {
    g_printerr ("%s\n", error->message);
    return 1;
  }

  for (unsigned i = 0; i < n_clients; i++) {
    clients[i].uri = argv[1];
    clients[i].flags =
        is_lasting ? REEVE_CONNECTION_RECONNECT : REEVE_CONNECTION_DEFAULT;
    clients[i].n_calls = n_calls;
    clients[i].took_us = took_us + i * n_calls;
    start (&clients[i]);
  }
  for (unsigned i = 0; i < n_clients; i++) {
    finish (&clients[i]);
    n_failed += clients[i].n_failed;
  }

  qsort (took_us, n_all, sizeof *took_us, compare);
  printf ("{\"failed\": %u, \"median_us\": %u, \"p99_us\": %u}\n", n_failed,
          took_us[n_all / 2], took_us[n_all - 1 - n_all / 100]);
  return n_failed > 0;
}
