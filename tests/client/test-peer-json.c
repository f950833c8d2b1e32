/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/thread.h"
#include "peer-fixture.h"
#include "rpc/error.h"
#include "rpc/json-parse.h"
#include "rpc/json-print.h"

#include <string.h>
#include <sys/socket.h>

#define END "}\n"
/* What the server is asked first, so that it is known what came before. */
#define PING "{\"method\":\"ping\",\"params\":[],\"id\":1}\n"

/* ----------------------------------------------------------- the client --- */

/* What the I/O thread was told. */
typedef struct {
  ReeveMutex lock;
  ReeveCond changed;
  GString *told REEVE_GUARDED;
  gboolean is_closed REEVE_GUARDED;
  unsigned n_freed REEVE_GUARDED;
} Told;

static void
take_notice (ReevePeer *peer,
             const char *method,
             JsonNode *params,
             gpointer data)
{
  Told *self = data;

  REEVE_LOCK_SCOPE (&self->lock);

  g_string_append_printf (self->told, "%s ", method);
  if (params != NULL)
    reeve_json_print (params, self->told);
  g_string_append_c (self->told, '\n');
  reeve_cond_broadcast (&self->changed);
}

static void
take_end (ReevePeer *peer, const GError *reason, gpointer data)
{
  Told *self = data;

  REEVE_LOCK_SCOPE (&self->lock);

  g_assert_cmpstr (reason->message, !=, "");
  g_assert_false (self->is_closed);
  self->is_closed = TRUE;
  reeve_cond_broadcast (&self->changed);
}

static void
free_told (gpointer data)
{
  Told *self = data;

  REEVE_LOCK_SCOPE (&self->lock);

  self->n_freed++;
  reeve_cond_broadcast (&self->changed);
}

static void
wait_for_end (Told *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  while (!self->is_closed)
    reeve_cond_wait (&self->changed, &self->lock);
}

/* When nothing of it is in use any more. */
static void
told_clear (Told *self) REEVE_UNCHECKED
{
  pthread_mutex_lock (&self->lock.impl);
  while (self->n_freed == 0)
    reeve_cond_wait (&self->changed, &self->lock);
  g_assert_cmpuint (self->n_freed, ==, 1);
  pthread_mutex_unlock (&self->lock.impl);
  g_string_free (self->told, TRUE);
  reeve_cond_clear (&self->changed);
  reeve_mutex_clear (&self->lock);
}

typedef struct {
  PeerServer server;
  Told told;
  ReevePeer *peer;
} Fixture;

static void
told_init (Told *self) REEVE_UNCHECKED
{
  memset (self, 0, sizeof *self);
  reeve_mutex_init (&self->lock);
  reeve_cond_init (&self->changed);
  self->told = g_string_new (NULL);
}

static void
set_up (Fixture *self, PlayFunc play, ReevePeerForm form)
{
  const ReevePeerHandlers handlers = { take_notice, take_end, &self->told,
                                       free_told };
  g_autoptr (GError) error = NULL;

  told_init (&self->told);
  peer_server_start (&self->server, play);
  self->peer = reeve_peer_open_json (self->server.stream, form, &handlers,
                                     TIMEOUT_MS, NULL, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *self)
{
  reeve_peer_unref (self->peer);
  peer_server_stop (&self->server);
  told_clear (&self->told);
}

static JsonNode *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  JsonNode *node = reeve_json_parse (text, strlen (text), &error);

  g_assert_no_error (error);
  return node;
}

/* (transfer full): what a result looks like. */
static char *
print (JsonNode *node)
{
  GString *text = g_string_new (NULL);

  reeve_json_print (node, text);
  return g_string_free (text, FALSE);
}

/* -------------------------------------------------------------- replies --- */

/* What the server says to the first call; then it answers whatever comes. */
static const char *reply; /* of the test that runs; set before the thread */

