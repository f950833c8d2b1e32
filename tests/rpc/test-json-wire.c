/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/error.h"
#include "rpc/json-parse.h"
#include "wires-fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALL(method, params)                                                   \
  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wires." method                   \
  "\",\"params\":" params "}"
#define RESULT(result) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}\n"
/* One row: what is sent, all that is answered, and whether the server then
 * closes of its own. */
typedef struct {
  const char *name;
  const char *sent;
  const char *answered;
  gboolean closes;
} TalkCase;

static const TalkCase talk_cases[] = {
  { "void", CALL ("nothing", "{}"), RESULT ("null") },
  { "no-params", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wires.nothing\"}",
    RESULT ("null") },
  { "by-name", CALL ("count", "{\"first\":\"a\",\"count\":3}"),
    RESULT ("{\"first\":\"a\",\"count\":3,\"words\":[]}") },
  { "by-place", CALL ("count", "[\"a\",3,[{\"name\":\"x\"},{\"name\":\"y\"}]]"),
    RESULT ("{\"first\":\"a\",\"count\":5,\"words\":[]}") },
  { "form-of-1.0",
    "{\"id\":\"x\",\"method\":\"wires.count\",\"params\":[\"a\",3]}",
    "{\"id\":\"x\",\"result\":{\"first\":\"a\",\"count\":3,\"words\":[]},"
    "\"error\":null}\n" },
  { "void-to-1.0", "{\"id\":0,\"method\":\"wires.nothing\",\"params\":{}}",
    "{\"id\":0,\"result\":{},\"error\":null}\n" },
  { "id-comes-back-as-it-was",
    "{\"id\":18446744073709551616.00,\"method\":\"wires.nothing\"}",
    "{\"id\":18446744073709551616.00,\"result\":{},\"error\":null}\n" },
  { "id-may-be-any-value", "{\"id\":{\"a\":[1]},\"method\":\"wires.nothing\"}",
    "{\"id\":{\"a\":[1]},\"result\":{},\"error\":null}\n" },
  { "large-integers",
    CALL ("same",
          "{\"big\":-9223372036854775808,\"huge\":"
          "18446744073709551615,\"color\":\"WIRES_BLUE\","
          "\"choice\":{\"kind\":2,\"number\":\"9007199254740993\"}}"),
    RESULT ("{\"number\":0,\"big\":\"-9223372036854775808\",\"huge\":"
            "\"18446744073709551615\",\"text\":\"\",\"bytes\":\"\",\"color\":"
            "\"WIRES_BLUE\",\"is_set\":false,\"maybe\":null,\"choice\":{"
            "\"kind\":2,\"number\":\"9007199254740993\"},\"items\":[],"
            "\"real\":0.0}") },
  { "bytes-and-text",
    CALL ("same",
          "{\"bytes\":\"AP8=\",\"text\":\"\\u001f\\\"\\u00e9\","
          "\"maybe\":\"\",\"is_set\":true,\"items\":[1,-2],"
          "\"real\":\"inf\",\"color\":2}"),
    RESULT ("{\"number\":0,\"big\":0,\"huge\":0,\"text\":\"\\u001f\\\""
            "\xc3\xa9\",\"bytes\":\"AP8=\",\"color\":\"WIRES_BLUE\","
            "\"is_set\":true,\"maybe\":\"\",\"choice\":{\"kind\":0},"
            "\"items\":[1,-2],\"real\":\"inf\"}") },
  { "pipelined-without-space",
    "{\"id\":1,\"method\":\"wires.nothing\"}{\"id\":2,\"method\":"
    "\"wires.nothing\"}",
    "{\"id\":1,\"result\":{},\"error\":null}\n"
    "{\"id\":2,\"result\":{},\"error\":null}\n" },
  { "notification-is-not-answered",
    "{\"method\":\"wires.nothing\"}{\"id\":null,\"method\":\"wires.nothing\"}"
    "{\"jsonrpc\":\"2.0\",\"method\":\"none\"}"
    "{\"id\":2,\"method\":\"wires.nothing\"}",
    "{\"id\":2,\"result\":{},\"error\":null}\n" },
  { "echo", "{\"id\":\"echo\",\"method\":\"echo\",\"params\":[null, {}]}",
    "{\"id\":\"echo\",\"result\":[null, {}],\"error\":null}\n" },
  { "batch-of-one",
    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wires.nothing\"}]",
    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}\n]\n" },
  { "batch-of-notifications-is-not-answered",
    "[{\"jsonrpc\":\"2.0\",\"method\":\"wires.nothing\"},{\"jsonrpc\":\"2.0\","
    "\"method\":\"echo\"}]" CALL ("nothing", "[]"),
    RESULT ("null") },
  { "what-is-no-json-inside-is-told", "{\"id\":}",
    "{\"id\":null,\"result\":null,\"error\":{\"code\":-32600,\"message\":"
    "\"the request is no valid JSON\",\"data\":{\"code\":39,\"cause\":\"the "
    "request is no valid JSON\"}}}\n" },
  { "broken-brackets-end-it", "{\"id\":1]",
    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":"
    "\"the JSON is wrong at byte 7\",\"data\":{\"code\":39,\"cause\":\"the "
    "JSON is wrong at byte 7\"}}}\n",
    TRUE },
};

