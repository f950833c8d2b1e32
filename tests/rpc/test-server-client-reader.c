/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../log-capture.h"
#include "server-loops.h"

#include "protocol/keepalive.h"
#include "rpc/message.h"
#include "rpc/server-client-private.h"
#include "rpc/server-inside.h"
#include "tests/rpc/patience.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Clients that make one call after the other, and are read by a worker. */

/* What must happen, happens within this time. */
#define PATIENCE_US (60 * G_USEC_PER_SEC)
/* How often a case is tried: the worker may leave before its time. */
#define N_TRIES 20
#define N_MANY 12
/* Workers of the pool. */
#define N_WORKERS 6
/* What calls are said to take. */
#define QUICK_RUN_NS 1000
#define SHORT_RUN_NS 15000
#define LONG_RUN_NS 100000

typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  ReeveServerClient *client; /* (owned): that @fds[0] is */
  pthread_t thread;
  int fds[2]; /* of two clients */
  uint32_t serial;
  atomic_bool may_end; /* what is slow */
  uint64_t n_added;    /* clients */

  unsigned n_many; /* that these are */
  int many[N_MANY];
  ReeveServerClient *clients[N_MANY]; /* (owned) */

  ReeveMutex lock;
  pthread_t threads[N_WORKERS] REEVE_GUARDED; /* that ran calls */
  unsigned n_threads REEVE_GUARDED;
} Fixture;

/* ------------------------------------------------------------ handlers --- */

static gboolean
quick (ReeveCall *call, GError **error)
{
  return TRUE;
}

/* Notes who runs it. */
static gboolean
traced (ReeveCall *call, GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);

  REEVE_LOCK_SCOPE (&fixture->lock);

  for (unsigned i = 0; i < fixture->n_threads; i++)
    if (pthread_equal (fixture->threads[i], pthread_self ()))
      return TRUE;
  if (fixture->n_threads < N_WORKERS)
    fixture->threads[fixture->n_threads++] = pthread_self ();
  return TRUE;
}

static unsigned
reset_threads (Fixture *self)
{
  unsigned n_threads;

  REEVE_LOCK_SCOPE (&self->lock);

  n_threads = self->n_threads;
  self->n_threads = 0;
  return n_threads;
}

static gboolean
slow (ReeveCall *call, GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);

  while (!atomic_load (&fixture->may_end))
    g_usleep (100);
  return TRUE;
}

static const patience_handlers handlers = {
  .quick = quick,
  .slow = slow,
  .deferred = traced,
  .noted = quick,
  .open = quick,
};

/* ------------------------------------------------------------- fixture --- */

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
take_first (ReeveServerClient *client, gpointer data)
{
  ReeveServerClient **first = data;

  if (*first == NULL)
    *first = reeve_server_client_ref (client);
}