static void
play_reply (int fd)
{
  g_autofree char *request = peer_server_read (fd, END);

  g_assert_cmpstr (request, ==, PING);
  peer_server_write (fd, reply);
  for (int id = 2;; id++) {
    g_autofree char *next = peer_server_read (fd, END);
    g_autofree char *answer =
        g_strdup_printf ("{\"id\":%d,\"result\":\"again\",\"error\":null}", id);

    if (next == NULL)
      return;
    peer_server_write (fd, answer);
  }
}

typedef struct {
  const char *name;
  const char *reply;
  const char *result; /* (nullable): NULL for an error */
  int code;
  const char *wrong; /* (nullable) */
  gboolean is_last;  /* the connection ends */
} ReplyCase;

static const ReplyCase reply_cases[] = {
  { "result", "{\"id\":1,\"result\":[1,{\"a\":null}],\"error\":null}",
    "[1,{\"a\":null}]", 0, NULL, FALSE },
  { "result-without-error", " {\"result\" : 7 ,\n\"id\" : 1 }\n", "7", 0, NULL,
    FALSE },
  { "result-of-2", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "{}", 0,
    NULL, FALSE },
  { "result-of-nothing", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}",
    "null", 0, NULL, FALSE },
  { "error-in-words", "{\"id\":1,\"error\":\"no such\\n\"}", NULL,
    REEVE_ERROR_OPERATION_FAILED, "no such", FALSE },
  { "error-of-ovsdb",
    "{\"id\":1,\"result\":null,\"error\":{\"error\":\"unknown database\","
    "\"details\":\"there is none\",\"syntax\":\"x\"}}",
    NULL, REEVE_ERROR_OPERATION_FAILED, "unknown database: there is none",
    FALSE },
  { "error-of-2",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":"
    "\"broken\"}}",
    NULL, REEVE_ERROR_OPERATION_FAILED, "broken", FALSE },
  { "no-method-of-2",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":"
    "\"what?\"}}",
    NULL, REEVE_ERROR_NO_SUPPORT, "what?", FALSE },
  { "bad-parameters-of-2",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":"
    "\"what?\"}}",
    NULL, REEVE_ERROR_INVALID_ARG, "what?", FALSE },
  { "error-of-ours",
    "{\"id\":1,\"result\":null,\"error\":{\"code\":-32602,\"message\":\"none\","
    "\"data\":{\"code\":42,\"cause\":\"none\"}}}",
    NULL, REEVE_ERROR_NO_DOMAIN, "none", FALSE },
  { "error-of-any-kind", "{\"id\":1,\"error\":[false]}", NULL,
    REEVE_ERROR_OPERATION_FAILED, "[false]", FALSE },
  { "result-that-is-none", "{\"id\":1,\"result\":01}", NULL, REEVE_ERROR_RPC,
    NULL, FALSE },
  { "result-with-a-member-twice", "{\"id\":1,\"result\":{\"a\":1,\"a\":2}}",
    NULL, REEVE_ERROR_RPC, NULL, FALSE },
  { "id-of-no-call", "{\"id\":77,\"result\":1}", NULL,
    REEVE_ERROR_OUTCOME_UNKNOWN, NULL, TRUE },
  { "id-zero", "{\"id\":0,\"result\":1}", NULL, REEVE_ERROR_OUTCOME_UNKNOWN,
    NULL, TRUE },
  { "id-in-text", "{\"id\":\"1\",\"result\":1}", NULL,
    REEVE_ERROR_OUTCOME_UNKNOWN, NULL, TRUE },
  { "no-id", "{\"id\":null,\"error\":\"parse error\"}", NULL,
    REEVE_ERROR_OUTCOME_UNKNOWN, NULL, TRUE },
  { "array", "[{\"id\":1,\"result\":1}]", NULL, REEVE_ERROR_OUTCOME_UNKNOWN,
    NULL, TRUE },
  { "method-that-is-none", "{\"method\":7,\"params\":[]}", NULL,
    REEVE_ERROR_OUTCOME_UNKNOWN, NULL, TRUE },
  { "garbage", "HTTP/1.0 200", NULL, REEVE_ERROR_OUTCOME_UNKNOWN, NULL, TRUE },
  { "bytes", "{\"\xff\x01", NULL, REEVE_ERROR_OUTCOME_UNKNOWN, NULL, TRUE },
};

