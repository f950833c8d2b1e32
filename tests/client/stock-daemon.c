/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stock-daemon.h"

#include "rpc/stream.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_S 30

extern char **environ;

gboolean
stock_daemon_init (StockDaemon *self, const char *program)
{
  g_autofree char *path = NULL;
  g_autofree char *search =
      g_strdup_printf ("%s:/usr/sbin:/sbin", g_getenv ("PATH"));

  *self = (StockDaemon){ 0 };
  g_setenv ("PATH", search, TRUE);
  path = g_find_program_in_path (program);
  if (path == NULL) {
    g_test_skip_printf ("%s is missing", program);
    return FALSE;
  }

  self->directory = g_dir_make_tmp ("reeve-stock-XXXXXX", NULL);
  g_assert_nonnull (self->directory);
  self->stream = g_strdup_printf ("unix:%s/socket", self->directory);
  return TRUE;
}

char *
stock_daemon_path (StockDaemon *self, const char *name)
{
  return g_build_filename (self->directory, name, NULL);
}

static pid_t
spawn (const char *const *argv)
{
  pid_t pid;

  g_assert_cmpint (
      posix_spawnp (&pid, argv[0], NULL, NULL, (char *const *) argv, environ),
      ==, 0);
  return pid;
}

static int
wait_for (pid_t pid)
{
  int status;

  while (waitpid (pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  return status;
}

void
stock_daemon_run (const char *const *argv)
{
  g_assert_cmpint (wait_for (spawn (argv)), ==, 0);
}

void
stock_daemon_start (StockDaemon *self, const char *const *argv)
{
  gint64 deadline_us = g_get_monotonic_time () + START_S * G_USEC_PER_SEC;

  self->pid = spawn (argv);
  for (;;) {
    g_autoptr (GError) error = NULL;
    g_autoptr (ReeveStream) stream =
        reeve_stream_open (self->stream, deadline_us, NULL, &error);

    if (stream != NULL)
      return;
    g_assert_cmpint (g_get_monotonic_time (), <, deadline_us);
    g_assert_cmpint (waitpid (self->pid, NULL, WNOHANG), ==, 0);
    g_usleep (10000);
  }
}

void
stock_daemon_end (StockDaemon *self)
{
  if (self->pid == 0)
    return;
  /* A stock lvmpolld may miss a SIGTERM. */
  kill (self->pid, SIGKILL);
  wait_for (self->pid);
  self->pid = 0;
}

void
stock_daemon_clear (StockDaemon *self)
{
  g_autoptr (GDir) names = g_dir_open (self->directory, 0, NULL);
  const char *name;

  stock_daemon_end (self);
  while ((name = g_dir_read_name (names)) != NULL) {
    g_autofree char *path = stock_daemon_path (self, name);

    g_unlink (path);
  }
  g_rmdir (self->directory);
  g_free (self->directory);
  g_free (self->stream);
}
