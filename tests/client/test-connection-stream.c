/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../rpc/data-stream-fixture.h"
#include "client/connection-private.h"
#include "client/connection-stream.h"

#define SHORT_MS 50

/* The server of the tests of data streams, and a connection to it. */
typedef struct {
  Fixture server;
  ReeveConnection *connection;
} Both;

static void
set_up_both (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;

  set_up (&self->server, data);
  name = g_strdup_printf ("fd:%d", self->server.fd);
  self->connection =
      reeve_connection_open (name, REEVE_CONNECTION_NO_OPEN, -1, NULL, &error);
  g_assert_no_error (error);
  self->server.fd = -1;
}

static void
tear_down_both (Both *self, gconstpointer data)
{
  reeve_connection_unref (self->connection);
  tear_down (&self->server, data);
}

static const ReeveProcedure *
find (int32_t procedure)
{
  return reeve_program_find (&flow_program, procedure);
}

static ReeveConnectionStream *
try_open (Both *self,
          int32_t procedure,
          int64_t size,
          unsigned how,
          GError **error)
{
  const flow_open_args args = { .size = size, .how = how };

  return reeve_connection_open_stream (self->connection, &flow_program,
                                       find (procedure), &args, NULL, -1, NULL,
                                       error);
}

static ReeveConnectionStream *
open_stream (Both *self, int32_t procedure, int64_t size, unsigned how)
{
  g_autoptr (GError) error = NULL;
  ReeveConnectionStream *stream = try_open (self, procedure, size, how, &error);

  g_assert_no_error (error);
  return stream;
}

static void
call_ping (Both *self)
{
  g_autoptr (GError) error = NULL;

  reeve_connection_call (self->connection, &flow_program, find (FLOW_PROC_PING),
                         NULL, NULL, -1, NULL, &error);
  g_assert_no_error (error);
}

/* Reads and compares; returns the bytes. */
static int64_t
read_all (ReeveConnectionStream *stream, GError **error)
{
  int64_t offset = 0;

  for (;;) {
    int64_t hole;
    g_autoptr (GBytes) part =
        reeve_connection_stream_read (stream, &hole, -1, NULL, error);
    gsize size = 0;
    const uint8_t *data = part == NULL ? NULL : g_bytes_get_data (part, &size);

    if (size == 0 && (part == NULL || hole == 0))
      return offset;
    for (gsize i = 0; i < size; i++)
      if (data[i] != get_byte (offset + (int64_t) i))
        g_error ("wrong byte at %" G_GINT64_FORMAT, offset + (int64_t) i);
    offset += (int64_t) size + hole;
  }
}

static uint8_t *
make_data (int64_t offset, size_t size)
{
  uint8_t *data = g_malloc (size);

  for (size_t i = 0; i < size; i++)
    data[i] = get_byte (offset + (int64_t) i);
  return data;
}

static gboolean
write_bytes (ReeveConnectionStream *stream,
             int64_t offset,
             size_t size,
             int timeout_ms,
             GError **error)
{
  g_autofree uint8_t *data = make_data (offset, size);

  return reeve_connection_stream_write (stream, data, size, timeout_ms, NULL,
                                        error);
}

static void
assert_finish (ReeveConnectionStream *stream)
{
  g_autoptr (GError) error = NULL;

  reeve_connection_stream_finish (stream, -1, NULL, &error);
  g_assert_no_error (error);
}

/* ---------------------------------------------------------------- read --- */

typedef struct {
  const char *name;
  int64_t size;
  unsigned how;
} SizeCase;

static const SizeCase read_cases[] = {
  { "nothing", 0, DO_ALL },
  { "one-byte", 1, DO_ALL },
  { "many-frames", 20 * MIB + 1, DO_ALL },
  { "data-and-holes", 10 * MIB, DO_SPARSE },
};

static void
test_read (Both *self, gconstpointer data)
{
  const SizeCase *row = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_GIVE, row->size, row->how);

  g_assert_cmpint (read_all (stream, &error), ==, row->size);
  g_assert_no_error (error);
  assert_finish (stream);
  g_assert_cmpuint (atomic_load (&self->server.n_finished), ==, 1);
  call_ping (self);
}

