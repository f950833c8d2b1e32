/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wires-fixture.h"

#include <string.h>
#include <sys/socket.h>

#define END "\n##\n"
#define OK "response=\"OK\"\n"

/* One row: what is sent before the client closes its half, and all that is
 * answered. */
typedef struct {
  const char *name;
  const char *sent;
  const char *answered;
} TalkCase;

static const TalkCase talk_cases[] = {
  { "hello", "request = \"hello\"\n" END,
    OK "protocol=\"test\"\nversion=1\n" END },
  { "hello-without-quotes", "request=hello" END,
    OK "protocol=\"test\"\nversion=1\n" END },
  { "hello-with-more-keys", "request='hello'\nfeatures=[\"a\",\"b\"]\n" END,
    OK "protocol=\"test\"\nversion=1\n" END },
  { "call", "request=\"wires.nothing\"" END, OK END },
  { "call-without-the-program", "request=\"nothing\"" END, OK END },
  { "arguments", "request=\"wires.count\"\nfirst=\"a\\\"b\" count=3" END,
    OK "first=\"a\\\"b\"\ncount=3\nwords=[]\n" END },
  { "list-of-sections", "request=count words { 0 { name=a } 1 { name=b } }" END,
    OK "first=\"\"\ncount=2\nwords=[]\n" END },
  { "first-of-two-keys-counts", "request=count count=3 count=4" END,
    OK "first=\"\"\ncount=3\nwords=[]\n" END },
  { "all-kinds",
    "request=same number=-5 big=9223372036854775807 "
    "huge=\"18446744073709551615\" text=\"a\nb\" bytes=\"AP8=\" "
    "color=WIRES_BLUE is_set=yes maybe='' choice { kind=1 text=x } items=7 "
    "real=.5" END,
    OK "number=-5\nbig=9223372036854775807\nhuge=\"18446744073709551615\"\n"
       "text=\"a\nb\"\nbytes=\"AP8=\"\ncolor=\"WIRES_BLUE\"\nis_set=1\n"
       "maybe=\"\"\nchoice {\n\tkind=1\n\ttext=\"x\"\n}\nitems=7\n"
       "real=0.5\n" END },
  { "two-in-one-piece", "request=hello" END "request=nothing" END,
    OK "protocol=\"test\"\nversion=1\n" END OK END },
  { "end-inside-a-comment-line",
    "request=nothing # x" END "request=nothing" END, OK END OK END },
  { "unfinished-message-is-not-answered", "request=nothing", "" },
  { "carriage-returns-are-white-space", "request=nothing\r" END, OK END },
  { "not-known", "request=\"zorp\"\n" END,
    "response=\"invalid\"\nreason=\"there is no procedure “zorp”\"\ncode=3\n"
    "object=\"zorp\"\nhint=\"list-commands shows what can be called\"\n" END },
  { "of-the-handler", "request=fail name=web" END,
    "response=\"failed\"\nreason=\"there is no machine “web”\"\ncode=42\n"
    "object=\"web\"\nhint=\"“reeve list --all” shows what there "
    "is\"\n" END },
  { "unknown-argument", "request=fail nome=web" END,
    "response=\"failed\"\nreason=\"there is no member “nome”\"\ncode=8\n"
    "object=\"wires.fail\"\n" END },
  { "argument-of-nothing", "request=nothing name=web" END,
    "response=\"failed\"\nreason=\"there is no member “name”\"\ncode=8\n"
    "object=\"wires.nothing\"\n" END },
  { "wrong-kind", "request=fail name=5" END,
    "response=\"failed\"\nreason=\"name: a string is expected\"\ncode=8\n"
    "object=\"wires.fail\"\n" END },
  { "list-where-one-is-wanted", "request=fail name=[\"a\",\"b\"]" END,
    "response=\"failed\"\nreason=\"name: a string is expected\"\ncode=8\n"
    "object=\"wires.fail\"\n" END },
  { "no-request", "name=\"web\"" END,
    "response=\"invalid\"\nreason=\"“request” has to name what is asked "
    "for\"\ncode=8\n" END },
};

static void
test_talk (gconstpointer data)
{
  const TalkCase *row = data;
  g_autofree char *answer = NULL;
  WiresFixture fixture;

  wires_fixture_init (&fixture, NULL, NULL);
  wires_fixture_send (&fixture, row->sent);
  shutdown (fixture.fd, SHUT_WR);
  answer = wires_fixture_receive (&fixture, NULL);
  g_assert_cmpstr (answer, ==, row->answered);
  wires_fixture_clear (&fixture);
}

