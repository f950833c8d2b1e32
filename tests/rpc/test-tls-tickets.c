/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/stream-layer.h"
#include "rpc/tls-tickets.h"
#include "tls-fixture.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* -------------------------------------------------------------- a table -- */

static GBytes *
make_ticket (const char *text)
{
  return g_bytes_new (text, strlen (text));
}

static void
assert_ticket (const char *key, const char *text)
{
  g_autoptr (GBytes) ticket = reeve_tls_tickets_take (key);

  if (text == NULL)
    g_assert_null (ticket);
  else
    g_assert_cmpmem (g_bytes_get_data (ticket, NULL), g_bytes_get_size (ticket),
                     text, strlen (text));
}

static void
test_is_for_one_use (void)
{
  reeve_tls_tickets_keep ("here", make_ticket ("one"));
  reeve_tls_tickets_keep ("there", make_ticket ("two"));
  reeve_tls_tickets_keep ("here", make_ticket ("three"));
  assert_ticket ("here", "three");
  assert_ticket ("here", NULL);
  assert_ticket ("there", "two");
}

static void
test_forgets_the_oldest (void)
{
  for (int i = 0; i <= 64; i++) {
    g_autofree char *key = g_strdup_printf ("%d", i);

    reeve_tls_tickets_keep (key, make_ticket (key));
  }
  assert_ticket ("0", NULL);
  for (int i = 1; i <= 64; i++) {
    g_autofree char *key = g_strdup_printf ("%d", i);

    assert_ticket (key, key);
  }
}

/* ---------------------------------------------------- a session, resumed -- */

#define TLS_1_2 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS_1_3 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define NO_TICKETS REEVE_TLS_NO_TICKETS
#define OK REEVE_TLS_ACCEPTED

/* Two sessions, the second with the ticket of the first. */
typedef struct {
  const char *name;
  const char *priority; /* of the client */
  const char *client;   /* its certificate */
  const char *later_ca; /* whom it trusts the second time */
  ReeveTlsFlags client_flags;
  ReeveTlsFlags server_flags;
  gboolean is_other_server; /* the second time: as after its files were read */
  gboolean has_ticket;
  gboolean is_resumed;
  ReeveTlsVerdict of_client; /* both times */
  ReeveTlsVerdict of_server; /* the second time */
} ResumeCase;

static const ResumeCase resume_cases[] = {
  { "tls-1.3", TLS_1_3, "client", "ca", 0, 0, FALSE, TRUE, TRUE, OK, OK },
  { "tls-1.2", TLS_1_2, "client", "ca", 0, 0, FALSE, TRUE, TRUE, OK, OK },
  { "not-by-another-context", TLS_1_3, "client", "ca", 0, 0, TRUE, TRUE, FALSE,
    OK, OK },
  { "not-by-another-context-tls-1.2", TLS_1_2, "client", "ca", 0, 0, TRUE, TRUE,
    FALSE, OK, OK },
  { "off-at-the-server", TLS_1_3, "client", "ca", 0, NO_TICKETS, FALSE, FALSE,
    FALSE, OK, OK },
  { "off-at-the-server-tls-1.2", TLS_1_2, "client", "ca", 0, NO_TICKETS, FALSE,
    FALSE, FALSE, OK, OK },
  { "off-at-the-client", TLS_1_3, "client", "ca", NO_TICKETS, 0, FALSE, FALSE,
    FALSE, OK, OK },
  { "no-ticket-for-who-is-refused", TLS_1_3, "gone", "ca", 0, 0, FALSE, FALSE,
    FALSE, REEVE_TLS_REVOKED, OK },
  /* Of TLS 1.2 it is part of the handshake. */
  { "judges-the-client-again", TLS_1_2, "gone", "ca", 0, 0, FALSE, TRUE, TRUE,
    REEVE_TLS_REVOKED, OK },
  { "judges-the-server-again", TLS_1_3, "client", "other", 0, 0, FALSE, TRUE,
    TRUE, OK, REEVE_TLS_UNTRUSTED },
  { "judges-the-server-again-tls-1.2", TLS_1_2, "client", "other", 0, 0, FALSE,
    TRUE, TRUE, OK, REEVE_TLS_UNTRUSTED },
};