static void
test_read_failure (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_GIVE, 4 * MIB, DO_FAIL_IN_DATA);

  g_assert_cmpint (read_all (stream, &error), >=, 2 * MIB);
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
  g_clear_error (&error);
  g_assert_false (reeve_connection_stream_finish (stream, -1, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
  call_ping (self);
}

static void
test_read_in_time (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_GIVE, MIB, DO_WAIT);

  g_assert_null (
      reeve_connection_stream_read (stream, NULL, SHORT_MS, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT);
  g_clear_error (&error);

  atomic_store (&self->server.may_go, TRUE);
  reeve_data_stream_wake (atomic_load (&self->server.stream));
  g_assert_cmpint (read_all (stream, &error), ==, MIB);
  assert_finish (stream);
}

static void *
cancel_soon (void *data)
{
  g_usleep (SHORT_MS * 1000);
  g_cancellable_cancel (data);
  return NULL;
}

static void
test_read_cancelled (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_GIVE, MIB, DO_WAIT);
  pthread_t thread;

  pthread_create (&thread, NULL, cancel_soon, cancellable);
  g_assert_null (
      reeve_connection_stream_read (stream, NULL, -1, cancellable, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_ABORTED);
  pthread_join (thread, NULL);
  g_assert_null (
      reeve_connection_stream_read (stream, NULL, -1, cancellable, NULL));
}

static void
test_read_unasked_hole (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_GIVE, MIB, DO_SPARSE);
  GBytes *part = reeve_connection_stream_read (stream, NULL, -1, NULL, NULL);

  g_bytes_unref (part);
  g_assert_null (reeve_connection_stream_read (stream, NULL, -1, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_RPC);
}

/* --------------------------------------------------------------- write --- */

static const SizeCase write_cases[] = {
  { "nothing", 0, DO_ALL },
  { "one-byte", 1, DO_ALL },
  { "many-frames", 20 * MIB + 1, DO_ALL },
  { "taken-in-parts", MIB, DO_PARTS },
};

static void
test_write (Both *self, gconstpointer data)
{
  const SizeCase *row = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_TAKE, row->size, row->how);

  write_bytes (stream, 0, (size_t) row->size, -1, &error);
  g_assert_no_error (error);
  assert_finish (stream);
  g_assert_cmpint (atomic_load (&self->server.n_bytes), ==, row->size);
}

static void
test_write_holes (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_TAKE, 0, DO_SPARSE);

  g_assert_true (
      reeve_connection_stream_write_hole (stream, MIB, -1, NULL, &error));
  g_assert_true (write_bytes (stream, MIB, 1000, -1, &error));
  g_assert_true (
      reeve_connection_stream_write_hole (stream, 5, -1, NULL, &error));
  assert_finish (stream);
  g_assert_cmpint (atomic_load (&self->server.n_bytes), ==, MIB + 1005);
  g_assert_cmpint (atomic_load (&self->server.n_holes), ==, 2);
}

static void
test_write_failure (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_TAKE, 4 * MIB, DO_FAIL_IN_DATA);
  int64_t offset = 0;

  while (write_bytes (stream, offset, 100000, -1, &error))
    offset += 100000;
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
  call_ping (self);
}

static void
test_write_finish_fails (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_TAKE, 10, DO_FAIL_AT_END);

  g_assert_true (write_bytes (stream, 0, 10, -1, &error));
  g_assert_false (reeve_connection_stream_finish (stream, -1, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
  call_ping (self);
}

/* The server takes nothing: writing waits, then goes on. */
static void
test_write_in_time (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_TAKE, 0, DO_WAIT);
  int64_t offset = 0;

  while (write_bytes (stream, offset, 100000, SHORT_MS, &error))
    offset += 100000;
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_cmpint (offset, <, BOUND);

  atomic_store (&self->server.may_go, TRUE);
  reeve_data_stream_wake (atomic_load (&self->server.stream));
  g_assert_true (write_bytes (stream, offset, 100000, -1, &error));
  assert_finish (stream);
  g_assert_cmpint (atomic_load (&self->server.n_bytes), ==, offset + 100000);
}

