/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peer-fixture.h"
#include "rpc/error.h"

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#define END "\n##\n"
#define HELLO "request=\"hello\"\n" END
#define HELLO_ANSWER "response=\"OK\"\nprotocol=\"notes\"\nversion=1\n" END

/* ----------------------------------------------------------- the server --- */

static void
answer_hello (int fd)
{
  g_autofree char *hello = peer_server_read (fd, END);

  if (hello == NULL)
    return;
  g_assert_cmpstr (hello, ==, HELLO);
  peer_server_write (fd, HELLO_ANSWER);
}

/* Whatever is asked: which number it has. */
static void
answer_all (int fd)
{
  for (int i = 1;; i++) {
    g_autofree char *request = peer_server_read (fd, END);
    g_autofree char *answer =
        g_strdup_printf ("response=\"OK\"\nnumber=%d\n" END, i);

    if (request == NULL)
      return;
    peer_server_write (fd, answer);
  }
}

static void
answer_first_by (int fd, const char *text)
{
  g_autofree char *request = NULL;

  answer_hello (fd);
  request = peer_server_read (fd, END);
  peer_server_write (fd, text);
}

static void
play_good (int fd)
{
  answer_first_by (fd, "number=0\n" END);
  answer_all (fd);
}

static void
play_slow (int fd)
{
  static const char answer[] = "a=\"##\" number=0" END;
  g_autofree char *request = NULL;

  answer_hello (fd);
  request = peer_server_read (fd, END);
  for (size_t i = 0; i < strlen (answer); i++) {
    g_assert_cmpint (send (fd, answer + i, 1, MSG_NOSIGNAL), ==, 1);
    g_usleep (100);
  }
  answer_all (fd);
}

static void
play_failed (int fd)
{
  answer_first_by (fd, "response=failed\nreason=\"there is none\"\n" END);
  answer_all (fd);
}

static void
play_invalid (int fd)
{
  answer_first_by (fd, "response=invalid\n" END);
  answer_all (fd);
}

static void
play_code (int fd)
{
  answer_first_by (fd, "response=failed\nreason=none\ncode=42\n" END);
  answer_all (fd);
}

static void
play_bad_code (int fd)
{
  answer_first_by (fd, "response=failed\nreason=none\ncode=-99999999999\n" END);
  answer_all (fd);
}

static void
play_garbage (int fd)
{
  answer_first_by (fd, "[1" END);
  answer_all (fd);
}

static void
play_empty (int fd)
{
  answer_first_by (fd, END);
  answer_all (fd);
}

static void
play_late (int fd)
{
  answer_hello (fd);
  g_free (peer_server_read (fd, END));
  g_usleep ((SHORT_MS + 100) * 1000);
  peer_server_write (fd, "number=-1\n" END);
  answer_all (fd);
}

static void
play_end (int fd)
{
  g_autofree char *request = NULL;

  answer_hello (fd);
  request = peer_server_read (fd, END);
  shutdown (fd, SHUT_RDWR);
}

static void
play_half (int fd)
{
  answer_first_by (fd, "number=0\n\n##");
  shutdown (fd, SHUT_RDWR);
}

static void
play_twice (int fd)
{
  answer_first_by (fd, "number=0\n" END "number=0\n" END);
  g_free (peer_server_read (fd, END));
}

static void
play_silent (int fd)
{
  answer_hello (fd);
  while (recv (fd, &(char){ 0 }, 1, 0) == 1)
    ;
}

/* Each answer is what was asked. */
static void
play_echo (int fd)
{
  answer_hello (fd);
  for (;;) {
    g_autofree char *request = peer_server_read (fd, END);

    if (request == NULL)
      return;
    peer_server_write (fd, request);
  }
}

/* -------------------------------------------------------------- answers --- */

typedef struct {
  const char *name;
  PlayFunc play;
  int timeout_ms;
  int code;          /* of the call's error; 0: it succeeds */
  gint64 usable;     /* what a second call is answered; 0: not at all */
  const char *wrong; /* (nullable): the message of the error */
} AnswerCase;

