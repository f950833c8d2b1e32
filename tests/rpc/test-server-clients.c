/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server-loops.h"

#include "event/thread.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "rpc/server.h"
#include "tests/rpc/patience.h"

#include <glib/gstdio.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 20000

typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  pthread_t thread;
  char *folder; /* (owned): with the socket of a listener */
} Fixture;

static gboolean
quick (ReeveCall *call, GError **error)
{
  return TRUE;
}

static const patience_handlers handlers = { .quick = quick };

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
set_up (Fixture *self, gconstpointer data)
{
  const ReeveServerLimits *limits = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;

  self->folder = g_dir_make_tmp ("reeve-clients-XXXXXX", &error);
  g_assert_no_error (error);
  name = g_strdup_printf ("punix:%s/s", self->folder);
  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, limits);
  reeve_server_add_program (self->server, &patience_program, &handlers, self);
  reeve_server_listen (self->server, name, NULL, &error);
  g_assert_no_error (error);
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
  reeve_server_stop (self->server);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  g_rmdir (self->folder);
  g_free (self->folder);
}

typedef struct {
  Fixture *fixture;
  int fd;
  const ReeveServiceOptions *options;
} Newcomer;

static void
add_in_loop (ReeveLoop *loop, gpointer data)
{
  Newcomer *newcomer = data;

  reeve_server_add_fd_client (newcomer->fixture->server, newcomer->fd,
                              newcomer->options);
  g_free (newcomer);
}

static ReeveServerStats
get_stats (Fixture *self)
{
  ReeveServerStats stats;

  reeve_server_get_stats (self->server, &stats);
  return stats;
}

/* The loop lets go of a client after the client saw its end. */
static void
assert_n_unauth (Fixture *self, unsigned n)
{
  for (int i = 0; i < 10000 && get_stats (self).n_unauth != n; i++)
    g_usleep (1000);
  g_assert_cmpuint (get_stats (self).n_unauth, ==, n);
}

