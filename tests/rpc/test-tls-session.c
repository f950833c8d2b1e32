/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/stream-layer.h"
#include "tls-fixture.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ----------------------------------------------------------- handshake --- */

/* What each side thinks of the other's certificate. */
typedef struct {
  const char *name;
  const char *client; /* (nullable): a certificate of the fixture */
  const char *server;
  const char *host;
  ReeveTlsFlags client_flags;
  ReeveTlsFlags server_flags;
  ReeveTlsVerdict of_client;
  ReeveTlsVerdict of_server;
  const char *text; /* (nullable): in what is said of the refused one */
} VerdictCase;

#define SKIP REEVE_TLS_NO_SANITY
#define NO_VERIFY (REEVE_TLS_NO_VERIFY | REEVE_TLS_NO_SANITY)
#define OK REEVE_TLS_ACCEPTED

static const VerdictCase verdict_cases[] = {
  { "accepts-both", "client", "server", "localhost", 0, 0, OK, OK, NULL },
  { "accepts-address", "client", "server", "127.0.0.1", 0, 0, OK, OK, NULL },
  { "refuses-other-host", "client", "server", "example.org", 0, 0, OK,
    REEVE_TLS_WRONG_NAME, "it is for localhost, 127.0.0.1, and not for ex" },
  { "refuses-other-address", "client", "server", "127.0.0.2", 0, 0, OK,
    REEVE_TLS_WRONG_NAME, "and not for 127.0.0.2" },
  { "refuses-no-certificate", NULL, "server", "localhost", 0, 0,
    REEVE_TLS_NO_CERTIFICATE, OK, "there is none" },
  { "asks-for-no-certificate", NULL, "server", "localhost", 0, NO_VERIFY, OK,
    OK, NULL },
  { "refuses-client-of-other-ca", "stranger", "server", "localhost", SKIP, 0,
    REEVE_TLS_UNTRUSTED, OK, "signed by “C=GB,O=Acme,CN=other”" },
  { "refuses-server-of-other-ca", "client", "stranger-server", "localhost", 0,
    SKIP, OK, REEVE_TLS_UNTRUSTED, "signed by “C=GB,O=Acme,CN=other”" },
  { "refuses-expired-client", "old", "server", "localhost", SKIP, 0,
    REEVE_TLS_EXPIRED, OK, "it expired on 2" },
  { "refuses-expired-server", "client", "old-server", "localhost", 0, SKIP, OK,
    REEVE_TLS_EXPIRED, "it expired on 2" },
  { "refuses-early-client", "early", "server", "localhost", SKIP, 0,
    REEVE_TLS_NOT_YET_VALID, OK, "it is not valid before 2" },
  { "refuses-early-server", "client", "early-server", "localhost", 0, SKIP, OK,
    REEVE_TLS_NOT_YET_VALID, "it is not valid before 2" },
  { "refuses-revoked-client", "gone", "server", "localhost", 0, 0,
    REEVE_TLS_REVOKED, OK, "it was revoked" },
  { "refuses-revoked-server", "client", "gone-server", "localhost", 0, 0, OK,
    REEVE_TLS_REVOKED, "it was revoked" },
  { "refuses-server-as-client", "server", "server", "localhost", SKIP, 0,
    REEVE_TLS_UNSUITABLE, OK, "not meant for clients" },
  { "refuses-client-as-server", "client", "client", NULL, 0, SKIP, OK,
    REEVE_TLS_UNSUITABLE, "not meant for servers" },
  { "verifies-nothing", "stranger", "stranger-server", "example.org", NO_VERIFY,
    NO_VERIFY, OK, OK, NULL },
};

