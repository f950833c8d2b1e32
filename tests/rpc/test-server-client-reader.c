/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server-loops.h"

#include "protocol/keepalive.h"
#include "rpc/message.h"
#include "rpc/server-client-private.h"
#include "tests/rpc/patience.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client that calls alone, and is read by a worker. */

/* What must happen, happens within this time. */
#define PATIENCE_US (60 * G_USEC_PER_SEC)
/* How often a case is tried: the worker may leave before its time. */
#define N_TRIES 20

typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  ReeveServerClient *client; /* (owned): that @fds[0] is */
  pthread_t thread;
  int fds[2]; /* of two clients */
  uint32_t serial;
  atomic_bool may_end; /* what is slow */
  uint64_t n_added;    /* clients */
} Fixture;

/* ------------------------------------------------------------ handlers --- */

static gboolean
quick (ReeveCall *call, GError **error)
{
  return TRUE;
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
  .deferred = quick,
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
set_up (Fixture *self, gconstpointer data)
{
  const ReeveServerLimits limits = {
    .max_client_calls = 16,
    .workers = { .lo_water = 3, .hi_water = 3, .increment = 1, .maximum = 3 },
  };

  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, &limits);
  reeve_server_add_program (self->server, &patience_program, &handlers, self);
  self->fds[0] = add_client (self);
  reeve_server_foreach_client (self->server, take_first, &self->client);
  self->fds[1] = add_client (self);
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
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  for (unsigned i = 0; i < G_N_ELEMENTS (self->fds); i++)
    if (self->fds[i] >= 0)
      close (self->fds[i]);
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

#define ADD(path, func)                                                        \
  g_test_add ("/rpc/server-client-reader/" path, Fixture, NULL, set_up, func,  \
              tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("silence-ends-it", test_silence);
  ADD ("nobody-waits-for-a-slow-call", test_slow);
  ADD ("other-messages-are-answered", test_other_messages);
  ADD ("unknown-clients-are-judged", test_unknown);
  ADD ("parts-of-a-call-are-put-together", test_parts);
  ADD ("several-calls-are-answered", test_several);
  ADD ("client-ends-while-it-is-read", test_end);
  ADD ("server-stops-while-it-is-read", test_stop);

  return g_test_run ();
}
