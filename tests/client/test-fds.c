/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection.h"
#include "event/thread.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "rpc/server.h"
#include "tests/rpc/parcel.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A server in a thread of this process, and connections to it. The server
 * gives back the files that it is given. No fd is left over in any case. */
typedef struct {
  char *directory;
  ReeveLoop *loop;
  ReeveServer *server;
  pthread_t thread;
  char *unix_name;
  char *tcp_name;
  ReeveConnection *connection;
  unsigned n_fds_before;
} Fixture;

static unsigned
count_open_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  unsigned n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static int
make_file (unsigned number)
{
  g_autofree char *text = g_strdup_printf ("%u;", number);
  int fd = memfd_create ("test", MFD_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, text, strlen (text)), ==, strlen (text));
  return fd;
}

static void
append_file (GString *text, int fd)
{
  char buffer[32] = "";

  g_assert_cmpint (pread (fd, buffer, sizeof buffer - 1, 0), >, 0);
  g_string_append (text, buffer);
}

static gboolean
echo (ReeveCall *call, parcel_text *ret, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (unsigned i = 0; i < reeve_call_get_n_fds (call); i++) {
    int fd = reeve_call_steal_fd (call, i);

    append_file (text, fd);
    if (!reeve_call_add_reply_fd (call, fd, error))
      return FALSE;
  }

  ret->text = g_strdup (text->str);
  return TRUE;
}

static gboolean
make (ReeveCall *call, const parcel_number *args, GError **error)
{
  for (unsigned i = 0; i < args->n; i++)
    if (!reeve_call_add_reply_fd (call, make_file (i), error))
      return FALSE;

  return TRUE;
}

static const parcel_handlers handlers = {
  .echo = echo,
  .make = make,
};

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
start_server (Fixture *self)
{
  const ReeveServerLimits limits = { .max_client_fds = 512 };
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  const char *tcp;

  self->directory = g_dir_make_tmp ("reeve-XXXXXX", &error);
  g_assert_no_error (error);
  self->unix_name = g_strdup_printf ("unix:%s/sock", self->directory);
  name = g_strconcat ("p", self->unix_name, NULL);
  self->loop = reeve_loop_new (NULL);
  self->server = reeve_server_new ("test", self->loop, &limits);
  reeve_server_add_program (self->server, &parcel_program, &handlers, NULL);
  reeve_server_listen (self->server, name, NULL, &error);
  g_assert_no_error (error);
  tcp = reeve_server_listen (self->server, "ptcp:127.0.0.1:0", NULL, &error);
  g_assert_no_error (error);
  self->tcp_name = g_strdup (tcp + 1);
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

static ReeveConnection *
open_connection (const char *name)
{
  g_autoptr (GError) error = NULL;
  ReeveConnection *connection =
      reeve_connection_open (name, REEVE_CONNECTION_NO_OPEN, -1, NULL, &error);

  g_assert_no_error (error);
  return connection;
}

static void
assert_no_fd_left (Fixture *self)
{
  /* What was not taken is closed by a thread of its own. */
  for (int i = 0; i < 10000 && count_open_fds () != self->n_fds_before; i++)
    g_usleep (1000);
  g_assert_cmpuint (count_open_fds (), ==, self->n_fds_before);
}

static void
close_files (GArray *files)
{
  for (unsigned i = 0; i < files->len; i++)
    close (g_array_index (files, int, i));
  g_array_set_size (files, 0);
}

/* @count files there, and the same files back. */
static void
call_echo (ReeveConnection *connection, unsigned first, unsigned n_files)
{
  const ReeveProcedure *procedure =
      reeve_program_find (&parcel_program, PARCEL_PROC_ECHO);
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) back = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GString) expected = g_string_new (NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  int files[REEVE_MESSAGE_MAX_FDS];
  parcel_text ret = { 0 };

  for (unsigned i = 0; i < n_files; i++) {
    files[i] = make_file (first + i);
    g_string_append_printf (expected, "%u;", first + i);
  }
  reeve_connection_call_with_fds (connection, &parcel_program, procedure, NULL,
                                  files, n_files, &ret, back, -1, NULL, &error);
  for (unsigned i = 0; i < n_files; i++)
    close (files[i]);
  g_assert_no_error (error);
  g_assert_cmpstr (ret.text, ==, expected->str);
  parcel_text_clear (&ret);

  for (unsigned i = 0; i < back->len; i++) {
    int fd = g_array_index (back, int, i);

    append_file (text, fd);
    g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
  }
  g_assert_cmpstr (text->str, ==, expected->str);
  close_files (back);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  start_server (self);
  self->connection = open_connection (self->unix_name);
  /* Now the server has its end, too. */
  call_echo (self->connection, 0, 0);
  self->n_fds_before = count_open_fds ();
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  assert_no_fd_left (self);
  reeve_connection_unref (self->connection);
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
  reeve_server_stop (self->server);
  /* One more turn, in which the loop lets go of the client. */
  g_main_context_iteration (reeve_loop_get_context (self->loop), FALSE);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  rmdir (self->directory);
  g_free (self->directory);
  g_free (self->unix_name);
  g_free (self->tcp_name);
}