/* ----------------------------------------------------------------- end --- */

static void
test_abort (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_GIVE, 64 * MIB, DO_ALL);

  g_assert_true (reeve_connection_stream_abort (stream, -1, NULL, &error));
  g_assert_cmpuint (atomic_load (&self->server.n_aborted), ==, 1);
  g_assert_false (write_bytes (stream, 0, 1, -1, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID);
  g_assert_null (reeve_connection_stream_read (stream, NULL, -1, NULL, NULL));
  call_ping (self);
}

static void
test_free_aborts (Both *self, gconstpointer data)
{
  reeve_connection_stream_free (
      open_stream (self, FLOW_PROC_GIVE, 64 * MIB, DO_ALL));
  reeve_connection_stream_free (open_stream (self, FLOW_PROC_TAKE, 0, DO_ALL));
  wait_until (&self->server.n_freed, 2);
  g_assert_cmpuint (atomic_load (&self->server.n_aborted), ==, 2);
  call_ping (self);
}

static void
test_open_fails (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (try_open (self, FLOW_PROC_GIVE, MIB, DO_FAIL_CALL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED);
  call_ping (self);
}

static void *
close_soon (void *data)
{
  g_usleep (SHORT_MS * 1000);
  reeve_connection_close (data);
  return NULL;
}

static void
test_close (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_ECHO, 0, DO_ALL);
  pthread_t thread;

  pthread_create (&thread, NULL, close_soon, self->connection);
  g_assert_null (reeve_connection_stream_read (stream, NULL, -1, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CLOSED);
  pthread_join (thread, NULL);
  g_assert_false (write_bytes (stream, 0, 1, -1, NULL));
  g_assert_false (reeve_connection_stream_finish (stream, -1, NULL, NULL));
}

/* --------------------------------------------------------- side by side --- */

/* A reader that stands still holds a window, and no call up. */
static void
test_slow_reader (Both *self, gconstpointer data)
{
  const int64_t size = 64 * MIB;
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_GIVE, size, DO_ALL);

  g_assert_cmpint (wait_for_rest (&self->server), <,
                   BOUND + REEVE_CONNECTION_STREAM_WINDOW);
  call_ping (self);
  g_assert_cmpint (read_all (stream, &error), ==, size);
  g_assert_no_error (error);
  assert_finish (stream);
}

static void *
call_hold (void *data)
{
  Both *self = data;
  g_autoptr (GError) error = NULL;

  reeve_connection_call (self->connection, &flow_program, find (FLOW_PROC_HOLD),
                         NULL, NULL, -1, NULL, &error);
  g_assert_no_error (error);
  return NULL;
}

/* While a call waits for its reply, a reader that stands still loses its
 * stream, and nothing else is lost. */
static void
test_overflow (Both *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConnectionStream) stream = open_stream (
      self, FLOW_PROC_GIVE, 4 * (int64_t) REEVE_CONNECTION_STREAM_MAX, DO_ALL);
  pthread_t thread;

  pthread_create (&thread, NULL, call_hold, self);
  wait_until (&self->server.n_aborted, 1);
  call_ping (self);
  g_assert_cmpint (read_all (stream, &error), >,
                   REEVE_CONNECTION_STREAM_MAX - MIB);
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT);
  atomic_store (&self->server.may_go, TRUE);
  pthread_join (thread, NULL);
}

typedef struct {
  Both *both;
  int32_t procedure;
} Worker;

static void *
work (void *data)
{
  const Worker *worker = data;
  const int64_t size = 8 * MIB + 5;
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (worker->both, worker->procedure, size, DO_ALL);
  g_autoptr (GError) error = NULL;

  if (worker->procedure == FLOW_PROC_GIVE)
    g_assert_cmpint (read_all (stream, &error), ==, size);
  else
    write_bytes (stream, 0, (size_t) size, -1, &error);
  g_assert_no_error (error);
  assert_finish (stream);
  return NULL;
}

