/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server-loops.h"

#include "event/thread.h"
#include "protocol/keepalive.h"
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
  atomic_int n_quick;             /* before one that is slow */
  _Atomic (ReeveCall *) deferred; /* (owned) (nullable) */
  GArray *noted;                  /* of the loop's thread: ids of clients */
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
slow (ReeveCall *call, GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);

  while (!atomic_load (&fixture->may_end))
    g_usleep (100);
  return TRUE;
}

static gboolean
quick (ReeveCall *call, GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);

  return atomic_fetch_sub (&fixture->n_quick, 1) != 0 || slow (call, error);
}

static gboolean
deferred (ReeveCall *call, GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);

  atomic_store (&fixture->deferred, reeve_call_defer (call));
  return TRUE;
}

static gboolean
noted (ReeveCall *call, GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);
  uint64_t id = reeve_server_client_get_id (reeve_call_get_client (call));

  g_array_append_val (fixture->noted, id);
  return TRUE;
}

static gboolean
moved (ReeveCall *call, GError **error)
{
  return reeve_call_move_to_pool (call) || slow (call, error);
}

static const patience_handlers handlers = {
  .quick = quick,
  .slow = slow,
  .deferred = deferred,
  .noted = noted,
  .moved = moved,
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
  atomic_store (&self->n_quick, -1);
  setsockopt (self->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  self->noted = g_array_new (FALSE, FALSE, sizeof (uint64_t));
  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, &limits);
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
  g_array_unref (self->noted);
  close (self->fd);
}

/* Of calls: quick, slow, deferred, noted, moved; of keepalive: ping; and one of
 * a procedure that is not. */
static ReeveHeader
make_header (char letter, uint32_t serial)
{
  ReeveHeader header = {
    .program = patience_program.number,
    .version = patience_program.version,
    .type = REEVE_MESSAGE_CALL,
    .serial = serial,
  };

  switch (letter) {
  case 'q':
    header.procedure = PATIENCE_PROC_QUICK;
    break;
  case 's':
    header.procedure = PATIENCE_PROC_SLOW;
    break;
  case 'd':
    header.procedure = PATIENCE_PROC_DEFERRED;
    break;
  case 'n':
    header.procedure = PATIENCE_PROC_NOTED;
    break;
  case 'm':
    header.procedure = PATIENCE_PROC_MOVED;
    break;
  case 'p':
    header.program = keepalive_program.number;
    header.version = keepalive_program.version;
    header.procedure = KEEPALIVE_PROC_PING;
    header.type = REEVE_MESSAGE_EVENT;
    header.serial = 0;
    break;
  default:
    header.procedure = 77;
    break;
  }
  return header;
}

/* (transfer full): serials count from 1. */
static GByteArray *
make_frames (const char *letters)
{
  GByteArray *bytes = g_byte_array_new ();

  for (unsigned i = 0; letters[i] != '\0'; i++) {
    const ReeveHeader header = make_header (letters[i], i + 1);
    g_autoptr (GBytes) frame = reeve_message_encode (&header, NULL, NULL, NULL);
    gsize size;
    const void *data = g_bytes_get_data (frame, &size);

    g_byte_array_append (bytes, data, (guint) size);
  }
  return bytes;
}

/* Sends frames, all in one write. */
static void
send_frames (int fd, const char *letters)
{
  g_autoptr (GByteArray) bytes = make_frames (letters);

  g_assert_cmpint (send (fd, bytes->data, bytes->len, MSG_NOSIGNAL), ==,
                   bytes->len);
}

static void
receive_header (Fixture *self, ReeveHeader *header)
{
  uint8_t frame[REEVE_PAYLOAD_OFFSET];

  g_assert_cmpint (recv (self->fd, frame, sizeof frame, MSG_WAITALL), ==,
                   sizeof frame);
  reeve_header_decode (header, frame + REEVE_LENGTH_SIZE);
}

static void
assert_reply (Fixture *self, uint32_t serial)
{
  ReeveHeader header;

  receive_header (self, &header);
  g_assert_cmpuint (header.type, ==, REEVE_MESSAGE_REPLY);
  g_assert_cmpuint (header.status, ==, REEVE_STATUS_OK);
  g_assert_cmpuint (header.serial, ==, serial);
}

