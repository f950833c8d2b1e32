/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/qmp.h"

#include "event/fd.h"
#include "machine/qmp-parser.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/* QEMU's end of the socket is a script: the test writes it. */

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"

typedef struct {
  ReeveLoop *loop;
  ReeveQmp *qmp;
  int peer;
  unsigned n_ready;
  unsigned n_closed;
  int closed_code;
  GString *events; /* names, each with a blank after it */
  int64_t last_offset;
} Fixture;

typedef struct {
  unsigned n_calls;
  int code; /* of the error; 0: none */
  char *message;
  char *text; /* of a raw reply */
  gboolean has_result;
} Answer;

static void
on_ready (ReeveQmp *qmp, gpointer data)
{
  ((Fixture *) data)->n_ready++;
}

static void
on_event (ReeveQmp *qmp,
          const char *name,
          JsonObject *details,
          int64_t seconds,
          unsigned microseconds,
          gpointer data)
{
  Fixture *fixture = data;

  g_string_append_printf (fixture->events, "%s ", name);
  if (details != NULL)
    fixture->last_offset =
        json_object_get_int_member_with_default (details, "offset", -1);
}

static void
on_closed (ReeveQmp *qmp, const GError *reason, gpointer data)
{
  Fixture *fixture = data;

  fixture->n_closed++;
  fixture->closed_code = reason->code;
}

static const ReeveQmpFuncs funcs = { on_ready, on_event, on_closed };

static void
set_up_with_deadline (Fixture *fixture, gint64 deadline_us)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==,
                   0);
  *fixture = (Fixture){ .peer = fds[1], .events = g_string_new (NULL) };
  fixture->loop = reeve_loop_new (NULL);
  fixture->qmp =
      reeve_qmp_new (fixture->loop, fds[0], &funcs, fixture, deadline_us);
}

static void
set_up (Fixture *fixture)
{
  set_up_with_deadline (fixture, G_MAXINT64);
}

static void
tear_down (Fixture *fixture)
{
  reeve_qmp_unref (fixture->qmp);
  reeve_loop_unref (fixture->loop);
  reeve_fd_clear (&fixture->peer);
  g_string_free (fixture->events, TRUE);
}

static void
turn (Fixture *fixture)
{
  GMainContext *context = reeve_loop_get_context (fixture->loop);

  while (g_main_context_iteration (context, FALSE))
    ;
}

static void
wait_until (Fixture *fixture, const unsigned *count)
{
  while (*count == 0)
    g_main_context_iteration (reeve_loop_get_context (fixture->loop), TRUE);
}

static void
say (Fixture *fixture, const char *text)
{
  g_assert_cmpint (write (fixture->peer, text, strlen (text)), ==,
                   (ssize_t) strlen (text));
  turn (fixture);
}

/* What the client has written so far. */
static char *
hear (Fixture *fixture)
{
  char text[65536];
  ssize_t size = recv (fixture->peer, text, sizeof text - 1, MSG_DONTWAIT);

  return g_strndup (text, (gsize) MAX (size, 0));
}

static void
greet (Fixture *fixture)
{
  g_autofree char *text = NULL;

  say (fixture, GREETING "{\"return\": {}, \"id\": 1}\r\n");
  text = hear (fixture);
  g_assert_nonnull (strstr (text, "qmp_capabilities"));
  g_assert_cmpuint (fixture->n_ready, ==, 1);
}

static void
on_answer (JsonNode *result, const GError *error, gpointer data)
{
  Answer *answer = data;

  answer->n_calls++;
  answer->code = error == NULL ? 0 : error->code;
  answer->message = error == NULL ? NULL : g_strdup (error->message);
  answer->has_result = result != NULL;
}

static void
on_raw_answer (JsonObject *message, const GError *error, gpointer data)
{
  Answer *answer = data;

  answer->n_calls++;
  answer->code = error == NULL ? 0 : error->code;
  answer->text = message == NULL ? NULL : reeve_qmp_object_to_text (message);
}

static void
answer_clear (Answer *answer)
{
  g_free (answer->message);
  g_free (answer->text);
}

static void
ask (Fixture *fixture, Answer *answer, gint64 deadline_us)
{
  reeve_qmp_execute (fixture->qmp, "query-status", NULL, deadline_us, on_answer,
                     answer);
}

