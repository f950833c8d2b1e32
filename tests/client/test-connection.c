/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection.h"
#include "event/thread.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "tests/rpc/patience.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client against a server that is played by the test: the other end of a
 * socket, in a thread. */

#define TIMEOUT_MS 20000
#define SHORT_MS 50

/* What the server does with the calls it reads. */
typedef void (*PlayFunc) (int fd);

typedef struct {
  ReeveConnection *connection;
  pthread_t thread;
  PlayFunc play;
  int fd; /* the server's end */
} Fixture;

typedef struct {
  const char *name;
  PlayFunc play;
  int timeout_ms;
  int code;           /* of the call's error; 0: it succeeds */
  gboolean is_usable; /* a second call succeeds */
} CallCase;

/* -------------------------------------------------------- the server --- */

static ReeveHeader
read_call (int fd)
{
  uint8_t frame[REEVE_PAYLOAD_OFFSET];
  ReeveHeader header = { 0 };

  if (recv (fd, frame, sizeof frame, MSG_WAITALL) == sizeof frame)
    reeve_header_decode (&header, frame + REEVE_LENGTH_SIZE);
  return header;
}

static void
send_bytes (int fd, GBytes *bytes)
{
  gsize size;
  const void *data = g_bytes_get_data (bytes, &size);

  g_assert_cmpint (send (fd, data, size, MSG_NOSIGNAL), ==, size);
}

static void
send_header (int fd, const ReeveHeader *header)
{
  g_autoptr (GBytes) frame = reeve_message_encode (header, NULL, NULL, NULL);

  send_bytes (fd, frame);
}

static void
answer (int fd, ReeveHeader header)
{
  header.type = REEVE_MESSAGE_REPLY;
  send_header (fd, &header);
}

static void
answer_all (int fd)
{
  ReeveHeader header;

  while ((header = read_call (fd)).program != 0)
    answer (fd, header);
}

static void
answer_by_error (int fd)
{
  ReeveHeader header = read_call (fd);
  g_autoptr (GError) failure =
      g_error_new_literal (REEVE_ERROR, REEVE_ERROR_NO_DOMAIN, "there is none");
  g_autoptr (GBytes) frame = NULL;

  header.type = REEVE_MESSAGE_REPLY;
  frame = reeve_message_encode_error (&header, failure);
  send_bytes (fd, frame);
  answer_all (fd);
}

/* An error whose struct ends too early. */
static void
answer_by_half_an_error (int fd)
{
  ReeveHeader header = read_call (fd);

  header.status = REEVE_STATUS_ERROR;
  answer (fd, header);
  answer_all (fd);
}

static void
answer_another_procedure (int fd)
{
  ReeveHeader header = read_call (fd);

  header.procedure++;
  answer (fd, header);
  answer_all (fd);
}

static void
answer_no_call (int fd)
{
  ReeveHeader header = read_call (fd);

  header.serial += 1000;
  answer (fd, header);
  answer_all (fd);
}

static void
answer_another_program (int fd)
{
  ReeveHeader header = read_call (fd);

  header.program++;
  answer (fd, header);
  answer_all (fd);
}

static void
answer_late (int fd)
{
  ReeveHeader late = read_call (fd);
  ReeveHeader next = read_call (fd);

  answer (fd, late);
  answer (fd, next);
  answer_all (fd);
}

static void
close_at_once (int fd)
{
  read_call (fd);
  shutdown (fd, SHUT_RDWR);
}

static void
send_half_a_frame (int fd)
{
  static const uint8_t half[] = { 0, 0, 0, 28, 1, 2, 3 };

  read_call (fd);
  g_assert_cmpint (send (fd, half, sizeof half, MSG_NOSIGNAL), ==, sizeof half);
  shutdown (fd, SHUT_RDWR);
}

static void
send_length (int fd, uint32_t length)
{
  uint32_t word = GUINT32_TO_BE (length);

  read_call (fd);
  g_assert_cmpint (send (fd, &word, sizeof word, MSG_NOSIGNAL), ==,
                   sizeof word);
  answer_all (fd);
}