static void
test_talk (gconstpointer data)
{
  const TalkCase *row = data;
  g_autofree char *answer = NULL;
  WiresFixture fixture;

  wires_fixture_init (&fixture, NULL, NULL);
  wires_fixture_send (&fixture, row->sent);
  if (!row->closes)
    shutdown (fixture.fd, SHUT_WR);
  answer = wires_fixture_receive (&fixture, NULL);
  g_assert_cmpstr (answer, ==, row->answered);
  wires_fixture_clear (&fixture);
}

/* Whatever pieces the bytes come in. */
static void
test_split (void)
{
  static const char text[] =
      " {\"id\":\"\\\"}\",\"method\":\"echo\",\"params\":"
      "[\"]\"]}\n";

  for (size_t i = 0; i < sizeof text; i++) {
    WiresFixture fixture;
    g_autofree char *first = g_strndup (text, i);
    g_autofree char *answer = NULL;

    wires_fixture_init (&fixture, NULL, NULL);
    wires_fixture_send (&fixture, first);
    /* So that the two are not read at once. */
    for (int turn = 0; turn < 2 && i > 0; turn++)
      g_usleep (500);
    wires_fixture_send (&fixture, text + i);
    answer = wires_fixture_receive (&fixture, "\n");
    g_assert_cmpstr (answer, ==,
                     "{\"id\":\"\\\"}\",\"result\":[\"]\"],\"error\":null}\n");
    wires_fixture_clear (&fixture);
  }
}

/* One row: what is sent, and where the error is: code, code in its data, and a
 * piece of the message. */
typedef struct {
  const char *name;
  const char *sent;
  int code;
  int own_code;
  const char *piece;
} ErrorCase;

