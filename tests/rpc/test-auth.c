/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server-loops.h"

#include "event/thread.h"
#include "protocol/auth.h"
#include "protocol/keepalive.h"
#include "rpc/auth.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "rpc/wire-xdr.h"
#include "sasl-fixture.h"
#include "tests/rpc/patience.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server that wants SASL, with its loop in a thread of its own, and a
 * client's end of a socket. */

#define MAX_STEPS 5
/* More than any reply takes here. */
#define MAX_FRAME 4096

typedef enum { END, LIST, INIT, START, STEP, POLKIT, QUICK, PING } Kind;

/* What a step leads to, besides the code of an error. */
enum { OK = 0, CLOSED = -1 };

typedef struct {
  Kind kind;
  int result;
  const char *mechanism; /* [SCRAM-SHA-256] */
  size_t size;           /* of the data; 0: nil */
} CallStep;

typedef struct {
  const char *name;
  gboolean is_tcp;
  const char *mechanisms; /* of the server */
  const char *names;      /* (nullable): that are allowed */
  unsigned timeout_ms;    /* until it has to be authenticated; 0: default */
  gboolean is_known;      /* it authenticates first */
  CallStep steps[MAX_STEPS];
} AuthCase;

typedef struct {
  const AuthCase *row;
  SaslFixture sasl;
  ReeveLoop *loop;
  ReeveServer *server;
  pthread_t thread;
  ReeveStream *stream; /* (owned) */
  int fd;              /* of it */
  uint32_t serial;     /* of the last call */
  atomic_uint n_quick; /* calls that ran */
} Fixture;

/* ------------------------------------------------------------- fixture --- */

static gboolean
quick (ReeveCall *call, GError **error)
{
  Fixture *self = reeve_call_get_user_data (call);

  atomic_fetch_add (&self->n_quick, 1);
  return TRUE;
}

static const patience_handlers handlers = { .quick = quick };

static void
make_tcp_pair (int ends[2])
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  int listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_no_errno (bind (listener, (struct sockaddr *) &address, size));
  g_assert_no_errno (listen (listener, 1));
  g_assert_no_errno (
      getsockname (listener, (struct sockaddr *) &address, &size));
  ends[0] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_no_errno (connect (ends[0], (struct sockaddr *) &address, size));
  ends[1] = accept4 (listener, NULL, NULL, SOCK_CLOEXEC);
  g_assert_cmpint (ends[1], >=, 0);
  close (listener);
}

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
set_up (Fixture *self, gconstpointer data)
{
  const AuthCase *row = data;
  const ReeveServerLimits limits = { .auth_timeout_ms = row->timeout_ms };
  const ReeveServiceOptions service = { .auth = REEVE_AUTH_SASL };
  const char *const mechanisms[] = { row->mechanisms, NULL };
  const char *const names[] = { row->names, NULL };
  ReeveAuthOptions options = {
    .sasl_realm = SASL_FIXTURE_REALM,
    .sasl_mechanisms = mechanisms,
    .sasl_names = row->names == NULL ? NULL : names,
    .sasl_min_ssf = REEVE_AUTH_MIN_SSF,
    .sasl_failure_delay_ms = 1,
  };
  int ends[2];

  self->row = row;
  sasl_fixture_set_up (&self->sasl);
  options.sasl_database = self->sasl.database;
  if (row->is_tcp)
    make_tcp_pair (ends);
  else
    g_assert_no_errno (
        socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));

  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, &limits);
  reeve_auth_register (self->server, &options);
  reeve_server_add_program (self->server, &patience_program, &handlers, self);
  reeve_server_add_fd_client (self->server, ends[1], &service);
  self->fd = ends[0];
  self->stream = reeve_stream_new_for_fd (self->fd);
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
  reeve_server_stop (self->server);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  reeve_stream_free (self->stream);
  sasl_fixture_tear_down (&self->sasl);
}

/* --------------------------------------------------------------- bytes --- */

static void
wait_for (Fixture *self, gboolean may_write)
{
  GPollFD poll = { self->fd, may_write ? G_IO_OUT : G_IO_IN, 0 };

  g_assert_cmpint (g_poll (&poll, 1, 20000), ==, 1);
}

