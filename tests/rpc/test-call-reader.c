/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../log-capture.h"
#include "reader-fixture.h"

#include "protocol/keepalive.h"

#include <sys/socket.h>
#include <unistd.h>

/* Many clients that a worker reads. */

/* What calls are said to take. */
#define QUICK_RUN_NS 1000
#define SHORT_RUN_NS 15000
#define LONG_RUN_NS 100000

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

/* All but @but make so many calls each, at once. */
static void
call_all_often (Fixture *self,
                int32_t procedure,
                unsigned n_calls,
                unsigned but)
{
  uint32_t serials[N_MANY];

  for (unsigned i = 0; i < N_MANY; i++) {
    serials[i] = self->serial;
    if (i != but)
      send_frames (self, self->many[i], procedure, n_calls);
  }
  for (unsigned i = 0; i < N_MANY; i++)
    if (i != but)
      g_assert_cmphex (receive_several (self->many[i], n_calls, serials[i]), ==,
                       (UINT64_C (2) << n_calls) - 2);
}

static void
call_all (Fixture *self, int32_t procedure, unsigned but)
{
  call_all_often (self, procedure, 1, but);
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

/* How many threads ran so many calls of each, whose procedure is said to take
 * so long, while all were read; 0: they were not. */
static unsigned
count_threads (Fixture *self, unsigned n_calls, unsigned run_ns)
{
  unsigned n_threads;

  get_all_read (self);
  set_pace (self, PATIENCE_PROC_DEFERRED, run_ns);
  reset_threads (self);
  call_all_often (self, PATIENCE_PROC_DEFERRED, n_calls, N_MANY);
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
    n_threads = count_threads (self, GPOINTER_TO_UINT (data), QUICK_RUN_NS);
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
  while (count_threads (self, 1, SHORT_RUN_NS) <= n_loops);
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

/* One of several that came together: those before it are answered, and those
 * behind it as well. */
static void
test_slow_among_several (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    unsigned slow_one = i % N_MANY;
    uint32_t serial;
    uint64_t seen;

    atomic_store (&self->may_end, FALSE);
    get_all_read (self);
    set_pace (self, PATIENCE_PROC_OPEN, QUICK_RUN_NS);
    atomic_store (&self->n_quick, 2);
    serial = self->serial;
    send_frames (self, self->many[slow_one], PATIENCE_PROC_OPEN, 6);
    seen = receive_several (self->many[slow_one], 5, serial);
    call_all (self, PATIENCE_PROC_QUICK, slow_one);
    atomic_store (&self->may_end, TRUE);
    seen |= receive_several (self->many[slow_one], 1, serial);
    g_assert_cmphex (seen, ==, 0x7e);
  }
}

static void
test_pipelining_one (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    uint32_t serial;

    get_all_read (self);
    serial = self->serial;
    for (unsigned j = 0; j < 8; j++)
      send_frame (self, self->many[0], PATIENCE_PROC_QUICK);
    call_all (self, PATIENCE_PROC_QUICK, 0);
    g_assert_cmphex (receive_several (self->many[0], 8, serial), ==, 0x1fe);
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

/* The last of several lasts when nobody is read any more: those before it are
 * answered. */
static void
test_freeze_while_one_lasts (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    int fd = self->many[i % N_MANY];
    gint64 end_us = g_get_monotonic_time () + PATIENCE_US;
    uint32_t serial;

    atomic_store (&self->may_end, FALSE);
    get_all_read (self);
    set_pace (self, PATIENCE_PROC_OPEN, QUICK_RUN_NS);
    atomic_store (&self->n_quick, 5);
    serial = self->serial;
    send_frames (self, fd, PATIENCE_PROC_OPEN, 6);
    while (atomic_load (&self->n_quick) >= 0)
      g_assert_cmpint (g_get_monotonic_time (), <, end_us);
    in_loop (self, freeze, NULL);
    g_assert_cmphex (receive_several (fd, 5, serial), ==, 0x3e);
    atomic_store (&self->may_end, TRUE);
    assert_reply (fd, serial + 6);
    in_loop (self, thaw, NULL);
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

/* The test's data is how many calls each client makes at once. */
#define ADD(path, n_calls, func)                                               \
  g_test_add ("/rpc/call-reader/" path, Fixture, GUINT_TO_POINTER (n_calls),   \
              set_up_many, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  log_capture_begin ();

  ADD ("one-worker-reads-all", 1, test_one_worker);
  ADD ("one-worker-reads-several-of-all", 4, test_one_worker);
  ADD ("calls-that-last-are-spread", 1, test_spread);
  ADD ("loop-takes-who-makes-long-calls", 1, test_long);
  ADD ("nobody-waits-for-a-slow-call", 1, test_slow_one);
  ADD ("nobody-waits-for-one-of-several", 1, test_slow_among_several);
  ADD ("one-may-send-several-calls", 1, test_pipelining_one);
  ADD ("files-come-and-go", 1, test_files);
  ADD ("nothing-is-lost-by-freezing", 1, test_freeze);
  ADD ("nobody-waits-for-one-of-several-by-freezing", 1,
       test_freeze_while_one_lasts);
  ADD ("silence-ends-it", 1, test_silence_of_all);
  ADD ("server-stops-while-all-are-read", 1, test_stop_of_all);
  ADD ("deadlines-hold", 1, test_deadline);

  return g_test_run ();
}
