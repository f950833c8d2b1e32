/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server-state-fixture.h"
#include "server-loops.h"

#include "event/thread.h"
#include "rpc/call.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server that goes on in another one, as it would in another process: what
 * lies between them is bytes and duplicates of file descriptors. */

/* An echo: what it has is to be sent. */
typedef struct {
  Fixture *fixture;
  char text[64];
  size_t size;
} Echo;

const char note_key;

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

  while (!atomic_load (&fixture->may_end))
    g_usleep (100);
  atomic_fetch_add (&fixture->n_held, 1);
  return TRUE;
}

static Echo *
make_echo (Fixture *fixture)
{
  Echo *echo = g_new0 (Echo, 1);

  echo->fixture = fixture;
  atomic_fetch_add (&fixture->n_streams, 1);
  return echo;
}

static void
free_echo (gpointer data)
{
  Echo *echo = data;

  atomic_fetch_sub (&echo->fixture->n_streams, 1);
  g_free (echo);
}

static gssize
echo_receive (ReeveDataStream *stream,
              const uint8_t *data,
              size_t size,
              gpointer user_data,
              GError **error)
{
  Echo *echo = user_data;

  size = MIN (size, sizeof echo->text - echo->size);
  memcpy (echo->text + echo->size, data, size);
  echo->size += size;
  reeve_data_stream_wake (stream);
  return (gssize) size;
}

static ReeveDataStreamNext
echo_send (ReeveDataStream *stream, gpointer user_data, GError **error)
{
  Echo *echo = user_data;

  /* It waits for a whole line. */
  if (echo->size == 0 || echo->text[echo->size - 1] != '\n')
    return REEVE_DATA_STREAM_WAIT;
  reeve_data_stream_write (stream, echo->text, echo->size);
  echo->size = 0;
  return REEVE_DATA_STREAM_WAIT;
}

static const ReeveDataStreamFuncs echo_funcs = {
  .receive = echo_receive,
  .send = echo_send,
};

static gboolean
open_echo (ReeveCall *call, const flow_open_args *args, GError **error)
{
  return reeve_data_stream_open (call, &echo_funcs,
                                 make_echo (reeve_call_get_user_data (call)),
                                 free_echo, error) != NULL;
}

static const ReeveDataStreamFuncs give_funcs = { .send = echo_send };

/* Of no kind that can move. */
static gboolean
give (ReeveCall *call, const flow_open_args *args, GError **error)
{
  return reeve_data_stream_open (call, &give_funcs,
                                 make_echo (reeve_call_get_user_data (call)),
                                 free_echo, error) != NULL;
}

static const flow_handlers handlers = {
  .ping = ping,
  .hold = hold,
  .echo = open_echo,
  .give = give,
};

/* ------------------------------------------------------- what goes along - */

static gboolean
save_echo (gpointer stream_data,
           ReeveSavedState *state,
           GByteArray *saved,
           GError **error)
{
  const Echo *echo = stream_data;

  g_byte_array_append (saved, (const uint8_t *) echo->text, (guint) echo->size);
  return TRUE;
}

static gpointer
restore_echo (ReeveStateReader *reader,
              ReeveSavedState *state,
              gpointer user_data,
              GError **error)
{
  Echo *echo = make_echo (user_data);

  g_assert_cmpuint (reader->size, <=, sizeof echo->text);
  echo->size = reader->size;
  memcpy (echo->text, reader->data, reader->size);
  return echo;
}

static const ReeveServerStreamKind echo_kind = {
  .name = "echo",
  .funcs = &echo_funcs,
  .save = save_echo,
  .restore = restore_echo,
  .free_func = free_echo,
};

static gboolean
save_note (ReeveServerClient *client,
           gpointer data,
           ReeveSavedState *state,
           GByteArray *saved,
           GError **error)
{
  g_byte_array_append (saved, data, (guint) strlen (data) + 1);
  return TRUE;
}

