/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/thread.h"
#include "rpc/error.h"
#include "rpc/server-state.h"
#include "tests/rpc/places.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A server whose clients are spread over three threads. */

#define N_LOOPS 3
#define PATIENCE_MS 30000

typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  pthread_t thread;
  char *folder; /* (owned): with the socket of a listener */
  char *path;   /* (owned): of that */
  atomic_bool may_go_on;
  atomic_bool is_ending;
  atomic_uint n_stalled;
  atomic_uint n_kept;      /* and not closed yet */
  atomic_uint n_misplaced; /* what did not run in the server's own thread */
  atomic_uint n_answered;
  gboolean has_stopped;
} Fixture;

/* ------------------------------------------------------------ handlers --- */

static gboolean
is_own_thread (Fixture *self)
{
  return reeve_loop_is_current (self->loop);
}

static gboolean
at_home (ReeveCall *call,
         const places_number *args,
         places_number *ret,
         GError **error)
{
  ret->number = is_own_thread (reeve_call_get_user_data (call));
  return TRUE;
}

typedef struct {
  Fixture *fixture;
  int n_before; /* of the server's own thread */
} Kept;

static void
close_kept (gpointer data)
{
  Kept *self = data;

  atomic_fetch_sub (&self->fixture->n_kept, 1);
  if (!is_own_thread (self->fixture))
    atomic_fetch_add (&self->fixture->n_misplaced, 1);
}

static Kept *
keep_for (ReeveCall *call)
{
  static const char key;
  ReeveServerClient *client = reeve_call_get_client (call);
  Kept *new = reeve_server_client_get_data (client, &key);

  if (new != NULL)
    return new;

  new = g_new0 (Kept, 1);
  new->fixture = reeve_call_get_user_data (call);
  /* A client makes one call after the other, so nobody else is at it. */
  atomic_fetch_add (&new->fixture->n_kept, 1);
  return reeve_server_client_attach (client, &key, new, close_kept, g_free);
}

static gboolean
in_order (ReeveCall *call,
          const places_number *args,
          places_number *ret,
          GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);

  if (!is_own_thread (fixture))
    atomic_fetch_add (&fixture->n_misplaced, 1);
  ret->number = keep_for (call)->n_before++;
  return TRUE;
}

static gboolean
stall (ReeveCall *call,
       const places_number *args,
       places_number *ret,
       GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);

  atomic_fetch_add (&fixture->n_stalled, 1);
  while (!atomic_load (&fixture->may_go_on))
    g_usleep (1000);
  return TRUE;
}

static gboolean
keep (ReeveCall *call,
      const places_number *args,
      places_number *ret,
      GError **error)
{
  keep_for (call);
  return TRUE;
}

static const places_handlers handlers = {
  .at_home = at_home,
  .in_order = in_order,
  .stall = stall,
  .keep = keep,
};

/* ------------------------------------------------------------- fixture --- */

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

  self->folder = g_dir_make_tmp ("reeve-loops-XXXXXX", &error);
  g_assert_no_error (error);
  self->path = g_build_filename (self->folder, "s", NULL);
  name = g_strconcat ("punix:", self->path, NULL);
  self->loop = reeve_loop_new (NULL);
  self->server = reeve_server_new ("test", self->loop, limits);
  reeve_server_set_io_threads (self->server, N_LOOPS, &error);
  g_assert_no_error (error);
  reeve_server_add_program (self->server, &places_program, &handlers, self);
  reeve_server_listen (self->server, name, NULL, &error);
  g_assert_no_error (error);
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

static void
stop_in_loop (ReeveLoop *loop, gpointer data)
{
  Fixture *self = data;

  reeve_server_stop (self->server);
  reeve_loop_quit (loop);
}

static void
stop (Fixture *self)
{
  if (self->has_stopped)
    return;

  reeve_loop_invoke (self->loop, stop_in_loop, self);
  pthread_join (self->thread, NULL);
  self->has_stopped = TRUE;
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  atomic_store (&self->may_go_on, TRUE);
  stop (self);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  g_rmdir (self->folder);
  g_free (self->folder);
  g_free (self->path);
}

/* ------------------------------------------------------------- clients --- */

static int
connect_client (Fixture *self)
{
  const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, self->path, sizeof address.sun_path);
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  g_assert_no_errno (
      connect (fd, (const struct sockaddr *) &address, sizeof address));
  return fd;
}

/* A call or its reply: they have the same parts here. */
typedef struct {
  uint32_t size;
  uint32_t program;
  uint32_t version;
  uint32_t procedure;
  uint32_t type;
  uint32_t serial;
  uint32_t status;
  uint32_t number;
} Frame;

