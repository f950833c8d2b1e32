/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection.h"
#include "event/thread.h"
#include "protocol/reeve.h"
#include "protocol/remote.h"
#include "protocol/watch.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "rpc/wire-xdr.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A connection that is lost and comes back. The test plays the server, and a
 * thread the client, which calls asynchronously. */

#define TIMEOUT_MS 20000

typedef struct {
  char *folder;
  char *path;
  int listener; /* -1: nobody listens */
  int fd;       /* the server's end */
  ReeveConnection *connection;
  ReeveMutex lock;
  ReeveCond changed;
  GString *told; /* what the subscribers were told, in words */
  unsigned n_subscribed;
} Fixture;

typedef struct {
  ReeveHeader header;
  uint8_t payload[256];
  size_t size;
} Frame;

/* A call of the client's. */
typedef struct {
  unsigned n_ended;
  GError *error;
  const ReeveProgram *program;
  int32_t number; /* of a registration */
} Call;

/* ---------------------------------------------------------- the server --- */

static void
start_listening (Fixture *self)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  g_assert_cmpuint (strlen (self->path), <, sizeof address.sun_path);
  strcpy (address.sun_path, self->path);
  unlink (self->path);
  self->listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (
      bind (self->listener, (struct sockaddr *) &address, sizeof address), ==,
      0);
  g_assert_cmpint (listen (self->listener, 8), ==, 0);
}

static void
stop_listening (Fixture *self)
{
  close (self->listener);
  self->listener = -1;
}

static void
accept_client (Fixture *self)
{
  self->fd = accept4 (self->listener, NULL, NULL, SOCK_CLOEXEC);
  g_assert_cmpint (self->fd, >=, 0);
}

/* As the kernel does for a daemon that is killed. */
static void
lose_client (Fixture *self)
{
  close (self->fd);
  self->fd = -1;
}

static Frame
read_frame (Fixture *self)
{
  Frame frame = { 0 };
  uint8_t start[REEVE_PAYLOAD_OFFSET];

  g_assert_cmpint (recv (self->fd, start, sizeof start, MSG_WAITALL), ==,
                   sizeof start);
  reeve_header_decode (&frame.header, start + REEVE_LENGTH_SIZE);
  frame.size = reeve_length_decode (start) - sizeof start;
  g_assert_cmpuint (frame.size, <=, sizeof frame.payload);
  if (frame.size > 0)
    g_assert_cmpint (recv (self->fd, frame.payload, frame.size, MSG_WAITALL),
                     ==, frame.size);
  return frame;
}

static Frame
expect_call (Fixture *self, const ReeveProgram *program, int32_t procedure)
{
  Frame frame = read_frame (self);

  g_assert_cmphex (frame.header.program, ==, program->number);
  g_assert_cmpint (frame.header.procedure, ==, procedure);
  return frame;
}

static void
send_message (Fixture *self,
              ReeveHeader header,
              ReeveMessageType type,
              const ReeveType *body_type,
              gconstpointer body)
{
  g_autoptr (GBytes) frame = NULL;
  gconstpointer data;
  gsize size;

  header.type = type;
  frame = reeve_message_encode (&header, body_type, body, NULL);
  data = g_bytes_get_data (frame, &size);
  g_assert_cmpint (send (self->fd, data, size, MSG_NOSIGNAL), ==, size);
}

static void
answer (Fixture *self, const Frame *call)
{
  send_message (self, call->header, REEVE_MESSAGE_REPLY, NULL, NULL);
}

static void
answer_number (Fixture *self, const Frame *call, int32_t number)
{
  const remote_connect_domain_event_callback_register_any_ret ret = { number };

  send_message (self, call->header, REEVE_MESSAGE_REPLY,
                &remote_connect_domain_event_callback_register_any_ret_type,
                &ret);
}

static void
answer_error (Fixture *self, const Frame *call)
{
  g_autoptr (GError) failure =
      g_error_new_literal (REEVE_ERROR, REEVE_ERROR_RPC, "unknown program");
  ReeveHeader header = call->header;
  g_autoptr (GBytes) frame = NULL;
  gconstpointer data;
  gsize size;

  header.type = REEVE_MESSAGE_REPLY;
  frame = reeve_message_encode_error (&header, failure);
  data = g_bytes_get_data (frame, &size);
  g_assert_cmpint (send (self->fd, data, size, MSG_NOSIGNAL), ==, size);
}

