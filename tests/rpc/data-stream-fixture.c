/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data-stream-fixture.h"
#include "server-loops.h"

/* Of a stream, on the server's side. */
typedef struct {
  Fixture *fixture;
  int64_t size;
  int64_t offset;
  unsigned how;
  char echo[64];
  size_t echo_size;
} Flow;

uint8_t
get_byte (int64_t offset)
{
  return (uint8_t) (offset ^ offset >> 8 ^ offset >> 16);
}

/* ------------------------------------------------------------ functions -- */

static gboolean
fails_here (Flow *flow, GError **error)
{
  if (!(flow->how & DO_FAIL_IN_DATA) || flow->offset < flow->size / 2)
    return FALSE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_SYSTEM,
                       "the disk is full");
  return TRUE;
}

static gssize
take (ReeveDataStream *stream,
      const uint8_t *data,
      size_t size,
      gpointer user_data,
      GError **error)
{
  Flow *flow = user_data;

  if ((flow->how & DO_WAIT) && !atomic_load (&flow->fixture->may_go))
    return 0;
  if (fails_here (flow, error))
    return -1;
  if (flow->how & DO_PARTS)
    size = MIN (size, 1000);
  for (size_t i = 0; i < size; i++)
    if (data[i] != get_byte (flow->offset + (int64_t) i))
      atomic_fetch_add (&flow->fixture->n_wrong, 1);
  flow->offset += (int64_t) size;
  atomic_fetch_add (&flow->fixture->n_bytes, (long long) size);
  return (gssize) size;
}

static gboolean
take_hole (ReeveDataStream *stream,
           int64_t length,
           gpointer user_data,
           GError **error)
{
  Flow *flow = user_data;

  flow->offset += length;
  atomic_fetch_add (&flow->fixture->n_holes, 1);
  atomic_fetch_add (&flow->fixture->n_bytes, length);
  return TRUE;
}

static ReeveDataStreamNext
give (ReeveDataStream *stream, gpointer user_data, GError **error)
{
  Flow *flow = user_data;
  int64_t left = flow->size - flow->offset;
  size_t size = (size_t) MIN (left, (int64_t) REEVE_DATA_STREAM_CHUNK);
  uint8_t *room;

  if ((flow->how & DO_WAIT) && !atomic_load (&flow->fixture->may_go))
    return REEVE_DATA_STREAM_WAIT;
  if (fails_here (flow, error))
    return REEVE_DATA_STREAM_FAILED;
  if (left == 0)
    return REEVE_DATA_STREAM_END;

  atomic_fetch_add (&flow->fixture->n_bytes, (long long) size);
  if ((flow->how & DO_SPARSE) && flow->offset / REEVE_DATA_STREAM_CHUNK % 2) {
    flow->offset += (int64_t) size;
    reeve_data_stream_write_hole (stream, (int64_t) size);
    return REEVE_DATA_STREAM_MORE;
  }
  room = reeve_data_stream_get_room (stream);
  for (size_t i = 0; i < size; i++)
    room[i] = get_byte (flow->offset++);
  reeve_data_stream_commit (stream, size);
  /* A little of it is sent without it: it would wait as long as that. */
  if (size < REEVE_DATA_STREAM_CHUNK / 2)
    g_assert_true (reeve_data_stream_get_room (stream) == room);
  return REEVE_DATA_STREAM_MORE;
}

/* What is typed comes back; "q" hangs up. */
static gssize
take_echo (ReeveDataStream *stream,
           const uint8_t *data,
           size_t size,
           gpointer user_data,
           GError **error)
{
  Flow *flow = user_data;

  if (flow->echo_size > 0)
    return 0;

  flow->echo_size = MIN (size, sizeof flow->echo);
  memcpy (flow->echo, data, flow->echo_size);
  reeve_data_stream_wake (stream);
  return (gssize) flow->echo_size;
}