static void
assert_pong (Fixture *self)
{
  ReeveHeader header;

  receive_header (self, &header);
  g_assert_cmpuint (header.program, ==, keepalive_program.number);
  g_assert_cmpint (header.procedure, ==, KEEPALIVE_PROC_PONG);
  g_assert_cmpuint (header.type, ==, REEVE_MESSAGE_EVENT);
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

  send_frames (self->fd, row->calls);
  for (unsigned i = 0; i < row->n_at_once; i++)
    assert_reply (self, ++serial);
  atomic_store (&self->may_end, TRUE);
  for (unsigned i = 0; i < row->n_later; i++)
    assert_reply (self, ++serial);
}

/* An inline call that lasts holds up none behind it. */
static void
test_move (Fixture *self, gconstpointer data)
{
  send_frames (self->fd, "mn");
  assert_reply (self, 2);
  atomic_store (&self->may_end, TRUE);
  assert_reply (self, 1);
}

/* Its calls wait for room: its pings do not, and each is answered once. */
static void
test_ping (Fixture *self, gconstpointer data)
{
  send_frames (self->fd, "sqpqp");
  assert_pong (self);
  assert_pong (self);
  send_frames (self->fd, "p");
  assert_pong (self);

  atomic_store (&self->may_end, TRUE);
  assert_reply (self, 1);
  assert_reply (self, 2);
  assert_reply (self, 4);
  send_frames (self->fd, "p");
  assert_pong (self);
}

/* Calls that wait are not all read: the sender is held up. */
static void
test_look_ahead (Fixture *self, gconstpointer data)
{
  g_autofree char *calls = g_strnfill (1000, 'q');
  g_autoptr (GByteArray) bytes = make_frames (calls);
  const size_t plenty = 16 * 1024 * 1024;
  const gint64 patience_us = 200000;
  gint64 end_us = g_get_monotonic_time () + patience_us;
  size_t n_sent = 0;

  send_frames (self->fd, "s");
  while (g_get_monotonic_time () < end_us) {
    size_t offset = n_sent % bytes->len;
    gssize n = send (self->fd, bytes->data + offset, bytes->len - offset,
                     MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n <= 0)
      continue;
    n_sent += (size_t) n;
    end_us = g_get_monotonic_time () + patience_us;
    g_assert_cmpuint (n_sent, <, plenty);
  }
  g_assert_cmpuint (n_sent, >, 65536);
}

/* One sends many calls, then the other sends one: its turn comes long before
 * the many are done. */
static void
test_turns (Fixture *self, gconstpointer data)
{
  g_autofree char *calls = g_strnfill (640, 'n');
  int ends[2];
  unsigned place = 0;

  end_loop (self);
  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  reeve_server_add_fd_client (self->server, ends[1], NULL);
  send_frames (self->fd, calls);
  send_frames (ends[0], "n");
  start_loop (self);
  for (unsigned i = 0; i < 640; i++)
    assert_reply (self, i + 1);
  end_loop (self);

  while (g_array_index (self->noted, uint64_t, place) != 2)
    g_assert_cmpuint (++place, <, self->noted->len);
  g_assert_cmpuint (place, <=, 64);
  start_loop (self);
  close (ends[0]);
}

static void
enable_keepalive (ReeveServerClient *client, gpointer data)
{
  reeve_server_client_enable_keepalive (client);
}

static unsigned
count_clients (Fixture *self)
{
  ReeveServerStats stats;

  reeve_server_get_stats (self->server, &stats);
  return stats.n_clients;
}

/* The one with a call that runs stays; of two that are silent, the one that
 * sends half a frame now and then. */
static void
test_silence (Fixture *self, gconstpointer data)
{
  ReeveServerLimits limits;
  gint64 start_us = g_get_monotonic_time ();
  static const uint8_t length[] = { 0, 0, 4, 0 };
  int silent[2], slow[2];
  char byte = 0;

  reeve_server_get_limits (self->server, &limits);
  limits.keepalive_interval_s = 1;
  limits.keepalive_count = 1;
  g_assert_true (reeve_server_set_limits (self->server, &limits, NULL));
  end_loop (self);
  g_assert_no_errno (
      socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, silent));
  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, slow));
  reeve_server_add_fd_client (self->server, silent[1], NULL);
  reeve_server_add_fd_client (self->server, slow[1], NULL);
  wait_for_client (self->server, 3);
  start_loop (self);
  send_frames (self->fd, "d");
  g_assert_cmpint (send (slow[0], length, sizeof length, MSG_NOSIGNAL), ==,
                   sizeof length);
  reeve_server_foreach_client (self->server, enable_keepalive, NULL);

  while (count_clients (self) == 3 &&
         g_get_monotonic_time () - start_us < 20 * G_USEC_PER_SEC) {
    g_assert_cmpint (send (slow[0], &byte, 1, MSG_NOSIGNAL), ==, 1);
    g_usleep (300 * 1000);
  }
  g_assert_cmpint (g_get_monotonic_time () - start_us, >=, 2 * G_USEC_PER_SEC);
  g_assert_cmpuint (count_clients (self), ==, 2);
  /* A ping, then the end. */
  g_assert_cmpint (recv (silent[0], &byte, 1, 0), ==, 1);
  g_assert_cmpint (send (slow[0], &byte, 1, MSG_NOSIGNAL), ==, 1);
  g_assert_cmpint (send (self->fd, &byte, 1, MSG_NOSIGNAL), ==, 1);
  close (silent[0]);
  close (slow[0]);
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

  send_frames (self->fd, "dq");
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