static void
test_verdict (gconstpointer data)
{
  const VerdictCase *row = data;
  g_autoptr (ReeveTlsContext) client = tls_fixture_make_context (
      REEVE_TLS_CLIENT, row->client, row->client_flags);
  g_autoptr (ReeveTlsContext) server = tls_fixture_make_context (
      REEVE_TLS_SERVER, row->server, row->server_flags);
  g_autofree char *of_server = NULL;
  g_autofree char *of_client = NULL;
  const char *why;
  TlsPair pair;

  tls_pair_init (&pair, client, server, row->host);
  tls_pair_handshake (&pair);
  g_assert_cmpint (pair.progress[0], ==, REEVE_TLS_HANDSHAKE_DONE);
  g_assert_cmpint (pair.progress[1], ==, REEVE_TLS_HANDSHAKE_DONE);

  g_assert_cmpint (reeve_tls_session_verify (pair.sessions[0], &of_server), ==,
                   row->of_server);
  g_assert_cmpint (reeve_tls_session_verify (pair.sessions[1], &of_client), ==,
                   row->of_client);
  why = of_client != NULL ? of_client : of_server;
  g_assert_cmpint (why != NULL, ==, row->text != NULL);
  if (row->text != NULL && strstr (why, row->text) == NULL)
    g_error ("“%s” is not in “%s”", row->text, why);
  tls_pair_clear (&pair);
}

static void
test_knows_its_peer (void)
{
  g_autoptr (ReeveTlsContext) client =
      tls_fixture_make_context (REEVE_TLS_CLIENT, "client", 0);
  g_autoptr (ReeveTlsContext) server =
      tls_fixture_make_context (REEVE_TLS_SERVER, "server", 0);
  TlsPair pair;

  tls_pair_init (&pair, client, server, "localhost");
  tls_pair_handshake (&pair);
  g_assert_null (reeve_tls_session_get_peer_name (pair.sessions[1]));
  reeve_tls_session_verify (pair.sessions[1], NULL);
  g_assert_cmpstr (reeve_tls_session_get_peer_name (pair.sessions[1]), ==,
                   "C=GB,O=Acme,CN=client");
  tls_pair_clear (&pair);
}

static void
test_lets_allowed_names_in (void)
{
  static const char *const patterns[][2] = { { "*,O=Acme,*" }, { "*,CN=web" } };
  g_autoptr (ReeveTlsContext) client =
      tls_fixture_make_context (REEVE_TLS_CLIENT, "client", 0);

  for (int i = 0; i < 2; i++) {
    const ReeveTlsSettings settings = {
      .certificate = tls_fixture_get_path ("server", ".pem"),
      .key = tls_fixture_get_path ("server", ".key"),
      .ca = tls_fixture_get_path ("ca", ".pem"),
      .allowed_names = patterns[i],
    };
    g_autoptr (ReeveTlsContext) server =
        reeve_tls_context_new (REEVE_TLS_SERVER, &settings, NULL);
    g_autofree char *why = NULL;
    TlsPair pair;

    tls_pair_init (&pair, client, server, "localhost");
    tls_pair_handshake (&pair);
    g_assert_cmpint (reeve_tls_session_verify (pair.sessions[1], &why), ==,
                     i == 0 ? REEVE_TLS_ACCEPTED : REEVE_TLS_WRONG_NAME);
    if (i == 1)
      g_assert_cmpstr (why, ==,
                       "its name “C=GB,O=Acme,CN=client” is not on the list "
                       "of allowed names");
    tls_pair_clear (&pair);
  }
}

static void
test_refuses_what_is_no_handshake (void)
{
  static const char *const starts[] = {
    "GET / HTTP/1.1\r\n\r\n",
    "\x16\x03\x01\xff\xff garbage that is longer than nothing at all",
  };
  g_autoptr (ReeveTlsContext) server =
      tls_fixture_make_context (REEVE_TLS_SERVER, "server", 0);

  for (int i = 0; i < 2; i++) {
    g_autofree char *why = NULL;
    ReeveTlsProgress progress;
    TlsPair pair;

    tls_pair_init (&pair, server, server, NULL);
    g_assert_cmpint (write (pair.fds[0], starts[i], 18), ==, 18);
    g_assert_cmpint (reeve_tls_session_fill (pair.sessions[1], pair.fds[1]), ==,
                     18);
    progress = reeve_tls_session_handshake (pair.sessions[1], &why);
    g_assert_cmpint (progress, ==, REEVE_TLS_HANDSHAKE_FAILED);
    g_assert_nonnull (why);
    tls_pair_clear (&pair);
  }
}