static ReeveDataStreamNext
give_echo (ReeveDataStream *stream, gpointer user_data, GError **error)
{
  Flow *flow = user_data;

  if (flow->echo_size == 0)
    return REEVE_DATA_STREAM_WAIT;
  if (flow->echo[0] == 'q')
    return REEVE_DATA_STREAM_END;

  reeve_data_stream_write (stream, flow->echo, flow->echo_size);
  flow->echo_size = 0;
  /* For what could not be taken meanwhile. */
  reeve_data_stream_wake (stream);
  return REEVE_DATA_STREAM_WAIT;
}

static gboolean
finish (ReeveDataStream *stream, gpointer user_data, GError **error)
{
  Flow *flow = user_data;

  atomic_fetch_add (&flow->fixture->n_finished, 1);
  if (!(flow->how & DO_FAIL_AT_END))
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_SYSTEM,
                       "the disk is gone");
  return FALSE;
}

static void
note_abort (ReeveDataStream *stream, gpointer user_data)
{
  Flow *flow = user_data;

  atomic_fetch_add (&flow->fixture->n_aborted, 1);
}

static void
flow_free (gpointer data)
{
  Flow *flow = data;

  atomic_fetch_add (&flow->fixture->n_freed, 1);
  g_free (flow);
}

static const ReeveDataStreamFuncs take_funcs = {
  .receive = take,
  .finish = finish,
  .abort = note_abort,
};
static const ReeveDataStreamFuncs sparse_take_funcs = {
  .receive = take,
  .receive_hole = take_hole,
  .finish = finish,
  .abort = note_abort,
};
static const ReeveDataStreamFuncs give_funcs = {
  .send = give,
  .finish = finish,
  .abort = note_abort,
};
static const ReeveDataStreamFuncs echo_funcs = {
  .receive = take_echo,
  .send = give_echo,
  .finish = finish,
  .abort = note_abort,
};

/* ------------------------------------------------------------ handlers --- */

static gboolean
ping (ReeveCall *call, GError **error)
{
  return TRUE;
}

static gboolean
hold (ReeveCall *call, GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);

  while (!atomic_load (&fixture->may_go))
    g_usleep (1000);
  return TRUE;
}

static void *
answer_later (void *data)
{
  g_usleep (1000);
  reeve_call_reply (data, NULL);
  return NULL;
}

static void
answer_in_thread (ReeveCall *call)
{
  pthread_t thread;

  pthread_create (&thread, NULL, answer_later, reeve_call_defer (call));
  pthread_detach (thread);
}

static gboolean
open_stream (ReeveCall *call,
             const flow_open_args *args,
             const ReeveDataStreamFuncs *funcs,
             GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);
  Flow *flow = g_new0 (Flow, 1);
  ReeveDataStream *stream;

  flow->fixture = fixture;
  flow->size = args->size;
  flow->how = args->how;
  stream = reeve_data_stream_open (call, funcs, flow, flow_free, error);
  if (stream == NULL)
    return FALSE;

  if (args->how & DO_WAIT)
    reeve_data_stream_unref (
        atomic_exchange (&fixture->stream, reeve_data_stream_ref (stream)));
  if (args->how & DO_DEFER)
    answer_in_thread (call);
  if (!(args->how & DO_FAIL_CALL))
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
                       "there is no such thing");
  return FALSE;
}

static gboolean
open_take (ReeveCall *call, const flow_open_args *args, GError **error)
{
  return open_stream (call, args,
                      args->how & DO_SPARSE ? &sparse_take_funcs : &take_funcs,
                      error);
}

static gboolean
open_give (ReeveCall *call, const flow_open_args *args, GError **error)
{
  return open_stream (call, args, &give_funcs, error);
}

static gboolean
open_echo (ReeveCall *call, const flow_open_args *args, GError **error)
{
  return open_stream (call, args, &echo_funcs, error);
}

static const flow_handlers handlers = {
  .hold = hold,
  .ping = ping,
  .take = open_take,
  .give = open_give,
  .echo = open_echo,
};

/* ------------------------------------------------------------- fixture --- */

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

