/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/error.h"
#include "rpc/json-parse.h"
#include "wires-fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a batch costs those who did not send it. */

#define NOTHING "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"wires.nothing\"}"
#define DONE "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}\n"
#define ECHO                                                                   \
  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"0123456789" \
  "0123456789012345678901234567890123456789012345678901234567890123456789\"]}"
#define FILL                                                                   \
  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wires.fill\",\"params\":[4000]}"

/* (transfer full): a batch of so many, and one more. */
static char *
make_batch (const char *element, unsigned n_elements, const char *last)
{
  GString *text = g_string_new ("[");

  for (unsigned i = 0; i < n_elements; i++)
    g_string_append_printf (text, "%s,", element);
  g_string_append_printf (text, "%s]", last);
  return g_string_free (text, FALSE);
}

/* That the next client is served. */
static void
assert_serves (WiresFixture *fixture)
{
  g_autofree char *answer = NULL;

  close (fixture->fd);
  fixture->fd = wires_fixture_connect (fixture, NULL);
  wires_fixture_send (fixture, NOTHING);
  answer = wires_fixture_receive (fixture, "\n");
  g_assert_cmpstr (answer, ==, DONE);
}

/* ------------------------------------------------------------- memory --- */

/* One row: what a batch is made of. */
typedef struct {
  const char *name;
  const char *element;
} BatchCase;

/* Errors over their limit. */
static const BatchCase bound_cases[] = {
  { "no-requests", "1" },
  { "unknown-methods", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"none\"}" },
  { "echo-over-the-limit-of-replies", ECHO },
  { "calls-over-the-limit-of-replies", FILL },
};

/* Nothing of the batch is sent, but one reason; and that is the end. */
static void
test_bound (gconstpointer data)
{
  const ReeveServerLimits limits = { .max_client_calls = 2,
                                     .max_client_reply_bytes = 10000 };
  const BatchCase *row = data;
  g_autofree char *text = make_batch (row->element, 1000, NOTHING);
  g_autofree char *answer = NULL;
  WiresFixture fixture;

  wires_fixture_init (&fixture, &limits, NULL);
  wires_fixture_send (&fixture, text);
  answer = wires_fixture_receive (&fixture, NULL);
  g_assert_cmpstr (
      answer, ==,
      "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":87,\"message\":"
      "\"the errors of the batch are over their limit\",\"data\":{\"code\":87,"
      "\"cause\":\"the errors of the batch are over their limit\",\"hint\":"
      "\"send less at a time, and try again\"}}}\n");
  assert_serves (&fixture);
  wires_fixture_clear (&fixture);
}

/* Up to there, each is answered. */
static void
test_errors_below_limit (void)
{
  g_autofree char *text = make_batch (ECHO, 100, "1");
  const ReeveServerLimits limits = { .max_client_reply_bytes = 20000 };
  g_autofree char *answer = NULL;
  g_autoptr (JsonNode) node = NULL;
  WiresFixture fixture;

  wires_fixture_init (&fixture, &limits, NULL);
  wires_fixture_send (&fixture, text);
  answer = wires_fixture_receive (&fixture, "\n]\n");
  node = reeve_json_parse (answer, strlen (answer), NULL);
  g_assert_nonnull (node);
  g_assert_cmpuint (json_array_get_length (json_node_get_array (node)), ==,
                    101);
  wires_fixture_clear (&fixture);
}

/* --------------------------------------------------------------- turns --- */

typedef struct {
  atomic_bool has_begun;
  atomic_bool may_end;
} Gate;

static void
wait_at_gate (ReeveLoop *loop, gpointer data)
{
  Gate *gate = data;

  atomic_store (&gate->has_begun, TRUE);
  while (!atomic_load (&gate->may_end))
    g_usleep (100);
}

static const BatchCase turn_cases[] = {
  { "errors", "1" },
  { "echo", ECHO },
  { "inline-calls", NOTHING },
  { "notifications", "{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}" },
};

/* The loop finds a long batch, and then what another client sent; that is not
 * behind the batch's last call, which is an inline one. */
static void
test_turn (gconstpointer data)
{
  const BatchCase *row = data;
  g_autofree char *text = make_batch (row->element, 200, NOTHING);
  g_autofree char *answer = NULL;
  g_autofree char *callers = NULL;
  WiresFixture fixture;
  Gate gate = { FALSE, FALSE };
  int other;

  wires_fixture_init (&fixture, NULL, NULL);
  other = wires_fixture_connect (&fixture, NULL);
  reeve_loop_invoke (fixture.loop, wait_at_gate, &gate);
  while (!atomic_load (&gate.has_begun))
    g_usleep (100);
  wires_fixture_send (&fixture, text);
  g_assert_cmpint (send (other, NOTHING, strlen (NOTHING), MSG_NOSIGNAL), ==,
                   strlen (NOTHING));
  atomic_store (&gate.may_end, TRUE);

  answer = wires_fixture_receive (&fixture, "\n]\n");
  callers = wires_fixture_dup_callers (&fixture);
  g_assert_nonnull (strchr (callers, '2'));
  g_assert_cmpint (callers[strlen (callers) - 1], ==, '1');
  close (other);
  wires_fixture_clear (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (bound_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/rpc/json-batch/is-bounded/%s", bound_cases[i].name);

    g_test_add_data_func (path, &bound_cases[i], test_bound);
  }
  g_test_add_func ("/rpc/json-batch/errors-below-the-limit-are-told",
                   test_errors_below_limit);
  for (size_t i = 0; i < G_N_ELEMENTS (turn_cases); i++) {
    g_autofree char *path = g_strdup_printf (
        "/rpc/json-batch/others-have-their-turn/%s", turn_cases[i].name);

    g_test_add_data_func (path, &turn_cases[i], test_turn);
  }

  return g_test_run ();
}