/* A message of 16 MiB that comes record by record is not waited for. */
static void
test_bounds_the_handshake (void)
{
  uint8_t record[5 + 1024] = { 0x16, 3, 1, 4, 0, 1, 0xff, 0xff, 0xff, 3, 3 };
  g_autoptr (ReeveTlsContext) server =
      tls_fixture_make_context (REEVE_TLS_SERVER, "server", 0);
  ReeveTlsProgress progress = REEVE_TLS_HANDSHAKE_WAITS;
  g_autofree char *why = NULL;
  unsigned n_records = 0;
  TlsPair pair;

  tls_pair_init (&pair, server, server, NULL);
  for (; progress == REEVE_TLS_HANDSHAKE_WAITS; n_records++) {
    g_assert_cmpint (write (pair.fds[0], record, sizeof record), ==,
                     sizeof record);
    reeve_tls_session_fill (pair.sessions[1], pair.fds[1]);
    progress = reeve_tls_session_handshake (pair.sessions[1], &why);
    memset (record + 5, 0, 6);
  }
  g_assert_cmpint (progress, ==, REEVE_TLS_HANDSHAKE_FAILED);
  g_assert_cmpuint (n_records, <=, 256);
  tls_pair_clear (&pair);
}

/* --------------------------------------------------------------- layer --- */

typedef struct {
  const char *name;
  const char *priority; /* of the client */
  int buffer_size;      /* of the sockets; 0: as it is */
  size_t max_piece;
  size_t n_bytes; /* each way */
} TransferCase;

#define TLS_1_2 "NORMAL:-VERS-ALL:+VERS-TLS1.2"

static const TransferCase transfer_cases[] = {
  { "small-pieces", NULL, 0, 100, 50000 },
  { "large-pieces", NULL, 0, 300000, 8000000 },
  { "tiny-buffers", NULL, 1, 70000, 2000000 },
  { "tiny-buffers-small-pieces", NULL, 1, 300, 100000 },
  { "tiny-buffers-tls-1.2", TLS_1_2, 1, 70000, 2000000 },
};

/* One direction: who sends what, and how far it came. */
typedef struct {
  ReeveStream *from;
  ReeveStream *to;
  uint8_t *bytes;
  size_t n_bytes;
  size_t n_sent;
  size_t n_received;
} Direction;

static gboolean
is_readable (ReeveStream *stream)
{
  struct pollfd file = { .fd = reeve_stream_get_fd (stream), .events = POLLIN };

  return poll (&file, 1, 0) == 1;
}

static void
send_some (Direction *self, GRand *rand, size_t max_piece)
{
  int n_iov = g_rand_int_range (rand, 1, 6);
  struct iovec iov[5];
  size_t offset = self->n_sent;
  gssize n_sent;

  for (int i = 0; i < n_iov; i++) {
    size_t size = (size_t) g_rand_int_range (rand, 0, (gint32) max_piece + 1);

    iov[i].iov_base = self->bytes + offset;
    iov[i].iov_len = MIN (size, self->n_bytes - offset);
    offset += iov[i].iov_len;
  }

  n_sent = reeve_stream_sendv (self->from, iov, n_iov);
  if (n_sent < 0)
    g_assert_cmpint (errno, ==, EAGAIN);
  else
    self->n_sent += (size_t) n_sent;
}

/* Reads as a loop does: when the socket or the layer has something. */
static void
receive_some (Direction *self, GRand *rand, size_t max_piece)
{
  g_autofree uint8_t *room = g_malloc (max_piece);
  size_t size = (size_t) g_rand_int_range (rand, 1, (gint32) max_piece + 1);
  gssize n_read;

  if (!is_readable (self->to) && !reeve_stream_has_input (self->to))
    return;

  n_read = reeve_stream_recv (self->to, room, size, NULL);
  if (n_read < 0) {
    g_assert_cmpint (errno, ==, EAGAIN);
    /* Else whoever asks whether there is more would ask for ever. */
    g_assert_false (reeve_stream_has_input (self->to));
    return;
  }
  g_assert_cmpint (n_read, >, 0);
  g_assert_cmpmem (room, n_read, self->bytes + self->n_received, n_read);
  self->n_received += (size_t) n_read;
}

static ReeveTlsContext *
make_client (const char *priority)
{
  const ReeveTlsSettings settings = {
    .ca = tls_fixture_get_path ("ca", ".pem"),
    .priority = priority,
  };

  return reeve_tls_context_new (REEVE_TLS_CLIENT, &settings, NULL);
}