static const ErrorCase error_cases[] = {
  { "of-the-handler", CALL ("fail", "{\"name\":\"web\"}"),
    REEVE_ERROR_NO_DOMAIN, REEVE_ERROR_NO_DOMAIN, "there is no machine “web”" },
  { "no-procedure", CALL ("none", "{}"), -32601, REEVE_ERROR_NO_SUPPORT,
    "wires.none" },
  { "no-program", "{\"id\":1,\"method\":\"none\"}", -32601,
    REEVE_ERROR_NO_SUPPORT, "none" },
  { "an-event-cannot-be-called", CALL ("happened", "{}"), -32601,
    REEVE_ERROR_NO_SUPPORT, "wires.happened" },
  { "a-stream-cannot-be-opened", CALL ("stream", "{}"), -32601,
    REEVE_ERROR_NO_SUPPORT, "stream" },
  { "unknown-member-of-params", CALL ("fail", "{\"nome\":\"web\"}"), -32602,
    REEVE_ERROR_INVALID_ARG, "nome" },
  { "member-of-params-twice", CALL ("fail", "{\"name\":\"a\",\"name\":\"b\"}"),
    -32602, REEVE_ERROR_RPC, "“name”" },
  { "wrong-kind", CALL ("fail", "{\"name\":1}"), -32602,
    REEVE_ERROR_INVALID_ARG, "name" },
  { "too-long",
    CALL ("fail",
          "[\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]"),
    -32602, REEVE_ERROR_INVALID_ARG, "64" },
  { "too-many-params", CALL ("fail", "[\"a\",\"b\"]"), -32602,
    REEVE_ERROR_INVALID_ARG, "2" },
  { "params-for-none", CALL ("nothing", "[1]"), -32602, REEVE_ERROR_INVALID_ARG,
    "0" },
  { "number-out-of-range", CALL ("same", "{\"number\":2147483648}"), -32602,
    REEVE_ERROR_INVALID_ARG, "number" },
  { "bad-escape-in-params", CALL ("fail", "[\"\\x\"]"), -32602, REEVE_ERROR_RPC,
    "byte" },
  { "nan", CALL ("same", "{\"real\":NaN}"), -32602, REEVE_ERROR_RPC, "byte" },
  { "unknown-member", "{\"id\":1,\"method\":\"echo\",\"parms\":[]}", -32600,
    REEVE_ERROR_RPC, "parms" },
  { "member-twice", "{\"id\":1,\"method\":\"echo\",\"id\":2}", -32600,
    REEVE_ERROR_RPC, "“id”" },
  { "a-reply", "{\"id\":1,\"result\":true}", -32600, REEVE_ERROR_RPC,
    "result" },
  { "no-method", "{\"id\":1}", -32600, REEVE_ERROR_RPC, "method" },
  { "method-is-no-string", "{\"id\":1,\"method\":[]}", -32600, REEVE_ERROR_RPC,
    "method" },
  { "params-are-a-number", "{\"id\":1,\"method\":\"echo\",\"params\":1}",
    -32600, REEVE_ERROR_RPC, "params" },
  { "other-version", "{\"jsonrpc\":\"3.0\",\"id\":1,\"method\":\"echo\"}",
    -32600, REEVE_ERROR_RPC, "2.0" },
  { "id-is-no-json", "{\"jsonrpc\":\"2.0\",\"id\":tru,\"method\":\"echo\"}",
    -32600, REEVE_ERROR_RPC, "byte" },
  { "empty-batch", "[]", -32600, REEVE_ERROR_RPC, "object" },
};

static JsonObject *
get_error (JsonNode *node)
{
  JsonObject *reply = json_node_get_object (node);

  g_assert_true (json_object_has_member (reply, "error"));
  return json_object_get_object_member (reply, "error");
}

/* Each is one answer, and the next call is answered. */
static void
test_error (gconstpointer data)
{
  const ErrorCase *row = data;
  WiresFixture fixture;
  g_autoptr (JsonNode) node = NULL;
  g_autofree char *answer = NULL;
  g_autofree char *next = NULL;
  g_autoptr (GError) error = NULL;
  JsonObject *failure, *more;

  wires_fixture_init (&fixture, NULL, NULL);
  wires_fixture_send (&fixture, row->sent);
  answer = wires_fixture_receive (&fixture, "\n");
  node = reeve_json_parse (answer, strlen (answer), &error);
  g_assert_no_error (error);
  failure = get_error (node);
  g_assert_cmpint (json_object_get_int_member (failure, "code"), ==, row->code);
  g_assert_nonnull (
      strstr (json_object_get_string_member (failure, "message"), row->piece));
  more = json_object_get_object_member (failure, "data");
  g_assert_cmpint (json_object_get_int_member (more, "code"), ==,
                   row->own_code);
  g_assert_cmpstr (json_object_get_string_member (more, "cause"), ==,
                   json_object_get_string_member (failure, "message"));

  wires_fixture_send (&fixture, CALL ("nothing", "{}"));
  next = wires_fixture_receive (&fixture, "\n");
  g_assert_cmpstr (next, ==, RESULT ("null"));
  wires_fixture_clear (&fixture);
}

/* The replies of a batch leave together, when the last is there; what is sent
 * behind it is answered meanwhile. */