static void
test_pipelines_before_the_greeting (void)
{
  Fixture fixture;
  Answer answer = { 0 };
  g_autofree char *text = NULL;

  set_up (&fixture);
  ask (&fixture, &answer, G_MAXINT64);
  text = hear (&fixture);
  g_assert_nonnull (strstr (text, "qmp_capabilities"));
  g_assert_nonnull (strstr (text, "query-status"));

  say (&fixture, GREETING);
  g_assert_cmpuint (fixture.n_ready, ==, 0);
  say (&fixture, "{\"return\": {}, \"id\": 1}");
  g_assert_cmpuint (fixture.n_ready, ==, 1);
  say (&fixture, "{\"return\": {\"status\": \"running\"}, \"id\": 2}");
  g_assert_cmpuint (answer.n_calls, ==, 1);
  g_assert_true (answer.has_result);
  tear_down (&fixture);
}

static void
test_events_in_order (void)
{
  Fixture fixture;

  set_up (&fixture);
  greet (&fixture);
  say (&fixture, "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, "
                 "\"event\": \"STOP\"}\r\n{\"event\": \"RTC_CHANGE\", "
                 "\"data\": {\"offset\": 98141338}}{\"event\":");
  g_assert_cmpstr (fixture.events->str, ==, "STOP RTC_CHANGE ");
  g_assert_cmpint (fixture.last_offset, ==, 98141338);
  say (&fixture, "\"RESUME\"}");
  g_assert_cmpstr (fixture.events->str, ==, "STOP RTC_CHANGE RESUME ");
  tear_down (&fixture);
}

static void
test_an_error_has_the_words_of_qemu (void)
{
  Fixture fixture;
  Answer answer = { 0 };

  set_up (&fixture);
  greet (&fixture);
  ask (&fixture, &answer, G_MAXINT64);
  say (&fixture, "{\"id\": 2, \"error\": {\"class\": \"GenericError\", "
                 "\"desc\": \"Device 'x' not found\"}}");
  g_assert_cmpint (answer.code, ==, REEVE_ERROR_OPERATION_FAILED);
  g_assert_nonnull (strstr (answer.message, "Device 'x' not found"));
  answer_clear (&answer);
  tear_down (&fixture);
}

static void
test_replies_are_matched_by_id (void)
{
  Fixture fixture;
  Answer first = { 0 };
  Answer second = { 0 };

  set_up (&fixture);
  greet (&fixture);
  ask (&fixture, &first, G_MAXINT64);
  ask (&fixture, &second, G_MAXINT64);
  say (&fixture, "{\"return\": {}, \"id\": 3}");
  g_assert_cmpuint (first.n_calls, ==, 0);
  g_assert_cmpuint (second.n_calls, ==, 1);
  say (&fixture, "{\"return\": {}, \"id\": 2}{\"return\": {}, \"id\": 2}");
  g_assert_cmpuint (first.n_calls, ==, 1);
  tear_down (&fixture);
}

static void
test_errors_without_id_end_no_command (void)
{
  Fixture fixture;
  Answer answer = { 0 };

  set_up (&fixture);
  greet (&fixture);
  ask (&fixture, &answer, G_MAXINT64);
  say (&fixture, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON "
                 "parse error\"}}{\"error\": {\"desc\": \"again\"}}");
  g_assert_cmpuint (answer.n_calls, ==, 0);
  say (&fixture, "{\"return\": {}, \"id\": 2}");
  g_assert_cmpuint (answer.n_calls, ==, 1);
  g_assert_cmpint (answer.code, ==, 0);
  tear_down (&fixture);
}

static void
test_deadline_then_late_reply (void)
{
  Fixture fixture;
  Answer answer = { 0 };
  Answer next = { 0 };

  set_up (&fixture);
  greet (&fixture);
  ask (&fixture, &answer, g_get_monotonic_time () + 1000);
  wait_until (&fixture, &answer.n_calls);
  g_assert_cmpint (answer.code, ==, REEVE_ERROR_TIMED_OUT);
  g_assert_cmpint (reeve_qmp_get_oldest_us (fixture.qmp), !=, 0);

  ask (&fixture, &next, G_MAXINT64);
  say (&fixture, "{\"return\": {}, \"id\": 2}");
  g_assert_cmpuint (answer.n_calls, ==, 1);
  g_assert_cmpuint (next.n_calls, ==, 0);
  say (&fixture, "{\"return\": {}, \"id\": 3}");
  g_assert_cmpuint (next.n_calls, ==, 1);
  g_assert_cmpint (reeve_qmp_get_oldest_us (fixture.qmp), ==, 0);
  answer_clear (&answer);
  tear_down (&fixture);
}