static int
add_client (Fixture *self)
{
  const struct timeval patience = { .tv_sec = 60 };
  int ends[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  setsockopt (ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  reeve_server_add_fd_client (self->server, ends[1], NULL);
  self->n_added++;
  wait_for_client (self->server, self->n_added);
  return ends[0];
}

static void
start (Fixture *self)
{
  const ReeveServerLimits limits = {
    .max_client_calls = 16,
    .workers = { .lo_water = 3,
                 .hi_water = N_WORKERS,
                 .increment = 1,
                 .maximum = N_WORKERS },
  };

  reeve_mutex_init (&self->lock);
  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, &limits);
  reeve_server_add_program (self->server, &patience_program, &handlers, self);
  self->fds[0] = add_client (self);
  reeve_server_foreach_client (self->server, take_first, &self->client);
  self->fds[1] = add_client (self);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  start (self);
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

static void
add_one_of_many (Fixture *self, unsigned i)
{
  self->many[i] = add_client (self);
  self->clients[i] = reeve_server_find_client (self->server, self->n_added);
}

static void
set_up_many (Fixture *self, gconstpointer data)
{
  start (self);
  self->n_many = N_MANY;
  for (unsigned i = 0; i < N_MANY; i++)
    add_one_of_many (self, i);
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  atomic_store (&self->may_end, TRUE);
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
  reeve_server_stop (self->server);
  reeve_server_client_unref (self->client);
  for (unsigned i = 0; i < self->n_many; i++)
    reeve_server_client_unref (self->clients[i]);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  for (unsigned i = 0; i < G_N_ELEMENTS (self->fds); i++)
    if (self->fds[i] >= 0)
      close (self->fds[i]);
  for (unsigned i = 0; i < self->n_many; i++)
    close (self->many[i]);
  reeve_mutex_clear (&self->lock);
}

/* (transfer full): of a procedure, or a ping. */
static GBytes *
make_frame (int32_t procedure, uint32_t serial)
{
  const ReeveHeader call = {
    .program = patience_program.number,
    .version = patience_program.version,
    .procedure = procedure,
    .type = REEVE_MESSAGE_CALL,
    .serial = serial,
  };

  return procedure == 0 ? reeve_keepalive_make_ping ()
                        : reeve_message_encode (&call, NULL, NULL, NULL);
}

static void
send_bytes (int fd, GBytes *bytes, size_t start, size_t end)
{
  const uint8_t *data = g_bytes_get_data (bytes, NULL);

  g_assert_cmpint (send (fd, data + start, end - start, MSG_NOSIGNAL), ==,
                   end - start);
}

static void
send_frame (Fixture *self, int fd, int32_t procedure)
{
  g_autoptr (GBytes) frame = make_frame (procedure, ++self->serial);

  send_bytes (fd, frame, 0, g_bytes_get_size (frame));
}

static void
receive (int fd, ReeveHeader *header)
{
  uint8_t frame[65536];
  uint32_t length;

  g_assert_cmpint (recv (fd, frame, REEVE_PAYLOAD_OFFSET, MSG_WAITALL), ==,
                   REEVE_PAYLOAD_OFFSET);
  length = reeve_length_decode (frame) - REEVE_PAYLOAD_OFFSET;
  reeve_header_decode (header, frame + REEVE_LENGTH_SIZE);
  if (length > 0)
    g_assert_cmpint (recv (fd, frame, length, MSG_WAITALL), ==, length);
}

static void
assert_reply (int fd, uint32_t serial)
{
  ReeveHeader header;

  receive (fd, &header);
  g_assert_cmpuint (header.type, ==, REEVE_MESSAGE_REPLY);
  g_assert_cmpuint (header.status, ==, REEVE_STATUS_OK);
  g_assert_cmpuint (header.serial, ==, serial);
}

static void
call_quick (Fixture *self)
{
  send_frame (self, self->fds[0], PATIENCE_PROC_QUICK);
  assert_reply (self->fds[0], self->serial);
}

/* Calls until a worker reads the client. */
static void
get_read (Fixture *self)
{
  gint64 end_us = g_get_monotonic_time () + PATIENCE_US;

  while (atomic_load (&self->client->reader) != REEVE_READER_WORKER) {
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
    call_quick (self);
  }
}

/* --------------------------------------------------------------- tests --- */

static void
test_silence (Fixture *self, gconstpointer data)
{
  gint64 end_us = g_get_monotonic_time () + PATIENCE_US;

  get_read (self);
  while (atomic_load (&self->client->reader) == REEVE_READER_WORKER)
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
  call_quick (self);
}

/* Neither the loop nor others wait for a call that lasts, and the same client
 * is read on. */
static void
test_slow (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    uint32_t serial;
    ReeveHeader header;

    atomic_store (&self->may_end, FALSE);
    get_read (self);
    send_frame (self, self->fds[0], PATIENCE_PROC_SLOW);
    serial = self->serial;
    send_frame (self, self->fds[1], PATIENCE_PROC_NOTED);
    assert_reply (self->fds[1], self->serial);
    send_frame (self, self->fds[0], 0);
    receive (self->fds[0], &header);
    g_assert_cmpuint (header.program, ==, keepalive_program.number);
    call_quick (self);
    atomic_store (&self->may_end, TRUE);
    assert_reply (self->fds[0], serial);
  }
}

/* What is no plain call is the loop's to take. */
static void
test_other_messages (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    ReeveHeader header;

    get_read (self);
    send_frame (self, self->fds[0], 0);
    receive (self->fds[0], &header);
    g_assert_cmpuint (header.program, ==, keepalive_program.number);

    get_read (self);
    send_frame (self, self->fds[0], 77);
    receive (self->fds[0], &header);
    g_assert_cmpuint (header.status, ==, REEVE_STATUS_ERROR);

    get_read (self);
    send_frame (self, self->fds[0], PATIENCE_PROC_NOTED);
    assert_reply (self->fds[0], self->serial);
  }
}

/* Who is not known yet has each call judged, however fast it calls. */
static void
test_unknown (Fixture *self, gconstpointer data)
{
  atomic_store (&self->client->is_authenticated, FALSE);
  for (unsigned i = 0; i < 50 * N_TRIES; i++) {
    ReeveHeader header;

    send_frame (self, self->fds[0], PATIENCE_PROC_OPEN);
    assert_reply (self->fds[0], self->serial);
    send_frame (self, self->fds[0], PATIENCE_PROC_QUICK);
    receive (self->fds[0], &header);
    g_assert_cmpuint (header.status, ==, REEVE_STATUS_ERROR);
  }
}

