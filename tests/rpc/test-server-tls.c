/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server-loops.h"

#include "event/thread.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "rpc/server-client-private.h"
#include "rpc/stream-layer.h"
#include "tests/rpc/patience.h"
#include "tls-fixture.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000
/* Of a server that is to lose patience with a handshake. */
#define TIMEOUT_MS 200
/* More than there are threads for handshakes. */
#define N_HALF_OPEN 24
/* Records that are sent one behind the other. */
#define N_AT_ONCE 5
/* The most that a client says at once in its handshake. */
#define SAID_SIZE 4096
/* Who may hear at a time that there are too many. */
#define MAX_REFUSED 4

/* A server, its loop in a thread of its own. */
typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  ReeveTlsSlot *slot;
  pthread_t thread;
  unsigned timeout_ms; /* of a handshake */
  gboolean is_tcp;     /* what connects */
  /* Of the last caller; workers write them: */
  char *_Atomic name; /* (owned) (nullable): in its certificate */
  atomic_int transport;
} Fixture;

/* The other end of a connection. */
typedef struct {
  ReeveTlsSession *session;
  ReeveStream *stream;
  int fd;
  int piece_size; /* of what it says in its handshake; 0: whole, negative: all
                     but so much */
  gboolean is_tcp;
} Client;

static gboolean
quick (ReeveCall *call, GError **error)
{
  Fixture *fixture = reeve_call_get_user_data (call);
  ReeveServerClient *client = reeve_call_get_client (call);

  g_free (atomic_exchange (
      &fixture->name, g_strdup (reeve_server_client_get_x509_name (client))));
  atomic_store (&fixture->transport,
                (int) reeve_server_client_get_transport (client));
  return TRUE;
}

static const patience_handlers handlers = { .quick = quick };

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
start_loop (Fixture *self)
{
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

static void
end_loop (Fixture *self)
{
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveTlsContext) context =
      tls_fixture_make_context (REEVE_TLS_SERVER, "server", 0);

  self->timeout_ms = PATIENCE_MS;
  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, NULL);
  self->slot = reeve_tls_slot_new (context);
  reeve_server_add_program (self->server, &patience_program, &handlers, self);
  start_loop (self);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  end_loop (self);
  reeve_server_stop (self->server);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  reeve_tls_slot_unref (self->slot);
  g_free (atomic_load (&self->name));
}

/* -------------------------------------------------------------- client --- */

typedef struct {
  Fixture *fixture;
  int fd;
  atomic_bool is_done;
} Adding;

static void
add_client (ReeveLoop *loop, gpointer data)
{
  Adding *adding = data;
  const ReeveServiceOptions options = {
    .tls = adding->fixture->slot,
    .handshake_timeout_ms = adding->fixture->timeout_ms,
  };

  reeve_server_add_fd_client (adding->fixture->server, adding->fd, &options);
  atomic_store (&adding->is_done, TRUE);
}

static guint64
count_arrived (Fixture *self)
{
  ReeveServerStats stats;

  reeve_server_get_stats (self->server, &stats);
  return stats.n_accepted + stats.n_refused;
}