static const AnswerCase answer_cases[] = {
  { "good", play_good, TIMEOUT_MS, 0, 1, NULL },
  { "in-single-bytes", play_slow, TIMEOUT_MS, 0, 1, NULL },
  { "failed", play_failed, TIMEOUT_MS, REEVE_ERROR_OPERATION_FAILED, 1,
    "there is none" },
  { "invalid-without-reason", play_invalid, TIMEOUT_MS,
    REEVE_ERROR_OPERATION_FAILED, 1,
    "The server's answer to add is “invalid”" },
  { "code-is-the-server-s", play_code, TIMEOUT_MS, REEVE_ERROR_NO_DOMAIN, 1,
    "none" },
  { "code-that-is-none", play_bad_code, TIMEOUT_MS,
    REEVE_ERROR_OPERATION_FAILED, 1, "none" },
  { "garbage", play_garbage, TIMEOUT_MS, REEVE_ERROR_RPC, 1, NULL },
  { "empty", play_empty, TIMEOUT_MS, REEVE_ERROR_RPC, 1, NULL },
  { "late-one-is-not-the-next", play_late, SHORT_MS, REEVE_ERROR_TIMED_OUT, 1,
    "No reply to add came in time" },
  { "none-before-the-end", play_end, TIMEOUT_MS, REEVE_ERROR_OUTCOME_UNKNOWN, 0,
    NULL },
  { "half-of-one", play_half, TIMEOUT_MS, REEVE_ERROR_OUTCOME_UNKNOWN, 0,
    NULL },
};

static ReevePeer *
open_text (PeerServer *server, PlayFunc play)
{
  g_autoptr (GError) error = NULL;
  ReevePeer *peer;

  peer_server_start (server, play);
  peer = reeve_peer_open_text (server->stream, "notes", 1, TIMEOUT_MS, NULL,
                               &error);
  g_assert_no_error (error);
  return peer;
}

static void
test_answer (gconstpointer data)
{
  const AnswerCase *row = data;
  PeerServer server;
  ReevePeer *peer = open_text (&server, row->play);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfigNode) first = reeve_peer_ask_text (
      peer, row->timeout_ms, &error, "add", "key = %s", "a", NULL);
  g_autoptr (ReeveConfigNode) second =
      reeve_peer_ask_text (peer, TIMEOUT_MS, NULL, "add", NULL);

  if (row->code == 0) {
    g_assert_no_error (error);
    g_assert_cmpint (reeve_config_node_find_int (first, "number", -1), ==, 0);
  } else {
    g_assert_error (error, REEVE_ERROR, row->code);
    g_assert_null (first);
  }
  if (row->wrong != NULL)
    g_assert_cmpstr (error->message, ==, row->wrong);
  if (row->usable != 0)
    g_assert_cmpint (reeve_config_node_find_int (second, "number", -1), ==,
                     row->usable);
  else
    g_assert_null (second);
  g_assert_cmpint (reeve_peer_is_closed (peer), ==, row->usable == 0);
  reeve_peer_unref (peer);
  peer_server_stop (&server);
}

/* The second answer may come before or behind the next request. */
static void
test_twice (void)
{
  PeerServer server;
  ReevePeer *peer = open_text (&server, play_twice);
  g_autoptr (ReeveConfigNode) first =
      reeve_peer_ask_text (peer, TIMEOUT_MS, NULL, "add", NULL);

  g_assert_nonnull (first);
  while (!reeve_peer_is_closed (peer))
    g_usleep (1000);
  reeve_peer_unref (peer);
  peer_server_stop (&server);
}

/* ---------------------------------------------------------------- hello --- */

static void
hello_by (int fd, const char *answer)
{
  g_free (peer_server_read (fd, END));
  peer_server_write (fd, answer);
  g_free (peer_server_read (fd, END));
}

static void
play_other_protocol (int fd)
{
  hello_by (fd, "response=OK protocol=lvmpolld version=1" END);
}

static void
play_other_version (int fd)
{
  hello_by (fd, "response=OK protocol=notes version=2" END);
}

static void
play_version_in_text (int fd)
{
  hello_by (fd, "response=OK protocol=notes version=\"1\"" END);
}

static void
play_no_verdict (int fd)
{
  hello_by (fd, "protocol=notes version=1" END);
}

static void
play_refused (int fd)
{
  hello_by (fd, "response=failed reason=\"not today\"" END);
}

static void
play_more_keys (int fd)
{
  hello_by (fd, "limits { a=1 } version=1 # all\nprotocol='notes' "
                "response='OK'" END);
}

typedef struct {
  const char *name;
  PlayFunc play;
  const char *protocol;
  int code;          /* 0: it succeeds */
  const char *wrong; /* (nullable) */
} HelloCase;

static const HelloCase hello_cases[] = {
  { "good", answer_hello, "notes", 0, NULL },
  { "more-keys", play_more_keys, "notes", 0, NULL },
  { "any-protocol", play_other_protocol, NULL, 0, NULL },
  { "other-protocol", play_other_protocol, "notes", REEVE_ERROR_NO_SUPPORT,
    "The server speaks version 1 of “lvmpolld”, not version 1 of “notes”" },
  { "other-version", play_other_version, "notes", REEVE_ERROR_NO_SUPPORT,
    "The server speaks version 2 of “notes”, not version 1 of “notes”" },
  { "version-in-text", play_version_in_text, "notes", REEVE_ERROR_NO_SUPPORT,
    "The server speaks version 0 of “notes”, not version 1 of “notes”" },
  { "no-verdict", play_no_verdict, "notes", REEVE_ERROR_NO_SUPPORT,
    "The server does not say hello" },
  { "refused", play_refused, "notes", REEVE_ERROR_OPERATION_FAILED,
    "not today" },
};

