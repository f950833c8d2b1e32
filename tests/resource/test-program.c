/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/program-private.h"

#include "resource/property.h"
#include "resource/request.h"
#include "resource/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Two clients, of which the second may only read, and what the program says to
 * them. Handles have the numbers from 1 in each case.
 */

/* A call; or, without a method, what comes next from the server; or, in capital
 * letters, what the daemon does. Nothing is expected where @expected is NULL;
 * more than it may have come. */
typedef struct {
  const char *method;
  const char *params;
  const char *expected;
} Exchange;

typedef struct {
  const char *name;
  gboolean reads_only;
  Exchange exchanges[12];
} Case;

#define OPEN(path, flags) "open", "{\"path\":\"" path "\",\"flags\":" #flags "}"
#define READ(handle, size)                                                     \
  "read", "{\"handle\":" #handle ",\"offset\":0,\"size\":" #size               \
          ",\"timeout_ms\":0}"
#define READ_FOR_MS(handle, ms)                                                \
  "read", "{\"handle\":" #handle                                               \
          ",\"offset\":0,\"size\":9,\"timeout_ms\":" #ms "}"
/* "dg==" is "v", "IQ==" is "!", which is no value. */
#define WRITE(handle, base64)                                                  \
  "write", "{\"handle\":" #handle ",\"offset\":0,\"bytes\":\"" base64          \
           "\",\"timeout_ms\":0}"
#define DEVCTL(handle, code, size)                                             \
  "devctl", "{\"handle\":" #handle ",\"code\":" #code                          \
            ",\"bytes\":\"dg==\",\"max_size\":" #size ",\"timeout_ms\":0}"
#define WITH(handle) "{\"handle\":" #handle "}"
#define NOTIFY(handle, action)                                                 \
  "notify", "{\"handle\":" #handle ",\"action\":\"RESOURCE_NOTIFY_" #action    \
            "\",\"events\":1,\"cookie\":77}"
#define SEND(type, base64, size)                                               \
  "send", "{\"type\":" #type ",\"bytes\":\"" base64 "\",\"max_size\":" #size "}"
#define PULSE(code) "pulse", "{\"code\":" #code ",\"value\":5}"
#define COMBINE(closes, steps)                                                 \
  "combine", "{\"closes\":" #closes ",\"steps\":[" steps "]}"
#define STEP(kind, name, body)                                                 \
  "{\"kind\":\"RESOURCE_STEP_" #kind "\",\"" name "\":{" body "}}"