/* As socketpair(). */
static void
connect_tcp (int ends[2])
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;

  g_assert_no_errno (bind (fd, (struct sockaddr *) &address, size));
  g_assert_no_errno (listen (fd, 1));
  g_assert_no_errno (getsockname (fd, (struct sockaddr *) &address, &size));
  ends[0] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_no_errno (connect (ends[0], (struct sockaddr *) &address, size));
  g_assert_no_errno (
      setsockopt (ends[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
  ends[1] = accept4 (fd, NULL, NULL, SOCK_CLOEXEC);
  g_assert_no_errno (ends[1]);
  close (fd);
}

static int
connect_to (Fixture *self)
{
  guint64 n_before = count_arrived (self);
  Adding adding = { .fixture = self };
  int ends[2];

  if (self->is_tcp)
    connect_tcp (ends);
  else
    g_assert_no_errno (
        socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  adding.fd = ends[1];
  reeve_loop_invoke (self->loop, add_client, &adding);
  while (!atomic_load (&adding.is_done) || count_arrived (self) == n_before)
    g_usleep (100);
  return ends[0];
}

static void
wait_readable (int fd)
{
  struct pollfd file = { .fd = fd, .events = POLLIN };

  g_assert_cmpint (poll (&file, 1, PATIENCE_MS), ==, 1);
}

static void
client_init (Client *self, Fixture *fixture, const char *certificate)
{
  g_autoptr (ReeveTlsContext) context = tls_fixture_make_context (
      REEVE_TLS_CLIENT, certificate, REEVE_TLS_NO_SANITY);

  self->fd = connect_to (fixture);
  self->session = reeve_tls_session_new (context, "localhost");
  self->stream = NULL;
  self->piece_size = 0;
  self->is_tcp = fixture->is_tcp;
}

static void
client_clear (Client *self)
{
  if (self->stream != NULL)
    reeve_stream_free (self->stream);
  else
    close (self->fd);
  reeve_tls_session_unref (self->session);
}

/* So that the server sees what was sent so far before there is more: of TCP
 * only time can tell. */
static void
wait_until_read (int fd, gboolean is_tcp)
{
  int n_waiting;

  if (is_tcp)
    g_usleep (200);
  do
    g_assert_no_errno (ioctl (fd, SIOCOUTQ, &n_waiting));
  while (n_waiting > 0);
}

/* (array length=size) (transfer full): what it has to say. */
static uint8_t *
client_take_output (Client *self, size_t *size)
{
  uint8_t *bytes = g_malloc (SAID_SIZE);
  int ends[2];
  gssize n_read;

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  g_assert_true (reeve_tls_session_flush (self->session, ends[0]));
  close (ends[0]);
  n_read = recv (ends[1], bytes, SAID_SIZE, 0);
  g_assert_no_errno ((int) n_read);
  close (ends[1]);
  *size = (size_t) n_read;
  return bytes;
}

static void
client_send_pieces (Client *self)
{
  size_t size;
  g_autofree uint8_t *bytes = client_take_output (self, &size);
  size_t piece_size = self->piece_size > 0
                          ? (size_t) self->piece_size
                          : size - MIN (size, (size_t) -self->piece_size);

  for (size_t n_sent = 0; n_sent < size; n_sent += piece_size) {
    piece_size = MIN (piece_size, size - n_sent);
    g_assert_cmpint (send (self->fd, bytes + n_sent, piece_size, MSG_NOSIGNAL),
                     ==, piece_size);
    wait_until_read (self->fd, self->is_tcp);
  }
}

/* Up to the end, or as many turns. */
static ReeveTlsProgress
client_handshake (Client *self, int n_turns)
{
  ReeveTlsProgress progress = REEVE_TLS_HANDSHAKE_WAITS;
  g_autofree char *why = NULL;

  for (int i = 0; i < n_turns && progress == REEVE_TLS_HANDSHAKE_WAITS; i++) {
    if (i > 0) {
      wait_readable (self->fd);
      if (reeve_tls_session_fill (self->session, self->fd) <= 0)
        return REEVE_TLS_HANDSHAKE_FAILED;
    }
    progress = reeve_tls_session_handshake (self->session, &why);
    if (self->piece_size != 0)
      client_send_pieces (self);
    else
      reeve_tls_session_flush (self->session, self->fd);
  }

  if (progress == REEVE_TLS_HANDSHAKE_DONE) {
    self->stream = reeve_stream_new_for_fd (self->fd);
    reeve_tls_session_attach (reeve_tls_session_ref (self->session),
                              self->stream);
  }
  return progress;
}

/* Reads as much, or until the end. */
static size_t
client_read (Client *self, void *data, size_t size)
{
  size_t filled = 0;
  gssize n_read = 1;

  while (filled < size && n_read != 0) {
    if (!reeve_stream_has_input (self->stream))
      wait_readable (self->fd);
    n_read = reeve_stream_recv (self->stream, (char *) data + filled,
                                size - filled, NULL);
    if (n_read > 0)
      filled += (size_t) n_read;
    else if (n_read < 0)
      g_assert_cmpint (errno, ==, EAGAIN);
  }

  return filled;
}

static void
client_send_call (Client *self, uint32_t serial)
{
  const ReeveHeader header = {
    .program = patience_program.number,
    .version = patience_program.version,
    .procedure = PATIENCE_PROC_QUICK,
    .type = REEVE_MESSAGE_CALL,
    .serial = serial,
  };
  g_autoptr (GBytes) frame = reeve_message_encode (&header, NULL, NULL, NULL);
  struct iovec iov;
  gsize size;

  iov.iov_base = (void *) g_bytes_get_data (frame, &size);
  iov.iov_len = size;
  g_assert_cmpint (reeve_stream_sendv (self->stream, &iov, 1), ==, size);
}

static void
client_call (Client *self, uint32_t serial)
{
  uint8_t frame[REEVE_PAYLOAD_OFFSET];
  ReeveHeader header;

  client_send_call (self, serial);
  g_assert_cmpuint (client_read (self, frame, sizeof frame), ==, sizeof frame);
  reeve_header_decode (&header, frame + REEVE_LENGTH_SIZE);
  g_assert_cmpuint (header.type, ==, REEVE_MESSAGE_REPLY);
  g_assert_cmpuint (header.status, ==, REEVE_STATUS_OK);
  g_assert_cmpuint (header.serial, ==, serial);
}

/* What the server says after the handshake; 0 if it just closes. */
static ReeveTlsVerdict
client_read_verdict (Client *self)
{
  uint8_t byte;

  return client_read (self, &byte, 1) == 1 ? byte : 0;
}

static void
client_go_on (Client *self)
{
  g_assert_cmpint (client_handshake (self, 10), ==, REEVE_TLS_HANDSHAKE_DONE);
  g_assert_cmpint (client_read_verdict (self), ==, REEVE_TLS_ACCEPTED);
}

static void
client_open (Client *self, Fixture *fixture)
{
  client_init (self, fixture, "client");
  client_go_on (self);
}

/* --------------------------------------------------------------- tests --- */

static void
test_call (Fixture *self, gconstpointer data)
{
  Client client;

  client_open (&client, self);
  client_call (&client, 1);
  client_call (&client, 2);
  g_assert_cmpstr (atomic_load (&self->name), ==, "C=GB,O=Acme,CN=client");
  g_assert_cmpint (atomic_load (&self->transport), ==, REEVE_TRANSPORT_TLS);
  client_clear (&client);
}

/* Whoever reads the client, and however many records are there. */
static void
test_calls_again (Fixture *self, gconstpointer data)
{
  gint64 end_us = g_get_monotonic_time () + PATIENCE_MS * 1000;
  uint8_t replies[N_AT_ONCE * REEVE_PAYLOAD_OFFSET];
  g_autoptr (ReeveServerClient) served = NULL;
  uint32_t serial = 0;
  Client client;

  client_open (&client, self);
  served = reeve_server_find_client (self->server, 1);
  for (unsigned i = 0; i < 20; i++) {
    do {
      g_assert_cmpint (g_get_monotonic_time (), <, end_us);
      client_call (&client, ++serial);
    } while (atomic_load (&served->reader) != REEVE_READER_WORKER);
    for (unsigned j = 0; j < N_AT_ONCE; j++)
      client_send_call (&client, ++serial);
    g_assert_cmpuint (client_read (&client, replies, sizeof replies), ==,
                      sizeof replies);
  }
  client_clear (&client);
}

/* The call arrives with the last message of the handshake. */
static void
test_early_call (Fixture *self, gconstpointer data)
{
  uint8_t bytes[1 + REEVE_PAYLOAD_OFFSET];
  Client client;

  client_init (&client, self, "client");
  g_assert_cmpint (client_handshake (&client, 10), ==,
                   REEVE_TLS_HANDSHAKE_DONE);
  client_send_call (&client, 1);
  g_assert_cmpuint (client_read (&client, bytes, sizeof bytes), ==,
                    sizeof bytes);
  g_assert_cmpint (bytes[0], ==, REEVE_TLS_ACCEPTED);
  client_clear (&client);
}

static void
assert_no_client (Fixture *self)
{
  ReeveServerStats stats;

  do {
    reeve_server_get_stats (self->server, &stats);
    g_usleep (100);
  } while (stats.n_clients > 0);
  g_assert_cmpuint (stats.n_unauth, ==, 0);
  g_assert_cmpuint (stats.n_calls, ==, 0);
}

static void
assert_handshakes (Fixture *self,
                   unsigned n_done,
                   unsigned n_failed,
                   unsigned n_refused)
{
  ReeveServerStats stats;

  reeve_server_get_stats (self->server, &stats);
  g_assert_cmpuint (stats.n_handshakes, ==, n_done);
  g_assert_cmpuint (stats.n_handshakes_failed, ==, n_failed);
  g_assert_cmpuint (stats.n_handshakes_refused, ==, n_refused);
}

static void
test_refusal (Fixture *self, gconstpointer data)
{
  Client client;

  client_init (&client, self, data);
  g_assert_cmpint (client_handshake (&client, 10), ==,
                   REEVE_TLS_HANDSHAKE_DONE);
  g_assert_cmpint (client_read_verdict (&client), ==,
                   data == NULL ? REEVE_TLS_NO_CERTIFICATE : REEVE_TLS_EXPIRED);
  g_assert_cmpint (client_read_verdict (&client), ==, 0);
  assert_no_client (self);
  assert_handshakes (self, 0, 0, 1);
  client_clear (&client);
}

/* At once, not when somebody has waited for the client long enough. */
static void
assert_hears_end (int fd)
{
  char bytes[SAID_SIZE];

  do
    wait_readable (fd);
  while (recv (fd, bytes, sizeof bytes, 0) > 0);
}

/* Silent from the start, and in the middle. */
static void
test_silence (Fixture *self, gconstpointer data)
{
  self->timeout_ms = TIMEOUT_MS;
  for (int n_turns = 0; n_turns < 2; n_turns++) {
    gint64 start_us = g_get_monotonic_time ();
    Client client;

    client_init (&client, self, "client");
    client_handshake (&client, n_turns);
    assert_no_client (self);
    assert_handshakes (self, 0, (unsigned) n_turns + 1, 0);
    g_assert_cmpint (g_get_monotonic_time () - start_us, >=,
                     TIMEOUT_MS * 1000 - 1000);
    assert_hears_end (client.fd);
    client_clear (&client);
  }
}

/* Whatever the threads for handshakes wait for, those who go on are served; and
 * so are the others when they do. */
static void
test_half_open (Fixture *self, gconstpointer data)
{
  Client clients[N_HALF_OPEN], good;

  for (unsigned i = 0; i < N_HALF_OPEN; i++) {
    client_init (&clients[i], self, "client");
    client_handshake (&clients[i], (int) i % 2);
  }
  for (unsigned i = 0; i < 3; i++) {
    client_open (&good, self);
    client_call (&good, 1);
    client_clear (&good);
  }
  for (unsigned i = N_HALF_OPEN; i-- > 0;) {
    client_go_on (&clients[i]);
    client_call (&clients[i], 1);
  }
  assert_handshakes (self, N_HALF_OPEN + 3, 0, 0);
  for (unsigned i = 0; i < N_HALF_OPEN; i++)
    client_clear (&clients[i]);
}

static void
test_pieces (Fixture *self, gconstpointer data)
{
  /* The first record of a client's answer has 6 bytes. */
  static const int sizes[] = { 1, 5, 6, 7, 300, -1, -6 };

  self->is_tcp = data != NULL;
  for (unsigned i = self->is_tcp ? 1 : 0; i < G_N_ELEMENTS (sizes); i++) {
    Client client;

    client_init (&client, self, "client");
    client.piece_size = sizes[i];
    client_go_on (&client);
    client_call (&client, 1);
    client_clear (&client);
  }
}

static void
test_no_tls (Fixture *self, gconstpointer data)
{
  static const char text[] = "GET / HTTP/1.1\r\n\r\n";
  int fd = connect_to (self);
  char answer[16];

  g_assert_cmpint (write (fd, text, sizeof text), ==, sizeof text);
  wait_readable (fd);
  /* An alert, and the end. */
  g_assert_cmpint (recv (fd, answer, sizeof answer, 0), ==, 7);
  g_assert_cmpint (answer[0], ==, 0x15);
  g_assert_cmpint (recv (fd, answer, sizeof answer, MSG_WAITALL), ==, 0);
  assert_no_client (self);
  assert_handshakes (self, 0, 1, 0);
  close (fd);
}

static void
test_counts (Fixture *self, gconstpointer data)
{
  ReeveServerStats stats;
  Client client;

  client_init (&client, self, "client");
  reeve_server_get_stats (self->server, &stats);
  g_assert_cmpuint (stats.n_unauth, ==, 1);
  client_handshake (&client, 10);
  g_assert_cmpint (client_read_verdict (&client), ==, REEVE_TLS_ACCEPTED);
  reeve_server_get_stats (self->server, &stats);
  g_assert_cmpuint (stats.n_unauth, ==, 0);
  g_assert_cmpuint (stats.n_clients, ==, 1);
  assert_handshakes (self, 1, 0, 0);
  client_clear (&client);
}

static void
test_goes_away (Fixture *self, gconstpointer data)
{
  for (int i = 0; i < 50; i++) {
    Client client;

    client_init (&client, self, "client");
    client_handshake (&client, i % 3);
    client_clear (&client);
  }
  assert_no_client (self);
}

/* A new certificate is for new clients alone. */
static void
test_exchange (Fixture *self, gconstpointer data)
{
  g_autoptr (ReeveTlsContext) other =
      tls_fixture_make_context (REEVE_TLS_SERVER, "second", 0);
  Client old, new, refused;
  char alert[7];

  client_open (&old, self);
  reeve_tls_slot_set_context (self->slot, other);
  client_open (&new, self);
  g_assert_cmpint (reeve_tls_session_verify (new.session, NULL), ==,
                   REEVE_TLS_ACCEPTED);
  g_assert_cmpstr (reeve_tls_session_get_peer_name (new.session), ==,
                   "C=GB,O=Acme,CN=second");

  reeve_tls_slot_set_context (self->slot, NULL);
  client_init (&refused, self, "client");
  g_assert_cmpint (recv (refused.fd, alert, sizeof alert, MSG_WAITALL), ==, 7);
  g_assert_cmpint (recv (refused.fd, alert, sizeof alert, 0), ==, 0);

  client_call (&old, 1);
  client_call (&new, 1);
  g_assert_cmpint (reeve_tls_session_verify (old.session, NULL), ==,
                   REEVE_TLS_ACCEPTED);
  g_assert_cmpstr (reeve_tls_session_get_peer_name (old.session), ==,
                   "C=GB,O=Acme,CN=server");
  client_clear (&refused);
  client_clear (&old);
  client_clear (&new);
}

static void
fill_server (Fixture *self, Client *client)
{
  const ReeveServerLimits one_client = { .max_clients = 1 };
  g_autoptr (GError) error = NULL;

  client_open (client, self);
  reeve_server_set_limits (self->server, &one_client, &error);
  g_assert_no_error (error);
}

/* Its first call is answered by why, and that is the end. */
static void
assert_hears_why (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  uint8_t frame[4096];
  Client client;
  size_t size;

  client_open (&client, self);
  client_send_call (&client, 1);
  size = client_read (&client, frame, sizeof frame);
  g_assert_cmpuint (size, >, REEVE_PAYLOAD_OFFSET);
  error = reeve_message_decode_error (frame + REEVE_PAYLOAD_OFFSET,
                                      size - REEVE_PAYLOAD_OFFSET);
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT);
  g_assert_nonnull (strstr (error->message, "clients already"));
  client_clear (&client);
}

/* The loop lets go of a client after the client saw its end. */
static void
wait_for_n_clients (Fixture *self, unsigned n)
{
  ReeveServerStats stats;

  do {
    reeve_server_get_stats (self->server, &stats);
    g_usleep (100);
  } while (stats.n_clients != n);
}

static void
test_one_too_many (Fixture *self, gconstpointer data)
{
  ReeveServerStats stats;
  Client first;

  fill_server (self, &first);
  for (unsigned i = 0; i < 2 * MAX_REFUSED; i++) {
    assert_hears_why (self);
    wait_for_n_clients (self, 1);
  }
  client_call (&first, 1);
  reeve_server_get_stats (self->server, &stats);
  g_assert_cmpuint (stats.n_accepted, ==, 1);
  g_assert_cmpuint (stats.n_refused, ==, 2 * MAX_REFUSED);
  client_clear (&first);
}

/* Whatever they do, only so many are there at a time, and not for long. */
static void
test_far_too_many (Fixture *self, gconstpointer data)
{
  Client first, silent[MAX_REFUSED], closed;
  char byte;

  fill_server (self, &first);
  self->timeout_ms = TIMEOUT_MS;
  for (unsigned i = 0; i < MAX_REFUSED; i++) {
    client_init (&silent[i], self, "client");
    client_handshake (&silent[i], (int) i % 2);
  }
  client_init (&closed, self, "client");
  g_assert_cmpint (recv (closed.fd, &byte, 1, 0), ==, 0);
  wait_for_n_clients (self, 1);

  self->timeout_ms = PATIENCE_MS;
  assert_hears_why (self);
  client_call (&first, 1);
  for (unsigned i = 0; i < MAX_REFUSED; i++)
    client_clear (&silent[i]);
  client_clear (&closed);
  client_clear (&first);
}

/* The server stops while clients are anywhere in their handshakes. */
static void
test_stop (Fixture *self, gconstpointer data)
{
  Client clients[12];

  for (unsigned i = 0; i < G_N_ELEMENTS (clients); i++) {
    client_init (&clients[i], self, "client");
    client_handshake (&clients[i], (int) i % 3);
  }
  end_loop (self);
  reeve_server_stop (self->server);
  start_loop (self);
  for (unsigned i = 0; i < G_N_ELEMENTS (clients); i++)
    client_clear (&clients[i]);
}

static void
test_needs_a_slot (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (
      reeve_server_listen (self->server, "ptls:127.0.0.1:0", NULL, &error));
  g_assert_nonnull (strstr (error->message, "needs a certificate"));
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  tls_fixture_set_up ();
  tls_fixture_issue ("old", REEVE_CERTIFICATE_CLIENT, "ca", -9, -1);
  tls_fixture_issue ("second", REEVE_CERTIFICATE_SERVER, "ca", -1, 9);
#define ADD(name, data, func)                                                  \
  g_test_add ("/rpc/server-tls/" name, Fixture, data, set_up, func, tear_down)
  ADD ("call", NULL, test_call);
  ADD ("call/again-and-again", NULL, test_calls_again);
  ADD ("call/behind-the-handshake", NULL, test_early_call);
  ADD ("refuses/no-certificate", NULL, test_refusal);
  ADD ("refuses/expired", "old", test_refusal);
  ADD ("refuses/silence", NULL, test_silence);
  ADD ("refuses/no-tls", NULL, test_no_tls);
  ADD ("refuses/one-too-many", NULL, test_one_too_many);
  ADD ("refuses/far-too-many", NULL, test_far_too_many);
  ADD ("half-open", NULL, test_half_open);
  ADD ("pieces", NULL, test_pieces);
  ADD ("pieces/tcp", "tcp", test_pieces);
  ADD ("counts-as-unauthenticated", NULL, test_counts);
  ADD ("client-goes-away", NULL, test_goes_away);
  ADD ("exchange", NULL, test_exchange);
  ADD ("stop", NULL, test_stop);
  ADD ("needs-a-slot", NULL, test_needs_a_slot);
#undef ADD
  status = g_test_run ();
  tls_fixture_tear_down ();
  return status;
}