static void
send_length_too_small (int fd)
{
  send_length (fd, REEVE_PAYLOAD_OFFSET - 1);
}

static void
send_length_too_big (int fd)
{
  send_length (fd, REEVE_MESSAGE_MAX + 1);
}

static void
call_back (int fd)
{
  ReeveHeader header = read_call (fd);

  send_header (fd, &header);
  answer_all (fd);
}

/* Of a program that nobody subscribed to. */
static void
send_event_first (int fd)
{
  ReeveHeader header = read_call (fd);
  const ReeveHeader event = {
    .program = 77, .version = 1, .procedure = 7, .type = REEVE_MESSAGE_EVENT
  };

  send_header (fd, &event);
  answer (fd, header);
  answer_all (fd);
}

static void
ping_first (int fd)
{
  ReeveHeader header = read_call (fd);
  const ReeveHeader ping = { .program = 0x6b656570,
                             .version = 1,
                             .procedure = 1,
                             .type = REEVE_MESSAGE_EVENT };
  ReeveHeader pong;

  send_header (fd, &ping);
  pong = read_call (fd);
  g_assert_cmphex (pong.program, ==, ping.program);
  g_assert_cmpint (pong.procedure, ==, 2);
  g_assert_cmpuint (pong.type, ==, REEVE_MESSAGE_EVENT);
  answer (fd, header);
  answer_all (fd);
}

/* Byte by byte. */
static void
answer_slowly (int fd)
{
  ReeveHeader header = read_call (fd);
  g_autoptr (GBytes) frame = NULL;
  const uint8_t *bytes;
  gsize size;

  header.type = REEVE_MESSAGE_REPLY;
  frame = reeve_message_encode (&header, NULL, NULL, NULL);
  bytes = g_bytes_get_data (frame, &size);
  for (gsize i = 0; i < size; i++) {
    g_assert_cmpint (send (fd, bytes + i, 1, MSG_NOSIGNAL), ==, 1);
    g_usleep (100);
  }
  answer_all (fd);
}

/* ------------------------------------------------------------- fixture --- */

static void *
run_server (void *data)
{
  Fixture *self = data;

  self->play (self->fd);
  return NULL;
}

static void
set_up_with (Fixture *self, PlayFunc play)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  int ends[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  self->fd = ends[1];
  self->play = play;
  pthread_create (&self->thread, NULL, run_server, self);
  name = g_strdup_printf ("fd:%d", ends[0]);
  self->connection = reeve_connection_open (name, REEVE_CONNECTION_NO_OPEN,
                                            TIMEOUT_MS, NULL, &error);
  g_assert_no_error (error);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  set_up_with (self, ((const CallCase *) data)->play);
}

static void
set_up_answering (Fixture *self, gconstpointer data)
{
  set_up_with (self, answer_all);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_connection_unref (self->connection);
  pthread_join (self->thread, NULL);
  close (self->fd);
}

static gboolean
call (Fixture *self, int timeout_ms, GCancellable *cancellable, GError **error)
{
  return reeve_connection_call (
      self->connection, &patience_program,
      reeve_program_find (&patience_program, PATIENCE_PROC_QUICK), NULL, NULL,
      timeout_ms, cancellable, error);
}

/* --------------------------------------------------------------- tests --- */