static void
test_parts (Fixture *self, gconstpointer data)
{
  for (unsigned i = 1; i < REEVE_PAYLOAD_OFFSET; i++) {
    g_autoptr (GBytes) frame = make_frame (PATIENCE_PROC_QUICK, i);

    get_read (self);
    send_bytes (self->fds[0], frame, 0, i);
    g_thread_yield ();
    send_bytes (self->fds[0], frame, i, g_bytes_get_size (frame));
    assert_reply (self->fds[0], i);
  }
}

static void
test_several (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    uint32_t serial;
    uint64_t seen = 0;

    get_read (self);
    serial = self->serial;
    for (unsigned j = 0; j < 8; j++)
      send_frame (self, self->fds[0], PATIENCE_PROC_QUICK);
    for (unsigned j = 0; j < 8; j++) {
      ReeveHeader header;

      receive (self->fds[0], &header);
      seen |= UINT64_C (1) << (header.serial - serial);
    }
    g_assert_cmphex (seen, ==, 0x1fe);
  }
}

static void
test_end (Fixture *self, gconstpointer data)
{
  gint64 end_us = g_get_monotonic_time () + PATIENCE_US;

  get_read (self);
  close (self->fds[0]);
  self->fds[0] = -1;
  while (!reeve_server_client_is_closed (self->client))
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
}

/* The server stops at once. */
static void
test_stop (Fixture *self, gconstpointer data)
{
  get_read (self);
}

/* ------------------------------------------------------------- of many --- */

/* Whatever it took, or will take where this is slow. */
static void
set_pace (Fixture *self, int32_t procedure, unsigned run_ns)
{
  ReeveServerProgram *program =
      g_ptr_array_index (reeve_server_get_entries (self->server), 0);

  atomic_store (&program->counters[procedure - 1].run_ns, run_ns);
}

static gboolean
is_read (const Fixture *self, unsigned i)
{
  return atomic_load (&self->clients[i]->reader) == REEVE_READER_WORKER;
}

static unsigned
count_read (const Fixture *self)
{
  unsigned n_read = 0;

  for (unsigned i = 0; i < N_MANY; i++)
    n_read += is_read (self, i);
  return n_read;
}

/* All but @but make one call each, at once. */
static void
call_all (Fixture *self, int32_t procedure, unsigned but)
{
  uint32_t serials[N_MANY];

  for (unsigned i = 0; i < N_MANY; i++) {
    if (i == but)
      continue;
    send_frame (self, self->many[i], procedure);
    serials[i] = self->serial;
  }
  for (unsigned i = 0; i < N_MANY; i++)
    if (i != but)
      assert_reply (self->many[i], serials[i]);
}

/* Calls until workers read all of them. */
static void
get_all_read (Fixture *self)
{
  gint64 end_us = g_get_monotonic_time () + PATIENCE_US;

  while (count_read (self) < N_MANY) {
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
    set_pace (self, PATIENCE_PROC_QUICK, QUICK_RUN_NS);
    call_all (self, PATIENCE_PROC_QUICK, N_MANY);
  }
}

/* How many threads ran one call of each, whose procedure is said to take so
 * long, while all were read; 0: they were not. */
static unsigned
count_threads (Fixture *self, unsigned run_ns)
{
  unsigned n_threads;

  get_all_read (self);
  set_pace (self, PATIENCE_PROC_DEFERRED, run_ns);
  reset_threads (self);
  call_all (self, PATIENCE_PROC_DEFERRED, N_MANY);
  n_threads = reset_threads (self);
  return count_read (self) < N_MANY ? 0 : n_threads;
}

/* One for each loop, however many clients there are. */
static void
test_one_worker (Fixture *self, gconstpointer data)
{
  unsigned n_loops = MAX (reeve_server_get_io_threads (self->server), 1);
  gint64 end_us = g_get_monotonic_time () + PATIENCE_US;
  unsigned n_threads;

  do {
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
    n_threads = count_threads (self, QUICK_RUN_NS);
  } while (n_threads == 0 || n_threads > n_loops);
}

/* Calls that are not so short are spread, and their clients read all the same.
 */
static void
test_spread (Fixture *self, gconstpointer data)
{
  unsigned n_loops = MAX (reeve_server_get_io_threads (self->server), 1);
  gint64 end_us = g_get_monotonic_time () + PATIENCE_US;

  do
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
  while (count_threads (self, SHORT_RUN_NS) <= n_loops);
}