#define OPEN_STEP(path, flags)                                                 \
  STEP (OPEN, "open", "\"path\":\"" path "\",\"flags\":" #flags)
#define READ_STEP(handle, size)                                                \
  STEP (READ, "read",                                                          \
        "\"handle\":" #handle ",\"offset\":0,\"size\":" #size                  \
        ",\"timeout_ms\":0")
#define WRITE_STEP(handle, base64)                                             \
  STEP (WRITE, "write",                                                        \
        "\"handle\":" #handle ",\"offset\":0,\"bytes\":\"" base64              \
        "\",\"timeout_ms\":0")
#define STAT_STEP(handle) STEP (STAT, "stat", "\"handle\":" #handle)
#define CLOSE_STEP(handle) STEP (CLOSE, "close", "\"handle\":" #handle)

#define BAD_HANDLE "Bad file descriptor"

/* clang-format off */
static const Case cases[] = {
  { "handle/is-the-client's-until-it-is-closed", FALSE, {
    { OPEN ("/name", 3), "\"handle\":1" },
    { READ (1, 9), "b25l" },
    { "close", WITH (1), "result" },
    { READ (1, 9), BAD_HANDLE },
    { WRITE (1, "dg=="), BAD_HANDLE },
    { DEVCTL (1, 1, 1), BAD_HANDLE },
    { NOTIFY (1, ARM), BAD_HANDLE },
    { "stat", WITH (1), BAD_HANDLE },
    { "cancel", WITH (1), BAD_HANDLE },
    { "close", WITH (1), BAD_HANDLE },
  } },
  { "handle/none-is-0", FALSE, {
    { OPEN ("/name", 3), "\"handle\":1" },
    { READ (0, 9), BAD_HANDLE },
    { "close", WITH (0), BAD_HANDLE },
  } },
  { "open/refuses-flags-without-sense", FALSE, {
    { OPEN ("/name", 0), "Invalid argument" },
    { OPEN ("/name", 4), "Invalid argument" },
    { OPEN ("/name", 9), "Invalid argument" },
    { OPEN ("/name", 16), "Invalid argument" },
    { OPEN ("/none", 1), "/none: No such file" },
    { OPEN ("/name/x", 1), "Not a directory" },
  } },
  { "read-only/changes-nothing", TRUE, {
    { OPEN ("/name", 1), "\"handle\":1" },
    { OPEN ("/name", 2), "read only access" },
    { OPEN ("/log", 9), "error" },
    { WRITE (1, "dg=="), "error" },
    { DEVCTL (1, 1, 1), "error" },
    { SEND (1000, "dg==", 9), "error" },
    { PULSE (7), "error" },
    { COMBINE (true, OPEN_STEP ("/name", 2)), "\"error\":13" },
    { COMBINE (true, OPEN_STEP ("/ioctl", 1) ","
        STEP (DEVCTL, "devctl", "\"handle\":0,\"code\":1,\"bytes\":\"\","
              "\"max_size\":9,\"timeout_ms\":0")), "\"error\":13" },
    { READ (1, 9), "b25l" },
  } },
  { "read/waits-for-its-record", FALSE, {
    { OPEN ("/events", 1), "\"handle\":1" },
    { READ (1, 9), NULL },
    { READ (1, 9), NULL },
    { "RECORD", NULL, "cmVjb3JkCg==" },
    { "RECORD", NULL, "cmVjb3JkCg==" },
  } },
  { "read/ends-with-its-handle", FALSE, {
    { OPEN ("/events", 1), "\"handle\":1" },
    { READ (1, 9), NULL },
    { "close", WITH (1), BAD_HANDLE },
    { NULL, NULL, "result" },
  } },
  { "read/ends-when-it-is-cancelled", FALSE, {
    { OPEN ("/events", 1), "\"handle\":1" },
    { READ (1, 9), NULL },
    { READ (1, 9), NULL },
    { "cancel", WITH (1), "Interrupted" },
    { NULL, NULL, "Interrupted" },
    { NULL, NULL, "\"count\":2" },
    { "cancel", WITH (1), "\"count\":0" },
    { "RECORD", NULL, NULL },
    { READ (1, 9), "cmVjb3JkCg==" },
  } },
  { "read/ends-in-time", FALSE, {
    { OPEN ("/events", 1), "\"handle\":1" },
    { READ_FOR_MS (1, 1), NULL },
    { "WAIT", NULL, "timed out" },
  } },
  { "read/ends-for-a-successor", FALSE, {
    { OPEN ("/events", 1), "\"handle\":1" },
    { NOTIFY (1, ARM), "\"armed\":true" },
    { READ (1, 9), NULL },
    { "INTERRUPT", NULL, "Interrupted" },
    { NULL, NULL, "\"ready\":0" },
    { "INTERRUPT", NULL, NULL },
  } },
  { "devctl/gives-back-what-was-asked-for", FALSE, {
    { OPEN ("/ioctl", 3), "\"handle\":1" },
    { DEVCTL (1, 5, 9), "\"value\":5" },
    { DEVCTL (1, 5, 9), "\"bytes\":\"dnY=\"" },
    { DEVCTL (1, 5, 1), "\"bytes\":\"dg==\"" },
    { DEVCTL (1, 5, 0), "\"bytes\":\"\"" },
    { DEVCTL (1, 6, 9), "Inappropriate ioctl" },
    { OPEN ("/name", 3), "\"handle\":2" },
    { DEVCTL (2, 5, 9), "Inappropriate ioctl" },
  } },
  { "notify/tells-once", FALSE, {
    { OPEN ("/name", 1), "\"handle\":1" },
    { READ (1, 9), "b25l" },
    { NOTIFY (1, ARM), "\"armed\":true" },
    { "CHANGE", NULL, "\"cookie\":77" },
    { "CHANGE", NULL, NULL },
  } },
  { "notify/does-not-arm-for-what-is-true", FALSE, {
    { OPEN ("/name", 1), "\"handle\":1" },
    { NOTIFY (1, ARM), "\"armed\":false" },
    { "CHANGE", NULL, NULL },
    { NOTIFY (1, NEXT), "\"armed\":true" },
    { "CHANGE", NULL, "notified" },
  } },
  { "notify/is-taken-back", FALSE, {
    { OPEN ("/name", 1), "\"handle\":1" },
    { NOTIFY (1, NEXT), "\"armed\":true" },
    { NOTIFY (1, POLL), "\"armed\":false" },
    { "CHANGE", NULL, NULL },
    { NOTIFY (1, NEXT), "\"armed\":true" },
    { "close", WITH (1), "result" },
    { "CHANGE", NULL, NULL },
  } },
  { "notify/arms-again-in-its-place", FALSE, {
    { OPEN ("/name", 1), "\"handle\":1" },
    { NOTIFY (1, NEXT), "\"armed\":true" },
    { NOTIFY (1, NEXT), "\"armed\":true" },
    { "CHANGE", NULL, "notified" },
    { "CHANGE", NULL, NULL },
  } },
  { "notify/needs-an-eventfd-where-one-is-named", FALSE, {
    { OPEN ("/name", 1), "\"handle\":1" },
    { "notify_fd", "{\"handle\":1,\"action\":\"RESOURCE_NOTIFY_ARM\","
      "\"events\":1,\"cookie\":1}", "error" },
  } },
  { "combine/gives-all-results", FALSE, {
    { COMBINE (true, OPEN_STEP ("/name", 3) "," WRITE_STEP (0, "dg==") ","
        STAT_STEP (0) "," READ_STEP (0, 9)),
      "\"read\":{\"bytes\":\"dg==\"}" },
    { "stat", WITH (1), BAD_HANDLE },
  } },
  { "combine/leaves-open-what-it-is-told-to", FALSE, {
    { COMBINE (false, OPEN_STEP ("/name", 3)), "\"handle\":1" },
    { READ (1, 9), "b25l" },
  } },
  { "combine/stops-at-the-first-that-fails", FALSE, {
    { OPEN ("/null", 1), "\"handle\":1" },
    { COMBINE (false, OPEN_STEP ("/name", 3) "," WRITE_STEP (0, "IQ==") ","
        WRITE_STEP (0, "dg==")), "\"error\":22" },
    { "stat", WITH (2), BAD_HANDLE },
    { "stat", WITH (1), "result" },
    { OPEN ("/name", 1), "\"handle\":3" },
    { READ (3, 9), "b25l" },
  } },
  { "combine/0-is-what-was-opened-last", FALSE, {
    { COMBINE (true, OPEN_STEP ("/null", 1) "," OPEN_STEP ("/name", 1) ","
        READ_STEP (0, 9)), "b25l" },
    { COMBINE (true, READ_STEP (0, 9)), "\"error\":9" },
    { COMBINE (true, OPEN_STEP ("/name", 1) "," CLOSE_STEP (0) ","
        STAT_STEP (0)), "\"error\":9" },
  } },
  { "combine/waits", FALSE, {
    { COMBINE (true, OPEN_STEP ("/events", 1) "," READ_STEP (0, 9) ","
        READ_STEP (0, 9)), NULL },
    { "RECORD", NULL, NULL },
    { "RECORD", NULL, "\"error\":0" },
  } },
  { "combine/ends-as-its-handle-is-closed", FALSE, {
    { COMBINE (true, OPEN_STEP ("/events", 1) "," READ_STEP (0, 9)), NULL },
    { "close", WITH (1), "\"error\":9" },
    { NULL, NULL, "result" },
  } },
  { "combine/may-close-what-another-waits-for", FALSE, {
    { OPEN ("/events", 1), "\"handle\":1" },
    { READ (1, 9), NULL },
    { COMBINE (true, CLOSE_STEP (1)), BAD_HANDLE },
    { NULL, NULL, "\"error\":0" },
  } },
  { "combine/of-nothing", FALSE, {
    { COMBINE (true, ""), "\"results\":[]" },
  } },
  { "messages/reach-their-function", FALSE, {
    { SEND (1000, "dg==", 9), "\"bytes\":\"dg==\"" },
    { SEND (1010, "dnY=", 1), "\"bytes\":\"dg==\"" },
    { SEND (1000, "", 9), "Invalid argument" },
    { SEND (999, "dg==", 9), "not implemented" },
    { SEND (1011, "dg==", 9), "not implemented" },
  } },
  { "messages/are-answered-later", FALSE, {
    { SEND (1000, "a2VlcA==", 9), NULL },
    { "ANSWER", NULL, "bGF0ZXI=" },
  } },
  { "pulses/reach-their-function", FALSE, {
    { PULSE (7), "result" },
    { PULSE (8), "not implemented" },
  } },
};
/* clang-format on */

typedef struct {
  ReeveLoop *loop;
  ReeveResourceTree *tree;
  ReeveServer *server;
  ReeveResourceProgram *program;
  ReeveResourceNode *name;
  ReeveResourceNode *events;
  GString *value;
  GQueue kept; /* (element-type ReeveResourceMessage) */
  int64_t pulses;

  int fd;           /* of the client */
  GString *came;    /* from the server, and not looked at */
  GQueue messages;  /* (element-type utf8) (owned): of it, in order */
  unsigned n_calls; /* of the client */
} Fixture;

/* ---------------------------------------------------------------- daemon -- */

static void
show_value (ReeveResourceRequest *request, gpointer data)
{
  reeve_resource_request_show_text (request,
                                    g_strdup (((Fixture *) data)->value->str));
}

static void
set_value (ReeveResourceRequest *request, const char *text, gpointer data)
{
  if (g_str_equal (text, "!")) {
    reeve_resource_request_fail (request, EINVAL);
    return;
  }
  g_string_assign (((Fixture *) data)->value, text);
  reeve_resource_request_take (request);
}

/* Says it twice. */
static void
double_bytes (ReeveResourceRequest *request, gpointer data)
{
  const char *bytes = reeve_resource_request_get_bytes (request);
  g_autofree char *twice = NULL;

  if (reeve_resource_request_get_code (request) != 5) {
    reeve_resource_request_fail (request, ENOTTY);
    return;
  }
  twice = g_strdup_printf ("%c%c", *bytes, *bytes);
  reeve_resource_request_answer (request, 5, twice, 2);
}

static void
attach (Fixture *self, const char *path, ReeveResourceNode *node)
{
  g_assert_cmpint (reeve_resource_tree_attach (self->tree, path, 0, node, NULL),
                   ==, 0);
  reeve_resource_node_unref (node);
}

static void
take_message (ReeveResourceMessage *message, gpointer data)
{
  Fixture *self = data;
  size_t size;
  const char *bytes = reeve_resource_message_get_bytes (message, &size);

  if (size == 0)
    reeve_resource_message_fail (message, EINVAL);
  else if (*bytes == 'k')
    g_queue_push_tail (&self->kept, message);
  else
    reeve_resource_message_reply (message, 0, bytes, size);
}

static void
take_pulse (int code, int64_t value, gpointer data)
{
  ((Fixture *) data)->pulses += value;
}

static void
fixture_init (Fixture *self, gboolean reads_only)
{
  static const ReeveResourceTextFuncs value_funcs = { show_value, set_value };
  static const ReeveResourceOps ioctl_ops = { .devctl = double_bytes };
  const ReeveServiceOptions options = {
    .wires = REEVE_WIRE_ALL,
    .flags = reads_only ? REEVE_SERVICE_READ_ONLY : 0,
  };
  int ends[2];

  *self = (Fixture){ 0 };
  self->loop = reeve_loop_new (NULL);
  self->tree = reeve_resource_tree_new ();
  self->value = g_string_new ("one");
  self->name = reeve_resource_property_new (0666, &value_funcs, self, NULL);
  self->events = reeve_resource_stream_new (0444, 4);
  attach (self, "/name", reeve_resource_node_ref (self->name));
  attach (self, "/events", reeve_resource_node_ref (self->events));
  attach (self, "/log", reeve_resource_log_new (0666, 4096));
  attach (self, "/null", reeve_resource_node_new (0666, NULL, NULL, NULL));
  attach (self, "/ioctl",
          reeve_resource_node_new (0666, &ioctl_ops, NULL, NULL));
  self->server = reeve_server_new ("test", self->loop, NULL);
  self->program = reeve_resource_program_new (self->server, self->tree);
  self->program->last_handle = 0;
  reeve_resource_program_attach_messages (self->program, 1000, 1010,
                                          take_message, self);
  reeve_resource_program_attach_pulse (self->program, 7, take_pulse, self);

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                   ==, 0);
  self->fd = ends[0];
  self->came = g_string_new (NULL);
  reeve_server_add_fd_client (self->server, ends[1], &options);
}