static void
send_bytes (Fixture *self, const uint8_t *data, size_t size)
{
  while (size > 0 || reeve_stream_has_output (self->stream)) {
    struct iovec vector = { (void *) data, size };
    gssize n_sent = reeve_stream_sendv (self->stream, &vector, 1);

    /* It closes in the middle of what it does not want to have. */
    if (n_sent < 0 && errno != EAGAIN)
      return;
    if (n_sent < 0)
      wait_for (self, TRUE);
    data += MAX (n_sent, 0);
    size -= (size_t) MAX (n_sent, 0);
  }
}

static GBytes *
encode (Fixture *self,
        const ReeveProgram *program,
        int32_t procedure,
        const ReeveType *type,
        gconstpointer args)
{
  const ReeveHeader header = {
    .program = program->number,
    .version = program->version,
    .procedure = procedure,
    .type = program == &keepalive_program ? REEVE_MESSAGE_EVENT
                                          : REEVE_MESSAGE_CALL,
    .serial = ++self->serial,
  };
  GError *error = NULL;
  GBytes *frame = reeve_message_encode (&header, type, args, &error);

  g_assert_no_error (error);
  return frame;
}

/* Reads @size bytes; FALSE at the end of the connection. */
static gboolean
read_bytes (Fixture *self, uint8_t *data, size_t size)
{
  while (size > 0) {
    gssize n_read = reeve_stream_recv (self->stream, data, size, NULL);

    if (n_read == 0 || (n_read < 0 && errno == ECONNRESET))
      return FALSE;
    if (n_read < 0) {
      g_assert_cmpint (errno, ==, EAGAIN);
      wait_for (self, FALSE);
      continue;
    }
    data += n_read;
    size -= (size_t) n_read;
  }

  return TRUE;
}

/* Returns a reply's error code, OK with its value, or CLOSED. */
static int
read_reply (Fixture *self, const ReeveType *type, void *ret)
{
  uint8_t frame[MAX_FRAME];
  const uint8_t *payload = frame + REEVE_PAYLOAD_OFFSET;
  ReeveHeader header;
  size_t size;

  if (!read_bytes (self, frame, REEVE_LENGTH_SIZE))
    return CLOSED;
  size = reeve_length_decode (frame);
  g_assert_cmpuint (size, <=, sizeof frame);
  if (!read_bytes (self, frame + REEVE_LENGTH_SIZE, size - REEVE_LENGTH_SIZE))
    return CLOSED;

  reeve_header_decode (&header, frame + REEVE_LENGTH_SIZE);
  size -= REEVE_PAYLOAD_OFFSET;
  if (header.status == REEVE_STATUS_ERROR) {
    g_autoptr (GError) error = reeve_message_decode_error (payload, size);

    g_assert_cmpuint (header.serial, ==, self->serial);
    return error->code;
  }
  if (ret != NULL)
    g_assert_true (reeve_xdr_decode (type, payload, size, ret, NULL, NULL));
  return OK;
}

/* --------------------------------------------------------------- calls --- */

static GBytes *
encode_start (Fixture *self,
              const char *mechanism,
              const char *data,
              size_t size)
{
  const auth_sasl_start_args args = {
    .mech = (char *) mechanism,
    .nil = data == NULL,
    .data = { (uint32_t) size, (int8_t *) data },
  };

  return encode (self, &auth_program, AUTH_PROC_SASL_START,
                 &auth_sasl_start_args_type, &args);
}

static GBytes *
encode_sasl_step (Fixture *self, const char *data, size_t size)
{
  const auth_sasl_step_args args = {
    .nil = data == NULL,
    .data = { (uint32_t) size, (int8_t *) data },
  };

  return encode (self, &auth_program, AUTH_PROC_SASL_STEP,
                 &auth_sasl_step_args_type, &args);
}

static void
send_frame (Fixture *self, GBytes *frame)
{
  gsize size;
  const uint8_t *data = g_bytes_get_data (frame, &size);

  send_bytes (self, data, size);
  g_bytes_unref (frame);
}