static void
test_batch_waits (void)
{
  WiresFixture fixture;
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  wires_fixture_init (&fixture, NULL, NULL);
  wires_fixture_send (
      &fixture, "[" CALL ("nothing", "{}") "," CALL (
                    "wait", "{}") "]"
                                  "{\"id\":9,\"method\":\"wires.nothing\"}");
  first = wires_fixture_receive (&fixture, "\n");
  g_assert_cmpstr (first, ==, "{\"id\":9,\"result\":{},\"error\":null}\n");
  wires_fixture_let_go (&fixture);
  second = wires_fixture_receive (&fixture, "]\n");
  g_assert_cmpstr (second, ==,
                   "[" RESULT ("null") "," RESULT ("{\"name\":\"go\"}") "]\n");
  wires_fixture_clear (&fixture);
}

/* A batch of more calls than a client may have in flight is taken piece by
 * piece. */
static void
test_batch_is_long (void)
{
  const ReeveServerLimits limits = { .max_client_calls = 2 };
  g_autoptr (GString) text = g_string_new ("[");
  g_autoptr (JsonNode) node = NULL;
  g_autofree char *answer = NULL;
  WiresFixture fixture;

  for (int i = 0; i < 100; i++)
    g_string_append (text,
                     i > 0 ? "," CALL ("count", "{}") : CALL ("count", "{}"));
  g_string_append (text, "]");
  wires_fixture_init (&fixture, &limits, NULL);
  wires_fixture_send (&fixture, text->str);
  answer = wires_fixture_receive (&fixture, "]\n");
  g_string_assign (text, answer);
  while (strstr (text->str, "}\n]\n") == NULL) {
    g_autofree char *more = wires_fixture_receive (&fixture, "]\n");

    g_string_append (text, more);
  }
  node = reeve_json_parse (text->str, text->len, NULL);
  g_assert_nonnull (node);
  g_assert_cmpuint (json_array_get_length (json_node_get_array (node)), ==,
                    100);
  wires_fixture_clear (&fixture);
}

/* Replies of a batch that are over the limit become an error, not memory. */
static void
test_batch_is_bounded (void)
{
  const ReeveServerLimits limits = { .max_client_calls = 1,
                                     .max_client_reply_bytes = 10000 };
  g_autoptr (GString) text = g_string_new ("[");
  g_autofree char *answer = NULL;
  WiresFixture fixture;

  for (int i = 0; i < 20; i++)
    g_string_append (text, i > 0 ? "," CALL ("fill", "[4000]")
                                 : CALL ("fill", "[4000]"));
  g_string_append (text, "]");
  wires_fixture_init (&fixture, &limits, NULL);
  wires_fixture_send (&fixture, text->str);
  answer = wires_fixture_receive (&fixture, "}\n]\n");
  g_assert_cmpuint (strlen (answer), <, 20000);
  g_assert_nonnull (strstr (answer, "\"code\":87"));
  wires_fixture_clear (&fixture);
}

/* A client that has sent all gets its reply, then the end. */
static void
test_half_close (void)
{
  WiresFixture fixture;
  g_autofree char *answer = NULL;

  wires_fixture_init (&fixture, NULL, NULL);
  wires_fixture_send (&fixture, CALL ("wait", "{}"));
  shutdown (fixture.fd, SHUT_WR);
  g_usleep (2000);
  wires_fixture_let_go (&fixture);
  answer = wires_fixture_receive (&fixture, NULL);
  g_assert_cmpstr (answer, ==, RESULT ("{\"name\":\"go\"}"));
  wires_fixture_clear (&fixture);
}

/* More than may be in flight, and the end of input, are no loss. */
static void
test_half_close_throttled (void)
{
  const ReeveServerLimits limits = { .max_client_calls = 1 };
  WiresFixture fixture;
  g_autofree char *answer = NULL;

  wires_fixture_init (&fixture, &limits, NULL);
  wires_fixture_send (&fixture, CALL ("wait", "{}") CALL ("nothing", "{}")
                                    CALL ("count", "{}") "{\"id\"");
  shutdown (fixture.fd, SHUT_WR);
  g_usleep (2000);
  wires_fixture_let_go (&fixture);
  answer = wires_fixture_receive (&fixture, NULL);
  g_assert_cmpstr (answer, ==,
                   RESULT ("{\"name\":\"go\"}") RESULT ("null")
                       RESULT ("{\"first\":\"\",\"count\":0,\"words\":[]}"));
  wires_fixture_clear (&fixture);
}

