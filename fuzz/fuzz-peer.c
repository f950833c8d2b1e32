/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/peer.h"
#include "fuzz/fuzz.h"
#include "fuzz/io-end.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * What a daemon sends to a peer that waits for the answers to two calls: in
 * JSON, or, if the first byte is odd, in configuration text, whose hello was
 * answered well. Whatever comes, the calls end, and nothing of the peer is
 * left.
 */

#define N_CALLS 2

/* Longer than anything here takes. */
#define WAIT_MS 60000

#define TEXT_END "\n##\n"
#define HELLO_ANSWER "response=OK protocol=fuzz version=1" TEXT_END
#define JSON_END "}\n"

typedef struct {
  int fd; /* (owned) */
  gboolean is_text;
  const uint8_t *data;
  size_t size;
} Daemon;

static GMainContext *context;
static unsigned n_answers;

/* -------------------------------------------------------------- daemon --- */

static void
pass_message (int fd, const char *end)
{
  size_t n_matched = 0;
  char byte;

  while (end[n_matched] != '\0' && recv (fd, &byte, 1, 0) == 1)
    n_matched = byte == end[n_matched] ? n_matched + 1 : byte == end[0];
}

static gboolean
send_all (int fd, const void *data, size_t size)
{
  const uint8_t *rest = data;

  while (size > 0) {
    gssize n_sent = send (fd, rest, size, MSG_NOSIGNAL);

    if (n_sent <= 0)
      return FALSE;
    rest += n_sent;
    size -= (size_t) n_sent;
  }
  return TRUE;
}

static void *
serve (void *data)
{
  Daemon *self = data;

  if (self->is_text) {
    pass_message (self->fd, TEXT_END);
    send_all (self->fd, HELLO_ANSWER, strlen (HELLO_ANSWER));
  }
  /* An answer must not come before the call. */
  pass_message (self->fd, self->is_text ? TEXT_END : JSON_END);
  send_all (self->fd, self->data, self->size);
  shutdown (self->fd, SHUT_WR);
  return NULL;
}

/* ---------------------------------------------------------------- peer --- */

static void
take_notice (ReevePeer *peer,
             const char *method,
             JsonNode *params,
             gpointer data)
{
  g_assert_true (g_utf8_validate (method, -1, NULL));
}

static void
take_json (GObject *source, GAsyncResult *result, gpointer peer)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node =
      reeve_peer_call_json_finish (peer, result, &error);

  g_assert_true ((node == NULL) == (error != NULL));
  n_answers++;
}

static void
take_text (GObject *source, GAsyncResult *result, gpointer peer)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConfigNode) node =
      reeve_peer_call_text_finish (peer, result, &error);

  g_assert_true ((node == NULL) == (error != NULL));
  n_answers++;
}

static ReevePeer *
open_peer (const char *stream, gboolean is_text)
{
  const ReevePeerHandlers handlers = { .notify = take_notice };

  return is_text ? reeve_peer_open_text (stream, "fuzz", 1, WAIT_MS, NULL, NULL)
                 : reeve_peer_open_json (stream, REEVE_PEER_JSON_1, &handlers,
                                         WAIT_MS, NULL, NULL);
}

static void
call (ReevePeer *peer, gboolean is_text)
{
  for (int i = 0; i < N_CALLS; i++)
    if (is_text)
      reeve_peer_call_text_async (peer, "call", NULL, WAIT_MS, NULL, take_text,
                                  peer);
    else
      reeve_peer_call_json_async (peer, "call", NULL, WAIT_MS, NULL, take_json,
                                  peer);
}

/* -------------------------------------------------------------- target --- */

static FuzzIoEnd io_end;

static void
set_up (void)
{
  g_log_set_writer_func (fuzz_write_log, NULL, NULL);
  fuzz_io_end_init (&io_end);
  context = g_main_context_new ();
  g_main_context_push_thread_default (context);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Daemon daemon;
  g_autofree char *stream = NULL;
  pthread_t thread;
  ReevePeer *peer;
  int ends[2];

  if (size == 0)
    return 0;
  if (context == NULL)
    set_up ();

  daemon.is_text = data[0] % 2 != 0;
  daemon.data = data + 1;
  daemon.size = size - 1;
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                   ==, 0);
  daemon.fd = ends[1];
  g_assert_cmpint (pthread_create (&thread, NULL, serve, &daemon), ==, 0);
  stream = g_strdup_printf ("fd:%d", ends[0]);
  peer = open_peer (stream, daemon.is_text);
  g_assert_nonnull (peer);
  n_answers = 0;
  call (peer, daemon.is_text);
  while (n_answers < N_CALLS)
    g_main_context_iteration (context, TRUE);
  reeve_peer_unref (peer);
  fuzz_io_end_wait (&io_end);
  pthread_join (thread, NULL);
  close (daemon.fd);
  return 0;
}