static ReeveTlsContext *
make_client (const ResumeCase *row, const char *ca)
{
  const ReeveTlsSettings settings = {
    .certificate = tls_fixture_get_path (row->client, ".pem"),
    .key = tls_fixture_get_path (row->client, ".key"),
    .ca = tls_fixture_get_path (ca, ".pem"),
    .priority = row->priority,
    .flags = row->client_flags | REEVE_TLS_NO_SANITY,
  };
  g_autoptr (GError) error = NULL;
  ReeveTlsContext *context =
      reeve_tls_context_new (REEVE_TLS_CLIENT, &settings, &error);

  g_assert_no_error (error);
  return context;
}

/* The verdict comes first, and behind it the ticket. */
static void
receive_verdict (TlsPair *pair, ReeveTlsVerdict verdict)
{
  ReeveStream *stream = reeve_stream_new_for_fd (dup (pair->fds[0]));
  uint8_t byte = 0;

  reeve_tls_session_send_verdict (pair->sessions[1], verdict);
  g_assert_true (reeve_tls_session_flush (pair->sessions[1], pair->fds[1]));
  reeve_tls_session_attach (reeve_tls_session_ref (pair->sessions[0]), stream);
  g_assert_cmpint (reeve_stream_recv (stream, &byte, 1, NULL), ==, 1);
  g_assert_cmpint (byte, ==, verdict);
  g_assert_cmpint (reeve_stream_recv (stream, &byte, 1, NULL), ==, -1);
  g_assert_cmpint (errno, ==, EAGAIN);
  reeve_stream_free (stream);
}

/* Returns the ticket for the next time. */
static GBytes *
meet (const ResumeCase *row,
      ReeveTlsContext *client,
      ReeveTlsContext *server,
      GBytes *ticket,
      ReeveTlsVerdict of_server)
{
  gboolean is_resumed = ticket != NULL && row->is_resumed;
  GBytes *next;
  TlsPair pair;

  tls_pair_init (&pair, client, server, "localhost");
  if (ticket != NULL)
    reeve_tls_session_set_ticket (pair.sessions[0], ticket);
  tls_pair_handshake (&pair);
  for (int side = 0; side < 2; side++) {
    g_assert_cmpint (pair.progress[side], ==, REEVE_TLS_HANDSHAKE_DONE);
    g_assert_cmpint (reeve_tls_session_is_resumed (pair.sessions[side]), ==,
                     is_resumed);
    g_assert_cmpint (reeve_tls_session_verify (pair.sessions[side], NULL), ==,
                     side == 0 ? of_server : row->of_client);
  }
  if (row->of_client == OK)
    g_assert_cmpstr (reeve_tls_session_get_peer_name (pair.sessions[1]), ==,
                     "C=GB,O=Acme,CN=client");
  receive_verdict (&pair, row->of_client);
  next = reeve_tls_session_dup_ticket (pair.sessions[0]);
  tls_pair_clear (&pair);
  return next;
}

static void
test_resume (gconstpointer data)
{
  const ResumeCase *row = data;
  g_autoptr (ReeveTlsContext) client = make_client (row, "ca");
  g_autoptr (ReeveTlsContext) later_client = make_client (row, row->later_ca);
  g_autoptr (ReeveTlsContext) server =
      tls_fixture_make_context (REEVE_TLS_SERVER, "server", row->server_flags);
  g_autoptr (ReeveTlsContext) other_server =
      tls_fixture_make_context (REEVE_TLS_SERVER, "server", row->server_flags);
  g_autoptr (GBytes) ticket = meet (row, client, server, NULL, OK);
  g_autoptr (GBytes) next = NULL;

  g_assert_cmpint (ticket != NULL, ==, row->has_ticket);
  if (ticket == NULL)
    return;

  next = meet (row, later_client, row->is_other_server ? other_server : server,
               ticket, row->of_server);
  g_assert_nonnull (next);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  tls_fixture_set_up ();
  tls_fixture_issue ("other", REEVE_CERTIFICATE_CA, NULL, -1, 10);
  tls_fixture_issue ("gone", REEVE_CERTIFICATE_CLIENT, "ca", -1, 9);
  tls_fixture_revoke ("ca", "gone");
  g_test_add_func ("/rpc/tls-tickets/is-for-one-use", test_is_for_one_use);
  g_test_add_func ("/rpc/tls-tickets/forgets-the-oldest",
                   test_forgets_the_oldest);
  for (size_t i = 0; i < G_N_ELEMENTS (resume_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/tls-tickets/resume/", resume_cases[i].name, NULL);

    g_test_add_data_func (path, &resume_cases[i], test_resume);
  }
  status = g_test_run ();
  tls_fixture_tear_down ();
  return status;
}