static const CallCase call_cases[] = {
  { "reply", answer_all, TIMEOUT_MS, 0, TRUE },
  { "reply-in-single-bytes", answer_slowly, TIMEOUT_MS, 0, TRUE },
  { "error-is-the-server-s", answer_by_error, TIMEOUT_MS, REEVE_ERROR_NO_DOMAIN,
    TRUE },
  { "half-an-error", answer_by_half_an_error, TIMEOUT_MS, REEVE_ERROR_RPC,
    TRUE },
  { "reply-of-another-procedure", answer_another_procedure, TIMEOUT_MS,
    REEVE_ERROR_RPC, TRUE },
  { "reply-to-no-call", answer_no_call, TIMEOUT_MS, REEVE_ERROR_OUTCOME_UNKNOWN,
    FALSE },
  { "reply-of-another-program", answer_another_program, TIMEOUT_MS,
    REEVE_ERROR_OUTCOME_UNKNOWN, FALSE },
  { "late-reply-is-dropped", answer_late, SHORT_MS, REEVE_ERROR_TIMED_OUT,
    TRUE },
  { "closed", close_at_once, TIMEOUT_MS, REEVE_ERROR_OUTCOME_UNKNOWN, FALSE },
  { "half-a-frame", send_half_a_frame, TIMEOUT_MS, REEVE_ERROR_OUTCOME_UNKNOWN,
    FALSE },
  { "length-too-small", send_length_too_small, TIMEOUT_MS,
    REEVE_ERROR_OUTCOME_UNKNOWN, FALSE },
  { "length-too-big", send_length_too_big, TIMEOUT_MS,
    REEVE_ERROR_OUTCOME_UNKNOWN, FALSE },
  { "call-from-the-server", call_back, TIMEOUT_MS, REEVE_ERROR_OUTCOME_UNKNOWN,
    FALSE },
  { "unknown-event-is-dropped", send_event_first, TIMEOUT_MS, 0, TRUE },
  { "ping-is-answered-meanwhile", ping_first, TIMEOUT_MS, 0, TRUE },
};

static void
test_call (Fixture *self, gconstpointer data)
{
  const CallCase *row = data;
  g_autoptr (GError) error = NULL;

  call (self, row->timeout_ms, NULL, &error);
  if (row->code == 0)
    g_assert_no_error (error);
  else
    g_assert_error (error, REEVE_ERROR, row->code);
  g_clear_error (&error);

  call (self, TIMEOUT_MS, NULL, &error);
  if (row->is_usable)
    g_assert_no_error (error);
  else
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CLOSED);
  g_assert_cmpint (reeve_connection_is_closed (self->connection), ==,
                   !row->is_usable);
}

static void
read_all (int fd)
{
  while (read_call (fd).program != 0)
    ;
}

static void
set_up_silent (Fixture *self, gconstpointer data)
{
  set_up_with (self, read_all);
}

/* The call is answered late, and what asks for a sign of life at once. */
static void
answer_pings (int fd)
{
  ReeveHeader call = read_call (fd);
  gint64 end_us = g_get_monotonic_time () + 3 * G_USEC_PER_SEC;

  while (g_get_monotonic_time () < end_us) {
    ReeveHeader ping = read_call (fd);

    if (ping.program == 0)
      return;
    ping.procedure++;
    send_header (fd, &ping);
  }
  answer (fd, call);
  answer_all (fd);
}

static void
set_up_slow (Fixture *self, gconstpointer data)
{
  set_up_with (self, answer_pings);
}