/* Who makes calls that last is the loop's to read. */
static void
test_long (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    unsigned n_left;

    get_all_read (self);
    set_pace (self, PATIENCE_PROC_DEFERRED, LONG_RUN_NS);
    call_all (self, PATIENCE_PROC_DEFERRED, N_MANY);
    n_left = count_read (self);
    g_assert_cmpuint (n_left, <,
                      N_MANY); /* the last one is alone, and may be read on */
    call_all (self, PATIENCE_PROC_QUICK, N_MANY);
  }
}

/* The worker itself is kept by a call, or another one is: all others are
 * answered while it lasts, and its own client, too. */
static void
test_slow_one (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    unsigned slow_one = i % N_MANY;
    uint32_t serial;
    ReeveHeader header;

    atomic_store (&self->may_end, FALSE);
    get_all_read (self);
    set_pace (self, PATIENCE_PROC_SLOW,
              i % 2 == 0 ? QUICK_RUN_NS : LONG_RUN_NS);
    send_frame (self, self->many[slow_one], PATIENCE_PROC_SLOW);
    serial = self->serial;
    for (unsigned j = 0; j < 3; j++)
      call_all (self, PATIENCE_PROC_QUICK, slow_one);
    send_frame (self, self->many[slow_one], 0);
    receive (self->many[slow_one], &header);
    g_assert_cmpuint (header.program, ==, keepalive_program.number);
    atomic_store (&self->may_end, TRUE);
    assert_reply (self->many[slow_one], serial);
  }
}

static void
test_pipelining_one (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    uint32_t serial;
    uint64_t seen = 0;

    get_all_read (self);
    serial = self->serial;
    for (unsigned j = 0; j < 8; j++)
      send_frame (self, self->many[0], PATIENCE_PROC_QUICK);
    call_all (self, PATIENCE_PROC_QUICK, 0);
    for (unsigned j = 0; j < 8; j++) {
      ReeveHeader header;

      receive (self->many[0], &header);
      seen |= UINT64_C (1) << (header.serial - serial);
    }
    g_assert_cmphex (seen, ==, 0x1fe);
  }
}

/* While others are read; and the file of one that went is used again. */
static void
test_files (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    unsigned left = i % N_MANY;
    gint64 end_us = g_get_monotonic_time () + PATIENCE_US;

    get_all_read (self);
    if (i % 2 == 0)
      send_frame (self, self->many[left], PATIENCE_PROC_QUICK);
    close (self->many[left]);
    call_all (self, PATIENCE_PROC_QUICK, left);
    while (!reeve_server_client_is_closed (self->clients[left]))
      g_assert_cmpint (g_get_monotonic_time (), <, end_us);
    reeve_server_client_unref (self->clients[left]);
    add_one_of_many (self, left);
    call_all (self, PATIENCE_PROC_QUICK, N_MANY);
  }
}

typedef struct {
  Fixture *fixture;
  void (*func) (Fixture *fixture, gpointer data);
  gpointer data;
  atomic_bool is_done;
} Errand;

static void
do_errand (ReeveLoop *loop, gpointer data)
{
  Errand *self = data;

  self->func (self->fixture, self->data);
  atomic_store (&self->is_done, TRUE);
}

static void
in_loop (Fixture *self, void (*func) (Fixture *, gpointer), gpointer data)
{
  Errand errand = { self, func, data, FALSE };

  reeve_loop_invoke (self->loop, do_errand, &errand);
  while (!atomic_load (&errand.is_done))
    g_usleep (100);
}

static void
freeze (Fixture *self, gpointer data)
{
  reeve_server_freeze (self->server);
}

static void
ask_whether_quiet (Fixture *self, gpointer data)
{
  gboolean *is_quiet = data;

  *is_quiet = reeve_server_is_quiet (self->server, NULL);
}

static void
thaw (Fixture *self, gpointer data)
{
  reeve_server_thaw (self->server);
}

/* As for a takeover: from when nothing runs any more nobody is read, and
 * nothing that was sent is lost. */