/* Two streams with a layer each, behind the handshake. */
static void
open_streams (ReeveStream **streams, const char *priority, int buffer_size)
{
  g_autoptr (ReeveTlsContext) client = make_client (priority);
  g_autoptr (ReeveTlsContext) server =
      tls_fixture_make_context (REEVE_TLS_SERVER, "server", 0);
  TlsPair pair;

  tls_pair_init (&pair, client, server, "localhost");
  tls_pair_handshake (&pair);
  for (int side = 0; side < 2; side++) {
    g_assert_cmpint (pair.progress[side], ==, REEVE_TLS_HANDSHAKE_DONE);
    if (buffer_size > 0)
      setsockopt (pair.fds[side], SOL_SOCKET, SO_SNDBUF, &buffer_size,
                  sizeof buffer_size);
    streams[side] = reeve_stream_new_for_fd (dup (pair.fds[side]));
    reeve_tls_session_attach (reeve_tls_session_ref (pair.sessions[side]),
                              streams[side]);
  }
  tls_pair_clear (&pair);
}

static void
direction_init (Direction *self,
                ReeveStream *from,
                ReeveStream *to,
                size_t n_bytes,
                GRand *rand)
{
  *self = (Direction){ .from = from, .to = to, .n_bytes = n_bytes };
  self->bytes = g_malloc (n_bytes);
  for (size_t i = 0; i < n_bytes; i++)
    self->bytes[i] = (uint8_t) g_rand_int (rand);
}

static void
test_transfer (gconstpointer data)
{
  const TransferCase *row = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  Direction directions[2];
  ReeveStream *streams[2];

  open_streams (streams, row->priority, row->buffer_size);
  for (int i = 0; i < 2; i++)
    direction_init (&directions[i], streams[i], streams[!i], row->n_bytes,
                    rand);

  while (directions[0].n_received < row->n_bytes ||
         directions[1].n_received < row->n_bytes) {
    Direction *direction = &directions[g_rand_boolean (rand)];

    if (direction->n_sent < direction->n_bytes && g_rand_boolean (rand))
      send_some (direction, rand, row->max_piece);
    else if (!reeve_stream_flush (direction->from))
      g_assert_cmpint (errno, ==, EAGAIN);
    receive_some (direction, rand, row->max_piece);
  }

  for (int i = 0; i < 2; i++) {
    g_assert_false (reeve_stream_has_output (streams[i]));
    g_assert_false (reeve_stream_has_input (streams[i]));
    g_free (directions[i].bytes);
    reeve_stream_free (streams[i]);
  }
}

/* The peer reads nothing: what is taken is no more than the socket and one
 * piece can hold, and it all arrives once the peer reads. */
static void
test_holds_little (void)
{
  enum { SIZE = 16 * 1024 * 1024 };
  g_autofree uint8_t *bytes = g_malloc0 (SIZE);
  struct iovec iov = { .iov_base = bytes, .iov_len = SIZE };
  ReeveStream *streams[2];
  size_t n_taken = 0, n_received = 0;
  int in_socket = 0;
  gssize n;

  open_streams (streams, NULL, 1);
  while ((n = reeve_stream_sendv (streams[0], &iov, 1)) > 0)
    n_taken += (size_t) n;
  g_assert_cmpint (errno, ==, EAGAIN);
  g_assert_true (reeve_stream_has_output (streams[0]));
  ioctl (reeve_stream_get_fd (streams[1]), FIONREAD, &in_socket);
  g_assert_cmpuint (n_taken, <=, (size_t) in_socket + 64 * 1024);

  while (n_received < n_taken) {
    reeve_stream_flush (streams[0]);
    n = reeve_stream_recv (streams[1], bytes, SIZE, NULL);
    if (n < 0)
      g_assert_cmpint (errno, ==, EAGAIN);
    else
      n_received += (size_t) n;
  }
  g_assert_cmpuint (n_received, ==, n_taken);
  reeve_stream_free (streams[0]);
  reeve_stream_free (streams[1]);
}

static void
test_few_records (void)
{
  ReeveStream *streams[2];
  struct iovec iov[16];
  int in_socket = 0;

  open_streams (streams, NULL, 0);
  for (int i = 0; i < 16; i++)
    iov[i] = (struct iovec){ .iov_base = (void *) "0123456789", .iov_len = 10 };
  g_assert_cmpint (reeve_stream_sendv (streams[0], iov, 16), ==, 160);
  ioctl (reeve_stream_get_fd (streams[1]), FIONREAD, &in_socket);
  /* One record's header, tag and padding. */
  g_assert_cmpint (in_socket, <=, 160 + 64);
  reeve_stream_free (streams[0]);
  reeve_stream_free (streams[1]);
}