static void
send_call (int fd, int procedure, uint32_t serial)
{
  const Frame frame = {
    .size = htonl (sizeof frame),
    .program = htonl (places_program.number),
    .version = htonl (1),
    .procedure = htonl ((uint32_t) procedure),
    .serial = htonl (serial),
  };

  g_assert_cmpint (send (fd, &frame, sizeof frame, MSG_NOSIGNAL), ==,
                   sizeof frame);
}

/* FALSE: the connection has ended, or it is an error. */
static gboolean
receive (int fd, Frame *frame)
{
  ssize_t n_read = recv (fd, frame, sizeof *frame, MSG_WAITALL);

  g_assert_true (n_read >= 0 || errno == ECONNRESET);
  return n_read == sizeof *frame && ntohl (frame->status) == 0;
}

static gboolean
call (int fd, int procedure)
{
  const Frame request = {
    .size = htonl (sizeof request),
    .program = htonl (places_program.number),
    .version = htonl (1),
    .procedure = htonl ((uint32_t) procedure),
  };
  Frame reply;

  return send (fd, &request, sizeof request, MSG_NOSIGNAL) > 0 &&
         receive (fd, &reply);
}

static void
assert_answered (int fd, int procedure, uint32_t number)
{
  Frame reply;

  send_call (fd, procedure, 7);
  g_assert_true (receive (fd, &reply));
  g_assert_cmpuint (ntohl (reply.serial), ==, 7);
  g_assert_cmpuint (ntohl (reply.number), ==, number);
}

/* Some, each of which the server has. */
static void
connect_all (Fixture *self, int *fds, unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    fds[i] = connect_client (self);
    assert_answered (fds[i], PLACES_PROC_AT_HOME, FALSE);
  }
}

static void
close_all (const int *fds, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    close (fds[i]);
}

static unsigned
count_clients (Fixture *self)
{
  ReeveServerStats stats;

  reeve_server_get_stats (self->server, &stats);
  return stats.n_clients;
}

#define wait_until(condition)                                                  \
  G_STMT_START                                                                 \
  {                                                                            \
    gboolean is_true = (condition);                                            \
                                                                               \
    for (int n_ms = 0; n_ms < PATIENCE_MS && !is_true; n_ms++) {               \
      g_usleep (1000);                                                         \
      is_true = (condition);                                                   \
    }                                                                          \
    g_assert_true (is_true);                                                   \
  }                                                                            \
  G_STMT_END

/* --------------------------------------------------------------- cases --- */

static void
test_spread (Fixture *self, gconstpointer data)
{
  int fds[10 * N_LOOPS];

  connect_all (self, fds, G_N_ELEMENTS (fds));
  g_assert_cmpuint (reeve_server_get_io_threads (self->server), ==, N_LOOPS);
  g_assert_cmpuint (reeve_server_count_loop_clients (self->server, 0), ==, 0);
  for (unsigned i = 1; i <= N_LOOPS; i++)
    g_assert_cmpuint (reeve_server_count_loop_clients (self->server, i), ==,
                      10);

  close_all (fds, G_N_ELEMENTS (fds));
  wait_until (count_clients (self) == 0);
  for (unsigned i = 1; i <= N_LOOPS; i++)
    g_assert_cmpuint (reeve_server_count_loop_clients (self->server, i), ==, 0);
}

#define MAX_CLIENTS 20
#define N_CALLERS 6

/* In threads of their own. */
static void
run_callers (Fixture *self, void *(*run) (void *) )
{
  pthread_t threads[N_CALLERS];

  for (int i = 0; i < N_CALLERS; i++)
    pthread_create (&threads[i], NULL, run, self);
  for (int i = 0; i < N_CALLERS; i++)
    pthread_join (threads[i], NULL);
}

static void *
come_in (void *data)
{
  Fixture *self = data;
  int fds[MAX_CLIENTS];

  for (unsigned i = 0; i < G_N_ELEMENTS (fds); i++) {
    fds[i] = connect_client (self);
    if (call (fds[i], PLACES_PROC_AT_HOME))
      atomic_fetch_add (&self->n_answered, 1);
  }
  /* Nobody makes room while others try. */
  atomic_fetch_add (&self->n_stalled, 1);
  wait_until (atomic_load (&self->n_stalled) == N_CALLERS);
  close_all (fds, G_N_ELEMENTS (fds));
  return NULL;
}

static void
test_limit (Fixture *self, gconstpointer data)
{
  ReeveServerStats stats;

  run_callers (self, come_in);
  reeve_server_get_stats (self->server, &stats);
  g_assert_cmpuint (atomic_load (&self->n_answered), ==, MAX_CLIENTS);
  g_assert_cmpuint (stats.n_accepted, ==, MAX_CLIENTS);
  g_assert_cmpuint (stats.n_refused, ==, (N_CALLERS - 1) * MAX_CLIENTS);
  wait_until (count_clients (self) == 0);
}

