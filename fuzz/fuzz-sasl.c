/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "tests/rpc/sasl-fixture.h"

#include <errno.h>
#include <sasl/sasl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Somebody between the two ends of an exchange of SASL: each message reaches
 * the other end as the input wants it, and so does each packet of the layer
 * that they agree on. Whoever comes in is who knows the password, and what
 * comes out of the layer is what went in.
 */

typedef struct {
  const uint8_t *data;
  size_t size;
} Input;

typedef struct {
  const char *mechanisms;
  gboolean is_protected;
} Kind;

static const Kind kinds[] = {
  { "SCRAM-SHA-256", TRUE },
  { "DIGEST-MD5", FALSE },
  { "DIGEST-MD5", TRUE },
  { "PLAIN", TRUE },
  { "SCRAM-SHA-1 CRAM-MD5 LOGIN", TRUE },
};

static SaslFixture fixture;

static void
remove_fixture (void)
{
  sasl_fixture_tear_down (&fixture);
}

static uint8_t
take_byte (Input *self)
{
  if (self->size == 0)
    return 0;

  self->size--;
  return *self->data++;
}

static void
take_bytes (Input *self, GByteArray *bytes)
{
  size_t size = take_byte (self);

  size = MIN (size, self->size);
  g_byte_array_set_size (bytes, 0);
  g_byte_array_append (bytes, self->data, (guint) size);
  self->data += size;
  self->size -= size;
}

/* What becomes of a message on its way. FALSE: nothing is said at all. */
static gboolean
twist (Input *input, const void *data, size_t size, GByteArray *bytes)
{
  uint8_t at;

  g_byte_array_set_size (bytes, 0);
  if (data != NULL)
    g_byte_array_append (bytes, data, (guint) size);

  switch (take_byte (input) % 6) {
  case 1:
    take_bytes (input, bytes);
    break;
  case 2:
    at = take_byte (input);
    g_byte_array_set_size (bytes, MIN (at, bytes->len));
    break;
  case 3:
    at = take_byte (input);
    if (bytes->len > 0)
      bytes->data[at % bytes->len] ^= take_byte (input);
    break;
  case 4: {
    g_autoptr (GByteArray) more = g_byte_array_new ();

    take_bytes (input, more);
    if (more->len > 0)
      g_byte_array_append (bytes, more->data, more->len);
    break;
  }
  case 5:
    return FALSE;
  default:
    return data != NULL;
  }
  return TRUE;
}

/* As a client and a server talk, until both are content or one is not. */
static gboolean
talk (Input *input, ReeveSaslSession *session, ReeveSaslClient *client)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autofree char *list = reeve_sasl_session_list_mechanisms (session, NULL);
  const char *mechanism;
  ReeveSaslMessage said, answer = { 0 };
  gboolean has_begun = FALSE;

  if (list == NULL ||
      !reeve_sasl_client_start (client, list, &mechanism, &said, NULL))
    return FALSE;

  while (!said.is_complete || !answer.is_complete) {
    gboolean is_said = twist (input, said.data, said.size, bytes);
    const char *data = is_said ? (const char *) bytes->data : NULL;

    if (is_said && data == NULL)
      data = "";
    if (has_begun ? !reeve_sasl_session_step (session, data, bytes->len,
                                              &answer, NULL)
                  : !reeve_sasl_session_start (session, mechanism, data,
                                               bytes->len, &answer, NULL))
      return FALSE;
    has_begun = TRUE;
    if (said.is_complete)
      continue;

    is_said = twist (input, answer.data, answer.size, bytes);
    if (!reeve_sasl_client_step (client,
                                 is_said ? (const char *) bytes->data : NULL,
                                 is_said ? bytes->len : 0, &said, NULL))
      return FALSE;
  }
  return TRUE;
}

/* --------------------------------------------------------------- layer --- */

/* Reads all that comes out, which must be @plain as far as it goes. FALSE: the
 * layer cannot be used any more. */
static gboolean
receive (ReeveSaslLayer *layer, int fd, const char *plain, size_t size)
{
  char buffer[64];
  gssize n_read;

  while ((n_read = reeve_sasl_layer_class.recv (layer, fd, buffer,
                                                sizeof buffer)) > 0) {
    g_assert_cmpint (n_read, <=, size);
    g_assert_true (memcmp (buffer, plain, (size_t) n_read) == 0);
    plain += n_read;
    size -= (size_t) n_read;
  }
  g_assert_cmpint (n_read, <, 0);
  return errno == EAGAIN;
}

