/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/stream.h"
#include "rpc/tls-context.h"

G_BEGIN_DECLS

/**
 * ReeveTlsVerdict:
 *
 * What a server thinks of its client's certificate, or the other way round.
 * After the handshake a server sends one byte: %REEVE_TLS_ACCEPTED is what
 * libvirt's clients wait for; anything else they take as a refusal, and ours
 * say what it means. The numbers are only ever appended.
 */
typedef enum {
  REEVE_TLS_ACCEPTED = 1,
  REEVE_TLS_NO_CERTIFICATE = 2,
  REEVE_TLS_UNTRUSTED = 3,
  REEVE_TLS_EXPIRED = 4,
  REEVE_TLS_NOT_YET_VALID = 5,
  REEVE_TLS_REVOKED = 6,
  REEVE_TLS_CRL_OUTDATED = 7,
  REEVE_TLS_UNSUITABLE = 8, /* too weak, or not meant for this */
  REEVE_TLS_WRONG_NAME = 9, /* not on the list, or another host's */
} ReeveTlsVerdict;

/* What a certificate says. */
typedef struct {
  char *name;   /* (owned) (nullable): distinguished name */
  char *issuer; /* (owned) (nullable): the same of who signed it */
  char *hosts;  /* (owned) (nullable): names and addresses */
  gint64 start; /* seconds since the epoch */
  gint64 end;
} ReeveTlsPeer;

void reeve_tls_peer_clear (ReeveTlsPeer *self);

/* What a handshake needs to go on. */
typedef enum {
  REEVE_TLS_HANDSHAKE_WAITS, /* for bytes of the peer */
  REEVE_TLS_HANDSHAKE_DONE,
  REEVE_TLS_HANDSHAKE_FAILED,
} ReeveTlsProgress;

/**
 * ReeveTlsSession:
 *
 * One end of a TLS connection. It never touches a socket by itself: bytes of
 * the peer are put in by reeve_tls_session_fill(), bytes for the peer are taken
 * out by reeve_tls_session_flush(), so that the arithmetic of the handshake
 * can be done by a thread that knows no socket. Afterwards it becomes the layer
 * of a stream. What it holds is bounded. Thread: one at a time.
 */
typedef struct _ReeveTlsSession ReeveTlsSession;

/* @host: (nullable): the server's name, for a client. */
ReeveTlsSession *
reeve_tls_session_new (ReeveTlsContext *context, const char *host);
ReeveTlsSession *reeve_tls_session_ref (ReeveTlsSession *self);
void reeve_tls_session_unref (ReeveTlsSession *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveTlsSession, reeve_tls_session_unref)

/* Reads once from the socket: bytes, 0 at its end, -1 with errno. */
gssize reeve_tls_session_fill (ReeveTlsSession *self, int fd);
/* Writes what is held; FALSE with errno, EAGAIN if some is left. */
gboolean reeve_tls_session_flush (ReeveTlsSession *self, int fd);
gboolean reeve_tls_session_has_output (ReeveTlsSession *self);

/* Goes on as far as the bytes that are there lead. In any case there may be
 * output then: a failure is told to the peer. @why: (out) (transfer full). */
ReeveTlsProgress
reeve_tls_session_handshake (ReeveTlsSession *self, char **why);

/* After the handshake: judges the peer, if the context wants that. @why: (out)
 * (transfer full): a sentence about its certificate, unless it is accepted. */
ReeveTlsVerdict reeve_tls_session_verify (ReeveTlsSession *self, char **why);

/* Tells a client, after the handshake and before all else; one that is accepted
 * gets a ticket with it. There is output then. */
void
reeve_tls_session_send_verdict (ReeveTlsSession *self, ReeveTlsVerdict verdict);

/* Whether the handshake took up an older session. */
gboolean reeve_tls_session_is_resumed (ReeveTlsSession *self);

/* (transfer full) (nullable): what a later session to the same server begins
 * with; none if the server gave none, or its ticket, which comes behind the
 * verdict, was not received yet. A secret. */
GBytes *reeve_tls_session_dup_ticket (ReeveTlsSession *self);
/* What comes is kept for the next session (rpc/tls-tickets.h). */
void reeve_tls_session_keep_tickets (ReeveTlsSession *self, const char *key);
/* Before the handshake. The server, and we, still judge each other's
 * certificate; a server that does not know the ticket goes on without. */
void reeve_tls_session_set_ticket (ReeveTlsSession *self, GBytes *ticket);

/* (nullable): the distinguished name of a peer that was verified. */
const char *reeve_tls_session_get_peer_name (ReeveTlsSession *self);

/* After the handshake. (transfer full) */
char *reeve_tls_session_dup_protocol (ReeveTlsSession *self);
/* What the peer's certificate says, verified or not; empty if it has none.
 * @peer: (out caller-allocates) */
void
reeve_tls_session_describe_peer (ReeveTlsSession *self, ReeveTlsPeer *peer);

/* @self: (transfer full): becomes the layer of @stream. */
void reeve_tls_session_attach (ReeveTlsSession *self, ReeveStream *stream);

G_END_DECLS