/* A frame that asks for more than the type allows cannot be encoded: it is one
 * with the counts changed. */
static GBytes *
encode_large_start (Fixture *self, size_t size)
{
  const size_t max = AUTH_DATA_MAX;
  g_autofree char *data = g_malloc0 (size);
  g_autoptr (GBytes) frame = encode_start (self, "x", data, MIN (size, max));
  gsize frame_size;
  const uint8_t *bytes = g_bytes_get_data (frame, &frame_size);
  size_t more = 4 * (size - MIN (size, max));
  uint8_t *changed = g_malloc0 (frame_size + more);
  uint32_t length = GUINT32_TO_BE ((uint32_t) (frame_size + more));
  uint32_t count = GUINT32_TO_BE ((uint32_t) size);

  memcpy (changed, bytes, frame_size);
  memcpy (changed, &length, sizeof length);
  /* behind "x", padded, and nil */
  memcpy (changed + REEVE_PAYLOAD_OFFSET + 12, &count, sizeof count);
  return g_bytes_new_take (changed, frame_size + more);
}

static GBytes *
encode_step (Fixture *self, const CallStep *step)
{
  const char *mechanism =
      step->mechanism == NULL ? "SCRAM-SHA-256" : step->mechanism;
  g_autofree char *data = step->size == 0 ? NULL : g_malloc0 (step->size);

  switch (step->kind) {
  case LIST:
    return encode (self, &auth_program, AUTH_PROC_LIST, NULL, NULL);
  case INIT:
    return encode (self, &auth_program, AUTH_PROC_SASL_INIT, NULL, NULL);
  case START:
    return step->size > AUTH_DATA_MAX
               ? encode_large_start (self, step->size)
               : encode_start (self, mechanism, data, step->size);
  case STEP:
    return encode_sasl_step (self, data, step->size);
  case POLKIT:
    return encode (self, &auth_program, AUTH_PROC_POLKIT, NULL, NULL);
  case PING:
    return encode (self, &keepalive_program, KEEPALIVE_PROC_PING, NULL, NULL);
  default:
    return encode (self, &patience_program, PATIENCE_PROC_QUICK, NULL, NULL);
  }
}

/* ------------------------------------------------------------ exchange --- */

/* The server's answer to a message, and what the client makes of it; @more
 * follows the message in the same write. */
static void
say (Fixture *self,
     ReeveSaslClient *client,
     GBytes *frame,
     GBytes *more,
     ReeveSaslMessage *said,
     auth_sasl_ret *ret)
{
  g_autoptr (GByteArray) bytes = g_bytes_unref_to_array (frame);
  GError *error = NULL;

  if (more != NULL)
    g_byte_array_append (bytes, g_bytes_get_data (more, NULL),
                         (guint) g_bytes_get_size (more));
  send_bytes (self, bytes->data, bytes->len);
  reeve_type_clear (&auth_sasl_ret_type, ret);
  g_assert_cmpint (read_reply (self, &auth_sasl_ret_type, ret), ==, OK);
  if (!said->is_complete)
    reeve_sasl_client_step (client,
                            ret->nil ? NULL : (const char *) ret->data.items,
                            ret->data.n_items, said, &error);
  g_assert_no_error (error);
}

/* @more: (nullable): what the client sends behind its last message. */
static void
authenticate (Fixture *self, GBytes *more)
{
  g_autoptr (GError) error = NULL;
  ReeveSaslClient *client =
      reeve_sasl_client_new ("localhost", !self->row->is_tcp, sasl_fixture_get,
                             (gpointer) &sasl_fixture_alice, &error);
  auth_sasl_init_ret mechanisms = { 0 };
  auth_sasl_ret ret = { 0 };
  ReeveSaslMessage said;
  ReeveSaslLayer *layer;
  const char *mechanism;

  g_assert_no_error (error);
  send_frame (self,
              encode (self, &auth_program, AUTH_PROC_SASL_INIT, NULL, NULL));
  g_assert_cmpint (read_reply (self, &auth_sasl_init_ret_type, &mechanisms), ==,
                   OK);
  reeve_sasl_client_start (client, mechanisms.mechlist, &mechanism, &said,
                           &error);
  g_assert_no_error (error);

  say (self, client, encode_start (self, mechanism, said.data, said.size), NULL,
       &said, &ret);
  /* both mechanisms end with the second message */
  say (self, client, encode_sasl_step (self, said.data, said.size), more, &said,
       &ret);
  g_assert_true (ret.complete);
  g_assert_true (said.is_complete);
  auth_sasl_ret_clear (&ret);
  auth_sasl_init_ret_clear (&mechanisms);

  layer = reeve_sasl_client_to_layer (client);
  g_assert_cmpint (layer != NULL, ==, self->row->is_tcp);
  if (layer != NULL)
    reeve_stream_set_layer (self->stream, &reeve_sasl_layer_class, layer);
}

