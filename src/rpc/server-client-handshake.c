/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/server-client-private.h"
#include "rpc/stream-layer.h"
#include "rpc/tls-session.h"

#include <errno.h>
#include <sys/socket.h>

/* A client of TLS before its first frame. A thread for handshakes reads what
 * comes, does the arithmetic, which takes most of a millisecond, and writes
 * what it leads to. It stays for what comes next, if that comes soon and nobody
 * else needs it; else the loop's thread watches the socket, and hands it over
 * again. An end that lets the client in need not wake the loop. */

/* No client's answer is shorter. Most begin it with a record of 6 bytes that
 * means nothing, well before they have the rest. */
#define MIN_ANSWER 7

typedef enum {
  STAGE_WATCHED, /* the loop's thread waits until something comes */
  STAGE_TAKEN,   /* a thread for handshakes has it, or will have it */
  STAGE_OVER,    /* the client may call; the rest is the loop's thread's */
} Stage;

struct _ReeveClientHandshake {
  ReeveJob job;
  ReeveServerClient *client; /* who owns it */

  /* Of the loop's thread. */
  int timer;

  ReeveTlsContext *context; /* (owned): immutable, as what follows */
  int fd;
  int watch;

  /* A Stage. While it is taken, what follows is of the other thread, which
   * changes it under the client's lock; else of the loop's thread. */
  atomic_int stage;
  gboolean is_ready;        /* the socket, when it is taken */
  gboolean expects_answer;  /* it is not ready for less than MIN_ANSWER */
  ReeveTlsSession *session; /* (owned) (nullable): since it was taken first */
  ReeveTlsProgress progress;
  ReeveTlsVerdict verdict;
  char *why; /* (owned) (nullable): it failed, or is refused */
};

static const char *
get_origin (ReeveServerClient *client)
{
  const char *address = reeve_server_client_get_address (client);

  return address != NULL ? address : _ ("a socket without an address");
}

static void run_out (ReeveLoop *loop, int watch, gpointer data);

void
reeve_server_client_init_handshake_locked (ReeveServerClient *self,
                                           ReeveTlsContext *context,
                                           unsigned timeout_ms)
{
  ReeveClientHandshake *handshake = g_new0 (ReeveClientHandshake, 1);

  handshake->job.link.data = &handshake->job;
  handshake->job.name = "TLS";
  handshake->client = self;
  handshake->context = reeve_tls_context_ref (context);
  handshake->fd = reeve_stream_get_fd (self->stream);
  handshake->watch = self->watch;
  handshake->timer = reeve_loop_add_timeout (self->home->loop, (int) timeout_ms,
                                             run_out, self, NULL);
  atomic_init (&handshake->stage,
               self->events == REEVE_EVENT_NONE ? STAGE_TAKEN : STAGE_WATCHED);
  self->handshake = handshake;
  self->is_shaking = TRUE;
}

/* A thread may stay with the socket, and keep it open: that is for the loop's
 * thread to end, which is about to close it. */
void
reeve_server_client_stop_handshake (ReeveServerClient *self)
{
  ReeveClientHandshake *handshake = self->handshake;

  if (handshake == NULL || handshake->timer == 0)
    return;

  reeve_loop_remove (self->home->loop, handshake->timer);
  handshake->timer = 0;
  if (atomic_load (&handshake->stage) == STAGE_TAKEN)
    shutdown (handshake->fd, SHUT_RDWR);
}

void
reeve_client_handshake_free (ReeveClientHandshake *self)
{
  if (self == NULL)
    return;

  reeve_tls_session_unref (self->session);
  reeve_tls_context_unref (self->context);
  g_free (self->why);
  g_free (self);
}

/* ----------------------------------------------------------- its outcome -- */

/* From here on all bytes go through the session. */
static void
attach_locked (ReeveServerClient *self, ReeveTlsSession *session)
    REEVE_REQUIRES (self->lock)
{
  reeve_tls_session_attach (reeve_tls_session_ref (session), self->stream);
  self->is_shaking = FALSE;
  self->events = REEVE_EVENT_NONE;
}

/* The loop's thread sees that the client was let in. */
static void
forget_handshake (ReeveServerClient *self)
{
  reeve_server_client_stop_handshake (self);
  g_clear_pointer (&self->handshake, reeve_client_handshake_free);
  self->has_layer = TRUE;
}