static void
test_says_goodbye (void)
{
  ReeveStream *streams[2];
  char room[64];

  open_streams (streams, NULL, 0);
  reeve_stream_free (streams[0]);
  g_assert_cmpint (reeve_stream_recv (streams[1], room, sizeof room, NULL), ==,
                   0);
  g_assert_cmpint (reeve_stream_recv (streams[1], room, sizeof room, NULL), ==,
                   0);
  reeve_stream_free (streams[1]);
}

static void
test_notices_a_forgery (void)
{
  static const char record[] = "\x17\x03\x03\x00\x20"
                               "not what the key would have made....";
  ReeveStream *streams[2];
  char room[64];

  open_streams (streams, NULL, 0);
  g_assert_cmpint (write (reeve_stream_get_fd (streams[0]), record, 37), ==,
                   37);
  g_assert_cmpint (reeve_stream_recv (streams[1], room, sizeof room, NULL), ==,
                   -1);
  g_assert_cmpint (errno, ==, EBADMSG);
  g_assert_cmpint (reeve_stream_recv (streams[1], room, sizeof room, NULL), ==,
                   -1);
  g_assert_cmpint (errno, ==, EBADMSG);
  reeve_stream_free (streams[0]);
  reeve_stream_free (streams[1]);
}

/* ---------------------------------------------------------------- main --- */

static void
make_files (void)
{
  tls_fixture_set_up ();
  tls_fixture_issue ("other", REEVE_CERTIFICATE_CA, NULL, -1, 10);
  tls_fixture_issue ("stranger", REEVE_CERTIFICATE_CLIENT, "other", -1, 9);
  tls_fixture_issue ("stranger-server", REEVE_CERTIFICATE_SERVER, "other", -1,
                     9);
  tls_fixture_issue ("old", REEVE_CERTIFICATE_CLIENT, "ca", -9, -1);
  tls_fixture_issue ("old-server", REEVE_CERTIFICATE_SERVER, "ca", -9, -1);
  tls_fixture_issue ("early", REEVE_CERTIFICATE_CLIENT, "ca", 1, 9);
  tls_fixture_issue ("early-server", REEVE_CERTIFICATE_SERVER, "ca", 1, 9);
  tls_fixture_issue ("gone", REEVE_CERTIFICATE_CLIENT, "ca", -1, 9);
  tls_fixture_issue ("gone-server", REEVE_CERTIFICATE_SERVER, "ca", -1, 9);
  tls_fixture_revoke ("ca", "gone");
  tls_fixture_revoke ("ca", "gone-server");
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  make_files ();
  for (size_t i = 0; i < G_N_ELEMENTS (verdict_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/tls-session/verify/", verdict_cases[i].name, NULL);

    g_test_add_data_func (path, &verdict_cases[i], test_verdict);
  }
  g_test_add_func ("/rpc/tls-session/verify/knows-its-peer",
                   test_knows_its_peer);
  g_test_add_func ("/rpc/tls-session/verify/lets-allowed-names-in",
                   test_lets_allowed_names_in);
  g_test_add_func ("/rpc/tls-session/handshake/refuses-what-is-none",
                   test_refuses_what_is_no_handshake);
  g_test_add_func ("/rpc/tls-session/handshake/is-bounded",
                   test_bounds_the_handshake);
  for (size_t i = 0; i < G_N_ELEMENTS (transfer_cases); i++) {
    g_autofree char *path = g_strconcat ("/rpc/tls-session/transfer/",
                                         transfer_cases[i].name, NULL);

    g_test_add_data_func (path, &transfer_cases[i], test_transfer);
  }
  g_test_add_func ("/rpc/tls-session/layer/holds-little", test_holds_little);
  g_test_add_func ("/rpc/tls-session/layer/few-records", test_few_records);
  g_test_add_func ("/rpc/tls-session/layer/says-goodbye", test_says_goodbye);
  g_test_add_func ("/rpc/tls-session/layer/notices-a-forgery",
                   test_notices_a_forgery);
  status = g_test_run ();
  tls_fixture_tear_down ();
  return status;
}