/* --------------------------------------------------------------- tests --- */

#define SCRAM FALSE, "SCRAM-SHA-256", NULL, 0, FALSE
#define KNOWN FALSE, "SCRAM-SHA-256", NULL, 0, TRUE
#define WRAPPED TRUE, "DIGEST-MD5", NULL, 0, TRUE

static const AuthCase auth_cases[] = {
  { "calls-are-refused-before",
    SCRAM,
    { { QUICK, REEVE_ERROR_RPC }, { LIST, OK }, { QUICK, REEVE_ERROR_RPC } } },
  { "a-ping-is-answered-before", SCRAM, { { PING, OK }, { LIST, OK } } },
  { "start-without-init", SCRAM, { { START, REEVE_ERROR_AUTH_FAILED } } },
  { "step-without-init", SCRAM, { { STEP, REEVE_ERROR_AUTH_FAILED } } },
  { "step-without-start",
    SCRAM,
    { { INIT, OK }, { STEP, REEVE_ERROR_AUTH_FAILED } } },
  { "unknown-mechanism",
    SCRAM,
    { { INIT, OK }, { START, REEVE_ERROR_AUTH_FAILED, "NONSENSE" } } },
  { "mechanism-that-was-not-offered",
    SCRAM,
    { { INIT, OK }, { START, REEVE_ERROR_AUTH_FAILED, "PLAIN" } } },
  { "nothing-is-not-nonsense", SCRAM, { { INIT, OK }, { START, OK } } },
  { "start-twice",
    SCRAM,
    { { INIT, OK }, { START, OK }, { START, REEVE_ERROR_AUTH_FAILED } } },
  { "nonsense",
    SCRAM,
    { { INIT, OK }, { START, REEVE_ERROR_AUTH_FAILED, NULL, 100 } } },
  { "as-much-as-a-message-may-have",
    SCRAM,
    { { INIT, OK },
      { START, REEVE_ERROR_AUTH_FAILED, NULL, AUTH_DATA_MAX },
      { LIST, OK } } },
  { "one-byte-more",
    SCRAM,
    { { INIT, OK },
      { START, REEVE_ERROR_RPC, NULL, AUTH_DATA_MAX + 1 },
      { LIST, OK } } },
  { "a-frame-too-large",
    SCRAM,
    { { INIT, OK }, { START, CLOSED, NULL, AUTH_DATA_MAX + 2000 } } },
  { "a-failure-begins-anew",
    SCRAM,
    { { INIT, OK },
      { START, REEVE_ERROR_AUTH_FAILED, NULL, 1 },
      { STEP, REEVE_ERROR_AUTH_FAILED, NULL, 1 },
      { INIT, OK } } },
  { "the-third-failure-ends-it",
    SCRAM,
    { { START, REEVE_ERROR_AUTH_FAILED },
      { START, REEVE_ERROR_AUTH_FAILED },
      { START, REEVE_ERROR_AUTH_FAILED },
      { LIST, CLOSED } } },

  { "polkit-where-it-is-not-asked-for",
    SCRAM,
    { { POLKIT, REEVE_ERROR_INTERNAL } } },
  { "no-mechanism-on-plain-tcp",
    TRUE,
    "SCRAM-SHA-256",
    NULL,
    0,
    FALSE,
    { { INIT, REEVE_ERROR_AUTH_FAILED } } },
  { "whoever-is-known-can-call", KNOWN, { { QUICK, OK }, { LIST, OK } } },
  { "once-is-enough",
    KNOWN,
    { { INIT, REEVE_ERROR_AUTH_FAILED },
      { START, REEVE_ERROR_AUTH_FAILED },
      { STEP, REEVE_ERROR_AUTH_FAILED },
      { QUICK, OK } } },
  { "calls-through-the-layer",
    WRAPPED,
    { { QUICK, OK }, { LIST, OK }, { PING, OK }, { QUICK, OK } } },
  { "a-name-that-is-allowed",
    FALSE,
    "SCRAM-SHA-256",
    "a*e",
    0,
    TRUE,
    { { QUICK, OK } } },
};