static void
test_many (Both *self, gconstpointer data)
{
  Worker workers[8];
  pthread_t threads[G_N_ELEMENTS (workers)];

  for (unsigned i = 0; i < G_N_ELEMENTS (workers); i++) {
    workers[i] = (Worker){ self, i % 2 == 0 ? FLOW_PROC_GIVE : FLOW_PROC_TAKE };
    pthread_create (&threads[i], NULL, work, &workers[i]);
  }
  for (unsigned i = 0; i < 200; i++)
    call_ping (self);
  for (unsigned i = 0; i < G_N_ELEMENTS (workers); i++)
    pthread_join (threads[i], NULL);
  g_assert_cmpuint (atomic_load (&self->server.n_finished), ==, 8);
}

/* One thread reads what another one writes. */
static void
test_echo (Both *self, gconstpointer data)
{
  g_autoptr (ReeveConnectionStream) stream =
      open_stream (self, FLOW_PROC_ECHO, 0, DO_ALL);
  g_autoptr (GBytes) end = NULL;

  for (char c = 'a'; c < 'q'; c++) {
    g_autoptr (GBytes) part = NULL;

    g_assert_true (
        reeve_connection_stream_write (stream, &c, 1, -1, NULL, NULL));
    part = reeve_connection_stream_read (stream, NULL, -1, NULL, NULL);
    g_assert_cmpmem (g_bytes_get_data (part, NULL), g_bytes_get_size (part), &c,
                     1);
  }
  g_assert_true (
      reeve_connection_stream_write (stream, "q", 1, -1, NULL, NULL));
  end = reeve_connection_stream_read (stream, NULL, -1, NULL, NULL);
  g_assert_cmpuint (g_bytes_get_size (end), ==, 0);
  assert_finish (stream);
}

/* ------------------------------------------------------ another's server -- */

typedef struct {
  const char *name;
  ReeveMessageType type;
  uint32_t serial; /* of the stream: 0 */
  uint32_t status;
  int64_t hole;
  gboolean is_fatal; /* to the connection */
} FrameCase;

static const FrameCase frame_cases[] = {
  { "other-serial-is-dropped", REEVE_MESSAGE_STREAM, 7, REEVE_STATUS_CONTINUE,
    0, FALSE },
  { "end-of-another-is-dropped", REEVE_MESSAGE_STREAM, 7, REEVE_STATUS_OK, 0,
    FALSE },
  { "end-that-was-not-asked-for", REEVE_MESSAGE_STREAM, 0, REEVE_STATUS_OK, 0,
    TRUE },
  { "unknown-status", REEVE_MESSAGE_STREAM, 0, 3, 0, TRUE },
  { "hole-of-no-length", REEVE_MESSAGE_STREAM_HOLE, 0, REEVE_STATUS_CONTINUE, 0,
    TRUE },
  { "hole-of-negative-length", REEVE_MESSAGE_STREAM_HOLE, 0,
    REEVE_STATUS_CONTINUE, -1, TRUE },
};

typedef struct {
  const FrameCase *row;
  int fd;
} Play;

static void
send_raw (int fd, const FrameCase *row)
{
  const ReeveHeader header = {
    .program = flow_program.number,
    .version = flow_program.version,
    .procedure = FLOW_PROC_GIVE,
    .type = row->type,
    .serial = row->serial,
    .status = row->status,
  };
  const message_hole hole = { .length = row->hole };
  gboolean is_hole = row->type == REEVE_MESSAGE_STREAM_HOLE;
  g_autoptr (GBytes) frame = reeve_message_encode (
      &header, is_hole ? &message_hole_type : NULL, &hole, NULL);
  gsize size;
  const void *data = g_bytes_get_data (frame, &size);

  send (fd, data, size, MSG_NOSIGNAL);
}

/* The reply, the odd frame and the end of the data; then all that comes is
 * read. */