/* So many that their replies are held to leave together. */
static void
test_half_close_many (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree char *answer = NULL;
  WiresFixture fixture;
  unsigned n_answers = 0;

  for (int i = 0; i < 200; i++)
    g_string_append (text, CALL ("count", "{}"));
  wires_fixture_init (&fixture, NULL, NULL);
  wires_fixture_send (&fixture, text->str);
  shutdown (fixture.fd, SHUT_WR);
  answer = wires_fixture_receive (&fixture, NULL);
  for (const char *at = answer; (at = strchr (at, '\n')) != NULL; at++)
    n_answers++;
  g_assert_cmpuint (n_answers, ==, 200);
  wires_fixture_clear (&fixture);
}

/* The words of ovs-appctl. */
static void
test_words (void)
{
  static const struct {
    const char *sent;
    const char *answered;
  } rows[] = {
    { "{\"id\":0,\"method\":\"wires.nothing\",\"params\":[]}",
      "{\"id\":0,\"result\":\"\",\"error\":null}\n" },
    { "{\"id\":1,\"method\":\"count\",\"params\":[\"a\",\"7\",\"x\",\"y\"]}",
      "{\"id\":1,\"result\":\"first=\\\"a\\\"\\ncount=9\\nwords=[]\\n\","
      "\"error\":null}\n" },
    { "{\"id\":2,\"method\":\"count\",\"params\":[\"a\"]}",
      "{\"id\":2,\"result\":null,\"error\":\"\\\"count\\\" command requires at "
      "least 2 arguments\\n\"}\n" },
    { "{\"id\":3,\"method\":\"nothing\",\"params\":[\"a\"]}",
      "{\"id\":3,\"result\":null,\"error\":\"\\\"nothing\\\" command takes at "
      "most 0 arguments\\n\"}\n" },
    { "{\"id\":4,\"method\":\"count\",\"params\":[\"a\",\"seven\"]}",
      "{\"id\":4,\"result\":null,\"error\":\"count: a whole number from 0 to "
      "4294967295 is expected\\n\"}\n" },
  };
  WiresFixture fixture;

  wires_fixture_init (&fixture, NULL, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *answer = NULL;

    wires_fixture_send (&fixture, rows[i].sent);
    answer = wires_fixture_receive (&fixture, "\n");
    g_assert_cmpstr (answer, ==, rows[i].answered);
  }
  wires_fixture_clear (&fixture);
}

static void
test_deadline (void)
{
  const ReeveServerLimits limits = { .call_timeout_ms = 50 };
  WiresFixture fixture;
  g_autofree char *answer = NULL;

  wires_fixture_init (&fixture, &limits, NULL);
  wires_fixture_send (&fixture, "[" CALL ("wait", "{}") "," CALL (
                                    "wait", "{\"name\":\"web\"}") "]");
  answer = wires_fixture_receive (&fixture, "]\n");
  g_assert_nonnull (strstr (answer, "\"code\":68"));
  g_assert_nonnull (strstr (answer, "\"object\":\"wires.wait\""));
  g_assert_nonnull (strstr (answer, "\"object\":\"web\""));
  wires_fixture_clear (&fixture);
}

static void
test_event (void)
{
  WiresFixture fixture;
  g_autofree char *event = NULL;

  wires_fixture_init (&fixture, NULL, NULL);
  wires_fixture_send (&fixture, CALL ("send", "[\"now\"]"));
  event = wires_fixture_receive (&fixture, "\"now\"}}\n");
  g_assert_nonnull (
      strstr (event, "{\"jsonrpc\":\"2.0\",\"method\":\"wires.happened\","
                     "\"params\":{\"name\":\"now\"}}\n"));
  wires_fixture_clear (&fixture);
}

