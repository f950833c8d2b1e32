/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data-stream-fixture.h"

/* ------------------------------------------------------ server to client -- */

typedef struct {
  const char *name;
  int64_t size;
  unsigned how;
} FlowCase;

static const FlowCase give_cases[] = {
  { "nothing", 0, DO_ALL },
  { "one-byte", 1, DO_ALL },
  { "one-full-frame", REEVE_DATA_STREAM_CHUNK, DO_ALL },
  { "many-frames", 20 * MIB + 1, DO_ALL },
  { "data-and-holes", 10 * MIB, DO_SPARSE },
  { "after-a-deferred-reply", MIB, DO_DEFER },
};

static void
test_give (Fixture *self, gconstpointer data)
{
  const FlowCase *row = data;
  g_auto (Frame) last = { 0 };
  uint32_t serial = open_and_wait (self, FLOW_PROC_GIVE, row->size, row->how);

  g_assert_cmpint (read_data (self, serial, &last), ==, row->size);
  g_assert_cmpuint (last.header.status, ==, REEVE_STATUS_CONTINUE);
  finish_stream (self, FLOW_PROC_GIVE, serial);
  g_assert_cmpuint (atomic_load (&self->n_freed), ==, 1);
  g_assert_cmpuint (atomic_load (&self->n_finished), ==, 1);
  g_assert_cmpuint (atomic_load (&self->n_aborted), ==, 0);
  assert_ping (self);
}

static void
test_give_slow_reader (Fixture *self, gconstpointer data)
{
  const int64_t size = 64 * MIB;
  g_auto (Frame) last = { 0 };
  uint32_t serial = open_and_wait (self, FLOW_PROC_GIVE, size, DO_ALL);

  g_assert_cmpint (wait_for_rest (self), <, BOUND);
  g_assert_cmpint (read_data (self, serial, &last), ==, size);
  finish_stream (self, FLOW_PROC_GIVE, serial);
}

static void
test_give_fails (Fixture *self, gconstpointer data)
{
  g_auto (Frame) last = { 0 };
  g_autoptr (GError) error = NULL;
  uint32_t serial =
      open_and_wait (self, FLOW_PROC_GIVE, 4 * MIB, DO_FAIL_IN_DATA);

  g_assert_cmpint (read_data (self, serial, &last), >=, 2 * MIB);
  g_assert_cmpuint (last.header.status, ==, REEVE_STATUS_ERROR);
  error = reeve_message_decode_error (last.payload, last.size);
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM);
  wait_until (&self->n_freed, 1);
  g_assert_cmpuint (atomic_load (&self->n_aborted), ==, 1);

  send_stream (self, FLOW_PROC_GIVE, serial, REEVE_STATUS_OK, NULL, 0);
  send_stream (self, FLOW_PROC_GIVE, serial, REEVE_STATUS_ERROR, NULL, 0);
  assert_ping (self);
}

static void
test_give_takes_no_data (Fixture *self, gconstpointer data)
{
  uint32_t serial = open_and_wait (self, FLOW_PROC_GIVE, 0, DO_WAIT);

  send_stream (self, FLOW_PROC_GIVE, serial, REEVE_STATUS_CONTINUE, "x", 1);
  assert_error (self, REEVE_MESSAGE_STREAM, serial, "takes no data");
  wait_until (&self->n_freed, 1);
}

/* Data frames may be on their way; behind the answer there are none. */
static void
test_give_aborted (Fixture *self, gconstpointer data)
{
  g_auto (Frame) last = { 0 };
  uint32_t serial = open_and_wait (self, FLOW_PROC_GIVE, 64 * MIB, DO_ALL);

  wait_for_rest (self);
  send_stream (self, FLOW_PROC_GIVE, serial, REEVE_STATUS_ERROR, NULL, 0);
  wait_until (&self->n_freed, 1);
  g_assert_cmpuint (atomic_load (&self->n_aborted), ==, 1);
  g_assert_cmpint (read_data (self, serial, &last), <, BOUND);
  g_assert_cmpuint (last.header.status, ==, REEVE_STATUS_OK);
  assert_ping (self);
}