static void
send_event (Fixture *self,
            const ReeveProgram *program,
            int32_t number,
            gconstpointer body)
{
  const ReeveHeader header = {
    .program = program->number,
    .version = program->version,
    .procedure = number,
  };

  send_message (self, header, REEVE_MESSAGE_EVENT,
                reeve_program_find (program, number)->args, body);
}

static void
send_lifecycle (Fixture *self, int32_t callback, int event)
{
  const remote_domain_event_callback_lifecycle_msg body = {
    .callback_id = callback,
    .msg = { .dom = { .name = (char *) "web" }, .event = event },
  };

  send_event (self, &remote_program,
              REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, &body);
}

static void
send_mark (Fixture *self, uint64_t revision, gboolean is_complete)
{
  watch_change change = { .revision = revision,
                          .name = (char *) "db",
                          .event = 5 };
  const watch_mark_msg mark = {
    .epoch = 77,
    .revision = revision,
    .is_complete = is_complete,
    .changes = { is_complete ? 1 : 0, &change },
  };

  send_event (self, &watch_program, WATCH_PROC_MARK, &mark);
}

/* The last that a connection does to be back. */
static watch_sync_args
expect_sync (Fixture *self, Frame *call)
{
  watch_sync_args args = { 0 };

  *call = expect_call (self, &watch_program, WATCH_PROC_SYNC);
  g_assert_true (reeve_xdr_decode (&watch_sync_args_type, call->payload,
                                   call->size, &args, NULL, NULL));
  return args;
}

static void
serve_sync (Fixture *self)
{
  Frame call;

  expect_sync (self, &call);
  send_mark (self, 1, FALSE);
  answer (self, &call);
}

/* ---------------------------------------------------------- the client --- */

static void
append_told (Fixture *self, const char *words)
{
  REEVE_LOCK_SCOPE (&self->lock);

  g_string_append (self->told, words);
  reeve_cond_signal (&self->changed);
}

static void
take_event (ReeveConnection *connection,
            const ReeveProcedure *event,
            gconstpointer body,
            gpointer data)
{
  const remote_domain_event_callback_lifecycle_msg *message = body;
  g_autofree char *words = g_strdup_printf (
      "event %d of %d; ", message->msg.event, message->callback_id);

  append_told (data, words);
}

static void
take_watch (ReeveConnection *connection,
            const ReeveProcedure *event,
            gconstpointer body,
            gpointer data)
{
  const watch_mark_msg *mark = body;

  if (event->number == WATCH_PROC_LOST) {
    append_told (data, "lost; ");
  } else if (event->number == WATCH_PROC_MARK) {
    g_autofree char *words =
        g_strdup_printf ("mark %s %u; ", mark->is_complete ? "of" : "all",
                         mark->changes.n_items);

    append_told (data, words);
  }
}

static void
wait_until_told (Fixture *self, const char *words)
{
  gint64 end_us = g_get_monotonic_time () + TIMEOUT_MS * 1000;

  REEVE_LOCK_SCOPE (&self->lock);

  while (!g_str_equal (self->told->str, words))
    if (!reeve_cond_wait_until (&self->changed, &self->lock, end_us))
      break;
  g_assert_cmpstr (self->told->str, ==, words);
}

static void
take_end (GObject *object, GAsyncResult *result, gpointer data)
{
  Call *call = data;
  ReeveConnection *connection = g_task_get_source_tag (G_TASK (result));
  remote_connect_domain_event_callback_register_any_ret ret = { 0 };

  reeve_connection_call_finish (connection, result,
                                call->program == &remote_program ? &ret : NULL,
                                &call->error);
  call->number = ret.callback_id;
  call->n_ended++;
}

static void
start_call (Fixture *self,
            Call *call,
            const ReeveProgram *program,
            int32_t number,
            gconstpointer args,
            int timeout_ms)
{
  call->program = program;
  reeve_connection_call_async (self->connection, program,
                               reeve_program_find (program, number), args,
                               timeout_ms, NULL, take_end, call);
}

/* Returns the error's code. */
static int
end_call (Fixture *self, Call *call)
{
  int code;

  while (call->n_ended == 0)
    g_main_context_iteration (NULL, TRUE);
  code = call->error == NULL ? 0 : call->error->code;
  g_clear_error (&call->error);
  g_assert_cmpuint (call->n_ended, ==, 1);
  call->n_ended = 0;
  return code;
}