static void *
play (void *data)
{
  static const FrameCase reply = { .type = REEVE_MESSAGE_REPLY };
  static const FrameCase end = { .type = REEVE_MESSAGE_STREAM,
                                 .status = REEVE_STATUS_CONTINUE };
  const Play *self = data;
  uint8_t bytes[256];

  g_assert_cmpint (recv (self->fd, bytes, sizeof bytes, 0), >, 0);
  send_raw (self->fd, &reply);
  send_raw (self->fd, self->row);
  send_raw (self->fd, &end);
  while (recv (self->fd, bytes, sizeof bytes, 0) > 0)
    ;
  close (self->fd);
  return NULL;
}

static void
test_frame (gconstpointer data)
{
  const flow_open_args args = { 0 };
  Play server = { .row = data };
  g_autoptr (GError) error = NULL;
  ReeveConnection *connection;
  ReeveConnectionStream *stream;
  GBytes *part = NULL;
  pthread_t thread;
  int ends[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  server.fd = ends[1];
  pthread_create (&thread, NULL, play, &server);
  connection =
      reeve_connection_new ("test:", reeve_stream_new_for_fd (ends[0]));
  stream = reeve_connection_open_stream (connection, &flow_program,
                                         find (FLOW_PROC_GIVE), &args, NULL, -1,
                                         NULL, &error);
  if (stream != NULL)
    part = reeve_connection_stream_read (stream, NULL, -1, NULL, &error);
  g_assert_cmpint (part == NULL, ==, server.row->is_fatal);
  g_assert_cmpint (reeve_connection_is_closed (connection), ==,
                   server.row->is_fatal);

  g_clear_pointer (&part, g_bytes_unref);
  g_clear_pointer (&stream, reeve_connection_stream_free);
  reeve_connection_unref (connection);
  pthread_join (thread, NULL);
}

/* ---------------------------------------------------------------- main --- */

typedef struct {
  const char *name;
  void (*test) (Both *, gconstpointer);
} PlainCase;

static const PlainCase plain_cases[] = {
  { "read/failure-comes-behind-the-data", test_read_failure },
  { "read/goes-on-after-its-deadline", test_read_in_time },
  { "read/cancelled", test_read_cancelled },
  { "read/unasked-hole", test_read_unasked_hole },
  { "write/holes", test_write_holes },
  { "write/failure", test_write_failure },
  { "write/finish-fails", test_write_finish_fails },
  { "write/goes-on-after-its-deadline", test_write_in_time },
  { "end/abort", test_abort },
  { "end/free-aborts", test_free_aborts },
  { "end/open-fails", test_open_fails },
  { "end/connection-is-closed", test_close },
  { "beside/slow-reader-holds-a-window", test_slow_reader },
  { "beside/reader-that-stands-still-loses-its-stream", test_overflow },
  { "beside/many-streams-and-calls", test_many },
  { "beside/echo", test_echo },
};

#define ADD(group, row, test)                                                  \
  G_STMT_START                                                                 \
  {                                                                            \
    g_autofree char *path =                                                    \
        g_strconcat ("/client/connection-stream/" group, (row)->name, NULL);   \
                                                                               \
    g_test_add (path, Both, row, set_up_both, test, tear_down_both);           \
  }                                                                            \
  G_STMT_END

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (read_cases); i++)
    ADD ("read/", &read_cases[i], test_read);
  for (unsigned i = 0; i < G_N_ELEMENTS (write_cases); i++)
    ADD ("write/", &write_cases[i], test_write);
  for (unsigned i = 0; i < G_N_ELEMENTS (plain_cases); i++)
    ADD ("", &plain_cases[i], plain_cases[i].test);
  for (unsigned i = 0; i < G_N_ELEMENTS (frame_cases); i++) {
    g_autofree char *path = g_strconcat ("/client/connection-stream/frame/",
                                         frame_cases[i].name, NULL);

    g_test_add_data_func (path, &frame_cases[i], test_frame);
  }
  return g_test_run ();
}