static void
test_order (Fixture *self, gconstpointer data)
{
  const uint32_t n_calls = 200;
  int fds[2 * N_LOOPS];
  Frame reply;

  connect_all (self, fds, G_N_ELEMENTS (fds));
  for (uint32_t i = 0; i < n_calls; i++)
    for (unsigned j = 0; j < G_N_ELEMENTS (fds); j++)
      send_call (fds[j], PLACES_PROC_IN_ORDER, i);
  for (uint32_t i = 0; i < n_calls; i++)
    for (unsigned j = 0; j < G_N_ELEMENTS (fds); j++) {
      g_assert_true (receive (fds[j], &reply));
      g_assert_cmpuint (ntohl (reply.serial), ==, i);
      g_assert_cmpuint (ntohl (reply.number), ==, i);
    }
  g_assert_cmpuint (atomic_load (&self->n_misplaced), ==, 0);
  close_all (fds, G_N_ELEMENTS (fds));
}

static void
test_slow_loop (Fixture *self, gconstpointer data)
{
  int fds[2 * N_LOOPS];
  Frame reply;

  connect_all (self, fds, G_N_ELEMENTS (fds));
  wait_until (reeve_server_have_loops_turned (self->server));
  send_call (fds[0], PLACES_PROC_STALL, 1);
  wait_until (atomic_load (&self->n_stalled) == 1);
  send_call (fds[N_LOOPS], PLACES_PROC_AT_HOME, 2);
  for (int round = 0; round < 20; round++)
    for (unsigned i = 1; i < G_N_ELEMENTS (fds); i++)
      if (i != N_LOOPS)
        assert_answered (fds[i], PLACES_PROC_IN_ORDER, (uint32_t) round);

  g_assert_cmpint (recv (fds[N_LOOPS], &reply, sizeof reply, MSG_DONTWAIT), <,
                   0);
  reeve_server_have_loops_turned (self->server);
  g_assert_false (reeve_server_have_loops_turned (self->server));
  atomic_store (&self->may_go_on, TRUE);
  g_assert_true (receive (fds[0], &reply));
  g_assert_true (receive (fds[N_LOOPS], &reply));
  g_assert_cmpuint (ntohl (reply.serial), ==, 2);
  wait_until (reeve_server_have_loops_turned (self->server));
  close_all (fds, G_N_ELEMENTS (fds));
}

static void
tell (ReeveServerClient *client, gpointer data)
{
  const places_number body = { .number = 11 };

  reeve_server_client_send_event (
      client, &places_program,
      reeve_program_find (&places_program, PLACES_PROC_HAPPENED), &body);
}

static void
test_events (Fixture *self, gconstpointer data)
{
  int fds[4 * N_LOOPS];
  Frame event;

  connect_all (self, fds, G_N_ELEMENTS (fds));
  for (int i = 0; i < 50; i++)
    reeve_server_foreach_client (self->server, tell, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (fds); i++)
    for (int j = 0; j < 50; j++) {
      g_assert_true (receive (fds[i], &event));
      g_assert_cmpuint (ntohl (event.procedure), ==, PLACES_PROC_HAPPENED);
      g_assert_cmpuint (ntohl (event.number), ==, 11);
    }
  close_all (fds, G_N_ELEMENTS (fds));
}

/* Comes, calls in each way, and goes, or is closed meanwhile. */
static void *
come_and_go (void *data)
{
  Fixture *self = data;

  for (int i = 0; i < 40; i++) {
    int fd = connect_client (self);

    for (int j = 0;
         j < 4 && call (fd, PLACES_PROC_KEEP) &&
         call (fd, PLACES_PROC_IN_ORDER) && call (fd, PLACES_PROC_AT_HOME);
         j++)
      atomic_fetch_add (&self->n_answered, 1);
    close (fd);
  }
  return NULL;
}

static void
close_third (ReeveServerClient *client, gpointer data)
{
  if (reeve_server_client_get_id (client) % 3 == 0)
    reeve_server_client_close (client);
}

static void *
close_some (void *data)
{
  Fixture *self = data;

  while (!atomic_load (&self->is_ending)) {
    reeve_server_foreach_client (self->server, close_third, NULL);
    g_usleep (500);
  }
  return NULL;
}