static void
start_ping (Fixture *self, Call *call)
{
  start_call (self, call, &reeve_program, REEVE_PROC_PING, NULL, TIMEOUT_MS);
}

/* One that must not be made twice. */
static void
start_reload (Fixture *self, Call *call)
{
  start_call (self, call, &reeve_program, REEVE_PROC_ACCESS_RELOAD, NULL,
              TIMEOUT_MS);
}

static void
start_register (Fixture *self, Call *call, int32_t event)
{
  const remote_connect_domain_event_callback_register_any_args args = {
    .event_id = event,
  };

  start_call (self, call, &remote_program,
              REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, &args,
              TIMEOUT_MS);
}

/* Returns the number that the client was given. */
static int32_t
register_event (Fixture *self, int32_t event, int32_t server_number)
{
  Call call = { 0 };
  Frame frame;

  start_register (self, &call, event);
  frame = expect_call (self, &remote_program,
                       REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY);
  answer_number (self, &frame, server_number);
  g_assert_cmpint (end_call (self, &call), ==, 0);
  return call.number;
}

static void
start_deregister (Fixture *self, Call *call, int32_t number)
{
  const remote_connect_domain_event_callback_deregister_any_args args = {
    .callback_id = number,
  };

  start_call (self, call, &remote_program,
              REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, &args,
              TIMEOUT_MS);
}

static int32_t
get_event (const Frame *call)
{
  uint32_t word;

  memcpy (&word, call->payload, sizeof word);
  return (int32_t) GUINT32_FROM_BE (word);
}

static void
expect_register (Fixture *self, int32_t event, int32_t server_number)
{
  Frame call =
      expect_call (self, &remote_program,
                   REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY);

  g_assert_cmpint (get_event (&call), ==, event);
  answer_number (self, &call, server_number);
}

/* ------------------------------------------------------------- fixture --- */

/* In the I/O thread: a subscriber is told nothing more. */
static void
leave (gpointer data)
{
  Fixture *self = data;

  REEVE_LOCK_SCOPE (&self->lock);

  self->n_subscribed--;
  reeve_cond_signal (&self->changed);
}

static void
wait_for_no_subscriber (Fixture *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  while (self->n_subscribed > 0)
    reeve_cond_wait (&self->changed, &self->lock);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autofree char *uri = NULL;
  g_autoptr (GError) error = NULL;

  self->folder = g_dir_make_tmp ("reeve-XXXXXX", NULL);
  self->path = g_build_filename (self->folder, "socket", NULL);
  reeve_mutex_init (&self->lock);
  reeve_cond_init (&self->changed);
  self->told = g_string_new (NULL);
  start_listening (self);

  uri = g_strconcat ("unix:", self->path, NULL);
  self->connection = reeve_connection_open (
      uri, REEVE_CONNECTION_NO_OPEN | REEVE_CONNECTION_RECONNECT, TIMEOUT_MS,
      NULL, &error);
  g_assert_no_error (error);
  accept_client (self);
  reeve_connection_subscribe (self->connection, &watch_program, NULL,
                              take_watch, self, leave);
  reeve_connection_subscribe (self->connection, &remote_program, NULL,
                              take_event, self, leave);
  self->n_subscribed = 2;
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_connection_unref (self->connection);
  if (self->fd >= 0)
    close (self->fd);
  if (self->listener >= 0)
    close (self->listener);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  wait_for_no_subscriber (self);
  g_unlink (self->path);
  g_rmdir (self->folder);
  g_free (self->path);
  g_free (self->folder);
  g_string_free (self->told, TRUE);
  reeve_cond_clear (&self->changed);
  reeve_mutex_clear (&self->lock);
}

/* --------------------------------------------------------------- cases --- */

static void
test_repeats_what_may_be_repeated (Fixture *self, gconstpointer data)
{
  Call first = { 0 }, second = { 0 };
  Frame calls[4];

  start_ping (self, &first);
  start_ping (self, &second);
  calls[0] = expect_call (self, &reeve_program, REEVE_PROC_PING);
  calls[1] = expect_call (self, &reeve_program, REEVE_PROC_PING);
  lose_client (self);

  accept_client (self);
  calls[2] = expect_call (self, &reeve_program, REEVE_PROC_PING);
  calls[3] = expect_call (self, &reeve_program, REEVE_PROC_PING);
  /* in their order */
  g_assert_cmpuint (calls[2].header.serial, ==, calls[0].header.serial);
  g_assert_cmpuint (calls[3].header.serial, ==, calls[1].header.serial);
  serve_sync (self);
  answer (self, &calls[3]);
  answer (self, &calls[2]);
  g_assert_cmpint (end_call (self, &first), ==, 0);
  g_assert_cmpint (end_call (self, &second), ==, 0);
}