static void
test_echo (Fixture *self, gconstpointer data)
{
  call_echo (self->connection, 0, 0);
  call_echo (self->connection, 0, 1);
  call_echo (self->connection, 0, 7);
  call_echo (self->connection, 0, REEVE_MESSAGE_MAX_FDS);
}

typedef struct {
  ReeveConnection *connection;
  unsigned first;
} Caller;

static void *
call_often (void *data)
{
  const Caller *self = data;

  for (unsigned i = 0; i < 50; i++)
    call_echo (self->connection, self->first + i, i % 9);
  return NULL;
}

/* Calls with and without files, on one connection at the same time: more than
 * its socket takes at once. */
static void
test_many (Fixture *self, gconstpointer data)
{
  enum { N_CALLERS = 8 };
  pthread_t threads[N_CALLERS];
  Caller callers[N_CALLERS];

  for (unsigned i = 0; i < N_CALLERS; i++) {
    callers[i] = (Caller){ self->connection, 1000 * i };
    pthread_create (&threads[i], NULL, call_often, &callers[i]);
  }
  for (unsigned i = 0; i < N_CALLERS; i++)
    pthread_join (threads[i], NULL);
}

/* Nobody wants them. */
static void
test_not_taken (Fixture *self, gconstpointer data)
{
  const parcel_number args = { .n = 5 };
  g_autoptr (GError) error = NULL;

  reeve_connection_call (self->connection, &parcel_program,
                         reeve_program_find (&parcel_program, PARCEL_PROC_MAKE),
                         &args, NULL, -1, NULL, &error);
  g_assert_no_error (error);
  assert_no_fd_left (self);
}

static void
assert_refused (ReeveConnection *connection, unsigned n_files, int code)
{
  g_autofree int *files = g_new (int, n_files);
  g_autoptr (GError) error = NULL;

  for (unsigned i = 0; i < n_files; i++)
    files[i] = 0;
  g_assert_false (reeve_connection_call_with_fds (
      connection, &parcel_program,
      reeve_program_find (&parcel_program, PARCEL_PROC_ECHO), NULL, files,
      n_files, NULL, NULL, -1, NULL, &error));
  g_assert_error (error, REEVE_ERROR, code);
  g_assert_false (reeve_connection_is_closed (connection));
}

static void
test_too_many (Fixture *self, gconstpointer data)
{
  assert_refused (self->connection, REEVE_MESSAGE_MAX_FDS + 1,
                  REEVE_ERROR_LIMIT);
  call_echo (self->connection, 0, 1);
}

static void
test_tcp (Fixture *self, gconstpointer data)
{
  ReeveConnection *connection = open_connection (self->tcp_name);

  assert_refused (connection, 1, REEVE_ERROR_NO_SUPPORT);
  call_echo (connection, 0, 0);
  reeve_connection_unref (connection);
}

/* A command that is the way to the server: what it would be given is lost. */
static void
test_command (Fixture *self, gconstpointer data)
{
  ReeveConnection *connection = open_connection ("exec:cat");

  assert_refused (connection, 1, REEVE_ERROR_NO_SUPPORT);
  reeve_connection_unref (connection);
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *path;
    void (*func) (Fixture *self, gconstpointer data);
  } rows[] = {
    { "/client/fds/come-back-as-they-were", test_echo },
    { "/client/fds/stay-with-their-calls", test_many },
    { "/client/fds/are-closed-if-nobody-takes-them", test_not_taken },
    { "/client/fds/refuses-more-than-a-message-may-have", test_too_many },
    { "/client/fds/refuses-any-over-tcp", test_tcp },
    { "/client/fds/refuses-any-through-a-command", test_command },
  };

  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    g_test_add (rows[i].path, Fixture, NULL, set_up, rows[i].func, tear_down);
  return g_test_run ();
}