static void
test_closed_elsewhere (Fixture *self, gconstpointer data)
{
  pthread_t closer;
  int fds[N_LOOPS];

  pthread_create (&closer, NULL, close_some, self);
  run_callers (self, come_and_go);
  atomic_store (&self->is_ending, TRUE);
  pthread_join (closer, NULL);
  wait_until (count_clients (self) == 0);
  wait_until (atomic_load (&self->n_kept) == 0);
  g_assert_cmpuint (atomic_load (&self->n_answered), >, 0);

  /* What is kept for a client that was not closed by then is closed in the one
   * thread that modules see. */
  atomic_store (&self->n_misplaced, 0);
  connect_all (self, fds, N_LOOPS);
  for (int i = 0; i < N_LOOPS; i++)
    g_assert_true (call (fds[i], PLACES_PROC_KEEP));
  g_assert_cmpuint (atomic_load (&self->n_kept), ==, N_LOOPS);
  close_all (fds, N_LOOPS);
  wait_until (atomic_load (&self->n_kept) == 0);
  g_assert_cmpuint (atomic_load (&self->n_misplaced), ==, 0);
}

static void *
call_on (void *data)
{
  Fixture *self = data;
  int fd = connect_client (self);

  while (call (fd, PLACES_PROC_AT_HOME) && call (fd, PLACES_PROC_IN_ORDER) &&
         call (fd, PLACES_PROC_KEEP))
    atomic_fetch_add (&self->n_answered, 3);
  close (fd);
  return NULL;
}

static void
test_stop (Fixture *self, gconstpointer data)
{
  pthread_t threads[N_CALLERS];

  for (int i = 0; i < N_CALLERS; i++)
    pthread_create (&threads[i], NULL, call_on, self);
  wait_until (atomic_load (&self->n_answered) > 300);
  stop (self);
  for (int i = 0; i < N_CALLERS; i++)
    pthread_join (threads[i], NULL);
  g_assert_cmpuint (count_clients (self), ==, 0);
}

typedef struct {
  Fixture *fixture;
  unsigned n_left;
  int timer;
} Pauses;

/* Freezes, waits until all is quiet, and goes on as if nobody had taken over;
 * again and again. */
static void
pause_server (ReeveLoop *loop, int watch, gpointer data)
{
  Pauses *self = data;
  ReeveServer *server = self->fixture->server;

  if (!reeve_server_is_frozen (server)) {
    reeve_server_freeze (server);
  } else if (reeve_server_is_quiet (server, NULL)) {
    g_autoptr (ReeveSavedState) state = reeve_saved_state_new ();
    g_autoptr (GError) error = NULL;

    reeve_server_save (server, state, &error);
    g_assert_no_error (error);
    reeve_server_thaw (server);
    if (--self->n_left == 0) {
      reeve_loop_remove (loop, watch);
      atomic_store (&self->fixture->is_ending, TRUE);
    }
  }
}

static void *
call_until_end (void *data)
{
  Fixture *self = data;
  int fd = connect_client (self);

  while (!atomic_load (&self->is_ending)) {
    g_assert_true (call (fd, PLACES_PROC_AT_HOME));
    g_assert_true (call (fd, PLACES_PROC_IN_ORDER));
  }
  close (fd);
  return NULL;
}

static void
test_frozen (Fixture *self, gconstpointer data)
{
  Pauses pauses = { self, 20, 0 };

  reeve_loop_add_timeout (self->loop, 1, pause_server, &pauses, NULL);
  run_callers (self, call_until_end);
  g_assert_cmpuint (pauses.n_left, ==, 0);
  wait_until (count_clients (self) == 0);
}

static void
test_too_many (void)
{
  g_autoptr (ReeveLoop) loop = reeve_loop_new (NULL);
  g_autoptr (ReeveServer) server = reeve_server_new ("test", loop, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (reeve_server_set_io_threads (
      server, REEVE_SERVER_MAX_IO_THREADS + 1, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
  g_assert_cmpuint (reeve_server_get_io_threads (server), ==, 0);
  reeve_server_stop (server);
}

int
main (int argc, char **argv)
{
  static const ReeveServerLimits few = { .max_clients = MAX_CLIENTS };

  g_test_init (&argc, &argv, NULL);
#define ADD(name, limits, function)                                            \
  g_test_add ("/rpc/server-loops/" name, Fixture, limits, set_up, function,    \
              tear_down)
  ADD ("clients-are-spread", NULL, test_spread);
  ADD ("a-limit-holds-over-all", &few, test_limit);
  ADD ("inline-runs-in-order-in-one-thread", NULL, test_order);
  ADD ("one-that-stalls-holds-up-its-own", NULL, test_slow_loop);
  ADD ("events-reach-all", NULL, test_events);
  ADD ("closed-by-other-threads", NULL, test_closed_elsewhere);
  ADD ("stops-under-load", NULL, test_stop);
  ADD ("pauses-under-load", NULL, test_frozen);
#undef ADD
  g_test_add_func ("/rpc/server-loops/more-than-there-may-be", test_too_many);
  return g_test_run ();
}