/* Calls that are quick as a rule are taken together; should one of them last,
 * neither those before it nor those behind it wait for it. On a busy machine
 * they may run one by one, in any order. */
static void
test_one_lasts (Fixture *self, gconstpointer data)
{
  ReeveServerLimits limits;
  ReeveHeader header;
  uint32_t lasting = 1 + 2 + 3 + 4 + 5 + 6;

  reeve_server_get_limits (self->server, &limits);
  limits.max_client_calls = 16;
  limits.workers.lo_water = limits.workers.hi_water = limits.workers.maximum =
      2;
  g_assert_true (reeve_server_set_limits (self->server, &limits, NULL));
  for (unsigned i = 0; i < 400; i++) {
    send_frames (self->fd, "q");
    assert_reply (self, 1);
  }

  atomic_store (&self->n_quick, 2);
  send_frames (self->fd, "qqqqqq");
  for (unsigned i = 0; i < 5; i++) {
    receive_header (self, &header);
    lasting -= header.serial;
  }
  g_assert_cmpuint (lasting, >=, 1);
  g_assert_cmpuint (lasting, <=, 6);
  atomic_store (&self->may_end, TRUE);
  assert_reply (self, lasting);
}

/* A byte that carries a file, as libvirt's clients send it. */
static void
send_carrier (int fd, int file)
{
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE (sizeof (int))];
  } control = { 0 };
  uint8_t carrier = 0;
  struct iovec vector = { .iov_base = &carrier, .iov_len = 1 };
  const struct msghdr message = {
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };

  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN (sizeof file);
  memcpy (CMSG_DATA (&control.header), &file, sizeof file);
  g_assert_cmpint (sendmsg (fd, &message, MSG_NOSIGNAL), ==, 1);
}

/* The server has no procedure that takes files: what comes is dropped, and
 * disturbs nothing. */
static void
test_files (Fixture *self, gconstpointer data)
{
  ReeveHeader header = make_header ('q', 1);
  g_autoptr (GBytes) frame = NULL;
  int ends[2];
  gsize size;
  const void *bytes;
  char byte;

  frame = reeve_message_encode_with_fds (&header, 1, NULL, NULL, NULL);
  bytes = g_bytes_get_data (frame, &size);
  g_assert_no_errno (pipe (ends));
  g_assert_cmpint (send (self->fd, bytes, size, MSG_NOSIGNAL), ==, size);
  send_carrier (self->fd, ends[1]);
  assert_reply (self, 1);
  send_frames (self->fd, "q");
  assert_reply (self, 1);

  close (ends[1]);
  g_assert_cmpint (read (ends[0], &byte, 1), ==, 0);
  close (ends[0]);
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
  g_test_add ("/rpc/server-client/reply/none-waits-for-one-that-lasts", Fixture,
              NULL, set_up, test_one_lasts, tear_down);
  g_test_add ("/rpc/server-client/files/are-dropped-where-none-are-taken",
              Fixture, NULL, set_up, test_files, tear_down);
  g_test_add ("/rpc/server-client/close/takes-no-call-any-more", Fixture, NULL,
              set_up, test_close, tear_down);
  g_test_add ("/rpc/server-client/move/holds-up-no-call-behind-it", Fixture,
              &reply_cases[0], set_up, test_move, tear_down);
  g_test_add ("/rpc/server-client/ping/does-not-wait-behind-calls", Fixture,
              NULL, set_up, test_ping, tear_down);
  g_test_add ("/rpc/server-client/look-ahead/is-bounded", Fixture, NULL, set_up,
              test_look_ahead, tear_down);
  g_test_add ("/rpc/server-client/turns/many-calls-take-several", Fixture, NULL,
              set_up, test_turns, tear_down);
  g_test_add ("/rpc/server-client/keepalive/silence-ends-it", Fixture, NULL,
              set_up, test_silence, tear_down);
  return g_test_run ();
}