/* Returns the client's end when the server has taken the other. */
static int
add_client (Fixture *self, const ReeveServiceOptions *options)
{
  guint64 n_before = get_stats (self).n_accepted;
  Newcomer *newcomer = g_new0 (Newcomer, 1);
  int ends[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  newcomer->fixture = self;
  newcomer->fd = ends[1];
  newcomer->options = options;
  reeve_loop_invoke (self->loop, add_in_loop, newcomer);
  while (get_stats (self).n_accepted == n_before &&
         get_stats (self).n_refused == 0)
    g_usleep (100);
  return ends[0];
}

static int
make_socket (void)
{
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static void
connect_socket (Fixture *self, int fd)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  g_snprintf (address.sun_path, sizeof address.sun_path, "%s/s", self->folder);
  g_assert_no_errno (
      connect (fd, (const struct sockaddr *) &address, sizeof address));
}

static void
assert_end (int fd)
{
  struct pollfd watched = { .fd = fd, .events = POLLIN };
  char byte;

  g_assert_cmpint (poll (&watched, 1, PATIENCE_MS), ==, 1);
  g_assert_cmpint (recv (fd, &byte, 1, 0), <=, 0);
}

static void
assert_open (int fd)
{
  char byte;

  g_assert_cmpint (recv (fd, &byte, 1, MSG_DONTWAIT), <, 0);
  g_assert_cmpint (errno, ==, EAGAIN);
}

/* The server has read all that was sent; its clients may be of several loops,
 * so that no other one's reply shows that. */
static void
send_begin (int fd)
{
  static const uint8_t begin[] = { 0, 0, 4, 0 };
  int n_left;

  g_assert_cmpint (send (fd, begin, sizeof begin, MSG_NOSIGNAL), ==,
                   sizeof begin);
  for (int i = 0; i < PATIENCE_MS; i++) {
    g_assert_no_errno (ioctl (fd, SIOCOUTQ, &n_left));
    if (n_left == 0)
      return;
    g_usleep (1000);
  }
  g_assert_not_reached ();
}

/* Returns the status of the reply, and its error. */
static uint32_t
call (int fd, GError **error)
{
  const ReeveHeader header = { .program = patience_program.number,
                               .version = patience_program.version,
                               .procedure = PATIENCE_PROC_QUICK };
  g_autoptr (GBytes) frame = reeve_message_encode (&header, NULL, NULL, NULL);
  const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
  uint8_t reply[4096];
  ReeveHeader answer;
  gsize size;
  const void *data = g_bytes_get_data (frame, &size);
  gssize n_read;

  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  g_assert_cmpint (send (fd, data, size, MSG_NOSIGNAL), ==, size);
  n_read = recv (fd, reply, sizeof reply, 0);
  g_assert_cmpint (n_read, >=, REEVE_PAYLOAD_OFFSET);
  reeve_header_decode (&answer, reply + REEVE_LENGTH_SIZE);
  if (answer.status == REEVE_STATUS_ERROR)
    g_propagate_error (error, reeve_message_decode_error (
                                  reply + REEVE_PAYLOAD_OFFSET,
                                  (size_t) n_read - REEVE_PAYLOAD_OFFSET));
  return answer.status;
}

/* --------------------------------------------------------------- tests --- */

static const ReeveServerLimits three_unauth = { .max_unauth_clients = 3 };
static const ReeveServerLimits one_client = { .max_clients = 1 };
static const ReeveServerLimits two_a_second = { .max_accepts_per_second = 2 };

/* The oldest that said nothing has to go, then the oldest; never the newest,
 * nor one that is authenticated. */
static void
test_unauth (Fixture *self, gconstpointer data)
{
  static const ReeveServiceOptions stranger = { .auth = REEVE_AUTH_SASL };
  int known = add_client (self, NULL);
  int speaks = add_client (self, &stranger);
  int silent = add_client (self, &stranger);
  int third = add_client (self, &stranger);
  int fourth;

  send_begin (speaks);
  assert_n_unauth (self, 3);

  fourth = add_client (self, &stranger);
  assert_end (silent);
  send_begin (third);
  send_begin (fourth);
  g_assert_cmpuint (call (known, NULL), ==, REEVE_STATUS_OK);

  close (silent);
  silent = add_client (self, &stranger);
  assert_end (speaks);
  assert_open (third);
  assert_open (fourth);
  assert_open (silent);
  assert_n_unauth (self, 3);
  g_assert_cmpuint (get_stats (self).n_unauth_dropped, ==, 2);
  g_assert_cmpuint (call (known, NULL), ==, REEVE_STATUS_OK);
  close (known);
  close (speaks);
  close (silent);
  close (third);
  close (fourth);
}

/* One too many hears so, and makes room when it has heard. */
static void
test_refused (Fixture *self, gconstpointer data)
{
  int first = add_client (self, NULL);
  int second = add_client (self, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (call (second, &error), ==, REEVE_STATUS_ERROR);
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT);
  assert_end (second);
  g_assert_cmpuint (call (first, NULL), ==, REEVE_STATUS_OK);
  close (first);
  close (second);
  while (get_stats (self).n_clients > 0)
    g_usleep (100);

  first = make_socket ();
  connect_socket (self, first);
  g_assert_cmpuint (call (first, NULL), ==, REEVE_STATUS_OK);
  g_assert_cmpuint (get_stats (self).n_refused, ==, 1);
  close (first);
}

/* Without a file descriptor a connection ends rather than hangs, and the
 * listener lives on. */
static void
test_files (Fixture *self, gconstpointer data)
{
  int refused = make_socket ();
  int later = make_socket ();
  struct rlimit before, none;

  getrlimit (RLIMIT_NOFILE, &before);
  none = before;
  none.rlim_cur = (rlim_t) dup (later);
  close ((int) none.rlim_cur);
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &none));
  connect_socket (self, refused);
  assert_end (refused);
  g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &before));
  g_assert_cmpuint (get_stats (self).n_out_of_files, >, 0);

  connect_socket (self, later);
  g_assert_cmpuint (call (later, NULL), ==, REEVE_STATUS_OK);
  close (refused);
  close (later);
}

/* Three may come at once; the fourth waits, and is served. */
static void
test_rate (Fixture *self, gconstpointer data)
{
  gint64 start_us = g_get_monotonic_time ();
  int fds[4];

  for (unsigned i = 0; i < G_N_ELEMENTS (fds); i++) {
    fds[i] = make_socket ();
    connect_socket (self, fds[i]);
    g_assert_cmpuint (call (fds[i], NULL), ==, REEVE_STATUS_OK);
  }
  g_assert_cmpint (g_get_monotonic_time () - start_us, >=, G_USEC_PER_SEC / 4);
  g_assert_cmpuint (get_stats (self).n_delayed, >, 0);
  for (unsigned i = 0; i < G_N_ELEMENTS (fds); i++)
    close (fds[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/rpc/server-clients/unauth/the-oldest-silent-one-goes", Fixture,
              &three_unauth, set_up, test_unauth, tear_down);
  g_test_add ("/rpc/server-clients/refused/hears-so", Fixture, &one_client,
              set_up, test_refused, tear_down);
  g_test_add ("/rpc/server-clients/files/none-left", Fixture, NULL, set_up,
              test_files, tear_down);
  g_test_add ("/rpc/server-clients/rate/more-wait", Fixture, &two_a_second,
              set_up, test_rate, tear_down);
  return g_test_run ();
}