static void
test_reply (gconstpointer data)
{
  const ReplyCase *row = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) result = NULL;
  g_autoptr (JsonNode) next = NULL;
  g_autofree char *printed = NULL;
  Fixture fixture;

  reply = row->reply;
  set_up (&fixture, play_reply, REEVE_PEER_JSON_1);
  result = reeve_peer_call_json (fixture.peer, "ping", NULL, TIMEOUT_MS, NULL,
                                 &error);
  if (row->result != NULL) {
    g_assert_no_error (error);
    printed = print (result);
    g_assert_cmpstr (printed, ==, row->result);
  } else {
    g_assert_null (result);
    g_assert_error (error, REEVE_ERROR, row->code);
  }
  if (row->wrong != NULL)
    g_assert_cmpstr (error->message, ==, row->wrong);
  next =
      reeve_peer_call_json (fixture.peer, "next", NULL, TIMEOUT_MS, NULL, NULL);
  if (row->is_last)
    wait_for_end (&fixture.told);
  g_assert_cmpint (next == NULL, ==, row->is_last);
  tear_down (&fixture);
}

/* ----------------------------------------------- what the server asks ----- */

static const char *asked, *expected; /* of the test that runs */

/* Asks, and expects an answer, before it answers the ping. */
static void
play_asking (int fd)
{
  g_autofree char *answer = NULL;

  g_free (peer_server_read (fd, END));
  peer_server_write (fd, asked);
  answer = peer_server_read (fd, END);
  g_assert_cmpstr (answer, ==, expected);
  peer_server_write (fd, "{\"id\":1,\"result\":true}");
  g_free (peer_server_read (fd, END));
}

typedef struct {
  const char *name;
  const char *asked;
  const char *answer;
} AskCase;

static const AskCase ask_cases[] = {
  { "echo", "{\"id\":\"echo\",\"method\":\"echo\",\"params\":[1,{\"a\":[]}]}",
    "{\"id\":\"echo\",\"result\":[1,{\"a\":[]}],\"error\":null}\n" },
  { "echo-of-nothing", "{\"id\":7,\"method\":\"echo\"}",
    "{\"id\":7,\"result\":[],\"error\":null}\n" },
  { "echo-of-2",
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ec\\u0068o\",\"params\":{}}",
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n" },
};

static void
test_ask (gconstpointer data)
{
  const AskCase *row = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) result = NULL;
  Fixture fixture;

  asked = row->asked;
  expected = row->answer;
  set_up (&fixture, play_asking, REEVE_PEER_JSON_1);
  result = reeve_peer_call_json (fixture.peer, "ping", NULL, TIMEOUT_MS, NULL,
                                 &error);
  g_assert_no_error (error);
  tear_down (&fixture);
}

static void
play_unknown (int fd)
{
  g_autofree char *answer = NULL;

  g_free (peer_server_read (fd, END));
  peer_server_write (fd, "{\"id\":\"x\",\"method\":\"steal\",\"params\":[]}");
  answer = peer_server_read (fd, END);
  g_assert_true (g_str_has_prefix (
      answer, "{\"id\":\"x\",\"result\":null,\"error\":{\"code\":-32601,"));
  peer_server_write (fd, "{\"id\":1,\"result\":true}");
  g_free (peer_server_read (fd, END));
}

static void
test_unknown (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) result = NULL;
  Fixture fixture;

  set_up (&fixture, play_unknown, REEVE_PEER_JSON_1);
  result = reeve_peer_call_json (fixture.peer, "ping", NULL, TIMEOUT_MS, NULL,
                                 &error);
  g_assert_no_error (error);
  tear_down (&fixture);
}

