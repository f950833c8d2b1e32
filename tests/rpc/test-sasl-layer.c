/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sasl-fixture.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Two streams with the two ends of a layer, over a socket that takes little. */
typedef struct {
  SaslFixture sasl;
  ReeveSaslOptions *options; /* (owned) */
  int fds[2];                /* of the streams */
  ReeveStream *streams[2];   /* (owned) */
  ReeveSaslLayer *layers[2]; /* until they are set */
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  const int small = 4096;

  sasl_fixture_set_up (&self->sasl);
  self->options = sasl_fixture_make_options (&self->sasl, "DIGEST-MD5", 56);
  sasl_fixture_make_layers (self->options, &self->layers[0], &self->layers[1]);
  g_assert_no_errno (
      socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->fds));
  for (int i = 0; i < 2; i++) {
    setsockopt (self->fds[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    self->streams[i] = reeve_stream_new_for_fd (self->fds[i]);
  }
}

static void
set_layer (Fixture *self, int i)
{
  reeve_stream_set_layer (self->streams[i], &reeve_sasl_layer_class,
                          g_steal_pointer (&self->layers[i]));
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  for (int i = 0; i < 2; i++) {
    reeve_stream_free (self->streams[i]);
    reeve_sasl_layer_free (self->layers[i]);
  }
  g_free (self->options);
  sasl_fixture_tear_down (&self->sasl);
}

static uint8_t *
make_bytes (size_t size)
{
  uint8_t *bytes = g_malloc (size);

  for (size_t i = 0; i < size; i++)
    bytes[i] = (uint8_t) (i * 31 + (i >> 8));
  return bytes;
}

static gssize
send_bytes (ReeveStream *stream, const void *data, size_t size)
{
  /* in two pieces, the first of which may be empty */
  const struct iovec iov[] = {
    { (void *) data, size / 3 },
    { (char *) data + size / 3, size - size / 3 },
  };

  return reeve_stream_sendv (stream, iov, 2);
}

/* What can be read until there is nothing; at most @size. */
static size_t
read_all (ReeveStream *stream, uint8_t *data, size_t size)
{
  size_t n_all = 0;
  gssize n_read = 0;

  while (n_all < size) {
    n_read = reeve_stream_recv (stream, data + n_all, MIN (size - n_all, 1000),
                                NULL);
    if (n_read > 0) {
      n_all += (size_t) n_read;
      continue;
    }
    g_assert_cmpint (n_read, ==, -1);
    g_assert_cmpint (errno, ==, EAGAIN);
    break;
  }
  return n_all;
}

/* --------------------------------------------------------------- carry --- */

typedef struct {
  const char *name;
  int from; /* 0: the server */
  size_t size;
} CarryCase;

static const CarryCase carry_cases[] = {
  { "one-byte", 0, 1 },          { "less-than-the-socket-takes", 0, 1000 },
  { "one-packet", 1, 65000 },    { "as-much-as-is-taken-at-once", 0, 65536 },
  { "one-byte-more", 1, 65537 }, { "many-packets", 0, 1000000 },
};

static void
test_carry (Fixture *self, gconstpointer data)
{
  const CarryCase *row = data;
  ReeveStream *from = self->streams[row->from];
  ReeveStream *to = self->streams[!row->from];
  g_autofree uint8_t *bytes = make_bytes (row->size);
  g_autofree uint8_t *came = g_malloc0 (row->size);
  size_t n_sent = 0, n_came = 0;

  set_layer (self, 0);
  set_layer (self, 1);
  while (n_came < row->size) {
    gssize n = n_sent == row->size
                   ? 0
                   : send_bytes (from, bytes + n_sent, row->size - n_sent);

    if (n < 0)
      g_assert_cmpint (errno, ==, EAGAIN);
    n_sent += (size_t) MAX (n, 0);
    if (reeve_stream_has_output (from) && !reeve_stream_flush (from))
      g_assert_cmpint (errno, ==, EAGAIN);
    n_came += read_all (to, came + n_came, row->size - n_came);
  }

  g_assert_cmpmem (came, row->size, bytes, row->size);
  g_assert_false (reeve_stream_has_output (from));
  g_assert_false (reeve_stream_has_input (to));
}

/* ---------------------------------------------------------------- bound -- */

static void
test_bound (Fixture *self, gconstpointer data)
{
  g_autofree uint8_t *bytes = make_bytes (65536);
  size_t n_taken = 0;
  gssize n;

  set_layer (self, 0);
  while ((n = send_bytes (self->streams[0], bytes, 65536)) > 0)
    n_taken += (size_t) n;
  g_assert_cmpint (errno, ==, EAGAIN);
  g_assert_true (reeve_stream_has_output (self->streams[0]));
  /* what the socket took, and a packet */
  g_assert_cmpuint (n_taken, <=, 3 * 65536);
}

/* ---------------------------------------------------------- beginning ---- */

/* Each byte of a packet that one end sends; what is in clear comes first. */
static size_t
capture (Fixture *self, const char *text, uint8_t *packet, size_t size)
{
  gssize n_read;

  set_layer (self, 1);
  g_assert_cmpint (send_bytes (self->streams[1], text, strlen (text)), ==,
                   strlen (text));
  n_read = recv (self->fds[0], packet, size, MSG_DONTWAIT);
  g_assert_cmpint (n_read, >, strlen (text));
  return (size_t) n_read;
}

static void
test_early_output (Fixture *self, gconstpointer data)
{
  uint8_t bytes[1000];
  uint8_t came[100];
  size_t size;

  reeve_sasl_layer_class.add_output (self->layers[1], "in ", 3);
  reeve_sasl_layer_class.add_output (self->layers[1], "clear", 5);
  g_assert_true (reeve_sasl_layer_class.has_output (self->layers[1]));
  size = capture (self, "secret", bytes, sizeof bytes);
  g_assert_cmpmem (bytes, 8, "in clear", 8);
  g_assert_null (memmem (bytes, size, "secret", 6));

  reeve_sasl_layer_class.add_input (self->layers[0], bytes + 8, size - 8);
  set_layer (self, 0);
  g_assert_true (reeve_stream_has_input (self->streams[0]));
  g_assert_cmpuint (read_all (self->streams[0], came, 6), ==, 6);
  g_assert_cmpmem (came, 6, "secret", 6);
  g_assert_false (reeve_stream_has_input (self->streams[0]));
}

static void
test_half_a_packet (Fixture *self, gconstpointer data)
{
  uint8_t bytes[1000];
  uint8_t came[100];
  size_t size = capture (self, "in two halves", bytes, sizeof bytes);

  set_layer (self, 0);
  for (size_t i = 0; i < size; i++) {
    g_assert_cmpuint (read_all (self->streams[0], came, sizeof came), ==, 0);
    g_assert_cmpint (send (self->fds[1], bytes + i, 1, 0), ==, 1);
  }
  g_assert_cmpuint (read_all (self->streams[0], came, sizeof came), ==, 13);
  g_assert_cmpmem (came, 13, "in two halves", 13);
}

/* -------------------------------------------------------------- refuse --- */

typedef struct {
  const char *name;
  int flipped; /* which byte of a good packet is wrong; -1: of none */
} RefuseCase;

static const RefuseCase refuse_cases[] = {
  { "a-length-that-is-too-large", 0 },
  { "a-changed-byte", 8 },
  { "a-packet-twice", -1 },
};

static void
test_refuse (Fixture *self, gconstpointer data)
{
  const RefuseCase *row = data;
  uint8_t bytes[1000];
  uint8_t came[100];
  size_t size = capture (self, "pay 10 to bob", bytes, sizeof bytes);

  set_layer (self, 0);
  if (row->flipped >= 0) {
    bytes[row->flipped] ^= 0xff;
  } else {
    g_assert_cmpint (send (self->fds[1], bytes, size, 0), ==, size);
    g_assert_cmpuint (read_all (self->streams[0], came, sizeof came), ==, 13);
  }
  g_assert_cmpint (send (self->fds[1], bytes, size, 0), ==, size);
  g_assert_cmpint (
      reeve_stream_recv (self->streams[0], came, sizeof came, NULL), ==, -1);
  g_assert_cmpint (errno, ==, EBADMSG);
}

static void
test_end (Fixture *self, gconstpointer data)
{
  uint8_t came[100];

  set_layer (self, 0);
  g_assert_no_errno (shutdown (self->fds[1], SHUT_RDWR));
  g_assert_cmpint (
      reeve_stream_recv (self->streams[0], came, sizeof came, NULL), ==, 0);
  g_assert_cmpint (send_bytes (self->streams[0], "x", 1), ==, -1);
  g_assert_cmpint (errno, ==, EPIPE);
}

#define ADD(path, row, func)                                                   \
  g_test_add (path, Fixture, row, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (carry_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/sasl-layer/carry/", carry_cases[i].name, NULL);

    ADD (path, &carry_cases[i], test_carry);
  }
  ADD ("/rpc/sasl-layer/bound/one-packet-is-held", NULL, test_bound);
  ADD ("/rpc/sasl-layer/begin/what-was-before-is-in-clear", NULL,
       test_early_output);
  ADD ("/rpc/sasl-layer/begin/byte-by-byte", NULL, test_half_a_packet);
  for (unsigned i = 0; i < G_N_ELEMENTS (refuse_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/sasl-layer/refuse/", refuse_cases[i].name, NULL);

    ADD (path, &refuse_cases[i], test_refuse);
  }
  ADD ("/rpc/sasl-layer/end/is-seen", NULL, test_end);
  return g_test_run ();
}