static void
test_calls (Fixture *self, gconstpointer data)
{
  const AuthCase *row = data;

  if (row->is_known)
    authenticate (self, NULL);
  for (const CallStep *step = row->steps;
       step < row->steps + MAX_STEPS && step->kind != END; step++) {
    auth_list_ret list = { 0 };
    gboolean is_list = step->kind == LIST && step->result == OK;

    send_frame (self, encode_step (self, step));
    g_assert_cmpint (
        read_reply (self, &auth_list_ret_type, is_list ? &list : NULL), ==,
        step->result);
    if (is_list)
      g_assert_cmpint (list.types.items[0], ==,
                       row->is_known ? AUTH_KIND_NONE : AUTH_KIND_SASL);
    auth_list_ret_clear (&list);
  }
}

static const AuthCase silent = { "silent-one-is-closed", FALSE, "SCRAM-SHA-256",
                                 NULL, 50 };

static void
test_timeout (Fixture *self, gconstpointer data)
{
  g_assert_cmpint (read_reply (self, NULL, NULL), ==, CLOSED);
}

static const AuthCase in_time = { "known-one-stays", FALSE, "SCRAM-SHA-256",
                                  NULL, 2000 };

static void
test_in_time (Fixture *self, gconstpointer data)
{
  authenticate (self, NULL);
  g_usleep (2100000);
  send_frame (
      self, encode (self, &patience_program, PATIENCE_PROC_QUICK, NULL, NULL));
  g_assert_cmpint (read_reply (self, NULL, NULL), ==, OK);
}

/* Without a layer, what comes behind the last message is the client's. */
static const AuthCase behind = { "call-is-taken", FALSE, "SCRAM-SHA-256" };

static void
test_behind (Fixture *self, gconstpointer data)
{
  g_autoptr (GBytes) more =
      encode (self, &patience_program, PATIENCE_PROC_QUICK, NULL, NULL);

  authenticate (self, more);
  g_assert_cmpint (read_reply (self, NULL, NULL), ==, OK);
  g_assert_cmpuint (atomic_load (&self->n_quick), ==, 1);
}

/* With one, somebody else wrote it, and the layer notices. */
static const AuthCase injected = { "call-in-clear-is-not-taken", TRUE,
                                   "DIGEST-MD5" };

static void
test_injected (Fixture *self, gconstpointer data)
{
  g_autoptr (GBytes) more =
      encode (self, &patience_program, PATIENCE_PROC_QUICK, NULL, NULL);

  authenticate (self, more);
  send_frame (
      self, encode (self, &patience_program, PATIENCE_PROC_QUICK, NULL, NULL));
  g_assert_cmpint (read_reply (self, NULL, NULL), ==, CLOSED);
  g_assert_cmpuint (atomic_load (&self->n_quick), ==, 0);
}

static void
add (const char *group,
     const AuthCase *row,
     void (*func) (Fixture *, gconstpointer))
{
  g_autofree char *path =
      g_strconcat ("/rpc/auth/", group, "/", row->name, NULL);

  g_test_add (path, Fixture, row, set_up, func, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (auth_cases); i++)
    add ("calls", &auth_cases[i], test_calls);
  add ("timeout", &silent, test_timeout);
  add ("timeout", &in_time, test_in_time);
  add ("behind", &behind, test_behind);
  add ("behind", &injected, test_injected);
  return g_test_run ();
}