static gboolean
restore_note (ReeveServerClient *client,
              ReeveStateReader *reader,
              ReeveSavedState *state,
              gpointer user_data,
              GError **error)
{
  reeve_server_client_attach (
      client, &note_key, g_strdup ((const char *) reader->data), NULL, g_free);
  return TRUE;
}

static const ReeveServerAttachment note_kind = {
  .name = "note",
  .key = &note_key,
  .save = save_note,
  .restore = restore_note,
};

/* ------------------------------------------------------------- fixture --- */

ReeveServer *
make_server (Fixture *self, gboolean knows_echo)
{
  ReeveServer *server = new_server ("test", self->loop, NULL);

  reeve_server_add_program (server, &flow_program, &handlers, self);
  reeve_server_add_attachment (server, &note_kind, NULL);
  if (knows_echo)
    reeve_server_add_stream_kind (server, &echo_kind, self);
  return server;
}

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

void
set_up (Fixture *self, gconstpointer data)
{
  const struct timeval patience = { .tv_sec = 20 };
  int ends[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  self->fd = ends[0];
  setsockopt (self->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  self->loop = reeve_loop_new (NULL);
  self->server = make_server (self, TRUE);
  reeve_server_add_fd_client (self->server, ends[1], NULL);
  wait_for_client (self->server, 1);
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

/* ---------------------------------------------------- in the loop's thread -
 */

typedef struct {
  Fixture *fixture;
  void (*func) (Fixture *fixture, gpointer data);
  gpointer data;
  atomic_bool is_done;
} Errand;

static void
do_errand (ReeveLoop *loop, gpointer data)
{
  Errand *errand = data;

  errand->func (errand->fixture, errand->data);
  atomic_store (&errand->is_done, TRUE);
}

void
in_loop (Fixture *self,
         void (*func) (Fixture *fixture, gpointer data),
         gpointer data)
{
  Errand errand = { self, func, data, FALSE };

  reeve_loop_invoke (self->loop, do_errand, &errand);
  while (!atomic_load (&errand.is_done))
    g_usleep (100);
}

void
stop_server (Fixture *self, gpointer data)
{
  reeve_server_stop (self->server);
}

void
tear_down (Fixture *self, gconstpointer data)
{
  atomic_store (&self->may_end, TRUE);
  in_loop (self, stop_server, NULL);
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  close (self->fd);
}

void
freeze (Fixture *self, gpointer data)
{
  reeve_server_freeze (self->server);
}

void
thaw (Fixture *self, gpointer data)
{
  reeve_server_thaw (self->server);
}

void
look_whether_quiet (Fixture *self, gpointer data)
{
  char **why = data;

  g_clear_pointer (why, g_free);
  reeve_server_is_quiet (self->server, why);
}

void
save (Fixture *self, gpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (reeve_server_save (self->server, data, &error));
  g_assert_no_error (error);
}

ReeveSavedState *
pass_on (ReeveSavedState *state)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = reeve_saved_state_to_bytes (state, &error);
  GArray *fds = reeve_saved_state_get_fds (state);
  GArray *copies = g_array_new (FALSE, FALSE, sizeof (int));
  ReeveSavedState *passed;

  g_assert_no_error (error);
  for (unsigned i = 0; i < fds->len; i++) {
    int copy = fcntl (g_array_index (fds, int, i), F_DUPFD_CLOEXEC, 3);

    g_array_append_val (copies, copy);
  }
  passed = reeve_saved_state_new_from_bytes (bytes, copies, &error);
  g_assert_no_error (error);
  return passed;
}

void
restore (Fixture *self, gpointer data)
{
  Restore *task = data;

  reeve_server_freeze (task->server);
  reeve_server_restore (task->server, task->state, &task->error);
}

void
replace (Fixture *self, gpointer data)
{
  reeve_server_stop (self->server);
  reeve_server_unref (self->server);
  self->server = data;
  reeve_server_thaw (self->server);
}

void
wait_until_quiet (Fixture *self)
{
  g_autofree char *why = NULL;

  do
    in_loop (self, look_whether_quiet, &why);
  while (why != NULL);
}

void
move_to (Fixture *self, ReeveServer *server)
{
  g_autoptr (ReeveSavedState) state = reeve_saved_state_new ();
  g_autoptr (ReeveSavedState) passed = NULL;
  Restore task = { .server = server };

  in_loop (self, freeze, NULL);
  wait_until_quiet (self);
  in_loop (self, save, state);
  passed = task.state = pass_on (state);
  in_loop (self, restore, &task);
  g_assert_no_error (task.error);
  in_loop (self, replace, server);
}

void
move (Fixture *self)
{
  move_to (self, make_server (self, TRUE));
}

/* ------------------------------------------------------------ messages --- */

GBytes *
make_call (int32_t procedure, uint32_t serial)
{
  const ReeveHeader header = {
    .program = flow_program.number,
    .version = flow_program.version,
    .procedure = procedure,
    .type = REEVE_MESSAGE_CALL,
    .serial = serial,
  };
  const flow_open_args args = { 0 };
  gboolean has_args =
      procedure != FLOW_PROC_PING && procedure != FLOW_PROC_HOLD;

  return reeve_message_encode (&header, has_args ? &flow_open_args_type : NULL,
                               has_args ? &args : NULL, NULL);
}

void
send_part (Fixture *self, GBytes *frame, size_t from, size_t to)
{
  const char *data = g_bytes_get_data (frame, NULL);

  g_assert_cmpint (send (self->fd, data + from, to - from, MSG_NOSIGNAL), ==,
                   to - from);
}

void
call (Fixture *self, int32_t procedure, uint32_t serial)
{
  g_autoptr (GBytes) frame = make_call (procedure, serial);

  send_part (self, frame, 0, g_bytes_get_size (frame));
}

/* Until the server has read all that was sent. */
void
wait_until_read (Fixture *self)
{
  int n_waiting;

  do {
    n_waiting = 0;
    ioctl (self->fd, TIOCOUTQ, &n_waiting);
  } while (n_waiting > 0);
}

ReeveHeader
receive (Fixture *self, char *payload)
{
  uint8_t frame[REEVE_PAYLOAD_OFFSET + 4096];
  ReeveHeader header;
  size_t size;

  g_assert_cmpint (recv (self->fd, frame, REEVE_PAYLOAD_OFFSET, MSG_WAITALL),
                   ==, REEVE_PAYLOAD_OFFSET);
  size = reeve_length_decode (frame) - REEVE_PAYLOAD_OFFSET;
  g_assert_cmpuint (size, <=, 4096);
  if (size > 0)
    g_assert_cmpint (
        recv (self->fd, frame + REEVE_PAYLOAD_OFFSET, size, MSG_WAITALL), ==,
        size);
  if (payload != NULL) {
    memcpy (payload, frame + REEVE_PAYLOAD_OFFSET, size);
    payload[size] = '\0';
  }
  reeve_header_decode (&header, frame + REEVE_LENGTH_SIZE);
  return header;
}

void
assert_reply (Fixture *self, uint32_t serial)
{
  ReeveHeader header = receive (self, NULL);

  g_assert_cmpuint (header.type, ==, REEVE_MESSAGE_REPLY);
  g_assert_cmpuint (header.status, ==, REEVE_STATUS_OK);
  g_assert_cmpuint (header.serial, ==, serial);
}

void
assert_silence (Fixture *self)
{
  char byte;

  g_usleep (20000);
  g_assert_cmpint (recv (self->fd, &byte, 1, MSG_DONTWAIT), ==, -1);
}

ReeveServerClient *
find_client (Fixture *self)
{
  return reeve_server_find_client (self->server, 1);
}