static void
test_freeze (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    gint64 end_us = g_get_monotonic_time () + PATIENCE_US;
    gboolean is_quiet = FALSE;
    uint32_t serial;

    get_all_read (self);
    serial = self->serial;
    for (unsigned j = 0; j < N_MANY / 2; j++)
      send_frame (self, self->many[j], PATIENCE_PROC_QUICK);
    in_loop (self, freeze, NULL);
    while (!is_quiet) {
      g_assert_cmpint (g_get_monotonic_time (), <, end_us);
      in_loop (self, ask_whether_quiet, &is_quiet);
    }
    g_assert_cmpuint (count_read (self), ==, 0);
    for (unsigned j = N_MANY / 2; j < N_MANY; j++)
      send_frame (self, self->many[j], PATIENCE_PROC_QUICK);
    for (unsigned j = N_MANY / 2; j < N_MANY; j++) {
      char byte;

      g_assert_cmpint (recv (self->many[j], &byte, 1, MSG_DONTWAIT), ==, -1);
    }
    in_loop (self, thaw, NULL);
    for (unsigned j = 0; j < N_MANY; j++)
      assert_reply (self->many[j], serial + 1 + j);
  }
}

static void
ask_whether_idle (Fixture *self, gpointer data)
{
  gboolean *is_idle = data;

  *is_idle = TRUE;
  reeve_server_hold_loops (self->server);
  for (unsigned i = 0; i < self->server->loops->len; i++) {
    const ReeveServerLoop *loop = self->server->loops->pdata[i];

    *is_idle = *is_idle && !loop->looks && loop->watched->len == 0 &&
               loop->calling->len == 0;
  }
  reeve_server_release_loops (self->server);
}

static void
shorten_deadlines (Fixture *self, gpointer data)
{
  g_autoptr (GError) error = NULL;
  ReeveServerLimits limits;

  reeve_server_get_limits (self->server, &limits);
  limits.call_timeout_ms = 100;
  reeve_server_set_limits (self->server, &limits, &error);
  g_assert_no_error (error);
}

/* Also of calls that the loop has not read. */
static void
test_deadline (Fixture *self, gconstpointer data)
{
  ReeveHeader header;
  gboolean is_idle;

  get_all_read (self);
  set_pace (self, PATIENCE_PROC_SLOW, QUICK_RUN_NS);
  in_loop (self, shorten_deadlines, NULL);
  send_frame (self, self->many[0], PATIENCE_PROC_SLOW);
  receive (self->many[0], &header);
  g_assert_cmpuint (header.serial, ==, self->serial);
  g_assert_cmpuint (header.status, ==, REEVE_STATUS_ERROR);
  /* The log is written behind the reply. */
  in_loop (self, ask_whether_idle, &is_idle);
  log_capture_take ("warning *slow was not answered within*");
}

/* No timer runs when nobody calls. */
static void
test_silence_of_all (Fixture *self, gconstpointer data)
{
  gint64 end_us = g_get_monotonic_time () + PATIENCE_US;
  gboolean is_idle = FALSE;

  get_all_read (self);
  while (!is_idle || count_read (self) > 0) {
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
    in_loop (self, ask_whether_idle, &is_idle);
  }
  g_assert_true (reeve_job_pool_is_idle (reeve_server_get_pool (self->server)));
  call_all (self, PATIENCE_PROC_QUICK, N_MANY);
}

static void
test_stop_of_all (Fixture *self, gconstpointer data)
{
  get_all_read (self);
}

#define ADD(path, func)                                                        \
  g_test_add ("/rpc/server-client-reader/" path, Fixture, NULL, set_up, func,  \
              tear_down)
#define ADD_MANY(path, func)                                                   \
  g_test_add ("/rpc/server-client-reader/many/" path, Fixture, NULL,           \
              set_up_many, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  log_capture_begin ();

  ADD ("silence-ends-it", test_silence);
  ADD ("nobody-waits-for-a-slow-call", test_slow);
  ADD ("other-messages-are-answered", test_other_messages);
  ADD ("unknown-clients-are-judged", test_unknown);
  ADD ("parts-of-a-call-are-put-together", test_parts);
  ADD ("several-calls-are-answered", test_several);
  ADD ("client-ends-while-it-is-read", test_end);
  ADD ("server-stops-while-it-is-read", test_stop);

  ADD_MANY ("one-worker-reads-all", test_one_worker);
  ADD_MANY ("calls-that-last-are-spread", test_spread);
  ADD_MANY ("loop-takes-who-makes-long-calls", test_long);
  ADD_MANY ("nobody-waits-for-a-slow-call", test_slow_one);
  ADD_MANY ("one-may-send-several-calls", test_pipelining_one);
  ADD_MANY ("files-come-and-go", test_files);
  ADD_MANY ("nothing-is-lost-by-freezing", test_freeze);
  ADD_MANY ("silence-ends-it", test_silence_of_all);
  ADD_MANY ("server-stops-while-all-are-read", test_stop_of_all);
  ADD_MANY ("deadlines-hold", test_deadline);

  return g_test_run ();
}