static void
test_give_wakes (Fixture *self, gconstpointer data)
{
  g_auto (Frame) last = { 0 };
  uint32_t serial = open_and_wait (self, FLOW_PROC_GIVE, MIB, DO_WAIT);

  assert_ping (self);
  atomic_store (&self->may_go, TRUE);
  reeve_data_stream_wake (atomic_load (&self->stream));
  g_assert_cmpint (read_data (self, serial, &last), ==, MIB);
  finish_stream (self, FLOW_PROC_GIVE, serial);
  wait_until (&self->n_freed, 1);
  /* On one that has ended that is nothing. */
  reeve_data_stream_wake (atomic_load (&self->stream));
}

/* The frames of two streams take turns, and neither holds up a reply. */
static void
test_give_two (Fixture *self, gconstpointer data)
{
  const int64_t size = 16 * MIB;
  uint32_t serials[2] = { send_open (self, FLOW_PROC_GIVE, size, DO_ALL),
                          send_open (self, FLOW_PROC_GIVE, size, DO_ALL) };
  int64_t offsets[2] = { 0, 0 };
  unsigned n_ended = 0;
  unsigned n_replies = 0;
  gboolean has_pinged = FALSE;

  while (n_ended < 2) {
    g_auto (Frame) frame = { 0 };
    unsigned i;

    g_assert_true (receive_frame (self, &frame));
    if (frame.header.type == REEVE_MESSAGE_REPLY) {
      n_replies++;
      continue;
    }
    i = frame.header.serial == serials[1];
    n_ended += frame.size == 0;
    for (size_t j = 0; j < frame.size; j++)
      g_assert_cmpuint (frame.payload[j], ==, get_byte (offsets[i]++));
    if (n_replies == 2 && MIN (offsets[0], offsets[1]) > 2 * MIB &&
        MAX (offsets[0], offsets[1]) < size) {
      g_assert_cmpint (ABS (offsets[0] - offsets[1]), <, BOUND);
      if (!has_pinged)
        send_message (self, FLOW_PROC_PING, ++self->last_serial,
                      REEVE_MESSAGE_CALL, REEVE_STATUS_OK, NULL, 0);
      has_pinged = TRUE;
    }
    /* The reply to the ping comes while there is data. */
    if (has_pinged && MIN (offsets[0], offsets[1]) > 12 * MIB)
      g_assert_cmpuint (n_replies, ==, 3);
  }

  g_assert_true (has_pinged);
  finish_stream (self, FLOW_PROC_GIVE, serials[1]);
  finish_stream (self, FLOW_PROC_GIVE, serials[0]);
}

/* ------------------------------------------------------ client to server -- */

static const FlowCase take_cases[] = {
  { "nothing", 0, DO_ALL },
  { "one-byte", 1, DO_ALL },
  { "many-frames", 20 * MIB + 1, DO_ALL },
  { "a-part-at-a-time", MIB, DO_PARTS },
  { "after-a-deferred-reply", MIB, DO_DEFER },
};

static void
send_all_data (Fixture *self, uint32_t serial, int64_t size, size_t frame_size)
{
  for (int64_t offset = 0; offset < size; offset += (int64_t) frame_size)
    send_data (self, serial, offset,
               MIN (frame_size, (size_t) (size - offset)));
}

static void
test_take (Fixture *self, gconstpointer data)
{
  const FlowCase *row = data;
  uint32_t serial = open_and_wait (self, FLOW_PROC_TAKE, row->size, row->how);

  send_all_data (self, serial, row->size, REEVE_DATA_STREAM_CHUNK);
  finish_stream (self, FLOW_PROC_TAKE, serial);
  g_assert_cmpint (atomic_load (&self->n_bytes), ==, row->size);
  g_assert_cmpuint (atomic_load (&self->n_freed), ==, 1);
  g_assert_cmpuint (atomic_load (&self->n_finished), ==, 1);
  g_assert_cmpuint (atomic_load (&self->n_aborted), ==, 0);
  assert_ping (self);
}

