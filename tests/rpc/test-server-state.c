/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "protocol/takeover.h"
#include "rpc/error.h"
#include "rpc/server-private.h"
#include "server-state-fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --------------------------------------------------------------- tests --- */

static void
test_unread_call (Fixture *self, gconstpointer data)
{
  call (self, FLOW_PROC_PING, 1);
  assert_reply (self, 1);
  in_loop (self, freeze, NULL);
  call (self, FLOW_PROC_PING, 2);
  assert_silence (self);
  move (self);
  assert_reply (self, 2);
  call (self, FLOW_PROC_PING, 3);
  assert_reply (self, 3);
}

static void
test_half_a_call (Fixture *self, gconstpointer data)
{
  g_autoptr (GBytes) frame = make_call (FLOW_PROC_PING, 7);

  for (size_t i = 1; i < g_bytes_get_size (frame); i++) {
    send_part (self, frame, 0, i);
    wait_until_read (self);
    move (self);
    send_part (self, frame, i, g_bytes_get_size (frame));
    assert_reply (self, 7);
  }
}

static void
test_thaw (Fixture *self, gconstpointer data)
{
  g_autoptr (GBytes) frame = make_call (FLOW_PROC_PING, 1);

  send_part (self, frame, 0, 10);
  wait_until_read (self);
  in_loop (self, freeze, NULL);
  send_part (self, frame, 10, g_bytes_get_size (frame));
  call (self, FLOW_PROC_PING, 2);
  assert_silence (self);
  in_loop (self, thaw, NULL);
  assert_reply (self, 1);
  assert_reply (self, 2);
}

static void
test_running_call (Fixture *self, gconstpointer data)
{
  g_autofree char *why = NULL;

  call (self, FLOW_PROC_HOLD, 1);
  wait_until_read (self);
  do {
    in_loop (self, freeze, NULL);
    in_loop (self, look_whether_quiet, &why);
    in_loop (self, thaw, NULL);
  } while (why == NULL);
  g_assert_cmpstr (why, ==, "client 1 waits for hold");
  in_loop (self, freeze, NULL);
  atomic_store (&self->may_end, TRUE);
  assert_reply (self, 1);
  move (self);
  call (self, FLOW_PROC_PING, 2);
  assert_reply (self, 2);
}

static void
send_many_events (Fixture *self, gpointer data)
{
  g_autoptr (ReeveServerClient) client = find_client (self);
  unsigned *n_events = data;
  char body[1000] = "";

  for (unsigned i = 0; i < *n_events; i++) {
    ReeveHeader header = { .type = REEVE_MESSAGE_EVENT, .serial = i };
    uint8_t bytes[REEVE_PAYLOAD_OFFSET + sizeof body];
    g_autoptr (GBytes) frame = NULL;

    memcpy (bytes + REEVE_PAYLOAD_OFFSET, body, sizeof body);
    reeve_message_write_header (&header, bytes, sizeof bytes);
    frame = g_bytes_new (bytes, sizeof bytes);
    g_assert_true (reeve_server_client_send_event_frame (client, frame));
  }
}

/* More than the socket takes, so that one is written in part. */
static void
test_unwritten_events (Fixture *self, gconstpointer data)
{
  unsigned n_events = 900;

  in_loop (self, send_many_events, &n_events);
  call (self, FLOW_PROC_PING, 5000);
  wait_until_read (self);
  move (self);
  move (self);
  /* The reply overtakes those that did not begin. */
  for (unsigned serial = 0, n_replies = 0; serial + n_replies < n_events + 1;) {
    ReeveHeader header = receive (self, NULL);

    if (header.type == REEVE_MESSAGE_REPLY) {
      g_assert_cmpuint (header.serial, ==, 5000);
      g_assert_cmpuint (serial, <, n_events);
      n_replies++;
    } else {
      g_assert_cmpuint (header.serial, ==, serial++);
    }
  }
  assert_silence (self);
}