/* What cannot be parsed is told, and the next request answered. */
static void
test_syntax (void)
{
  g_autofree char *answer = NULL;
  g_autofree char *next = NULL;
  WiresFixture fixture;

  wires_fixture_init (&fixture, NULL, NULL);
  wires_fixture_send (&fixture, "request = [1" END "request=nothing" END);
  answer = wires_fixture_receive (&fixture, END);
  g_assert_true (g_str_has_prefix (answer, "response=\"invalid\"\nreason="));
  g_assert_nonnull (strstr (answer, "\ncode=33\n"));
  next = wires_fixture_receive (&fixture, END);
  g_assert_cmpstr (next, ==, OK END);
  wires_fixture_clear (&fixture);
}

/* Whatever pieces the bytes come in; the end of a message may be in any. */
static void
test_split (void)
{
  static const char text[] = "request=nothing\n" END "request=hello" END;

  for (size_t i = 1; i < sizeof text; i++) {
    g_autofree char *first = g_strndup (text, i);
    g_autofree char *answer = NULL;
    g_autofree char *next = NULL;
    WiresFixture fixture;

    wires_fixture_init (&fixture, NULL, NULL);
    wires_fixture_send (&fixture, first);
    /* So that the two are not read at once. */
    g_usleep (500);
    wires_fixture_send (&fixture, text + i);
    answer = wires_fixture_receive (&fixture, END);
    g_assert_cmpstr (answer, ==, OK END);
    next = wires_fixture_receive (&fixture, END);
    g_assert_true (g_str_has_prefix (next, OK "protocol"));
    wires_fixture_clear (&fixture);
  }
}

/* The order is what tells answers apart: nothing overtakes a call that waits.
 */
static void
test_order (void)
{
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *third = NULL;
  WiresFixture fixture;

  wires_fixture_init (&fixture, NULL, NULL);
  wires_fixture_send (&fixture, "request=wait" END "request=hello" END
                                "request=zorp" END);
  wires_fixture_let_go (&fixture);
  first = wires_fixture_receive (&fixture, END);
  g_assert_cmpstr (first, ==, OK "name=\"go\"\n" END);
  second = wires_fixture_receive (&fixture, END);
  g_assert_true (g_str_has_prefix (second, OK "protocol"));
  third = wires_fixture_receive (&fixture, END);
  g_assert_true (g_str_has_prefix (third, "response=\"invalid\""));
  wires_fixture_clear (&fixture);
}

static void
test_too_long (void)
{
  const ReeveServerLimits limits = { .max_message_bytes = 1000 };
  g_autofree char *text = g_strnfill (1100, '#');
  g_autofree char *answer = NULL;
  WiresFixture fixture;

  wires_fixture_init (&fixture, &limits, NULL);
  wires_fixture_send (&fixture, text);
  answer = wires_fixture_receive (&fixture, NULL);
  g_assert_nonnull (strstr (answer, "1000 bytes"));
  wires_fixture_clear (&fixture);
}

/* Nothing comes that was not asked for. */
static void
test_event (void)
{
  g_autofree char *answer = NULL;
  WiresFixture fixture;

  wires_fixture_init (&fixture, NULL, NULL);
  wires_fixture_send (&fixture, "request=send name=now" END);
  shutdown (fixture.fd, SHUT_WR);
  answer = wires_fixture_receive (&fixture, NULL);
  g_assert_cmpstr (answer, ==, OK END);
  g_assert_cmpuint (atomic_load (&fixture.n_events_refused), ==, 1);
  wires_fixture_clear (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (talk_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/rpc/text-wire/talk/%s", talk_cases[i].name);

    g_test_add_data_func (path, &talk_cases[i], test_talk);
  }
  g_test_add_func ("/rpc/text-wire/wrong-syntax", test_syntax);
  g_test_add_func ("/rpc/text-wire/split-at-each-byte", test_split);
  g_test_add_func ("/rpc/text-wire/answered-in-order", test_order);
  g_test_add_func ("/rpc/text-wire/too-long", test_too_long);
  g_test_add_func ("/rpc/text-wire/no-event", test_event);

  return g_test_run ();
}