static void
test_no_greeting_in_time (void)
{
  Fixture fixture;

  set_up_with_deadline (&fixture, g_get_monotonic_time () + 1000);
  wait_until (&fixture, &fixture.n_closed);
  g_assert_cmpint (fixture.closed_code, ==, REEVE_ERROR_TIMED_OUT);
  g_assert_true (reeve_qmp_is_closed (fixture.qmp));
  tear_down (&fixture);
}

typedef struct {
  const char *name;
  const char *text; /* NULL: reset the connection */
  int closed_code;
} CloseCase;

static const CloseCase close_cases[] = {
  { "eof", "", REEVE_ERROR_CLOSED },
  { "reset", NULL, REEVE_ERROR_CLOSED },
  { "garbage", "SSH-2.0-OpenSSH\r\n", REEVE_ERROR_RPC },
  { "another-protocol", "{\"jsonrpc\": \"2.0\"}", REEVE_ERROR_RPC },
  { "broken-json", GREETING "{\"return\": }", REEVE_ERROR_RPC },
};

static void
test_close (gconstpointer data)
{
  const CloseCase *row = data;
  Fixture fixture;
  Answer answer = { 0 };

  set_up (&fixture);
  ask (&fixture, &answer, G_MAXINT64);
  if (row->text != NULL && row->text[0] != '\0')
    say (&fixture, row->text);
  else {
    /* what lies unread at a close resets a unix socket */
    if (row->text != NULL)
      g_free (hear (&fixture));
    reeve_fd_clear (&fixture.peer);
    turn (&fixture);
  }
  g_assert_cmpuint (fixture.n_closed, ==, 1);
  g_assert_cmpint (fixture.closed_code, ==, row->closed_code);
  g_assert_cmpuint (answer.n_calls, ==, 1);
  g_assert_cmpint (answer.code, ==, row->closed_code);
  answer_clear (&answer);

  answer = (Answer){ 0 };
  ask (&fixture, &answer, G_MAXINT64);
  g_assert_cmpuint (answer.n_calls, ==, 0);
  turn (&fixture);
  g_assert_cmpint (answer.code, ==, REEVE_ERROR_CLOSED);
  answer_clear (&answer);
  tear_down (&fixture);
}

static void
on_answer_close (JsonNode *result, const GError *error, gpointer data)
{
  Fixture *fixture = data;

  reeve_qmp_close (fixture->qmp);
  g_clear_pointer (&fixture->qmp, reeve_qmp_unref);
}

static void
test_closed_and_freed_by_a_reply (void)
{
  Fixture fixture;

  set_up (&fixture);
  greet (&fixture);
  reeve_qmp_execute (fixture.qmp, "quit", NULL, G_MAXINT64, on_answer_close,
                     &fixture);
  say (&fixture, "{\"event\": \"SHUTDOWN\"}{\"return\": {}, \"id\": 2}"
                 "{\"event\": \"AFTER\"}");
  g_assert_null (fixture.qmp);
  g_assert_cmpuint (fixture.n_closed, ==, 0);
  g_assert_cmpstr (fixture.events->str, ==, "SHUTDOWN ");
  tear_down (&fixture);
}

static void
test_drain_reads_the_last_words (void)
{
  Fixture fixture;
  static const char words[] = "{\"event\": \"SHUTDOWN\"}";

  set_up (&fixture);
  greet (&fixture);
  g_assert_cmpint (write (fixture.peer, words, strlen (words)), >, 0);
  reeve_fd_clear (&fixture.peer);
  reeve_qmp_drain (fixture.qmp);
  g_assert_cmpstr (fixture.events->str, ==, "SHUTDOWN ");
  g_assert_cmpuint (fixture.n_closed, ==, 1);
  tear_down (&fixture);
}

static void
test_raw_keeps_the_id_of_the_user (void)
{
  Fixture fixture;
  Answer answer = { 0 };
  g_autoptr (JsonObject) request = reeve_qmp_parse_object (
      "{\"execute\": \"nosuch\", \"id\": \"mine\"}", NULL);
  g_autoptr (JsonObject) reply = NULL;
  g_autofree char *sent = NULL;

  set_up (&fixture);
  greet (&fixture);
  reeve_qmp_execute_raw (fixture.qmp, request, -1, G_MAXINT64, on_raw_answer,
                         &answer);
  sent = hear (&fixture);
  g_assert_null (strstr (sent, "mine"));
  say (&fixture, "{\"id\": 2, \"error\": {\"class\": \"CommandNotFound\", "
                 "\"desc\": \"no\"}}");
  g_assert_cmpint (answer.code, ==, 0);
  reply = reeve_qmp_parse_object (answer.text, NULL);
  g_assert_cmpstr (json_object_get_string_member (reply, "id"), ==, "mine");
  g_assert_true (json_object_has_member (reply, "error"));
  answer_clear (&answer);
  tear_down (&fixture);
}