/* Workers answer in any order, but each once. */
static void
test_unwritten_replies (Fixture *self, gconstpointer data)
{
  enum { N_CALLS = 8000 };
  g_autofree gboolean *is_answered = g_new0 (gboolean, N_CALLS);
  unsigned n_sent = 0;

  for (unsigned n_answered = 0; n_answered < N_CALLS;) {
    g_autoptr (GBytes) frame = make_call (FLOW_PROC_PING, n_sent);
    gsize size;
    const void *bytes = g_bytes_get_data (frame, &size);

    /* A unix socket takes a small message as a whole, or not at all. */
    if (n_sent < N_CALLS &&
        send (self->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
      n_sent++;
      continue;
    }
    move (self);
    for (unsigned i = 0; i < 500 && n_answered < n_sent; i++, n_answered++) {
      ReeveHeader header = receive (self, NULL);

      g_assert_cmpuint (header.serial, <, N_CALLS);
      g_assert_false (is_answered[header.serial]);
      is_answered[header.serial] = TRUE;
    }
  }
}

static void
attach_note (Fixture *self, gpointer data)
{
  g_autoptr (ReeveServerClient) client = find_client (self);

  reeve_server_client_attach (client, &note_key, g_strdup ("remember"), NULL,
                              g_free);
  reeve_server_client_set_read_only (client);
}

static void
test_identity (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveServerClient) before = find_client (self);
  g_autoptr (ReeveServerClient) after = NULL;
  gint64 connect_time = reeve_server_client_get_connect_time (before);
  uid_t uid;
  gid_t gid;
  pid_t pid;

  in_loop (self, attach_note, NULL);
  move (self);
  after = find_client (self);
  g_assert_true (after != before);
  g_assert_cmpint (reeve_server_client_get_connect_time (after), ==,
                   connect_time);
  g_assert_true (reeve_server_client_is_read_only (after));
  g_assert_true (reeve_server_client_get_unix_peer (after, &uid, &gid, &pid));
  g_assert_cmpuint (pid, ==, getpid ());
  g_assert_cmpstr (reeve_server_client_get_data (after, &note_key), ==,
                   "remember");
}

static void
send_on_stream (Fixture *self, uint32_t serial, const char *text)
{
  const ReeveHeader header = {
    .program = flow_program.number,
    .version = flow_program.version,
    .procedure = FLOW_PROC_ECHO,
    .type = REEVE_MESSAGE_STREAM,
    .serial = serial,
    .status = REEVE_STATUS_CONTINUE,
  };
  size_t size = REEVE_PAYLOAD_OFFSET + strlen (text);
  uint8_t frame[256];

  reeve_message_write_header (&header, frame, size);
  memcpy (frame + REEVE_PAYLOAD_OFFSET, text, strlen (text));
  g_assert_cmpint (send (self->fd, frame, size, MSG_NOSIGNAL), ==, size);
}

static void
test_stream (Fixture *self, gconstpointer data)
{
  char text[4097];

  call (self, FLOW_PROC_ECHO, 4);
  assert_reply (self, 4);
  for (unsigned i = 0; i < 10; i++) {
    ReeveHeader header;

    send_on_stream (self, 4, "half ");
    wait_until_read (self);
    move (self);
    send_on_stream (self, 4, "whole\n");
    header = receive (self, text);
    g_assert_cmpuint (header.type, ==, REEVE_MESSAGE_STREAM);
    g_assert_cmpuint (header.serial, ==, 4);
    g_assert_cmpstr (text, ==, "half whole\n");
  }
}

/* Nobody who thaws the server knows of it any more. */
static void
test_stream_of_one_who_leaves (Fixture *self, gconstpointer data)
{
  call (self, FLOW_PROC_ECHO, 4);
  assert_reply (self, 4);
  wait_until_quiet (self);
  in_loop (self, freeze, NULL);
  g_assert_cmpuint (atomic_load (&self->n_streams), ==, 1);
  shutdown (self->fd, SHUT_RDWR);
  for (int wait_ms = 0; atomic_load (&self->n_streams) > 0; wait_ms++) {
    g_assert_cmpint (wait_ms, <, 30000);
    g_usleep (1000);
  }
  in_loop (self, thaw, NULL);
}

static void
test_unknown_stream (Fixture *self, gconstpointer data)
{
  ReeveHeader header;

  call (self, FLOW_PROC_ECHO, 4);
  assert_reply (self, 4);
  move_to (self, make_server (self, FALSE));
  header = receive (self, NULL);
  g_assert_cmpuint (header.type, ==, REEVE_MESSAGE_STREAM);
  g_assert_cmpuint (header.status, ==, REEVE_STATUS_ERROR);
  call (self, FLOW_PROC_PING, 5);
  assert_reply (self, 5);
}

static void
look_for_obstacle (Fixture *self, gpointer data)
{
  reeve_server_can_freeze (self->server, data);
}

static void
test_stream_that_cannot_move (Fixture *self, gconstpointer data)
{
  g_autofree char *why = NULL;

  in_loop (self, look_for_obstacle, &why);
  g_assert_null (why);
  call (self, FLOW_PROC_GIVE, 4);
  assert_reply (self, 4);
  in_loop (self, look_for_obstacle, &why);
  g_assert_cmpstr (why, ==, "client 1 has a stream that transfers data");
}

/* ------------------------------------------------------------ versions --- */