/* Of both forms; an echo that wants no answer is one, too. */
static void
play_notices (int fd)
{
  g_free (peer_server_read (fd, END));
  peer_server_write (fd, "{\"id\":null,\"method\":\"update\",\"params\":[1]}"
                         "{\"method\":\"echo\",\"params\":[2]}\n"
                         "{\"jsonrpc\":\"2.0\",\"method\":\"bare\"}"
                         "{\"id\":1,\"result\":true}");
  g_free (peer_server_read (fd, END));
}

static void
check_told (Told *self, const char *told)
{
  REEVE_LOCK_SCOPE (&self->lock);

  g_assert_cmpstr (self->told->str, ==, told);
}

static void
test_notices (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) result = NULL;
  Fixture fixture;

  set_up (&fixture, play_notices, REEVE_PEER_JSON_1);
  result = reeve_peer_call_json (fixture.peer, "ping", NULL, TIMEOUT_MS, NULL,
                                 &error);
  g_assert_no_error (error);
  /* They came before the reply. */
  check_told (&fixture.told, "update [1]\necho [2]\nbare \n");
  tear_down (&fixture);
}

/* ------------------------------------------------------- what we say ------ */

static const char *const said_1[] = {
  "{\"method\":\"add\",\"params\":[1,\"a\\\"b\"],\"id\":1}\n",
  "{\"method\":\"told\",\"params\":[],\"id\":null}\n",
};
static const char *const said_2[] = {
  "{\"jsonrpc\":\"2.0\",\"method\":\"add\",\"params\":[1,\"a\\\"b\"],\"id\":1}"
  "\n",
  "{\"jsonrpc\":\"2.0\",\"method\":\"told\"}\n",
};
static const char *const *said; /* of the test that runs */

static void
play_listening (int fd)
{
  g_autofree char *first = peer_server_read (fd, END);
  g_autofree char *second = NULL;

  g_assert_cmpstr (first, ==, said[0]);
  peer_server_write (fd, "{\"id\":1,\"result\":true}");
  second = peer_server_read (fd, END);
  g_assert_cmpstr (second, ==, said[1]);
}