static void
run_out (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveServerClient *self = data;

  if (atomic_load (&self->handshake->stage) == STAGE_OVER) {
    forget_handshake (self);
    return;
  }
  reeve_server_note_refusal (
      self->server, REEVE_REFUSAL_HANDSHAKE,
      _ ("TLS client at %s did not end its handshake in time"),
      get_origin (self));
  reeve_server_client_close_now (self);
}

static void
begin_calls (ReeveLoop *loop, gpointer data)
{
  ReeveServerClient *self = data;

  if (self->handshake != NULL)
    forget_handshake (self);
  reeve_server_client_read_more (self);
  reeve_server_client_unref (self);
}

/* Mostly it says nothing yet, so that the loop need not be woken. What is of
 * the handshake may be gone at once. */
static void
let_in (ReeveServerClient *self, ReeveClientHandshake *handshake)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL)
    return;

  attach_locked (self, handshake->session);
  atomic_store (&handshake->stage, STAGE_OVER);
  reeve_server_client_update_events_locked (self);
  if (reeve_stream_has_input (self->stream))
    reeve_loop_invoke (self->home->loop, begin_calls,
                       reeve_server_client_ref (self));
}

static void
attach (ReeveServerClient *self, ReeveTlsSession *session)
{
  REEVE_LOCK_SCOPE (&self->lock);

  attach_locked (self, session);
}

static void
refuse_peer (ReeveServerClient *self)
{
  ReeveClientHandshake *handshake = self->handshake;

  /* Each is worth a line: it may be somebody whom it should have let in. */
  g_message (_ ("TLS client at %1$s refused because of its certificate: %2$s"),
             get_origin (self), handshake->why);
  attach (self, handshake->session);
  reeve_server_client_close_now (self);
}

static void
fail (ReeveServerClient *self)
{
  ReeveClientHandshake *handshake = self->handshake;

  reeve_server_note_refusal (
      self->server, REEVE_REFUSAL_HANDSHAKE,
      _ ("TLS handshake with the client at %1$s failed: %2$s"),
      get_origin (self), handshake->why);
  reeve_server_client_close_now (self);
}

/* It does not let the client in. */
static void
end (ReeveLoop *loop, gpointer data)
{
  ReeveServerClient *self = data;

  atomic_store (&self->handshake->stage, STAGE_WATCHED);
  if (!reeve_server_client_is_closed (self)) {
    if (self->handshake->progress == REEVE_TLS_HANDSHAKE_DONE)
      refuse_peer (self);
    else if (self->handshake->progress == REEVE_TLS_HANDSHAKE_FAILED)
      fail (self);
    else
      reeve_server_client_close_now (self);
  }
  reeve_server_client_unref (self);
}

/* ----------------------------------------------------------------- steps -- */

/* FALSE: its socket is broken. */
static gboolean
flush (ReeveClientHandshake *self)
{
  return reeve_tls_session_flush (self->session, self->fd) || errno == EAGAIN ||
         errno == EINTR;
}

/* Nobody wakes for a part of an answer that leads nowhere. It is the answer to
 * all that was said, so that no part of it was read before. */
static void
expect_answer (ReeveClientHandshake *self, gboolean expects_answer)
{
  int n_bytes = expects_answer ? MIN_ANSWER : 1;

  if (self->expects_answer == expects_answer)
    return;

  self->expects_answer = expects_answer;
  setsockopt (self->fd, SOL_SOCKET, SO_RCVLOWAT, &n_bytes, sizeof n_bytes);
}

/* Under the client's lock its socket is not closed. Returns the bytes that it
 * read, 0 if there are none yet, or -1: the socket is broken, or closed. */
static gssize
receive (ReeveServerClient *client, ReeveClientHandshake *self)
{
  gssize n_read;

  REEVE_LOCK_SCOPE (&client->lock);

  if (client->stream == NULL || !flush (self))
    return -1;

  n_read = reeve_tls_session_fill (self->session, self->fd);
  if (n_read == 0 || (n_read < 0 && errno != EAGAIN && errno != EINTR))
    return -1;

  expect_answer (self, FALSE);
  return MAX (n_read, 0);
}

static gboolean
send_output (ReeveServerClient *client, ReeveClientHandshake *self)
{
  gboolean says_something = reeve_tls_session_has_output (self->session);

  REEVE_LOCK_SCOPE (&client->lock);

  if (client->stream == NULL || !flush (self))
    return FALSE;

  if (self->progress == REEVE_TLS_HANDSHAKE_WAITS && says_something)
    expect_answer (self, TRUE);
  return TRUE;
}