/* The longest frame that can be, and many short ones. */
static void
test_take_sizes (Fixture *self, gconstpointer data)
{
  const size_t longest = REEVE_MESSAGE_MAX - REEVE_PAYLOAD_OFFSET;
  uint32_t serial = open_and_wait (self, FLOW_PROC_TAKE, 0, DO_ALL);

  send_all_data (self, serial, 4000, 1);
  send_data (self, serial, 4000, longest);
  send_data (self, serial, (int64_t) longest + 4000, 5);
  send_stream (self, FLOW_PROC_TAKE, serial, REEVE_STATUS_CONTINUE, NULL, 0);
  finish_stream (self, FLOW_PROC_TAKE, serial);
  g_assert_cmpint (atomic_load (&self->n_bytes), ==, longest + 4005);
}

static void
test_take_holes (Fixture *self, gconstpointer data)
{
  uint32_t serial = open_and_wait (self, FLOW_PROC_TAKE, 0, DO_SPARSE);

  send_hole (self, serial, 5 * MIB, 0);
  send_data (self, serial, 5 * MIB, 100);
  send_hole (self, serial, (int64_t) 1 << 40, 0);
  finish_stream (self, FLOW_PROC_TAKE, serial);
  g_assert_cmpint (atomic_load (&self->n_holes), ==, 2);
  g_assert_cmpint (atomic_load (&self->n_bytes), ==,
                   5 * MIB + 100 + ((int64_t) 1 << 40));
}

typedef struct {
  const char *name;
  int64_t length;
  unsigned flags;
} HoleCase;

static const HoleCase bad_hole_cases[] = {
  { "of-no-length", 0, 0 },
  { "of-negative-length", -1, 0 },
  { "with-flags", 1, 1 },
};

static void
test_take_bad_hole (Fixture *self, gconstpointer data)
{
  const HoleCase *row = data;
  uint32_t serial = open_and_wait (self, FLOW_PROC_TAKE, 0, DO_SPARSE);

  send_hole (self, serial, row->length, row->flags);
  assert_error (self, REEVE_MESSAGE_STREAM, serial, "not possible");
  assert_ping (self);
  wait_until (&self->n_freed, 1);
}

static void
test_take_hole_unasked (Fixture *self, gconstpointer data)
{
  g_auto (Frame) frame = { 0 };
  uint32_t serial = open_and_wait (self, FLOW_PROC_TAKE, 0, DO_ALL);

  send_hole (self, serial, 1, 0);
  g_assert_false (receive_frame (self, &frame));
  wait_until (&self->n_freed, 1);
  g_assert_cmpuint (atomic_load (&self->n_aborted), ==, 1);
}