static void
test_hello (gconstpointer data)
{
  const HelloCase *row = data;
  g_autoptr (GError) error = NULL;
  PeerServer server;
  ReevePeer *peer;

  peer_server_start (&server, row->play);
  peer = reeve_peer_open_text (server.stream, row->protocol, 1, TIMEOUT_MS,
                               NULL, &error);
  if (row->code == 0)
    g_assert_no_error (error);
  else
    g_assert_error (error, REEVE_ERROR, row->code);
  if (row->wrong != NULL)
    g_assert_cmpstr (error->message, ==, row->wrong);
  reeve_peer_unref (peer);
  peer_server_stop (&server);
}

static void
play_mute (int fd)
{
  while (recv (fd, &(char){ 0 }, 1, 0) == 1)
    ;
}

static void
test_mute (void)
{
  g_autoptr (GError) error = NULL;
  PeerServer server;

  peer_server_start (&server, play_mute);
  g_assert_null (
      reeve_peer_open_text (server.stream, "notes", 1, SHORT_MS, NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT);
  peer_server_stop (&server);
}

/* ---------------------------------------------------------------- calls --- */

static void
test_end_in_request (void)
{
  PeerServer server;
  ReevePeer *peer = open_text (&server, play_echo);
  g_autoptr (GError) error = NULL;

  g_assert_null (reeve_peer_ask_text (peer, TIMEOUT_MS, &error, "add",
                                      "key = %s", "a\n##\nb", NULL));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG);
  g_assert_false (reeve_peer_is_closed (peer));
  reeve_peer_unref (peer);
  peer_server_stop (&server);
}

/* Quotes and lines in a value change nothing else of the request. */
static void
test_values (void)
{
  PeerServer server;
  ReevePeer *peer = open_text (&server, play_echo);
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfigNode) answer =
      reeve_peer_ask_text (peer, TIMEOUT_MS, &error, "add", "key = %s",
                           "a\"\nabort=1 \\", "none = %s", NULL, "size=%d", 7,
                           "big = %" PRId64, INT64_MAX, "part = %f", 0.5, NULL);

  g_assert_no_error (error);
  g_assert_cmpstr (reeve_config_node_find_string (answer, "key", NULL), ==,
                   "a\"\nabort=1 \\");
  g_assert_cmpint (reeve_config_node_find_int (answer, "size", 0), ==, 7);
  g_assert_cmpint (reeve_config_node_find_int (answer, "big", 0), ==,
                   G_MAXINT64);
  g_assert_nonnull (reeve_config_node_find (answer, "part"));
  g_assert_null (reeve_config_node_find (answer, "abort"));
  g_assert_null (reeve_config_node_find (answer, "none"));
  reeve_peer_unref (peer);
  peer_server_stop (&server);
}

/* Behind one that is never answered nothing is sent. */
static void
test_silent (void)
{
  PeerServer server;
  ReevePeer *peer = open_text (&server, play_silent);

  for (int i = 0; i < 2; i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (reeve_peer_ask_text (peer, SHORT_MS, &error, "add", NULL));
    g_assert_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT);
    g_assert_cmpint (strstr (error->message, "not sent") != NULL, ==, i > 0);
  }
  reeve_peer_unref (peer);
  peer_server_stop (&server);
}

static void *
ask_often (void *data)
{
  ReevePeer *peer = data;

  for (int i = 0; i < 200; i++) {
    g_autoptr (GError) error = NULL;
    int number = GPOINTER_TO_INT (pthread_self ()) ^ i;
    g_autoptr (ReeveConfigNode) answer = reeve_peer_ask_text (
        peer, TIMEOUT_MS, &error, "add", "number = %d", number, NULL);

    g_assert_no_error (error);
    g_assert_cmpint (reeve_config_node_find_int (answer, "number", -1), ==,
                     number);
  }
  return NULL;
}

static void
test_many_threads (void)
{
  PeerServer server;
  ReevePeer *peer = open_text (&server, play_echo);
  pthread_t threads[8];

  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    pthread_create (&threads[i], NULL, ask_often, peer);
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    pthread_join (threads[i], NULL);
  reeve_peer_unref (peer);
  peer_server_stop (&server);
}

/* --------------------------------------------------------- asynchronous --- */

