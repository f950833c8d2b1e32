/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/pid-file.h"

#include "rpc/error.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
  char *folder;
  char *path;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->folder = g_dir_make_tmp ("reeve-pid-XXXXXX", NULL);
  self->path = g_build_filename (self->folder, "test.pid", NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_unlink (self->path);
  g_assert_cmpint (g_rmdir (self->folder), ==, 0);
  g_free (self->folder);
  g_free (self->path);
}

static ReevePidFile *
take (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  ReevePidFile *file = reeve_pid_file_new (self->path, &error);

  g_assert_no_error (error);
  return file;
}

static void
assert_ours (Fixture *self)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (self->path, &text, NULL, NULL));
  g_assert_cmpint (atoi (text), ==, getpid ());
}

static void
test_life (Fixture *self, gconstpointer data)
{
  ReevePidFile *file = take (self);

  assert_ours (self);
  reeve_pid_file_free (file);
  g_assert_false (g_file_test (self->path, G_FILE_TEST_EXISTS));
}

/* What a killed daemon leaves: also a pid that some process has again. */
static void
test_stale (Fixture *self, gconstpointer data)
{
  g_autoptr (ReevePidFile) file = NULL;

  g_assert_true (g_file_set_contents (self->path, "1\n1234567890", -1, NULL));
  file = take (self);
  assert_ours (self);
}

static void
test_held (Fixture *self, gconstpointer data)
{
  ReevePidFile *file = take (self);
  g_autoptr (GError) error = NULL;
  g_autofree char *pid = g_strdup_printf ("%ld", (long) getpid ());

  g_assert_null (reeve_pid_file_new (self->path, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT);
  g_assert_nonnull (g_strrstr (error->message, pid));
  assert_ours (self);
  reeve_pid_file_free (file);
}

/* Waits for a child; returns its exit status. */
static int
reap (void)
{
  int status;

  g_assert_cmpint (waitpid (-1, &status, 0), >, 0);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

/* 0 if it got the file. The end of a pipe is the signal. */
static int
compete (Fixture *self, int start, int end)
{
  ReevePidFile *file;
  char byte;

  if (read (start, &byte, 1) != 0)
    return 2;
  file = reeve_pid_file_new (self->path, NULL);
  if (file == NULL)
    return 1;
  return read (end, &byte, 1) == 0 ? 0 : 2;
}

/* The losers end by themselves, the winner when it is told to. */
static void
test_race (Fixture *self, gconstpointer data)
{
  enum { N_PROCESSES = 20 };
  int start[2], end[2];

  g_assert_cmpint (pipe (start) | pipe (end), ==, 0);
  for (int i = 0; i < N_PROCESSES; i++) {
    if (fork () == 0) {
      close (start[1]);
      close (end[1]);
      _exit (compete (self, start[0], end[0]));
    }
  }

  close (start[0]);
  close (end[0]);
  close (start[1]);
  for (int i = 0; i < N_PROCESSES - 1; i++)
    g_assert_cmpint (reap (), ==, 1);
  close (end[1]);
  g_assert_cmpint (reap (), ==, 0);
}

/* Until it is empty, or killed. */
static void
read_forever (const char *path)
{
  char text[32];
  int fd = open (path, O_RDONLY | O_CLOEXEC);

  while (pread (fd, text, sizeof text, 0) > 0)
    ;
  _exit (1);
}

/* Somebody who looks at it finds an id in it, whoever holds it. */
static void
test_never_empty (Fixture *self, gconstpointer data)
{
  g_autoptr (ReevePidFile) file = take (self);
  pid_t reader = fork ();
  int status;

  if (reader == 0)
    read_forever (self->path);
  for (int i = 0; i < 5000; i++) {
    reeve_pid_file_lend (file);
    reeve_pid_file_hold (file);
  }
  kill (reader, SIGKILL);
  g_assert_cmpint (waitpid (reader, &status, 0), ==, reader);
  g_assert_true (WIFSIGNALED (status));
  assert_ours (self);
}

static void
test_no_folder (Fixture *self, gconstpointer data)
{
  g_autofree char *path = g_build_filename (self->folder, "no", "x.pid", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (reeve_pid_file_new (path, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
  g_assert_nonnull (g_strrstr (error->message, path));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/daemon/pid-file/life", Fixture, NULL, set_up, test_life,
              tear_down);
  g_test_add ("/daemon/pid-file/stale-one-is-taken", Fixture, NULL, set_up,
              test_stale, tear_down);
  g_test_add ("/daemon/pid-file/held-one-is-refused", Fixture, NULL, set_up,
              test_held, tear_down);
  g_test_add ("/daemon/pid-file/one-of-many-gets-it", Fixture, NULL, set_up,
              test_race, tear_down);
  g_test_add ("/daemon/pid-file/never-empty", Fixture, NULL, set_up,
              test_never_empty, tear_down);
  g_test_add ("/daemon/pid-file/no-folder", Fixture, NULL, set_up,
              test_no_folder, tear_down);
  return g_test_run ();
}
