/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection.h"
#include "protocol/resource-client.h"

#include <stdio.h>
#include <stdlib.h>

/* resource-calls URI PATH SECONDS: reads a resource again and again for that
 * time, and prints how many microseconds a call took: the mean, the median and
 * what one of a thousand exceeds. */

#define READ_SIZE 4096

static gboolean
read_once (ReeveConnection *connection, uint64_t handle, GError **error)
{
  const resource_read_args args = { .handle = handle, .size = READ_SIZE };
  resource_read_ret ret = { 0 };
  gboolean is_done = resource_read (connection, &args, &ret, error);

  resource_read_ret_clear (&ret);
  return is_done;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  gint64 left = *(const gint64 *) a;
  gint64 right = *(const gint64 *) b;

  return (left > right) - (left < right);
}

static void
print (GArray *times, gint64 total_us)
{
  g_array_sort (times, compare);
  printf ("%.2f %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n",
          (double) total_us / times->len,
          g_array_index (times, gint64, times->len / 2),
          g_array_index (times, gint64, times->len * 999 / 1000));
}

static gboolean
measure (ReeveConnection *connection,
         const char *path,
         double seconds,
         GError **error)
{
  resource_open_args args = { (char *) path, RESOURCE_OPEN_READ };
  resource_handle handle = { 0 };
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (gint64));
  gint64 begin_us, before_us, now_us;

  if (!resource_open (connection, &args, &handle, error))
    return FALSE;
  begin_us = now_us = g_get_monotonic_time ();
  while ((double) (now_us - begin_us) < seconds * G_USEC_PER_SEC) {
    before_us = now_us;
    if (!read_once (connection, handle.handle, error))
      return FALSE;
    now_us = g_get_monotonic_time ();
    before_us = now_us - before_us;
    g_array_append_val (times, before_us);
  }
  print (times, now_us - begin_us);
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnection) connection = NULL;

  if (argc != 4) {
    g_printerr ("usage: %s URI PATH SECONDS\n", argv[0]);
    return 2;
  }
  connection = reeve_connection_open (argv[1], 0, -1, NULL, &error);
  if (connection != NULL &&
      measure (connection, argv[2], strtod (argv[3], NULL), &error))
    return 0;
  g_printerr ("%s: %s\n", argv[0], error->message);
  return 1;
}
