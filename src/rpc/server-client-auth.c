/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/wire.h"

#include <inttypes.h>

/* How long a client that is one too many may take for its first call, and for
 * what TLS does before that. */
#define REFUSED_MS 2000
#define REFUSED_TLS_MS 5000

/* A client before, and when, it has said who it is. */

/* What was to leave in clear does so before the first byte of the layer; what
 * was read behind the peer's last message is of the layer, and never a call
 * in clear that is taken for one of somebody who is known. */
static void
set_layer_locked (ReeveServerClient *self,
                  const ReeveStreamLayer *layer_class,
                  gpointer layer) REEVE_REQUIRES (self->lock)
{
  reeve_server_client_move_output_locked (self, layer_class, layer);
  layer_class->add_input (layer, self->input, self->input_size);
  g_clear_pointer (&self->input, g_free);
  self->input_size = self->input_capacity = self->n_seen = 0;
  reeve_stream_set_layer (self->stream, layer_class, layer);
  self->has_layer = TRUE;
}

/* Returns whether @layer was taken. */
static gboolean
answer (ReeveServerClient *self,
        ReeveCall *call,
        GBytes *reply,
        const ReeveStreamLayer *layer_class,
        gpointer layer)
{
  struct iovec iov;
  gsize size;

  REEVE_LOCK_SCOPE (&self->lock);

  if (self->stream == NULL || self->is_closing ||
      !reeve_server_client_settle_locked (self, call))
    return FALSE;

  iov.iov_base = (void *) g_bytes_get_data (reply, &size);
  iov.iov_len = size;
  reeve_server_client_write_replies_locked (self, &iov, 1);
  if (layer != NULL)
    set_layer_locked (self, layer_class, layer);
  reeve_server_client_update_events_locked (self);
  reeve_server_client_resume_locked (self);
  return TRUE;
}

/* What the client's own loop does, which reads it. */
typedef struct {
  ReeveCall *call; /* (owned) */
  GBytes *reply;   /* (owned) */
  char *sasl_name; /* (owned) (nullable) */
  const ReeveStreamLayer *layer_class;
  gpointer layer; /* (owned) (nullable) */
} Success;

static void
let_call (ReeveServerLoop *home, gpointer data)
{
  Success *self = data;
  ReeveServerClient *client = self->call->client;

  /* Nothing more is read before this thread is done. */
  if (answer (client, self->call, self->reply, self->layer_class, self->layer))
    reeve_server_client_set_authenticated (client, self->sasl_name);
  else if (self->layer != NULL)
    self->layer_class->free (self->layer);
  reeve_call_unref (self->call);
  g_bytes_unref (self->reply);
  g_free (self->sasl_name);
  g_free (self);
}

void
reeve_server_client_authenticate (ReeveCall *call,
                                  gconstpointer ret,
                                  const char *sasl_name,
                                  const ReeveStreamLayer *layer_class,
                                  gpointer layer)
{
  ReeveServerLoop *home = call->client->home;
  Success *success = g_new (Success, 1);

  *success =
      (Success){ call, call->client->wire->encode_reply (call, ret, NULL),
                 g_strdup (sasl_name), layer_class, layer };
  if (home->index == 0)
    let_call (home, success);
  else
    reeve_server_loop_send (home, let_call, success);
}

/* ------------------------------------------------------------ patience --- */

static void
end_patience (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveServerClient *self = data;

  reeve_server_client_stop_patience (self);
  if (self->is_refused) {
    reeve_server_client_close_now (self);
    return;
  }
  if (reeve_server_client_is_authenticated (self))
    return;

  g_message (_ ("Client %" PRIu64 " did not authenticate in time"), self->id);
  reeve_server_client_close_now (self);
}

/* Of TLS it is to be seen what the handshake brings. Root can do whatever
 * polkit could allow. */
static gboolean
is_known (const ReeveServerClient *self)
{
  if (self->transport == REEVE_TRANSPORT_TLS)
    return FALSE;
  return self->auth == REEVE_AUTH_NONE ||
         (self->auth == REEVE_AUTH_POLKIT && self->has_peer &&
          self->peer.uid == 0);
}

void
reeve_server_client_init_auth (ReeveServerClient *self)
{
  atomic_init (&self->is_authenticated, is_known (self));
  if (is_known (self))
    return;

  reeve_server_add_unauth (self->server, self, &self->unauth);
  self->patience = reeve_loop_add_timeout (
      self->home->loop, (int) REEVE_LIMIT (self->server, auth_timeout_ms),
      end_patience, self, NULL);
}

void
reeve_server_client_refuse (ReeveServerClient *self)
{
  self->is_refused = TRUE;
  reeve_server_client_stop_patience (self);
  self->patience = reeve_loop_add_timeout (
      self->home->loop,
      self->transport == REEVE_TRANSPORT_TLS ? REFUSED_TLS_MS : REFUSED_MS,
      end_patience, self, NULL);
}

void
reeve_server_client_stop_patience (ReeveServerClient *self)
{
  if (self->patience != 0)
    reeve_loop_remove (self->home->loop, self->patience);
  self->patience = 0;
}
