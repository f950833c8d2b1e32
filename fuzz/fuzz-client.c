/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-private.h"
#include "fuzz/frame.h"
#include "fuzz/fuzz.h"
#include "fuzz/io-end.h"
#include "fuzz/piece.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * What a server sends to a client that waits for the replies to three calls,
 * one of which opens a stream, and for events: pieces, each of one byte for its
 * size, one for how many files come with it, and its bytes. Whatever comes, the
 * calls end, and nothing of the connection is left.
 */

#define N_CALLS 3
#define MAX_FDS 200

/* Longer than anything here takes. */
#define WAIT_MS 60000

typedef struct {
  int fd; /* (owned) */
  const uint8_t *data;
  size_t size;
} Server;

static GMainContext *context;
static unsigned n_answers;

/* -------------------------------------------------------------- server --- */

/* The replies must not come before the calls. */
static void
take_calls (int fd)
{
  for (int i = 0; i < N_CALLS; i++) {
    uint8_t frame[512];
    uint32_t length;

    if (recv (fd, frame, REEVE_LENGTH_SIZE, MSG_WAITALL) != REEVE_LENGTH_SIZE)
      return;
    length = reeve_length_decode (frame);
    g_assert_cmpuint (length, <=, sizeof frame);
    if (recv (fd, frame, length - REEVE_LENGTH_SIZE, MSG_WAITALL) <= 0)
      return;
  }
}

static void *
serve (void *data)
{
  Server *self = data;

  take_calls (self->fd);
  while (self->size > 2) {
    size_t length = MIN (self->data[0] + 1u, self->size - 2);

    if (!fuzz_send_piece (self->fd, self->data + 2, length, self->data[1] % 5,
                          0, 0))
      break;
    self->data += 2 + length;
    self->size -= 2 + length;
  }
  close (self->fd);
  return NULL;
}

/* -------------------------------------------------------------- client --- */

static void
take_event (ReeveConnection *connection,
            const ReeveProcedure *event,
            gconstpointer body,
            gpointer data)
{
  const frame_text *text = body;

  g_assert_cmpint (event->number, ==, FRAME_PROC_TOLD);
  g_assert_cmpuint (strlen (text->text), <=, FRAME_TEXT_MAX);
}

static void
take_echo (GObject *source, GAsyncResult *result, gpointer connection)
{
  g_autoptr (GError) error = NULL;
  frame_text text = { 0 };

  if (reeve_connection_call_finish (connection, result, &text, &error))
    g_assert_cmpuint (strlen (text.text), <=, FRAME_TEXT_MAX);
  else
    g_assert_nonnull (error);
  frame_text_clear (&text);
  n_answers++;
}

static void
take_end_of_wait (GObject *source, GAsyncResult *result, gpointer connection)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (reeve_connection_call_finish (connection, result, NULL,
                                               &error) == (error == NULL));
  n_answers++;
}

static const ReeveProcedure *
find (int32_t number)
{
  return reeve_program_find (&frame_program, number);
}

static void
read_stream (ReeveConnectionStream *stream)
{
  int64_t hole = 0;
  gsize size;

  do {
    g_autoptr (GBytes) bytes =
        reeve_connection_stream_read (stream, &hole, WAIT_MS, NULL, NULL);

    if (bytes == NULL)
      return;
    size = g_bytes_get_size (bytes);
    g_assert_cmpint (hole, >=, 0);
  } while (size > 0 || hole > 0);
  (void) reeve_connection_stream_finish (stream, WAIT_MS, NULL, NULL);
}

static void
call (ReeveConnection *connection)
{
  const frame_text text = { .text = (char *) "echo" };
  g_autoptr (ReeveConnectionStream) stream = NULL;
  g_autoptr (GError) error = NULL;

  reeve_connection_subscribe (connection, &frame_program, NULL, take_event,
                              NULL, NULL);
  reeve_connection_call_async (connection, &frame_program,
                               find (FRAME_PROC_ECHO), &text, WAIT_MS, NULL,
                               take_echo, connection);
  reeve_connection_call_async (connection, &frame_program,
                               find (FRAME_PROC_WAIT), NULL, WAIT_MS, NULL,
                               take_end_of_wait, connection);
  stream = reeve_connection_open_stream (connection, &frame_program,
                                         find (FRAME_PROC_FLOW), NULL, NULL,
                                         WAIT_MS, NULL, &error);
  g_assert_true ((stream == NULL) == (error != NULL));
  if (stream != NULL)
    read_stream (stream);
}

/* -------------------------------------------------------------- target --- */

static FuzzIoEnd io_end;

/* Files that came are closed by a thread that does nothing else. */
static void
assert_few_fds (void)
{
  int lowest;

  for (int i = 0; i < WAIT_MS; i++) {
    lowest = fcntl (0, F_DUPFD_CLOEXEC, 3);
    g_assert_cmpint (lowest, >=, 0);
    close (lowest);
    if (lowest < MAX_FDS)
      return;
    g_usleep (1000);
  }
  g_assert_cmpint (lowest, <, MAX_FDS);
}

static void
set_up (void)
{
  g_log_set_writer_func (fuzz_write_log, NULL, NULL);
  fuzz_io_end_init (&io_end);
  context = g_main_context_new ();
  g_main_context_push_thread_default (context);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Server server = { .data = data, .size = size };
  ReeveConnection *connection;
  pthread_t thread;
  int ends[2];

  if (context == NULL)
    set_up ();

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                   ==, 0);
  server.fd = ends[1];
  g_assert_cmpint (pthread_create (&thread, NULL, serve, &server), ==, 0);
  connection = reeve_connection_new ("fuzz", reeve_stream_new_for_fd (ends[0]));
  n_answers = 0;
  call (connection);
  pthread_join (thread, NULL);
  while (n_answers < N_CALLS - 1)
    g_main_context_iteration (context, TRUE);
  reeve_connection_unref (connection);
  fuzz_io_end_wait (&io_end);
  assert_few_fds ();
  return 0;
}