static void
test_again_and_again (Fixture *self, gconstpointer data)
{
  Call call = { 0 };
  Frame frame;

  start_ping (self, &call);
  for (int i = 0; i < 5; i++) {
    expect_call (self, &reeve_program, REEVE_PROC_PING);
    lose_client (self);
    accept_client (self);
  }
  frame = expect_call (self, &reeve_program, REEVE_PROC_PING);
  answer (self, &frame);
  g_assert_cmpint (end_call (self, &call), ==, 0);
}

static void
test_the_others_end_with_outcome_unknown (Fixture *self, gconstpointer data)
{
  Call unsafe = { 0 }, safe = { 0 };
  Frame frame;

  start_reload (self, &unsafe);
  start_ping (self, &safe);
  expect_call (self, &reeve_program, REEVE_PROC_ACCESS_RELOAD);
  expect_call (self, &reeve_program, REEVE_PROC_PING);
  lose_client (self);
  /* at once, not when it is back */
  g_assert_cmpint (end_call (self, &unsafe), ==, REEVE_ERROR_OUTCOME_UNKNOWN);

  accept_client (self);
  frame = expect_call (self, &reeve_program, REEVE_PROC_PING);
  answer (self, &frame);
  g_assert_cmpint (end_call (self, &safe), ==, 0);
}

static void
test_calls_made_meanwhile_wait (Fixture *self, gconstpointer data)
{
  Call call = { 0 };
  Frame frame;

  stop_listening (self);
  lose_client (self);
  wait_until_told (self, "lost; ");
  start_reload (self, &call);
  g_assert_false (reeve_connection_is_closed (self->connection));

  start_listening (self);
  accept_client (self);
  frame = expect_call (self, &reeve_program, REEVE_PROC_ACCESS_RELOAD);
  answer (self, &frame);
  g_assert_cmpint (end_call (self, &call), ==, 0);
}

static void
test_a_deadline_passes_meanwhile (Fixture *self, gconstpointer data)
{
  Call late = { 0 }, call = { 0 };
  Frame frame;

  stop_listening (self);
  lose_client (self);
  wait_until_told (self, "lost; ");
  start_call (self, &late, &reeve_program, REEVE_PROC_PING, NULL, 50);
  g_assert_cmpint (end_call (self, &late), ==, REEVE_ERROR_TIMED_OUT);

  /* nobody waits for it: it is not sent */
  start_reload (self, &call);
  start_listening (self);
  accept_client (self);
  frame = expect_call (self, &reeve_program, REEVE_PROC_ACCESS_RELOAD);
  answer (self, &frame);
  g_assert_cmpint (end_call (self, &call), ==, 0);
}

static void
test_closed_meanwhile (Fixture *self, gconstpointer data)
{
  Call waiting = { 0 }, kept = { 0 };

  start_ping (self, &kept);
  expect_call (self, &reeve_program, REEVE_PROC_PING);
  stop_listening (self);
  lose_client (self);
  wait_until_told (self, "lost; ");
  start_reload (self, &waiting);
  reeve_connection_close (self->connection);
  g_assert_cmpint (end_call (self, &waiting), ==, REEVE_ERROR_CLOSED);
  /* it was sent, to a server that may have run it */
  g_assert_cmpint (end_call (self, &kept), ==, REEVE_ERROR_OUTCOME_UNKNOWN);
  start_ping (self, &kept);
  g_assert_cmpint (end_call (self, &kept), ==, REEVE_ERROR_CLOSED);
}

