/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/thread.h"
#include "rpc/message.h"
#include "rpc/server.h"
#include "tests/rpc/patience.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server with one worker, its loop in a thread of its own, and a client's
 * end of a socket. */
typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  pthread_t thread;
  int fd;
  atomic_bool may_end;            /* what is slow */
  _Atomic (ReeveCall *) deferred; /* (owned) (nullable) */
} Fixture;

/* One row: what is sent, and what comes back when. */
typedef struct {
  const char *name;
  const char *calls;  /* sent together: quick, slow, deferred */
  unsigned n_at_once; /* the first of them are answered while one is slow */
  unsigned n_later;   /* and these when it has ended */
} ReplyCase;

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

static gboolean
deferred (ReeveCall *call, GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);

  atomic_store (&fixture->deferred, reeve_call_defer (call));
  return TRUE;
}

static const patience_handlers handlers = {
  .quick = quick,
  .slow = slow,
  .deferred = deferred,
};

/* ------------------------------------------------------------- fixture --- */

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
start_loop (Fixture *self)
{
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  const ReplyCase *row = data;
  const ReeveServerLimits limits = {
    .max_client_calls = row == NULL ? 1 : 16,
    .workers = { .lo_water = 1, .hi_water = 1, .maximum = 1 },
  };
  const struct timeval patience = { .tv_sec = 20 };
  int ends[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  self->fd = ends[0];
  setsockopt (self->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  self->loop = reeve_loop_new (NULL);
  self->server = reeve_server_new ("test", self->loop, &limits);
  reeve_server_add_program (self->server, &patience_program, &handlers, self);
  reeve_server_add_fd_client (self->server, ends[1], NULL);
  start_loop (self);
}

static void
end_loop (Fixture *self)
{
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
}

static void
answer_deferred (Fixture *self)
{
  ReeveCall *call = atomic_exchange (&self->deferred, NULL);

  if (call != NULL)
    reeve_call_reply (call, NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  atomic_store (&self->may_end, TRUE);
  end_loop (self);
  reeve_server_stop (self->server);
  answer_deferred (self);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  close (self->fd);
}

/* Sends calls, all in one write; serials count from 1. */
static void
send_calls (Fixture *self, const char *procedures)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  for (unsigned i = 0; procedures[i] != '\0'; i++) {
    const ReeveHeader header = {
      .program = patience_program.number,
      .version = patience_program.version,
      .procedure = procedures[i] == 'q'   ? PATIENCE_PROC_QUICK
                   : procedures[i] == 's' ? PATIENCE_PROC_SLOW
                                          : PATIENCE_PROC_DEFERRED,
      .type = REEVE_MESSAGE_CALL,
      .serial = i + 1,
    };
    g_autoptr (GBytes) frame = reeve_message_encode (&header, NULL, NULL, NULL);
    gsize size;
    const void *data = g_bytes_get_data (frame, &size);

    g_byte_array_append (bytes, data, (guint) size);
  }

  g_assert_cmpint (send (self->fd, bytes->data, bytes->len, MSG_NOSIGNAL), ==,
                   bytes->len);
}

static void
assert_reply (Fixture *self, uint32_t serial)
{
  uint8_t frame[REEVE_PAYLOAD_OFFSET];
  ReeveHeader header;

  g_assert_cmpint (recv (self->fd, frame, sizeof frame, MSG_WAITALL), ==,
                   sizeof frame);
  reeve_header_decode (&header, frame + REEVE_LENGTH_SIZE);
  g_assert_cmpuint (header.type, ==, REEVE_MESSAGE_REPLY);
  g_assert_cmpuint (header.status, ==, REEVE_STATUS_OK);
  g_assert_cmpuint (header.serial, ==, serial);
}

/* --------------------------------------------------------------- tests --- */

static const ReplyCase reply_cases[] = {
  { "quick-ones-leave", "qqqq", 4, 0 },
  { "none-waits-for-a-slow-one", "qs", 1, 1 },
  { "none-of-many-waits-for-a-slow-one", "qqqqqqqs", 7, 1 },
  { "those-behind-a-slow-one-follow-it", "sqqq", 0, 4 },
  { "none-waits-for-a-deferred-one", "qqd", 2, 0 },
};

static void
test_reply (Fixture *self, gconstpointer data)
{
  const ReplyCase *row = data;
  uint32_t serial = 0;

  send_calls (self, row->calls);
  for (unsigned i = 0; i < row->n_at_once; i++)
    assert_reply (self, ++serial);
  atomic_store (&self->may_end, TRUE);
  for (unsigned i = 0; i < row->n_later; i++)
    assert_reply (self, ++serial);
}

static void
take_turn (ReeveLoop *loop, gpointer data)
{
  atomic_store ((atomic_bool *) data, TRUE);
}

/* At its limit with a call left to take, it gets room and ends before the loop
 * comes to that call. */
static void
test_close (Fixture *self, gconstpointer data)
{
  atomic_bool has_turned = FALSE;

  send_calls (self, "dq");
  while (atomic_load (&self->deferred) == NULL)
    g_usleep (100);
  end_loop (self);

  answer_deferred (self);
  reeve_server_stop (self->server);
  reeve_loop_invoke (self->loop, take_turn, &has_turned);
  start_loop (self);
  while (!atomic_load (&has_turned))
    g_usleep (100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (reply_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/server-client/reply/", reply_cases[i].name, NULL);

    g_test_add (path, Fixture, &reply_cases[i], set_up, test_reply, tear_down);
  }
  g_test_add ("/rpc/server-client/close/takes-no-call-any-more", Fixture, NULL,
              set_up, test_close, tear_down);
  return g_test_run ();
}