/* The record of the one client, for a test that changes it. */
static void
edit_record (ReeveSavedState *state,
             ReeveSavedState *changed,
             unsigned format,
             unsigned needed,
             int n_more)
{
  takeover_server server = { 0 };
  ReeveStateReader reader;
  ReeveBytes *record;
  GByteArray *data = g_byte_array_new ();

  g_assert_true (
      reeve_saved_state_find (state, "server.test", 100, &reader, NULL));
  g_assert_true (
      reeve_state_reader_take (&reader, &takeover_server_type, &server, NULL));
  record = &server.clients.items[0].data;
  record->data = g_realloc (record->data, record->size + 100);
  memset (record->data + record->size, 0x55, 100);
  record->size = (uint32_t) ((int) record->size + n_more);
  g_assert_true (
      reeve_state_append (data, &takeover_server_type, &server, NULL));
  reeve_saved_state_add (changed, "server.test", format, needed, data);
  takeover_server_clear (&server);
}

typedef struct {
  const char *name;
  unsigned format;
  unsigned needed;
  int n_more; /* bytes of the client's record */
  int code;   /* 0: it is restored */
} VersionCase;

static const VersionCase version_cases[] = {
  { "of-our-own", 1, 1, 0, 0 },
  { "newer-with-more-behind", 2, 1, 52, 0 },
  { "older-without-the-last-struct", 1, 1, -8, 0 },
  { "older-without-the-last-two", 1, 1, -28, 0 },
  { "newer-that-must-be-understood", 3, 2, 0, REEVE_ERROR_NO_SUPPORT },
  { "cut-off", 1, 1, -4, REEVE_ERROR_RPC },
};

static void
test_version (Fixture *self, gconstpointer data)
{
  const VersionCase *row = data;
  g_autoptr (ReeveSavedState) state = reeve_saved_state_new ();
  g_autoptr (ReeveSavedState) changed = reeve_saved_state_new ();
  g_autoptr (ReeveSavedState) passed = NULL;
  Restore task = { .server = make_server (self, TRUE) };

  in_loop (self, freeze, NULL);
  wait_until_quiet (self);
  in_loop (self, save, state);
  edit_record (state, changed, row->format, row->needed, row->n_more);
  for (unsigned i = 0; i < reeve_saved_state_get_fds (state)->len; i++)
    reeve_saved_state_add_fd (
        changed, g_array_index (reeve_saved_state_get_fds (state), int, i));
  passed = task.state = pass_on (changed);
  in_loop (self, restore, &task);
  if (row->code == 0) {
    g_assert_no_error (task.error);
    in_loop (self, replace, task.server);
  } else {
    ReeveServer *old = self->server;

    g_assert_error (task.error, REEVE_ERROR, row->code);
    g_test_message ("%s", task.error->message);
    g_clear_error (&task.error);
    self->server = task.server;
    in_loop (self, stop_server, NULL);
    reeve_server_unref (task.server);
    self->server = old;
    in_loop (self, thaw, NULL);
  }
  call (self, FLOW_PROC_PING, 9);
  assert_reply (self, 9);
}

/* ------------------------------------------------------------- batches --- */

static void
look_whether_can_freeze (Fixture *self, gpointer data)
{
  char **why = data;

  g_clear_pointer (why, g_free);
  reeve_server_can_freeze (self->server, why);
}

static void
send_text (Fixture *self, const GString *text)
{
  g_assert_cmpint (send (self->fd, text->str, text->len, MSG_NOSIGNAL), ==,
                   text->len);
}

/* (transfer full): a line that comes, with its end. */
static char *
receive_line (Fixture *self)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[65536];

  while (text->len == 0 || text->str[text->len - 1] != '\n') {
    gssize size = recv (self->fd, buffer, sizeof buffer, MSG_PEEK);
    const char *end = size > 0 ? memchr (buffer, '\n', (size_t) size) : NULL;

    g_assert_cmpint (size, >, 0);
    if (end != NULL)
      size = end + 1 - buffer;
    g_assert_cmpint (recv (self->fd, buffer, (size_t) size, 0), ==, size);
    g_string_append_len (text, buffer, size);
  }
  return g_strndup (text->str, text->len);
}

#define IN_THE_MIDDLE "client 1 is in the middle of a batch"
#define N_HELD 100

/* Of more calls than may be in flight, which hold; until it was taken in
 * part. */
static void
send_batch (Fixture *self)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree char *why = NULL;

  for (int i = 0; i < N_HELD; i++)
    g_string_append_printf (text, "%c{\"id\":%d,\"method\":\"flow.hold\"}",
                            i == 0 ? '[' : ',', i);
  g_string_append (text, "]");
  send_text (self, text);
  do
    in_loop (self, look_whether_can_freeze, &why);
  while (why == NULL);
  g_assert_cmpstr (why, ==, IN_THE_MIDDLE);
}