void
set_up (Fixture *self, gconstpointer data)
{
  const struct timeval patience = { .tv_sec = PATIENCE_S };
  int ends[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  self->fd = ends[0];
  setsockopt (self->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt (self->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, NULL);
  reeve_auth_register (self->server, NULL);
  reeve_server_add_program (self->server, &flow_program, &handlers, self);
  reeve_server_add_fd_client (self->server, ends[1], NULL);
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

void
hang_up (Fixture *self)
{
  close (self->fd);
  self->fd = -1;
}

void
tear_down (Fixture *self, gconstpointer data)
{
  atomic_store (&self->may_go, TRUE);
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
  reeve_server_stop (self->server);
  g_assert_cmpuint (atomic_load (&self->n_wrong), ==, 0);
  reeve_data_stream_unref (atomic_exchange (&self->stream, NULL));
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  if (self->fd >= 0)
    close (self->fd);
}

void
wait_until (atomic_uint *counter, unsigned value)
{
  gint64 end_us = g_get_monotonic_time () + PATIENCE_S * G_USEC_PER_SEC;

  while (atomic_load (counter) < value && g_get_monotonic_time () < end_us)
    g_usleep (100);
  g_assert_cmpuint (atomic_load (counter), ==, value);
}

long long
wait_for_rest (Fixture *self)
{
  long long before = -1;
  long long now;

  while ((now = atomic_load (&self->n_bytes)) != before) {
    before = now;
    g_usleep (50000);
  }
  return now;
}

/* ------------------------------------------------------ the client's side --
 */

gboolean
send_bytes (Fixture *self, const void *data, size_t size)
{
  const char *bytes = data;

  while (size > 0) {
    gssize n = send (self->fd, bytes, size, MSG_NOSIGNAL);

    if (n <= 0)
      return FALSE;
    bytes += n;
    size -= (size_t) n;
  }
  return TRUE;
}

void
send_message (Fixture *self,
              int32_t procedure,
              uint32_t serial,
              uint32_t type,
              uint32_t status,
              const void *payload,
              size_t size)
{
  const ReeveHeader header = {
    .program = flow_program.number,
    .version = flow_program.version,
    .procedure = procedure,
    .type = type,
    .serial = serial,
    .status = status,
  };
  g_autofree uint8_t *frame = g_malloc (REEVE_PAYLOAD_OFFSET + size);

  reeve_message_write_header (&header, frame, REEVE_PAYLOAD_OFFSET + size);
  if (size > 0)
    memcpy (frame + REEVE_PAYLOAD_OFFSET, payload, size);
  g_assert_true (send_bytes (self, frame, REEVE_PAYLOAD_OFFSET + size));
}

uint32_t
send_open (Fixture *self, int32_t procedure, int64_t size, unsigned how)
{
  const flow_open_args args = { .size = size, .how = how };
  uint8_t payload[12];

  reeve_xdr_encode (&flow_open_args_type, &args, payload, sizeof payload);
  send_message (self, procedure, ++self->last_serial, REEVE_MESSAGE_CALL,
                REEVE_STATUS_OK, payload, sizeof payload);
  return self->last_serial;
}

void
send_stream (Fixture *self,
             int32_t procedure,
             uint32_t serial,
             uint32_t status,
             const void *data,
             size_t size)
{
  send_message (self, procedure, serial, REEVE_MESSAGE_STREAM, status, data,
                size);
}

void
send_data (Fixture *self, uint32_t serial, int64_t offset, size_t size)
{
  g_autofree uint8_t *data = g_malloc (size);

  for (size_t i = 0; i < size; i++)
    data[i] = get_byte (offset + (int64_t) i);
  send_stream (self, FLOW_PROC_TAKE, serial, REEVE_STATUS_CONTINUE, data, size);
}

void
send_hole (Fixture *self, uint32_t serial, int64_t length, unsigned flags)
{
  const message_hole hole = { .length = length, .flags = flags };
  uint8_t payload[12];

  reeve_xdr_encode (&message_hole_type, &hole, payload, sizeof payload);
  send_message (self, FLOW_PROC_TAKE, serial, REEVE_MESSAGE_STREAM_HOLE,
                REEVE_STATUS_CONTINUE, payload, sizeof payload);
}

void
frame_clear (Frame *frame)
{
  g_clear_pointer (&frame->payload, g_free);
}

gboolean
receive_frame (Fixture *self, Frame *frame)
{
  uint8_t start[REEVE_PAYLOAD_OFFSET];

  frame_clear (frame);
  if (recv (self->fd, start, sizeof start, MSG_WAITALL) != sizeof start)
    return FALSE;

  reeve_header_decode (&frame->header, start + REEVE_LENGTH_SIZE);
  frame->size = reeve_length_decode (start) - REEVE_PAYLOAD_OFFSET;
  frame->payload = g_malloc (frame->size + 1);
  if (frame->size > 0)
    g_assert_cmpint (recv (self->fd, frame->payload, frame->size, MSG_WAITALL),
                     ==, frame->size);
  return TRUE;
}

void
assert_frame (Fixture *self, uint32_t type, uint32_t status, uint32_t serial)
{
  g_auto (Frame) frame = { 0 };

  g_assert_true (receive_frame (self, &frame));
  g_assert_cmpuint (frame.header.type, ==, type);
  g_assert_cmpuint (frame.header.status, ==, status);
  g_assert_cmpuint (frame.header.serial, ==, serial);
}

void
assert_error (Fixture *self, uint32_t type, uint32_t serial, const char *words)
{
  g_auto (Frame) frame = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (receive_frame (self, &frame));
  g_assert_cmpuint (frame.header.type, ==, type);
  g_assert_cmpuint (frame.header.status, ==, REEVE_STATUS_ERROR);
  g_assert_cmpuint (frame.header.serial, ==, serial);
  error = reeve_message_decode_error (frame.payload, frame.size);
  g_assert_nonnull (strstr (error->message, words));
}

void
assert_ping (Fixture *self)
{
  send_message (self, FLOW_PROC_PING, ++self->last_serial, REEVE_MESSAGE_CALL,
                REEVE_STATUS_OK, NULL, 0);
  assert_frame (self, REEVE_MESSAGE_REPLY, REEVE_STATUS_OK, self->last_serial);
}

uint32_t
open_and_wait (Fixture *self, int32_t procedure, int64_t size, unsigned how)
{
  uint32_t serial = send_open (self, procedure, size, how);

  assert_frame (self, REEVE_MESSAGE_REPLY, REEVE_STATUS_OK, serial);
  return serial;
}

int64_t
read_data (Fixture *self, uint32_t serial, Frame *last)
{
  int64_t offset = 0;

  for (;;) {
    g_assert_true (receive_frame (self, last));
    g_assert_cmpuint (last->header.serial, ==, serial);
    if (last->header.type == REEVE_MESSAGE_STREAM_HOLE) {
      message_hole hole;

      g_assert_true (reeve_xdr_decode (&message_hole_type, last->payload,
                                       last->size, &hole, NULL, NULL));
      offset += hole.length;
      continue;
    }
    g_assert_cmpuint (last->header.type, ==, REEVE_MESSAGE_STREAM);
    if (last->header.status != REEVE_STATUS_CONTINUE || last->size == 0)
      return offset;
    g_assert_cmpuint (last->size, <=, REEVE_DATA_STREAM_CHUNK);
    for (size_t i = 0; i < last->size; i++)
      if (last->payload[i] != get_byte (offset + (int64_t) i))
        g_error ("wrong byte at %" G_GINT64_FORMAT, offset + (int64_t) i);
    offset += (int64_t) last->size;
  }
}

void
finish_stream (Fixture *self, int32_t procedure, uint32_t serial)
{
  send_stream (self, procedure, serial, REEVE_STATUS_OK, NULL, 0);
  assert_frame (self, REEVE_MESSAGE_STREAM, REEVE_STATUS_OK, serial);
}
