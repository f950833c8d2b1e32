/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/server-client-private.h"
#include "rpc/stream-layer.h"
#include "rpc/tls-session.h"

#include <errno.h>

/* A client of TLS before its first frame. The loop's thread reads what comes;
 * the arithmetic, which takes milliseconds, is done by a thread for handshakes,
 * which also writes what it leads to and waits for more, so that the loop need
 * not be woken for that. How it ends is the loop's thread's affair. */

struct _ReeveClientHandshake {
  ReeveJob job;
  ReeveServerClient *client; /* who owns it */

  /* Of the loop's thread. */
  int timer;

  int fd; /* immutable, as what follows */
  int watch;

  /* While it is set, what follows is of the other thread, which clears it under
   * the client's lock; else of the loop's thread. */
  atomic_bool is_stepping;
  ReeveTlsSession *session; /* (owned) */
  ReeveTlsProgress progress;
  ReeveTlsVerdict verdict;
  char *why; /* (owned) (nullable): it failed, or is refused */
};

static void
set_events (ReeveClientHandshake *self)
{
  ReeveEvents events = REEVE_EVENT_NONE;

  if (!atomic_load (&self->is_stepping)) {
    events |= REEVE_EVENT_READABLE;
    if (reeve_tls_session_has_output (self->session))
      events |= REEVE_EVENT_WRITABLE;
  }
  reeve_loop_update_handle (self->client->home->loop, self->watch, events);
}

static const char *
get_origin (ReeveServerClient *client)
{
  const char *address = reeve_server_client_get_address (client);

  return address != NULL ? address : _ ("a socket without an address");
}

static void
run_out (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveServerClient *client = data;

  reeve_server_note_refusal (
      client->server, REEVE_REFUSAL_HANDSHAKE,
      _ ("TLS client at %s did not end its handshake in time"),
      get_origin (client));
  reeve_server_client_close_now (client);
}

void
reeve_server_client_init_handshake (ReeveServerClient *self,
                                    ReeveTlsContext *context,
                                    int fd,
                                    int watch,
                                    unsigned timeout_ms)
{
  ReeveClientHandshake *handshake = g_new0 (ReeveClientHandshake, 1);

  handshake->job.link.data = &handshake->job;
  handshake->job.name = "TLS";
  handshake->client = self;
  handshake->fd = fd;
  handshake->watch = watch;
  handshake->session = reeve_tls_session_new (context, NULL);
  handshake->timer = reeve_loop_add_timeout (self->home->loop, (int) timeout_ms,
                                             run_out, self, NULL);
  self->handshake = handshake;
}

void
reeve_server_client_stop_handshake (ReeveServerClient *self)
{
  if (self->handshake == NULL || self->handshake->timer == 0)
    return;

  reeve_loop_remove (self->home->loop, self->handshake->timer);
  self->handshake->timer = 0;
}

void
reeve_client_handshake_free (ReeveClientHandshake *self)
{
  if (self == NULL)
    return;

  reeve_tls_session_unref (self->session);
  g_free (self->why);
  g_free (self);
}

/* ----------------------------------------------------------- its outcome -- */

/* From here on all bytes go through the session. */
static void
attach (ReeveServerClient *self, ReeveTlsSession *session)
{
  REEVE_LOCK_SCOPE (&self->lock);

  reeve_tls_session_attach (reeve_tls_session_ref (session), self->stream);
  self->has_layer = TRUE;
  self->is_shaking = FALSE;
  self->events = REEVE_EVENT_NONE;
  reeve_server_client_update_events_locked (self);
}

static void
begin_calls (ReeveServerClient *self)
{
  ReeveClientHandshake *handshake = self->handshake;

  reeve_server_client_stop_handshake (self);
  self->handshake = NULL;
  attach (self, handshake->session);
  reeve_client_handshake_free (handshake);
  reeve_server_client_read_more (self);
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

/* FALSE: its socket is broken. */
static gboolean
flush (ReeveClientHandshake *self)
{
  return reeve_tls_session_flush (self->session, self->fd) || errno == EAGAIN ||
         errno == EINTR;
}

static void
end (ReeveLoop *loop, gpointer data)
{
  ReeveServerClient *self = data;
  ReeveClientHandshake *handshake = self->handshake;

  atomic_store (&handshake->is_stepping, FALSE);
  if (!reeve_server_client_is_closed (self)) {
    if (handshake->progress == REEVE_TLS_HANDSHAKE_WAITS)
      reeve_server_client_close_now (self);
    else if (handshake->progress == REEVE_TLS_HANDSHAKE_FAILED)
      fail (self);
    else if (handshake->verdict == REEVE_TLS_ACCEPTED)
      begin_calls (self);
    else
      refuse_peer (self);
  }
  reeve_server_client_unref (self);
}

/* ----------------------------------------------------------------- steps -- */

/* Says what the step led to; under the client's lock its socket is not closed.
 * Returns whether the handshake goes on: then it may be of the loop's thread,
 * and gone, at once. */
static gboolean
end_step (ReeveServerClient *client, ReeveClientHandshake *self)
{
  REEVE_LOCK_SCOPE (&client->lock);

  if (client->stream == NULL || !flush (self) ||
      self->progress != REEVE_TLS_HANDSHAKE_WAITS)
    return FALSE;

  atomic_store (&self->is_stepping, FALSE);
  set_events (self);
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

static void
run_step (ReeveClientHandshake *self)
{
  ReeveServerClient *client = self->client;
  ReeveLoop *loop = client->home->loop;

  self->progress = reeve_tls_session_handshake (self->session, &self->why);
  if (self->progress == REEVE_TLS_HANDSHAKE_DONE)
    judge (client, self);
  if (end_step (client, self))
    reeve_server_client_unref (client);
  else
    reeve_loop_invoke (loop, end, client);
}

void
reeve_server_client_run_handshakes (ReeveJob *const *jobs,
                                    unsigned n_jobs,
                                    gpointer data)
{
  for (unsigned i = 0; i < n_jobs; i++)
    run_step ((ReeveClientHandshake *) jobs[i]);
}

static void
start_step (ReeveClientHandshake *self)
{
  atomic_store (&self->is_stepping, TRUE);
  set_events (self);
  reeve_server_client_ref (self->client);
  reeve_server_push_handshake (reeve_server_client_get_server (self->client),
                               &self->job);
}

void
reeve_server_client_shake (ReeveServerClient *self, ReeveEvents events)
{
  ReeveClientHandshake *handshake = self->handshake;
  gboolean is_stepping = atomic_load (&handshake->is_stepping);
  gssize n_read = -1;

  if (!is_stepping && (events & REEVE_EVENT_READABLE) != 0) {
    n_read = reeve_tls_session_fill (handshake->session, handshake->fd);
    if (n_read > 0)
      start_step (handshake);
    else if (n_read == 0 || (errno != EAGAIN && errno != EINTR))
      reeve_server_client_close_now (self);
  } else if ((events & (REEVE_EVENT_ERROR | REEVE_EVENT_HANGUP)) != 0 ||
             (!is_stepping && !flush (handshake))) {
    reeve_server_client_close_now (self);
  } else if (!is_stepping) {
    set_events (handshake);
  }
}