/* Once all calls in flight are answered, it is not quiet. */
static void
assert_in_the_middle (Fixture *self)
{
  g_autofree char *why = NULL;

  do
    in_loop (self, look_whether_quiet, &why);
  while (why != NULL && !g_str_equal (why, IN_THE_MIDDLE));
  g_assert_cmpstr (why, ==, IN_THE_MIDDLE);
}

static void
assert_batch_is_answered (Fixture *self)
{
  for (unsigned i = 0; i <= N_HELD; i++) {
    g_autofree char *line = receive_line (self);

    if (i < N_HELD)
      g_assert_nonnull (strstr (line, "\"result\""));
    else
      g_assert_cmpstr (line, ==, "]\n");
  }
}

/* Though the calls of its first part were answered, and nothing runs. */
static void
test_batch (Fixture *self, gconstpointer data)
{
  send_batch (self);
  in_loop (self, freeze, NULL);
  atomic_store (&self->may_end, TRUE);
  assert_in_the_middle (self);
  in_loop (self, thaw, NULL);
  assert_batch_is_answered (self);
  g_assert_cmpuint (atomic_load (&self->n_held), ==, N_HELD);
  move (self);
}

static void
echo (Fixture *self, size_t size)
{
  g_autofree char *word = g_strnfill (size, 'x');
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_printf (text, "{\"id\":1,\"method\":\"echo\",\"params\":[\"%s\"]}",
                   word);
  send_text (self, text);
}

static void
lower_limit (Fixture *self, gpointer data)
{
  ReeveServerLimits limits;

  reeve_server_get_limits (self->server, &limits);
  limits.max_client_reply_bytes = 65536;
  g_assert_true (reeve_server_set_limits (self->server, &limits, NULL));
}

/* A batch that was taken in part, behind replies over their limit that the
 * client did not read. */
static void
get_stuck (Fixture *self)
{
  g_autofree char *why = NULL;

  /* The first is more than the socket takes, so that the next waits. */
  echo (self, 3000000);
  echo (self, 1000000);
  send_batch (self);
  in_loop (self, lower_limit, NULL);
  in_loop (self, look_whether_can_freeze, &why);
  g_assert_cmpstr (why, ==, NULL);
  in_loop (self, freeze, NULL);
  atomic_store (&self->may_end, TRUE);
}

static void
test_stuck_batch (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveServerClient) client = NULL;
  char buffer[65536];
  gssize size;

  get_stuck (self);
  move (self);
  client = find_client (self);
  g_assert_null (client);
  do
    size = recv (self->fd, buffer, sizeof buffer, 0);
  while (size > 0);
  g_assert_cmpint (size, ==, 0);
}

static void
test_batch_that_is_stuck_no_more (Fixture *self, gconstpointer data)
{
  get_stuck (self);
  g_free (receive_line (self));
  g_free (receive_line (self));
  assert_in_the_middle (self);
  in_loop (self, thaw, NULL);
  assert_batch_is_answered (self);
  move (self);
}

#define add(name, func)                                                        \
  g_test_add ("/rpc/server-state/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("call/that-was-not-read-is-answered", test_unread_call);
  add ("call/that-was-read-in-part-is-answered", test_half_a_call);
  add ("call/that-runs-is-waited-for", test_running_call);
  add ("thaw/goes-on-as-if-nothing-was", test_thaw);
  add ("output/events-neither-lost-nor-doubled", test_unwritten_events);
  add ("output/replies-neither-lost-nor-doubled", test_unwritten_replies);
  add ("client/is-the-same", test_identity);
  add ("stream/goes-on", test_stream);
  add ("stream/of-one-who-leaves-ends-at-once", test_stream_of_one_who_leaves);
  add ("stream/that-nobody-knows-ends-with-a-reason", test_unknown_stream);
  add ("stream/that-cannot-move-is-in-the-way", test_stream_that_cannot_move);
  add ("batch/goes-on-here-or-there-not-in-both", test_batch);
  add ("batch/of-who-reads-nothing-is-not-in-the-way", test_stuck_batch);
  add ("batch/of-who-reads-again-is-answered",
       test_batch_that_is_stuck_no_more);
  for (size_t i = 0; i < G_N_ELEMENTS (version_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/server-state/version/", version_cases[i].name, NULL);

    g_test_add (path, Fixture, &version_cases[i], set_up, test_version,
                tear_down);
  }
  return g_test_run ();
}
