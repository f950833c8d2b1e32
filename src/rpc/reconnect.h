/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/**
 * ReeveReconnect:
 *
 * When to connect, when to give up an attempt, when to ask a silent peer, and
 * how long to wait before the next attempt: for whoever keeps up a connection.
 * It does nothing itself. Its owner tells it what happens, asks it at the time
 * that reeve_reconnect_get_timeout() says what to do, and does that. No clock
 * and no lock of its own; @now_ms is in milliseconds of any clock that does
 * not go back.
 *
 * It behaves as Open vSwitch's, but for three things: a connection that was
 * healthy resets the back-off also when it was ended by
 * reeve_reconnect_force(); that counts as the end of the connection; and
 * back-off may be as short as %REEVE_RECONNECT_MIN_MS, as a peer on the same
 * host need not be spared.
 */

typedef enum {
  REEVE_RECONNECT_VOID,       /* not wanted, or no tries are left */
  REEVE_RECONNECT_BACKOFF,    /* waits for the next attempt */
  REEVE_RECONNECT_CONNECTING, /* an attempt is under way */
  REEVE_RECONNECT_ACTIVE,     /* connected */
  REEVE_RECONNECT_IDLE,       /* connected; the peer was asked for life */
  REEVE_RECONNECT_RECONNECT,  /* connected or connecting, and to be ended */
  REEVE_RECONNECT_LISTENING,  /* passive: waits for the peer to connect */
} ReeveReconnectState;

typedef enum {
  REEVE_RECONNECT_STEP_NONE,
  REEVE_RECONNECT_STEP_CONNECT,    /* start an attempt, or listen */
  REEVE_RECONNECT_STEP_DISCONNECT, /* end the connection or the attempt */
  REEVE_RECONNECT_STEP_PROBE,      /* ask the peer for a sign of life */
} ReeveReconnectStep;

#define REEVE_RECONNECT_MIN_MS 100
#define REEVE_RECONNECT_UNLIMITED UINT_MAX

typedef struct {
  ReeveReconnectState state;
  gint64 entered_ms; /* the state */
  gboolean is_passive;
  gboolean was_connected; /* before it came into RECONNECT */

  int min_backoff_ms;
  int max_backoff_ms;
  int backoff_ms;        /* the present one; of an attempt, too */
  int probe_interval_ms; /* 0: never */
  unsigned tries_left;
  unsigned free_tries; /* that are followed by no back-off */

  gint64 activity_ms;     /* the last one */
  gint64 connected_ms;    /* the last time; -1: never */
  gint64 disconnected_ms; /* the same */
  gint64 received_ms;     /* we last looked for something of the peer */

  unsigned n_attempted;
  unsigned n_successful;
  gint64 total_connected_ms; /* of connections that ended */
  unsigned sequence;         /* +1 whenever a connection begins or ends */
} ReeveReconnect;

/* Void; back-off 1 s to 8 s, a probe after 5 s, unlimited tries, active. */
void reeve_reconnect_init (ReeveReconnect *self, gint64 now_ms);

/* @min_ms and @max_ms: 0 for 1 s and 8 s; %REEVE_RECONNECT_MIN_MS at least,
 * and @max_ms not below @min_ms. A back-off that is under way is cut to
 * @max_ms. */
void reeve_reconnect_set_backoff (ReeveReconnect *self, int min_ms, int max_ms);
/* 0: never; else 1 s at least. */
void reeve_reconnect_set_probe_interval (ReeveReconnect *self, int interval_ms);
/* Attempts from now on; %REEVE_RECONNECT_UNLIMITED. */
void reeve_reconnect_set_max_tries (ReeveReconnect *self, unsigned n_tries);
/* Attempts without back-off, as many as there are addresses to try. */
void reeve_reconnect_set_free_tries (ReeveReconnect *self, unsigned n_tries);
void reeve_reconnect_set_passive (ReeveReconnect *self,
                                  gboolean is_passive,
                                  gint64 now_ms);

/* A connection is wanted, or no longer. */
void reeve_reconnect_enable (ReeveReconnect *self, gint64 now_ms);
void reeve_reconnect_disable (ReeveReconnect *self, gint64 now_ms);
/* Ends what there is of a connection, to have a new one. */
void reeve_reconnect_force (ReeveReconnect *self, gint64 now_ms);

/* What happened. */
void reeve_reconnect_connecting (ReeveReconnect *self, gint64 now_ms);
void reeve_reconnect_listening (ReeveReconnect *self, gint64 now_ms);
void reeve_reconnect_listen_failed (ReeveReconnect *self, gint64 now_ms);
void reeve_reconnect_connected (ReeveReconnect *self, gint64 now_ms);
void reeve_reconnect_connect_failed (ReeveReconnect *self, gint64 now_ms);
void reeve_reconnect_disconnected (ReeveReconnect *self, gint64 now_ms);
/* The peer showed that it lives. */
void reeve_reconnect_activity (ReeveReconnect *self, gint64 now_ms);
/* We looked whether it had sent something: before that, a peer is not blamed
 * for our own being late. */
void reeve_reconnect_receive_attempted (ReeveReconnect *self, gint64 now_ms);

/* What is to be done now. */
ReeveReconnectStep reeve_reconnect_run (ReeveReconnect *self, gint64 now_ms);
/* When there may be something to do, in milliseconds from now; -1: not before
 * something happens. */
int reeve_reconnect_get_timeout (const ReeveReconnect *self, gint64 now_ms);

gboolean reeve_reconnect_is_connected (const ReeveReconnect *self);
/* "backoff", … : for messages and tests. */
const char *reeve_reconnect_get_state_name (const ReeveReconnect *self);

G_END_DECLS