/* While nothing is taken, nothing is read; then all of it arrives. */
static void
test_take_slow (Fixture *self, gconstpointer data)
{
  const size_t frame_size = REEVE_PAYLOAD_OFFSET + REEVE_DATA_STREAM_CHUNK;
  g_autofree uint8_t *frames = g_malloc (32 * frame_size);
  uint32_t serial = open_and_wait (self, FLOW_PROC_TAKE, 0, DO_WAIT);
  const ReeveHeader header = {
    .program = flow_program.number,
    .version = flow_program.version,
    .procedure = FLOW_PROC_TAKE,
    .type = REEVE_MESSAGE_STREAM,
    .serial = serial,
    .status = REEVE_STATUS_CONTINUE,
  };
  int64_t offset = 0;
  size_t n_sent = 0;
  gssize n;

  for (unsigned i = 0; i < 32; i++) {
    uint8_t *frame = frames + i * frame_size;

    reeve_message_write_header (&header, frame, frame_size);
    for (size_t j = REEVE_PAYLOAD_OFFSET; j < frame_size; j++)
      frame[j] = get_byte (offset++);
  }
  for (unsigned i = 0; i < 100; i++) {
    while ((n = send (self->fd, frames + n_sent, 32 * frame_size - n_sent,
                      MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
      n_sent += (size_t) n;
    g_usleep (1000);
  }

  g_assert_cmpint (n_sent, <, BOUND);
  g_assert_cmpint (atomic_load (&self->n_bytes), ==, 0);
  atomic_store (&self->may_go, TRUE);
  reeve_data_stream_wake (atomic_load (&self->stream));
  g_assert_true (send_bytes (self, frames + n_sent, 32 * frame_size - n_sent));
  finish_stream (self, FLOW_PROC_TAKE, serial);
  g_assert_cmpint (atomic_load (&self->n_bytes), ==, offset);
}

static void
test_take_fails (Fixture *self, gconstpointer data)
{
  uint32_t serial =
      open_and_wait (self, FLOW_PROC_TAKE, 4 * MIB, DO_FAIL_IN_DATA);

  send_all_data (self, serial, 8 * MIB, REEVE_DATA_STREAM_CHUNK);
  send_stream (self, FLOW_PROC_TAKE, serial, REEVE_STATUS_OK, NULL, 0);
  assert_error (self, REEVE_MESSAGE_STREAM, serial, "the disk is full");
  assert_ping (self);
  wait_until (&self->n_freed, 1);
  g_assert_cmpuint (atomic_load (&self->n_finished), ==, 0);
  g_assert_cmpuint (atomic_load (&self->n_aborted), ==, 1);
}

static void
test_take_finish_fails (Fixture *self, gconstpointer data)
{
  uint32_t serial = open_and_wait (self, FLOW_PROC_TAKE, 10, DO_FAIL_AT_END);

  send_data (self, serial, 0, 10);
  send_stream (self, FLOW_PROC_TAKE, serial, REEVE_STATUS_OK, NULL, 0);
  assert_error (self, REEVE_MESSAGE_STREAM, serial, "the disk is gone");
  assert_ping (self);
  wait_until (&self->n_freed, 1);
  g_assert_cmpuint (atomic_load (&self->n_aborted), ==, 1);
}

static void
test_take_aborted (Fixture *self, gconstpointer data)
{
  uint32_t serial = open_and_wait (self, FLOW_PROC_TAKE, MIB, DO_ALL);

  send_data (self, serial, 0, 1000);
  send_stream (self, FLOW_PROC_TAKE, serial, REEVE_STATUS_ERROR, NULL, 0);
  assert_frame (self, REEVE_MESSAGE_STREAM, REEVE_STATUS_OK, serial);
  assert_ping (self);
  wait_until (&self->n_freed, 1);
  g_assert_cmpuint (atomic_load (&self->n_finished), ==, 0);
  g_assert_cmpuint (atomic_load (&self->n_aborted), ==, 1);
}

/* One answer to finish, whatever comes behind it. */
static void
test_take_after_finish (Fixture *self, gconstpointer data)
{
  uint32_t serial = open_and_wait (self, FLOW_PROC_TAKE, 10, DO_ALL);

  send_data (self, serial, 0, 10);
  send_stream (self, FLOW_PROC_TAKE, serial, REEVE_STATUS_OK, NULL, 0);
  send_data (self, serial, 10, 10);
  send_stream (self, FLOW_PROC_TAKE, serial, REEVE_STATUS_ERROR, NULL, 0);
  send_stream (self, FLOW_PROC_TAKE, serial, REEVE_STATUS_OK, NULL, 0);
  assert_frame (self, REEVE_MESSAGE_STREAM, REEVE_STATUS_OK, serial);
  assert_ping (self);
  g_assert_cmpint (atomic_load (&self->n_bytes), ==, 10);
}

static void
test_take_bad_status (Fixture *self, gconstpointer data)
{
  uint32_t serial = open_and_wait (self, FLOW_PROC_TAKE, 10, DO_ALL);

  send_stream (self, FLOW_PROC_TAKE, serial, 3, "x", 1);
  assert_error (self, REEVE_MESSAGE_STREAM, serial, "status 3");
  send_data (self, serial, 0, 10);
  assert_ping (self);
  wait_until (&self->n_freed, 1);
}

/* --------------------------------------------------------- both, and ends --
 */

static void
test_echo (Fixture *self, gconstpointer data)
{
  uint32_t serial = open_and_wait (self, FLOW_PROC_ECHO, 0, DO_ALL);

  for (char c = 'a'; c < 'q'; c++) {
    g_auto (Frame) frame = { 0 };

    send_stream (self, FLOW_PROC_ECHO, serial, REEVE_STATUS_CONTINUE, &c, 1);
    g_assert_true (receive_frame (self, &frame));
    g_assert_cmpmem (frame.payload, frame.size, &c, 1);
  }
  send_stream (self, FLOW_PROC_ECHO, serial, REEVE_STATUS_CONTINUE, "q", 1);
  assert_frame (self, REEVE_MESSAGE_STREAM, REEVE_STATUS_CONTINUE, serial);
  finish_stream (self, FLOW_PROC_ECHO, serial);
}

/* Frames for a stream that is not there: another serial, another procedure,
 * another program. */
static void
test_unknown (Fixture *self, gconstpointer data)
{
  uint32_t serial = open_and_wait (self, FLOW_PROC_TAKE, 10, DO_ALL);

  for (uint32_t status = 0; status < 4; status++) {
    send_stream (self, FLOW_PROC_TAKE, serial + 1, status, "x", 1);
    send_stream (self, FLOW_PROC_GIVE, serial, status, "x", 1);
    send_stream (self, 99, serial, status, "x", 1);
  }
  send_hole (self, serial + 1, 1, 0);
  assert_ping (self);
  send_data (self, serial, 0, 10);
  finish_stream (self, FLOW_PROC_TAKE, serial);
}

static void
test_call_fails (Fixture *self, gconstpointer data)
{
  uint32_t serial = send_open (self, FLOW_PROC_GIVE, 100, DO_FAIL_CALL);

  assert_error (self, REEVE_MESSAGE_REPLY, serial, "no such thing");
  assert_ping (self);
  wait_until (&self->n_freed, 1);
  g_assert_cmpuint (atomic_load (&self->n_aborted), ==, 0);
  g_assert_cmpint (atomic_load (&self->n_bytes), ==, 0);
}

static void
test_too_many (Fixture *self, gconstpointer data)
{
  enum { MAX_STREAMS = 16 };
  uint32_t serials[MAX_STREAMS];

  for (unsigned i = 0; i < MAX_STREAMS; i++)
    serials[i] = open_and_wait (self, FLOW_PROC_TAKE, 10, DO_ALL);
  send_open (self, FLOW_PROC_TAKE, 10, DO_ALL);
  assert_error (self, REEVE_MESSAGE_REPLY, self->last_serial, "16 streams");
  wait_until (&self->n_freed, 1);

  finish_stream (self, FLOW_PROC_TAKE, serials[3]);
  open_and_wait (self, FLOW_PROC_TAKE, 10, DO_ALL);
}

typedef struct {
  const char *name;
  int32_t procedure;
  int64_t size;
  unsigned how;
  gboolean stops; /* the server, not the client */
} LossCase;

static const LossCase loss_cases[] = {
  { "client-in-the-middle-of-reading", FLOW_PROC_GIVE, 64 * MIB, DO_ALL,
    FALSE },
  { "client-that-waits", FLOW_PROC_GIVE, MIB, DO_WAIT, FALSE },
  { "client-in-the-middle-of-writing", FLOW_PROC_TAKE, 8 * MIB, DO_ALL, FALSE },
  { "client-that-is-not-read", FLOW_PROC_TAKE, 8 * MIB, DO_WAIT, FALSE },
  { "server-in-the-middle-of-reading", FLOW_PROC_GIVE, 64 * MIB, DO_ALL, TRUE },
  { "server-in-the-middle-of-writing", FLOW_PROC_TAKE, 8 * MIB, DO_ALL, TRUE },
  { "server-that-waits", FLOW_PROC_ECHO, 0, DO_ALL, TRUE },
};

static void
test_loss (Fixture *self, gconstpointer data)
{
  const LossCase *row = data;
  uint32_t serial = open_and_wait (self, row->procedure, row->size, row->how);

  if (row->procedure == FLOW_PROC_TAKE)
    for (unsigned i = 0; i < 4; i++)
      send_data (self, serial, i * 200000, 200000);
  if (row->stops)
    return; /* it is the fixture that stops it */

  hang_up (self);
  wait_until (&self->n_freed, 1);
  g_assert_cmpuint (atomic_load (&self->n_aborted), ==, 1);
  g_assert_cmpuint (atomic_load (&self->n_finished), ==, 0);
}

/* A stream that has failed, and whose last frames nobody reads. */
static void
test_loss_behind_end (Fixture *self, gconstpointer data)
{
  uint32_t serial =
      open_and_wait (self, FLOW_PROC_GIVE, MIB / 2, DO_FAIL_IN_DATA);

  g_assert_cmpuint (serial, ==, self->last_serial);
  wait_until (&self->n_freed, 1);
  hang_up (self);
}

static void
tear_down_loss (Fixture *self, gconstpointer data)
{
  atomic_uint *n_freed = &self->n_freed;

  tear_down (self, data);
  g_assert_cmpuint (atomic_load (n_freed), ==, 1);
}

typedef struct {
  const char *name;
  void (*test) (Fixture *, gconstpointer);
} PlainCase;

static const PlainCase plain_cases[] = {
  { "give/never-ahead-of-a-slow-reader", test_give_slow_reader },
  { "give/failure-comes-behind-the-data", test_give_fails },
  { "give/takes-no-data", test_give_takes_no_data },
  { "give/aborted", test_give_aborted },
  { "give/goes-on-when-woken", test_give_wakes },
  { "give/two-take-turns", test_give_two },
  { "take/frames-of-all-sizes", test_take_sizes },
  { "take/holes", test_take_holes },
  { "take/unasked-hole-ends-the-connection", test_take_hole_unasked },
  { "take/nothing-is-read-while-nothing-is-taken", test_take_slow },
  { "take/failure-drops-what-follows", test_take_fails },
  { "take/finish-fails", test_take_finish_fails },
  { "take/aborted", test_take_aborted },
  { "take/nothing-counts-behind-finish", test_take_after_finish },
  { "take/bad-status-fails-it", test_take_bad_status },
  { "both/echo", test_echo },
  { "loss/client-that-reads-no-error", test_loss_behind_end },
  { "open/frames-for-no-stream-are-dropped", test_unknown },
  { "open/failed-call-opens-none", test_call_fails },
  { "open/refuses-one-too-many", test_too_many },
};

#define ADD(group, row, test, tear_down)                                       \
  G_STMT_START                                                                 \
  {                                                                            \
    g_autofree char *path =                                                    \
        g_strconcat ("/rpc/data-stream/" group, (row)->name, NULL);            \
                                                                               \
    g_test_add (path, Fixture, row, set_up, test, tear_down);                  \
  }                                                                            \
  G_STMT_END

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (give_cases); i++)
    ADD ("give/", &give_cases[i], test_give, tear_down);
  for (unsigned i = 0; i < G_N_ELEMENTS (take_cases); i++)
    ADD ("take/", &take_cases[i], test_take, tear_down);
  for (unsigned i = 0; i < G_N_ELEMENTS (bad_hole_cases); i++)
    ADD ("take/hole-", &bad_hole_cases[i], test_take_bad_hole, tear_down);
  for (unsigned i = 0; i < G_N_ELEMENTS (loss_cases); i++)
    ADD ("loss/", &loss_cases[i], test_loss, tear_down_loss);
  for (unsigned i = 0; i < G_N_ELEMENTS (plain_cases); i++)
    ADD ("", &plain_cases[i], plain_cases[i].test, tear_down);
  return g_test_run ();
}