static void
test_fd_comes_with_its_command (void)
{
  Fixture fixture;
  Answer answer = { 0 };
  REEVE_AUTOFD int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  char text[256];
  struct iovec vector = { text, sizeof text };
  char control[CMSG_SPACE (sizeof (int))];
  struct msghdr message = {
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = control,
    .msg_controllen = sizeof control,
  };
  struct cmsghdr *header;
  REEVE_AUTOFD int got = -1;

  set_up (&fixture);
  greet (&fixture);
  reeve_qmp_execute_with_fd (fixture.qmp, "getfd", NULL, fd, G_MAXINT64,
                             on_answer, &answer);
  g_assert_cmpint (recvmsg (fixture.peer, &message, MSG_DONTWAIT), >, 0);
  header = CMSG_FIRSTHDR (&message);
  g_assert_nonnull (header);
  g_assert_cmpint (header->cmsg_type, ==, SCM_RIGHTS);
  memcpy (&got, CMSG_DATA (header), sizeof got);
  g_assert_cmpint (got, >=, 0);
  tear_down (&fixture);
  answer_clear (&answer);
}

static void
test_a_peer_that_does_not_read_is_bounded (void)
{
  Fixture fixture;
  static Answer answers[8192];
  unsigned n_refused = 0;

  memset (answers, 0, sizeof answers);
  set_up (&fixture);
  greet (&fixture);
  for (size_t i = 0; i < G_N_ELEMENTS (answers); i++)
    ask (&fixture, &answers[i], G_MAXINT64);
  turn (&fixture);
  for (size_t i = 0; i < G_N_ELEMENTS (answers); i++)
    n_refused += answers[i].code == REEVE_ERROR_LIMIT;
  g_assert_cmpuint (n_refused, ==, 4096);
  tear_down (&fixture);
  for (size_t i = 0; i < G_N_ELEMENTS (answers); i++) {
    g_assert_cmpuint (answers[i].n_calls, ==, 1);
    answer_clear (&answers[i]);
  }
}

static void
test_what_does_not_fit_is_sent_later (void)
{
  Fixture fixture;
  Answer answer = { 0 };
  JsonObject *arguments = json_object_new ();
  g_autofree char *big = g_strnfill (1024 * 1024, 'x');
  char buffer[65536];
  size_t n_read = 0;
  ssize_t n;

  set_up (&fixture);
  greet (&fixture);
  json_object_set_string_member (arguments, "big", big);
  reeve_qmp_execute (fixture.qmp, "big", arguments, G_MAXINT64, on_answer,
                     &answer);
  while (n_read < 1024 * 1024) {
    n = recv (fixture.peer, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n > 0)
      n_read += (size_t) n;
    turn (&fixture);
  }
  say (&fixture, "{\"return\": {}, \"id\": 2}");
  g_assert_cmpuint (answer.n_calls, ==, 1);
  g_assert_cmpint (answer.code, ==, 0);
  tear_down (&fixture);
}

#define ADD(name, func) g_test_add_func ("/machine/qmp/" name, func)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("pipelines-before-the-greeting", test_pipelines_before_the_greeting);
  ADD ("events-in-order", test_events_in_order);
  ADD ("an-error-has-the-words-of-qemu", test_an_error_has_the_words_of_qemu);
  ADD ("replies-are-matched-by-id", test_replies_are_matched_by_id);
  ADD ("errors-without-id-end-no-command",
       test_errors_without_id_end_no_command);
  ADD ("deadline-then-late-reply", test_deadline_then_late_reply);
  ADD ("no-greeting-in-time", test_no_greeting_in_time);
  ADD ("closed-and-freed-by-a-reply", test_closed_and_freed_by_a_reply);
  ADD ("drain-reads-the-last-words", test_drain_reads_the_last_words);
  ADD ("raw-keeps-the-id-of-the-user", test_raw_keeps_the_id_of_the_user);
  ADD ("fd-comes-with-its-command", test_fd_comes_with_its_command);
  ADD ("a-peer-that-does-not-read-is-bounded",
       test_a_peer_that_does_not_read_is_bounded);
  ADD ("what-does-not-fit-is-sent-later", test_what_does_not_fit_is_sent_later);
  for (size_t i = 0; i < G_N_ELEMENTS (close_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/machine/qmp/close/", close_cases[i].name, NULL);

    g_test_add_data_func (path, &close_cases[i], test_close);
  }
  return g_test_run ();
}
