/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/server-client-private.h"
#include "rpc/stream-layer.h"
#include "rpc/tls-session.h"

#include <errno.h>

/* A client of TLS before its first frame. The loop's thread moves bytes between
 * socket and session and does nothing else with them; the arithmetic, which
 * takes milliseconds, is done by the server's thread for handshakes. */

struct _ReeveClientHandshake {
  ReeveJob job;
  ReeveServerClient *client; /* who owns it */

  /* Of the loop's thread. */
  int fd;
  int watch;
  int timer;
  gboolean is_stepping; /* what follows is of the other thread */

  ReeveTlsSession *session; /* (owned) */
  ReeveTlsProgress progress;
  ReeveTlsVerdict verdict;
  char *why; /* (owned) (nullable): it failed, or is refused */
};

static void
set_events (ReeveClientHandshake *self)
{
  ReeveEvents events = REEVE_EVENT_NONE;

  if (!self->is_stepping) {
    events |= REEVE_EVENT_READABLE;
    if (reeve_tls_session_has_output (self->session))
      events |= REEVE_EVENT_WRITABLE;
  }
  reeve_loop_update_handle (
      reeve_server_get_loop (reeve_server_client_get_server (self->client)),
      self->watch, events);
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
  handshake->timer =
      reeve_loop_add_timeout (reeve_server_get_loop (self->server),
                              (int) timeout_ms, run_out, self, NULL);
  self->handshake = handshake;
}

void
reeve_server_client_stop_handshake (ReeveServerClient *self)
{
  if (self->handshake == NULL || self->handshake->timer == 0)
    return;

  reeve_loop_remove (reeve_server_get_loop (self->server),
                     self->handshake->timer);
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
  self->is_shaking = FALSE;
  self->events = REEVE_EVENT_NONE;
  reeve_server_client_update_events_locked (self);
}

static void
send_verdict (ReeveServerClient *self, ReeveTlsVerdict verdict)
{
  const uint8_t byte = (uint8_t) verdict;

  reeve_server_client_send_frame (self, g_bytes_new (&byte, 1));
}

static void
accept_peer (ReeveServerClient *self)
{
  ReeveClientHandshake *handshake = self->handshake;

  reeve_server_client_stop_handshake (self);
  reeve_server_count_handshake (self->server, FALSE);
  self->handshake = NULL;
  self->x509_name =
      g_strdup (reeve_tls_session_get_peer_name (handshake->session));
  attach (self, handshake->session);
  reeve_client_handshake_free (handshake);

  if (self->auth == REEVE_AUTH_NONE && !self->is_refused)
    reeve_server_client_set_authenticated (self, NULL);
  send_verdict (self, REEVE_TLS_ACCEPTED);
  reeve_server_client_read_more (self);
}

static void
refuse_peer (ReeveServerClient *self)
{
  ReeveClientHandshake *handshake = self->handshake;

  /* Each is worth a line: it may be somebody whom it should have let in. */
  g_message (_ ("TLS client at %1$s refused because of its certificate: %2$s"),
             get_origin (self), handshake->why);
  reeve_server_count_handshake (self->server, TRUE);
  attach (self, handshake->session);
  send_verdict (self, handshake->verdict);
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
  reeve_tls_session_flush (handshake->session, handshake->fd);
  reeve_server_client_close_now (self);
}

static void
wait_for_peer (ReeveServerClient *self)
{
  ReeveClientHandshake *handshake = self->handshake;

  if (!reeve_tls_session_flush (handshake->session, handshake->fd) &&
      errno != EAGAIN && errno != EINTR)
    reeve_server_client_close_now (self);
  else
    set_events (handshake);
}

static void
end_step (ReeveLoop *loop, gpointer data)
{
  ReeveServerClient *self = data;
  ReeveClientHandshake *handshake = self->handshake;

  handshake->is_stepping = FALSE;
  if (!reeve_server_client_is_closed (self)) {
    switch (handshake->progress) {
    case REEVE_TLS_HANDSHAKE_WAITS:
      wait_for_peer (self);
      break;
    case REEVE_TLS_HANDSHAKE_FAILED:
      fail (self);
      break;
    case REEVE_TLS_HANDSHAKE_DONE:
      if (handshake->verdict == REEVE_TLS_ACCEPTED)
        accept_peer (self);
      else
        refuse_peer (self);
      break;
    }
  }
  reeve_server_client_unref (self);
}

/* ----------------------------------------------------------------- steps -- */

void
reeve_server_client_run_handshakes (ReeveJob *const *jobs,
                                    unsigned n_jobs,
                                    gpointer data)
{
  for (unsigned i = 0; i < n_jobs; i++) {
    ReeveClientHandshake *self = (ReeveClientHandshake *) jobs[i];
    ReeveServer *server = reeve_server_client_get_server (self->client);

    self->progress = reeve_tls_session_handshake (self->session, &self->why);
    if (self->progress == REEVE_TLS_HANDSHAKE_DONE)
      self->verdict = reeve_tls_session_verify (self->session, &self->why);
    reeve_loop_invoke (reeve_server_get_loop (server), end_step, self->client);
  }
}

static void
start_step (ReeveClientHandshake *self)
{
  self->is_stepping = TRUE;
  set_events (self);
  reeve_server_client_ref (self->client);
  reeve_server_push_handshake (reeve_server_client_get_server (self->client),
                               &self->job);
}

void
reeve_server_client_shake (ReeveServerClient *self, ReeveEvents events)
{
  ReeveClientHandshake *handshake = self->handshake;
  gssize n_read = -1;

  if (!handshake->is_stepping && (events & REEVE_EVENT_READABLE) != 0) {
    n_read = reeve_tls_session_fill (handshake->session, handshake->fd);
    if (n_read > 0)
      start_step (handshake);
    else if (n_read == 0 || (errno != EAGAIN && errno != EINTR))
      reeve_server_client_close_now (self);
  } else if ((events & (REEVE_EVENT_ERROR | REEVE_EVENT_HANGUP)) != 0) {
    reeve_server_client_close_now (self);
  } else if (!handshake->is_stepping) {
    wait_for_peer (self);
  }
}