/* One packet from @from to @to. */
static gboolean
send_packet (Input *input, ReeveSaslLayer *from, ReeveSaslLayer *to, int *ends)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  uint8_t packet[4096];
  struct iovec vector;
  gssize n_read;

  take_bytes (input, plain);
  if (plain->len == 0)
    g_byte_array_append (plain, (const uint8_t *) "plain", 5);
  vector = (struct iovec){ plain->data, plain->len };
  g_assert_cmpint (reeve_sasl_layer_class.sendv (from, ends[0], &vector, 1), ==,
                   plain->len);
  n_read = recv (ends[1], packet, sizeof packet, MSG_DONTWAIT);
  g_assert_cmpint (n_read, >, 0);

  if (twist (input, packet, (size_t) n_read, bytes) && bytes->len > 0)
    g_assert_cmpint (send (ends[0], bytes->data, bytes->len, MSG_DONTWAIT), ==,
                     bytes->len);
  return receive (to, ends[1], (const char *) plain->data, plain->len);
}

static void
send_packets (Input *input, ReeveSaslLayer *from, ReeveSaslLayer *to)
{
  int ends[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                   ==, 0);
  while (input->size > 0)
    if (!send_packet (input, from, to, ends))
      break;
  close (ends[0]);
  close (ends[1]);
}

/* -------------------------------------------------------------- target --- */

/* SCRAM hashes the password once, not 4096 times. */
static int
get_option (void *context,
            const char *plugin,
            const char *name,
            const char **value,
            unsigned *size)
{
  if (!g_str_equal (name, "scram_iteration_counter"))
    return SASL_FAIL;

  *value = "1";
  if (size != NULL)
    *size = 1;
  return SASL_OK;
}

static void
set_up (void)
{
  static const sasl_callback_t callbacks[] = {
    { SASL_CB_GETOPT, (int (*) (void)) get_option, NULL },
    { SASL_CB_LIST_END, NULL, NULL },
  };

  g_assert_cmpint (sasl_server_init (callbacks, NULL), ==, SASL_OK);
  sasl_fixture_set_up (&fixture);
  atexit (remove_fixture);
  g_log_set_writer_func (fuzz_write_log, NULL, NULL);
}

/* A layer costs as much as a hundred exchanges, as libsasl2 looks for its
 * cipher each time, so that a process has some of them only. */
static const Kind *
choose_kind (Input *input)
{
  static unsigned n_left = 500;
  const Kind *kind = &kinds[take_byte (input) % G_N_ELEMENTS (kinds)];

  if (!kind->is_protected && n_left == 0)
    return &kinds[0];
  n_left -= kind->is_protected ? 0 : 1;
  return kind;
}

static void
use_layers (Input *input, ReeveSaslLayer *server, ReeveSaslLayer *client)
{
  gboolean goes_up = take_byte (input) % 2 == 0;

  g_assert_true ((server == NULL) == (client == NULL));
  if (server != NULL)
    send_packets (input, goes_up ? client : server, goes_up ? server : client);
  reeve_sasl_layer_free (server);
  reeve_sasl_layer_free (client);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Input input = { data, size };
  const Kind *kind = choose_kind (&input);
  g_autofree ReeveSaslOptions *options = NULL;
  g_autoptr (ReeveSaslSession) session = NULL;
  g_autoptr (ReeveSaslClient) client = NULL;

  if (fixture.directory == NULL)
    set_up ();

  options = sasl_fixture_make_options (&fixture, kind->mechanisms, 56);
  session = reeve_sasl_session_new (options, kind->is_protected, NULL);
  client =
      reeve_sasl_client_new ("localhost", kind->is_protected, sasl_fixture_get,
                             (gpointer) &sasl_fixture_alice, NULL);
  if (!talk (&input, session, client))
    return 0;

  g_assert_cmpstr (reeve_sasl_session_get_name (session, NULL), ==,
                   SASL_FIXTURE_NAME);
  use_layers (&input, reeve_sasl_session_to_layer (g_steal_pointer (&session)),
              reeve_sasl_client_to_layer (g_steal_pointer (&client)));
  return 0;
}