static void
test_read_only (void)
{
  const ReeveServiceOptions options = { .flags = REEVE_SERVICE_READ_ONLY };
  WiresFixture fixture;
  g_autofree char *good = NULL;
  g_autofree char *bad = NULL;

  wires_fixture_init (&fixture, NULL, &options);
  wires_fixture_send (&fixture, CALL ("nothing", "{}"));
  good = wires_fixture_receive (&fixture, "\n");
  g_assert_cmpstr (good, ==, RESULT ("null"));
  wires_fixture_send (&fixture, CALL ("fail", "{}"));
  bad = wires_fixture_receive (&fixture, "\n");
  g_assert_nonnull (strstr (bad, "\"code\":29"));
  wires_fixture_clear (&fixture);
}

static void
test_authentication (void)
{
  const ReeveServiceOptions options = { .auth = REEVE_AUTH_SASL };
  WiresFixture fixture;
  g_autofree char *answer = NULL;

  wires_fixture_init (&fixture, NULL, &options);
  wires_fixture_send (&fixture, CALL ("nothing", "{}"));
  answer = wires_fixture_receive (&fixture, "\n");
  g_assert_nonnull (strstr (answer, "authentication"));
  wires_fixture_clear (&fixture);
}

/* A service that speaks XDR alone ends the connection. */
static void
test_not_spoken (void)
{
  const ReeveServiceOptions options = { .wires = REEVE_WIRE_XDR };
  WiresFixture fixture;
  g_autofree char *answer = NULL;

  wires_fixture_init (&fixture, NULL, &options);
  wires_fixture_send (&fixture, CALL ("nothing", "{}"));
  answer = wires_fixture_receive (&fixture, NULL);
  g_assert_cmpstr (answer, ==, "");
  wires_fixture_clear (&fixture);
}

static void
test_too_long (void)
{
  const ReeveServerLimits limits = { .max_message_bytes = 1000 };
  WiresFixture fixture;
  g_autofree char *text = g_strnfill (1100, ' ');
  g_autofree char *answer = NULL;

  text[0] = '{';
  wires_fixture_init (&fixture, &limits, NULL);
  wires_fixture_send (&fixture, text);
  answer = wires_fixture_receive (&fixture, NULL);
  g_assert_nonnull (strstr (answer, "1000 bytes"));
  wires_fixture_clear (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* A deadline that passes is a warning. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);

  for (size_t i = 0; i < G_N_ELEMENTS (talk_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/rpc/json-wire/talk/%s", talk_cases[i].name);

    g_test_add_data_func (path, &talk_cases[i], test_talk);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (error_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/rpc/json-wire/error/%s", error_cases[i].name);

    g_test_add_data_func (path, &error_cases[i], test_error);
  }
  g_test_add_func ("/rpc/json-wire/split-at-each-byte", test_split);
  g_test_add_func ("/rpc/json-wire/batch/leaves-together", test_batch_waits);
  g_test_add_func ("/rpc/json-wire/batch/longer-than-calls-in-flight",
                   test_batch_is_long);
  g_test_add_func ("/rpc/json-wire/batch/replies-are-bounded",
                   test_batch_is_bounded);
  g_test_add_func ("/rpc/json-wire/half-close/reply-comes", test_half_close);
  g_test_add_func ("/rpc/json-wire/half-close/all-that-was-sent-is-taken",
                   test_half_close_throttled);
  g_test_add_func ("/rpc/json-wire/half-close/held-replies-come",
                   test_half_close_many);
  g_test_add_func ("/rpc/json-wire/words-of-ovs-appctl", test_words);
  g_test_add_func ("/rpc/json-wire/deadline-in-a-batch", test_deadline);
  g_test_add_func ("/rpc/json-wire/event", test_event);
  g_test_add_func ("/rpc/json-wire/read-only", test_read_only);
  g_test_add_func ("/rpc/json-wire/authentication", test_authentication);
  g_test_add_func ("/rpc/json-wire/not-spoken-here", test_not_spoken);
  g_test_add_func ("/rpc/json-wire/too-long", test_too_long);

  return g_test_run ();
}