/* Before the client hears of it. */
static void
judge (ReeveServerClient *client, ReeveClientHandshake *self)
{
  self->verdict = reeve_tls_session_verify (self->session, &self->why);
  reeve_server_count_handshake (client->server,
                                self->verdict != REEVE_TLS_ACCEPTED,
                                reeve_tls_session_is_resumed (self->session));
  if (self->verdict == REEVE_TLS_ACCEPTED) {
    client->x509_name =
        g_strdup (reeve_tls_session_get_peer_name (self->session));
    if (client->auth == REEVE_AUTH_NONE && !client->is_refused)
      reeve_server_client_set_authenticated (client, NULL);
  }
  reeve_tls_session_send_verdict (self->session, self->verdict);
}

/* Goes on as far as the bytes that are there lead. Returns whether more have to
 * come. */
static gboolean
step (ReeveServerClient *client, ReeveClientHandshake *self)
{
  gssize n_read = receive (client, self);

  if (n_read <= 0)
    return n_read == 0;

  self->progress = reeve_tls_session_handshake (self->session, &self->why);
  if (self->progress == REEVE_TLS_HANDSHAKE_DONE)
    judge (client, self);
  return send_output (client, self) &&
         self->progress == REEVE_TLS_HANDSHAKE_WAITS;
}

/* Whether there is something to read. A peer that does not take what it is told
 * is not waited for. */
static gboolean
stay (ReeveClientHandshake *self, ReeveHandshakes *handshakes)
{
  return !reeve_tls_session_has_output (self->session) &&
         reeve_handshakes_stay (handshakes, self->fd);
}

/* To the loop's thread, which has it at once. */
static void
give_back (ReeveServerClient *client, ReeveClientHandshake *self)
{
  ReeveEvents events = REEVE_EVENT_READABLE;

  REEVE_LOCK_SCOPE (&client->lock);

  if (client->stream == NULL)
    return;

  if (reeve_tls_session_has_output (self->session))
    events |= REEVE_EVENT_WRITABLE;
  atomic_store (&self->stage, STAGE_WATCHED);
  reeve_loop_update_handle (client->home->loop, self->watch, events);
}

static void
run (ReeveClientHandshake *self, ReeveHandshakes *handshakes)
{
  ReeveServerClient *client = self->client;
  gboolean goes_on = TRUE;

  if (self->session == NULL)
    self->session = reeve_tls_session_new (self->context, NULL);
  if (self->is_ready)
    goes_on = step (client, self);
  while (goes_on && stay (self, handshakes))
    goes_on = step (client, self);

  if (goes_on)
    give_back (client, self);
  else if (self->progress == REEVE_TLS_HANDSHAKE_DONE &&
           self->verdict == REEVE_TLS_ACCEPTED)
    let_in (client, self);
  else
    reeve_loop_invoke (client->home->loop, end,
                       reeve_server_client_ref (client));
  reeve_server_client_unref (client);
}

void
reeve_server_client_run_handshakes (ReeveJob *const *jobs,
                                    unsigned n_jobs,
                                    gpointer data)
{
  for (unsigned i = 0; i < n_jobs; i++)
    run ((ReeveClientHandshake *) jobs[i], data);
}

static void
hand_over (ReeveClientHandshake *self)
{
  reeve_server_client_ref (self->client);
  reeve_handshakes_push (reeve_server_get_handshakes (self->client->server),
                         &self->job);
}

void
reeve_server_client_begin (ReeveServerClient *self)
{
  if (self->handshake != NULL &&
      atomic_load (&self->handshake->stage) == STAGE_TAKEN)
    hand_over (self->handshake);
}

/* From now on nothing is watched for. */
static void
take (ReeveClientHandshake *self)
{
  self->is_ready = TRUE;
  atomic_store (&self->stage, STAGE_TAKEN);
  reeve_loop_update_handle (self->client->home->loop, self->watch,
                            REEVE_EVENT_NONE);
  hand_over (self);
}

gboolean
reeve_server_client_shake (ReeveServerClient *self, ReeveEvents events)
{
  int stage = atomic_load (&self->handshake->stage);

  if (stage == STAGE_OVER) {
    forget_handshake (self);
    return TRUE;
  }

  if (stage == STAGE_WATCHED &&
      (events & (REEVE_EVENT_READABLE | REEVE_EVENT_WRITABLE)) != 0)
    take (self->handshake);
  else if ((events & (REEVE_EVENT_ERROR | REEVE_EVENT_HANGUP)) != 0)
    reeve_server_client_close_now (self);
  return FALSE;
}