static void
test_registrations_are_made_again (Fixture *self, gconstpointer data)
{
  Call gone = { 0 };
  Frame call;

  g_assert_cmpint (register_event (self, 0, 5), ==, 5);
  g_assert_cmpint (register_event (self, 1, 6), ==, 6);
  g_assert_cmpint (register_event (self, 3, 7), ==, 7);
  start_deregister (self, &gone, 6);
  call = expect_call (self, &remote_program,
                      REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY);
  answer (self, &call);
  g_assert_cmpint (end_call (self, &gone), ==, 0);
  lose_client (self);

  accept_client (self);
  expect_register (self, 0, 1);
  expect_register (self, 3, 2);
  expect_sync (self, &call);
  send_lifecycle (self, 1, 2); /* the mark lists it, too */
  send_mark (self, 9, TRUE);
  send_lifecycle (self, 2, 4);
  send_lifecycle (self, 1, 3);
  answer (self, &call);
  wait_until_told (self, "lost; mark of 1; event 4 of 7; event 3 of 5; ");

  /* The server's numbers are not the user's, old or new. */
  g_assert_cmpint (register_event (self, 8, 3), ==, 8);
  start_deregister (self, &gone, 7);
  call = expect_call (self, &remote_program,
                      REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY);
  g_assert_cmpint (get_event (&call), ==, 2);
  answer (self, &call);
  g_assert_cmpint (end_call (self, &gone), ==, 0);
}

static void
test_a_registration_ends_meanwhile (Fixture *self, gconstpointer data)
{
  Call lost = { 0 }, waiting = { 0 };
  Frame call;

  g_assert_cmpint (register_event (self, 0, 1), ==, 1);
  g_assert_cmpint (register_event (self, 1, 2), ==, 2);
  start_deregister (self, &lost, 1);
  expect_call (self, &remote_program,
               REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY);
  stop_listening (self);
  lose_client (self);
  /* the server has forgotten it in any case */
  g_assert_cmpint (end_call (self, &lost), ==, 0);
  start_deregister (self, &waiting, 2);
  g_assert_cmpint (end_call (self, &waiting), ==, 0);

  start_listening (self);
  accept_client (self);
  expect_sync (self, &call);
}

static void
test_a_registration_whose_reply_is_lost (Fixture *self, gconstpointer data)
{
  Call call = { 0 };

  start_register (self, &call, 0);
  expect_call (self, &remote_program,
               REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY);
  lose_client (self);
  accept_client (self);
  expect_register (self, 0, 4);
  g_assert_cmpint (end_call (self, &call), ==, 0);
  g_assert_cmpint (call.number, ==, 4);
  serve_sync (self);
}

static void
test_a_server_without_marks (Fixture *self, gconstpointer data)
{
  Frame call;

  g_assert_cmpint (register_event (self, 0, 1), ==, 1);
  lose_client (self);
  accept_client (self);
  expect_register (self, 0, 1);
  expect_sync (self, &call);
  answer_error (self, &call);
  wait_until_told (self, "lost; mark all 0; ");
  send_lifecycle (self, 1, 3);
  wait_until_told (self, "lost; mark all 0; event 3 of 1; ");
}

static void
test_the_revision_that_was_seen (Fixture *self, gconstpointer data)
{
  const watch_revision_msg revision = { .revision = 12 };
  watch_sync_args seen;
  Frame call;

  lose_client (self);
  accept_client (self);
  seen = expect_sync (self, &call);
  g_assert_cmpuint (seen.epoch, ==, 0);
  send_mark (self, 9, TRUE);
  send_event (self, &watch_program, WATCH_PROC_REVISION, &revision);
  answer (self, &call);
  wait_until_told (self, "lost; mark of 1; ");
  lose_client (self);
  wait_until_told (self, "lost; mark of 1; lost; ");

  accept_client (self);
  seen = expect_sync (self, &call);
  g_assert_cmpuint (seen.epoch, ==, 77);
  g_assert_cmpuint (seen.revision, ==, 12);
}

static const struct {
  const char *name;
  void (*func) (Fixture *self, gconstpointer data);
} cases[] = {
  { "repeats-what-may-be-repeated", test_repeats_what_may_be_repeated },
  { "again-and-again", test_again_and_again },
  { "the-others-end-with-outcome-unknown",
    test_the_others_end_with_outcome_unknown },
  { "calls-made-meanwhile-wait", test_calls_made_meanwhile_wait },
  { "a-deadline-passes-meanwhile", test_a_deadline_passes_meanwhile },
  { "closed-meanwhile", test_closed_meanwhile },
  { "registrations-are-made-again", test_registrations_are_made_again },
  { "a-registration-ends-meanwhile", test_a_registration_ends_meanwhile },
  { "a-registration-whose-reply-is-lost",
    test_a_registration_whose_reply_is_lost },
  { "a-server-without-marks", test_a_server_without_marks },
  { "the-revision-that-was-seen", test_the_revision_that_was_seen },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/client/connection-restore/%s", cases[i].name);

    g_test_add (path, Fixture, NULL, set_up, cases[i].func, tear_down);
  }
  return g_test_run ();
}