static void
test_silence (Fixture *self, gconstpointer data)
{
  gint64 start_us = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;

  reeve_connection_set_keepalive (self->connection, 1, 1);
  g_assert_false (call (self, TIMEOUT_MS, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OUTCOME_UNKNOWN);
  g_assert_cmpint (g_get_monotonic_time () - start_us, >=, 2 * G_USEC_PER_SEC);
  g_assert_cmpint (g_get_monotonic_time () - start_us, <,
                   (TIMEOUT_MS - 5000) * G_GINT64_CONSTANT (1000));
}

static void
test_patience (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  reeve_connection_set_keepalive (self->connection, 1, 1);
  call (self, TIMEOUT_MS, NULL, &error);
  g_assert_no_error (error);
}

static void *
cancel_soon (void *cancellable)
{
  g_usleep (20 * 1000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_cancel (Fixture *self, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  pthread_t thread;

  pthread_create (&thread, NULL, cancel_soon, cancellable);
  g_assert_false (call (self, TIMEOUT_MS, cancellable, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_ABORTED);
  pthread_join (thread, NULL);
  g_clear_error (&error);

  /* And when it was cancelled before. */
  g_assert_false (call (self, TIMEOUT_MS, cancellable, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_ABORTED);
}

typedef struct {
  ReeveConnection *connection;
  int n_open;
} Cancelled;

static void
take_cancelled (GObject *source, GAsyncResult *result, gpointer data)
{
  Cancelled *self = data;
  g_autoptr (GError) error = NULL;

  if (!reeve_connection_call_finish (self->connection, result, NULL, &error))
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_ABORTED);
  self->n_open--;
}

/* Each may end before it is sent, and its reply finds nobody. */
static void
test_cancelled_before (Fixture *self, gconstpointer data)
{
  enum { N_CALLS = 500 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Cancelled cancelled = { self->connection, N_CALLS };
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  for (int i = 0; i < N_CALLS; i++)
    reeve_connection_call_async (
        self->connection, &patience_program,
        reeve_program_find (&patience_program, PATIENCE_PROC_QUICK), NULL,
        TIMEOUT_MS, cancellable, take_cancelled, &cancelled);
  while (cancelled.n_open > 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (call (self, TIMEOUT_MS, NULL, &error));
  g_assert_no_error (error);
}

static void *
close_soon (void *connection)
{
  g_usleep (20 * 1000);
  reeve_connection_close (connection);
  return NULL;
}

static void
test_close (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  pthread_t thread;

  pthread_create (&thread, NULL, close_soon, self->connection);
  g_assert_false (call (self, TIMEOUT_MS, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OUTCOME_UNKNOWN);
  pthread_join (thread, NULL);
}

static void
count_reply (GObject *source, GAsyncResult *result, gpointer data)
{
  unsigned *n_left = data;

  (*n_left)--;
  g_assert_nonnull (result);
}

static void
finish_call (GObject *source, GAsyncResult *result, gpointer data)
{
  Fixture *self = ((gpointer *) data)[0];
  g_autoptr (GError) error = NULL;

  reeve_connection_call_finish (self->connection, result, NULL, &error);
  g_assert_no_error (error);
  count_reply (source, result, ((gpointer *) data)[1]);
}

/* Many at once, without a thread for each. */
static void
test_async (Fixture *self, gconstpointer data)
{
  unsigned n_left = 1000;
  gpointer both[] = { self, &n_left };

  for (unsigned i = 0; i < 1000; i++)
    reeve_connection_call_async (
        self->connection, &patience_program,
        reeve_program_find (&patience_program, PATIENCE_PROC_QUICK), NULL,
        TIMEOUT_MS, NULL, finish_call, both);
  while (n_left > 0)
    g_main_context_iteration (NULL, TRUE);
}

static void *
call_often (void *data)
{
  for (unsigned i = 0; i < 200; i++) {
    g_autoptr (GError) error = NULL;

    call (data, TIMEOUT_MS, NULL, &error);
    g_assert_no_error (error);
  }
  return NULL;
}

static void
test_threads (Fixture *self, gconstpointer data)
{
  pthread_t threads[8];

  for (unsigned i = 0; i < G_N_ELEMENTS (threads); i++)
    pthread_create (&threads[i], NULL, call_often, self);
  for (unsigned i = 0; i < G_N_ELEMENTS (threads); i++)
    pthread_join (threads[i], NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (call_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/client/connection/call/", call_cases[i].name, NULL);

    g_test_add (path, Fixture, &call_cases[i], set_up, test_call, tear_down);
  }
  g_test_add ("/client/connection/cancel", Fixture, NULL, set_up_silent,
              test_cancel, tear_down);
  g_test_add ("/client/connection/close-ends-calls", Fixture, NULL,
              set_up_silent, test_close, tear_down);
  g_test_add ("/client/connection/async/thousand-in-flight", Fixture, NULL,
              set_up_answering, test_async, tear_down);
  g_test_add ("/client/connection/async/cancelled-before", Fixture, NULL,
              set_up_answering, test_cancelled_before, tear_down);
  g_test_add ("/client/connection/threads/call-together", Fixture, NULL,
              set_up_answering, test_threads, tear_down);
  g_test_add ("/client/connection/keepalive/silence-ends-calls", Fixture, NULL,
              set_up_silent, test_silence, tear_down);
  g_test_add ("/client/connection/keepalive/a-slow-call-is-no-silence", Fixture,
              NULL, set_up_slow, test_patience, tear_down);
  return g_test_run ();
}