typedef struct {
  ReevePeer *peer;
  ReeveConfigNode *answer; /* (owned) (nullable) */
  GError *error;           /* (owned) (nullable) */
  int *n_open;
} Outcome;

static void
take_outcome (GObject *source, GAsyncResult *result, gpointer data)
{
  Outcome *self = data;

  self->answer = reeve_peer_call_text_finish (self->peer, result, &self->error);
  (*self->n_open)--;
}

static void
run_until_done (const int *n_open)
{
  while (*n_open > 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_async (void)
{
  PeerServer server;
  ReevePeer *peer = open_text (&server, play_echo);
  Outcome outcomes[20] = { 0 };
  int n_open = G_N_ELEMENTS (outcomes);

  for (int i = 0; i < n_open; i++) {
    g_autoptr (ReeveConfigNode) args = reeve_config_node_new ();

    outcomes[i].peer = peer;
    outcomes[i].n_open = &n_open;
    reeve_config_node_add_int (args, "number", i);
    reeve_peer_call_text_async (peer, "add", args, TIMEOUT_MS, NULL,
                                take_outcome, &outcomes[i]);
  }
  run_until_done (&n_open);
  for (size_t i = 0; i < G_N_ELEMENTS (outcomes); i++) {
    g_assert_no_error (outcomes[i].error);
    g_assert_cmpint (
        reeve_config_node_find_int (outcomes[i].answer, "number", -1), ==, i);
    reeve_config_node_free (outcomes[i].answer);
  }
  reeve_peer_unref (peer);
  peer_server_stop (&server);
}

/* One that is in flight, one that waits behind it: late, cancelled before it
 * was made or later, or closed. */
typedef enum { BY_TIME, BY_CANCEL_BEFORE, BY_CANCEL, BY_CLOSE } GiveUp;

typedef struct {
  const char *name;
  GiveUp how;
  int codes[2];
} GiveUpCase;

static const GiveUpCase give_up_cases[] = {
  { "late", BY_TIME, { REEVE_ERROR_TIMED_OUT, REEVE_ERROR_TIMED_OUT } },
  { "cancelled-before",
    BY_CANCEL_BEFORE,
    { REEVE_ERROR_ABORTED, REEVE_ERROR_ABORTED } },
  { "cancelled", BY_CANCEL, { REEVE_ERROR_ABORTED, REEVE_ERROR_ABORTED } },
  { "closed", BY_CLOSE, { REEVE_ERROR_OUTCOME_UNKNOWN, REEVE_ERROR_CLOSED } },
};

static void
test_give_up (gconstpointer data)
{
  const GiveUpCase *row = data;
  PeerServer server;
  ReevePeer *peer = open_text (&server, play_silent);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Outcome outcomes[2] = { 0 };
  int n_open = 2;

  if (row->how == BY_CANCEL_BEFORE)
    g_cancellable_cancel (cancellable);
  for (int i = 0; i < 2; i++) {
    outcomes[i].peer = peer;
    outcomes[i].n_open = &n_open;
    reeve_peer_call_text_async (peer, "add", NULL,
                                row->how == BY_TIME ? SHORT_MS : TIMEOUT_MS,
                                cancellable, take_outcome, &outcomes[i]);
  }
  if (row->how == BY_CANCEL)
    g_cancellable_cancel (cancellable);
  else if (row->how == BY_CLOSE)
    reeve_peer_close (peer);
  run_until_done (&n_open);
  for (int i = 0; i < 2; i++) {
    g_assert_null (outcomes[i].answer);
    g_assert_error (outcomes[i].error, REEVE_ERROR, row->codes[i]);
    g_error_free (outcomes[i].error);
  }
  reeve_peer_unref (peer);
  peer_server_stop (&server);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (answer_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/client/peer-text/answer/%s", answer_cases[i].name);

    g_test_add_data_func (path, &answer_cases[i], test_answer);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (hello_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/client/peer-text/hello/%s", hello_cases[i].name);

    g_test_add_data_func (path, &hello_cases[i], test_hello);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (give_up_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/client/peer-text/give-up/%s", give_up_cases[i].name);

    g_test_add_data_func (path, &give_up_cases[i], test_give_up);
  }
  g_test_add_func ("/client/peer-text/answer/unasked-ends-it", test_twice);
  g_test_add_func ("/client/peer-text/hello/none-in-time", test_mute);
  g_test_add_func ("/client/peer-text/call/no-end-in-a-request",
                   test_end_in_request);
  g_test_add_func ("/client/peer-text/call/values-as-they-are", test_values);
  g_test_add_func ("/client/peer-text/call/server-is-silent", test_silent);
  g_test_add_func ("/client/peer-text/call/many-threads", test_many_threads);
  g_test_add_func ("/client/peer-text/call/asynchronous", test_async);

  return g_test_run ();
}