/* ---------------------------------------------------------------- client -- */

static gboolean
receive (Fixture *self)
{
  char buffer[4096];
  ssize_t size = recv (self->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  const char *end = NULL;

  if (size <= 0)
    return FALSE;
  g_string_append_len (self->came, buffer, size);
  while ((end = strchr (self->came->str, '\n')) != NULL) {
    gssize length = end - self->came->str;

    g_queue_push_tail (&self->messages,
                       g_strndup (self->came->str, (gsize) length));
    g_string_erase (self->came, 0, length + 1);
  }
  return TRUE;
}

/* All of it is the loop's work: it is done when there is none. */
static void
turn (Fixture *self)
{
  gboolean is_busy;

  do {
    is_busy =
        g_main_context_iteration (reeve_loop_get_context (self->loop), FALSE);
    is_busy |= receive (self);
  } while (is_busy);
}

static void
wait_for_message (Fixture *self)
{
  while (g_queue_is_empty (&self->messages)) {
    g_main_context_iteration (reeve_loop_get_context (self->loop), TRUE);
    turn (self);
  }
}

static void
send_call (Fixture *self, const char *method, const char *params)
{
  g_autofree char *text =
      g_strdup_printf ("{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"resource.%"
                       "s\",\"params\":%s}",
                       ++self->n_calls, method, params);

  g_assert_cmpint (send (self->fd, text, strlen (text), MSG_NOSIGNAL), ==,
                   strlen (text));
}

static void
answer_kept (Fixture *self)
{
  ReeveResourceMessage *message;

  while ((message = g_queue_pop_head (&self->kept)) != NULL)
    reeve_resource_message_reply (message, 0, "later", 5);
}

static void
do_deed (Fixture *self, const char *deed)
{
  if (g_str_equal (deed, "RECORD"))
    reeve_resource_stream_push (self->events, "record\n");
  else if (g_str_equal (deed, "CHANGE"))
    reeve_resource_node_notify (self->name);
  else if (g_str_equal (deed, "INTERRUPT"))
    reeve_resource_program_interrupt (self->program);
  else if (g_str_equal (deed, "ANSWER"))
    answer_kept (self);
  else
    wait_for_message (self);
}

/* @message: (nullable) */
static void
assert_contains (const char *message, const char *expected)
{
  g_assert_nonnull (message);
  if (strstr (message, expected) == NULL)
    g_assert_cmpstr (message, ==, expected);
}

static void
exchange (Fixture *self, const Exchange *step)
{
  g_autofree char *message = NULL;

  if (step->method != NULL && g_ascii_isupper (*step->method))
    do_deed (self, step->method);
  else if (step->method != NULL)
    send_call (self, step->method, step->params);
  turn (self);

  message = g_queue_pop_head (&self->messages);
  if (step->expected == NULL)
    g_assert_cmpstr (message, ==, NULL);
  else
    assert_contains (message, step->expected);
}

static void
hang_up (Fixture *self)
{
  close (self->fd);
  self->fd = -1;
  turn (self);
  g_assert_cmpuint (reeve_resource_program_count_open (self->program), ==, 0);
  g_assert_cmpuint (reeve_resource_program_count_waiting (self->program), ==,
                    0);
}

static void
fixture_clear (Fixture *self)
{
  if (self->fd >= 0)
    hang_up (self);
  answer_kept (self);
  reeve_server_stop (self->server);
  reeve_resource_program_free (self->program);
  reeve_server_unref (self->server);
  reeve_resource_node_unref (self->name);
  reeve_resource_node_unref (self->events);
  reeve_resource_tree_free (self->tree);
  reeve_loop_unref (self->loop);
  g_string_free (self->value, TRUE);
  g_string_free (self->came, TRUE);
  g_queue_clear_full (&self->messages, g_free);
}

/* ----------------------------------------------------------------- tests -- */

static void
test_case (gconstpointer data)
{
  const Case *row = data;
  Fixture fixture;

  fixture_init (&fixture, row->reads_only);
  for (size_t i = 0; i < G_N_ELEMENTS (row->exchanges); i++) {
    const Exchange *step = &row->exchanges[i];

    if (step->method != NULL || step->expected != NULL)
      exchange (&fixture, step);
  }
  g_assert_cmpuint (fixture.messages.length, ==, 0);
  fixture_clear (&fixture);
}

static void
test_pulses (void)
{
  Fixture fixture;

  fixture_init (&fixture, FALSE);
  for (int i = 0; i < 3; i++)
    exchange (&fixture, &(Exchange){ PULSE (7), "result" });
  g_assert_cmpint (fixture.pulses, ==, 15);
  fixture_clear (&fixture);
}

/* A client has so many handles, and another one as many. */
static void
test_bounds (void)
{
  Fixture fixture;

  fixture_init (&fixture, FALSE);
  for (int i = 0; i < REEVE_RESOURCE_MAX_HANDLES; i++)
    exchange (&fixture, &(Exchange){ OPEN ("/name", 1), "result" });
  exchange (&fixture, &(Exchange){ OPEN ("/name", 1), "Too many open files" });
  exchange (&fixture, &(Exchange){ COMBINE (true, OPEN_STEP ("/name", 1)),
                                   "\"error\":24" });
  exchange (&fixture, &(Exchange){ "close", WITH (9), "result" });
  exchange (&fixture, &(Exchange){ OPEN ("/name", 1), "\"handle\":257" });
  fixture_clear (&fixture);
}

/* What a COMBINE reads is bounded as a whole. */
static void
test_bytes_of_combine (void)
{
  g_autofree char *large = g_strnfill (RESOURCE_BYTES_MAX - 1, 'x');
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_log_new (0444, RESOURCE_BYTES_MAX);
  Fixture fixture;

  fixture_init (&fixture, FALSE);
  reeve_resource_log_append (node, large, RESOURCE_BYTES_MAX - 1);
  attach (&fixture, "/large", reeve_resource_node_ref (node));
  /* A byte is left to the second, and none to the third. */
  exchange (
      &fixture,
      &(Exchange){
          COMBINE (
              true,
              OPEN_STEP ("/large", 1) "," READ_STEP (0, 1048576) "," READ_STEP (
                  0, 1048576) "," READ_STEP (0, 1048576)),
          "\"read\":{\"bytes\":\"eA==\"}},{\"kind\":"
          "\"RESOURCE_STEP_READ\",\"read\":{\"bytes\":\"\"}}]" });
  fixture_clear (&fixture);
}

/* Whatever its calls wait for, nothing is left of who goes. */
static void
test_hang_up (void)
{
  Fixture fixture;

  fixture_init (&fixture, FALSE);
  exchange (&fixture, &(Exchange){ OPEN ("/events", 1), "result" });
  exchange (&fixture, &(Exchange){ READ (1, 9), NULL });
  exchange (&fixture,
            &(Exchange){ COMBINE (true, OPEN_STEP ("/events", 1) "," READ_STEP (
                                            0, 9) "," OPEN_STEP ("/name", 1)),
                         NULL });
  exchange (&fixture, &(Exchange){ NOTIFY (1, NEXT), "\"armed\":true" });
  exchange (&fixture, &(Exchange){ SEND (1000, "a2VlcA==", 9), NULL });
  g_assert_cmpuint (reeve_resource_program_count_open (fixture.program), ==, 2);
  g_assert_cmpuint (reeve_resource_program_count_waiting (fixture.program), ==,
                    2);
  hang_up (&fixture);
  reeve_resource_stream_push (fixture.events, "for nobody\n");
  fixture_clear (&fixture);
}

static void
test_ranges (void)
{
  static const struct {
    uint32_t low;
    uint32_t high;
    int result;
  } rows[] = {
    { 511, 600, EINVAL },   { 900, 899, EINVAL },   { 900, 1000, EEXIST },
    { 1010, 1020, EEXIST }, { 1003, 1004, EEXIST }, { 512, 2000, EEXIST },
    { 512, 999, 0 },        { 1011, 1011, 0 },
  };
  Fixture fixture;

  fixture_init (&fixture, FALSE);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpint (
        reeve_resource_program_attach_messages (
            fixture.program, rows[i].low, rows[i].high, take_message, &fixture),
        ==, rows[i].result);
  g_assert_cmpint (reeve_resource_program_attach_pulse (fixture.program, 7,
                                                        take_pulse, &fixture),
                   ==, EEXIST);
  exchange (&fixture, &(Exchange){ SEND (512, "dg==", 9), "dg==" });
  fixture_clear (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path =
        g_strconcat ("/resource/program/", cases[i].name, NULL);

    g_test_add_data_func (path, &cases[i], test_case);
  }
  g_test_add_func ("/resource/program/pulses/are-added", test_pulses);
  g_test_add_func ("/resource/program/bounds/handles", test_bounds);
  g_test_add_func ("/resource/program/bounds/bytes-of-combine",
                   test_bytes_of_combine);
  g_test_add_func ("/resource/program/hang-up/leaves-nothing", test_hang_up);
  g_test_add_func ("/resource/program/messages/ranges", test_ranges);
  return g_test_run ();
}