static void
test_said (gconstpointer data)
{
  ReevePeerForm form = (ReevePeerForm) GPOINTER_TO_INT (data);
  g_autoptr (JsonNode) params = parse ("[1,\"a\\\"b\"]");
  g_autoptr (JsonNode) result = NULL;
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  said = form == REEVE_PEER_JSON_1 ? said_1 : said_2;
  set_up (&fixture, play_listening, form);
  result = reeve_peer_call_json (fixture.peer, "add", params, TIMEOUT_MS, NULL,
                                 &error);
  g_assert_no_error (error);
  g_assert_true (reeve_peer_notify_json (fixture.peer, "told", NULL, &error));
  reeve_peer_close (fixture.peer);
  g_assert_false (reeve_peer_notify_json (fixture.peer, "told", NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_CLOSED);
  tear_down (&fixture);
}

/* -------------------------------------------------------------- several --- */

/* The last call is answered first. */
static void
play_backwards (int fd)
{
  for (int i = 0; i < 3; i++)
    g_free (peer_server_read (fd, END));
  peer_server_write (fd, "{\"id\":3,\"result\":3}{\"id\":2,\"result\":2}"
                         "{\"id\":1,\"result\":1}");
  g_free (peer_server_read (fd, END));
}

typedef struct {
  ReevePeer *peer;
  int number;
  int *n_open;
} Waiting;

static void
take_number (GObject *source, GAsyncResult *result, gpointer data)
{
  Waiting *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node =
      reeve_peer_call_json_finish (self->peer, result, &error);

  g_assert_no_error (error);
  g_assert_cmpint (json_node_get_int (node), ==, self->number);
  (*self->n_open)--;
}

static void
test_backwards (void)
{
  Fixture fixture;
  Waiting waiting[3];
  int n_open = 3;

  set_up (&fixture, play_backwards, REEVE_PEER_JSON_1);
  for (int i = 0; i < 3; i++) {
    waiting[i] = (Waiting){ fixture.peer, i + 1, &n_open };
    reeve_peer_call_json_async (fixture.peer, "number", NULL, TIMEOUT_MS, NULL,
                                take_number, &waiting[i]);
  }
  while (n_open > 0)
    g_main_context_iteration (NULL, TRUE);
  tear_down (&fixture);
}

/* A late reply is no reply to the next call. */
static void
play_late (int fd)
{
  g_free (peer_server_read (fd, END));
  g_free (peer_server_read (fd, END));
  peer_server_write (fd, "{\"id\":1,\"result\":1}{\"id\":2,\"result\":2}");
  g_free (peer_server_read (fd, END));
}

static void
test_late (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) result = NULL;
  Fixture fixture;

  set_up (&fixture, play_late, REEVE_PEER_JSON_1);
  g_assert_null (reeve_peer_call_json (fixture.peer, "slow", NULL, SHORT_MS,
                                       NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT);
  g_clear_error (&error);
  result = reeve_peer_call_json (fixture.peer, "next", NULL, TIMEOUT_MS, NULL,
                                 &error);
  g_assert_no_error (error);
  g_assert_cmpint (json_node_get_int (result), ==, 2);
  tear_down (&fixture);
}

/* More than a socket takes at once, both ways. */
static void
play_large (int fd)
{
  g_autofree char *request = peer_server_read (fd, END);
  g_autofree char *answer = NULL;
  const char *params = strchr (request, '[');
  size_t sent = 0;

  answer = g_strdup_printf ("{\"id\":1,\"result\":%.*s}",
                            (int) (strchr (request, ']') - params + 1), params);
  while (sent < strlen (answer)) {
    gssize n = send (fd, answer + sent, strlen (answer) - sent, MSG_NOSIGNAL);

    g_assert_cmpint (n, >, 0);
    sent += (size_t) n;
  }
  g_free (peer_server_read (fd, END));
}

static void
test_large (void)
{
  enum { N_BYTES = 600000 };
  g_autofree char *string = g_strnfill (N_BYTES, 'x');
  g_autofree char *text = g_strdup_printf ("[\"%s\"]", string);
  g_autoptr (JsonNode) params = parse (text);
  g_autoptr (JsonNode) result = NULL;
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  set_up (&fixture, play_large, REEVE_PEER_JSON_1);
  result = reeve_peer_call_json (fixture.peer, "repeat", params, TIMEOUT_MS,
                                 NULL, &error);
  g_assert_no_error (error);
  g_assert_true (json_node_equal (result, params));
  tear_down (&fixture);
}

static void
test_nobody (void)
{
  Told told;
  const ReevePeerHandlers handlers = { take_notice, take_end, &told,
                                       free_told };
  g_autoptr (GError) error = NULL;

  told_init (&told);
  g_assert_null (reeve_peer_open_json ("unix:/nonexistent/socket",
                                       REEVE_PEER_JSON_1, &handlers, TIMEOUT_MS,
                                       NULL, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_NO_CONNECT);
  told_clear (&told);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (reply_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/client/peer-json/reply/%s", reply_cases[i].name);

    g_test_add_data_func (path, &reply_cases[i], test_reply);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (ask_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/client/peer-json/asked/%s", ask_cases[i].name);

    g_test_add_data_func (path, &ask_cases[i], test_ask);
  }
  g_test_add_func ("/client/peer-json/asked/unknown-method", test_unknown);
  g_test_add_func ("/client/peer-json/told/both-forms", test_notices);
  g_test_add_data_func ("/client/peer-json/said/as-ovs",
                        GINT_TO_POINTER (REEVE_PEER_JSON_1), test_said);
  g_test_add_data_func ("/client/peer-json/said/by-2.0",
                        GINT_TO_POINTER (REEVE_PEER_JSON_2), test_said);
  g_test_add_func ("/client/peer-json/calls/in-any-order", test_backwards);
  g_test_add_func ("/client/peer-json/calls/late-reply-is-dropped", test_late);
  g_test_add_func ("/client/peer-json/calls/large", test_large);
  g_test_add_func ("/client/peer-json/calls/nobody-listens", test_nobody);

  return g_test_run ();
}
