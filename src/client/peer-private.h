/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/call-task.h"
#include "client/peer.h"
#include "event/loop.h"
#include "event/refs.h"
#include "event/thread.h"
#include "rpc/json-scan.h"
#include "rpc/stream.h"

G_BEGIN_DECLS

/*
 * The inside of a peer, for peer*.c: its life (peer.c), its bytes (-io), its
 * calls (-call), and what is said in text (-text) and in JSON (-json).
 */

/* How messages look. */
typedef struct {
  /* Nothing tells answers apart but their order: one call at a time. */
  gboolean is_ordered;
  /* Takes one message from what was read; returns its size, 0 if it is not all
   * there. What is no message ends the connection. Thread: the I/O thread. */
  size_t (*take) (ReevePeer *self, const uint8_t *data, size_t size);
} ReevePeerWire;

extern const ReevePeerWire reeve_peer_text_wire;
extern const ReevePeerWire reeve_peer_json_wire;

/* One call that waits for its answer. */
typedef struct {
  ReeveCallTask async; /* if it is asynchronous */
  uint64_t id;
  char *name; /* (owned): of what is called; immutable */

  /* Under the peer's lock, which is what hands them over. */
  GBytes *message; /* (owned) (nullable): until it is sent */
  gboolean is_done;
  GError *failure;     /* (owned) (nullable) */
  GBytes *answer;      /* (owned) (nullable) */
  gboolean is_refusal; /* what it says is an error */

  /* Of a synchronous call. */
  ReeveCond done;
} ReevePeerCall;

struct _ReevePeer {
  ReeveRefs users;            /* the last one closes */
  ReeveRefs refs;             /* one of the users together, one of the stream */
  const ReevePeerWire *wire;  /* immutable */
  ReevePeerForm form;         /* immutable */
  ReevePeerHandlers handlers; /* immutable */
  ReeveLoop *loop;

  /* Of the I/O thread. */
  GByteArray *input; /* (owned): what was read and not taken */
  size_t offset;     /* of text: how much of it was looked at for the end */
  ReeveJsonScan scan;

  ReeveMutex lock;
  ReeveStream *stream REEVE_GUARDED; /* (owned) (nullable) */
  int watch REEVE_GUARDED;
  ReeveEvents events REEVE_GUARDED; /* that are watched for */
  GError *closed REEVE_GUARDED;     /* (owned) (nullable): why */
  gboolean is_left REEVE_GUARDED;   /* nobody uses it any more */
  GByteArray *output REEVE_GUARDED; /* (owned): what waits to be written */
  uint64_t next_id REEVE_GUARDED;
  GHashTable *pending REEVE_GUARDED; /* id -> ReevePeerCall, (owned) */
  GQueue unsent REEVE_GUARDED;       /* (element-type ReevePeerCall) */
  size_t unsent_size REEVE_GUARDED;  /* of their messages */
  uint64_t busy_id REEVE_GUARDED; /* ordered: whose answer comes; 0: nobody's */
};

/* peer.c */
/* Opens @stream. */
ReevePeer *reeve_peer_open (const char *stream,
                            const ReevePeerWire *wire,
                            ReevePeerForm form,
                            const ReevePeerHandlers *handlers,
                            gint64 deadline_us,
                            GCancellable *cancellable,
                            GError **error);
/* Ends the connection. Thread: any. */
void reeve_peer_fail (ReevePeer *self, int code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
/* One reference, not of a user, goes. */
void reeve_peer_release (ReevePeer *self);

/* peer-io.c */
/* The watch's callback; @data is the peer. */
void reeve_peer_take_ready (ReeveLoop *loop,
                            int watch,
                            int fd,
                            ReeveEvents events,
                            gpointer data);
/* Writes at once where nothing waits; the rest is kept. FALSE: errno. */
gboolean reeve_peer_write_locked (ReevePeer *self, GBytes *message)
    REEVE_REQUIRES (self->lock);
/* Refuses when the peer does not read what it is sent. */
gboolean reeve_peer_check_locked (ReevePeer *self, GError **error)
    REEVE_REQUIRES (self->lock);
/* What is no call: FALSE with @error. Thread: any. */
gboolean reeve_peer_send (ReevePeer *self, GBytes *message, GError **error);

/* peer-call.c */
gint64 reeve_peer_get_deadline (int timeout_ms);
/* (transfer full): a call that is not sent. */
ReevePeerCall *reeve_peer_call_new (ReevePeer *self, const char *name);
void reeve_peer_call_free (ReevePeerCall *self);
/* Sends @message (transfer full) and waits. FALSE: with @error. */
gboolean reeve_peer_call_wait (ReevePeer *self,
                               ReevePeerCall *call,
                               GBytes *message,
                               gint64 deadline_us,
                               GCancellable *cancellable,
                               GError **error);
/* @call: (transfer full) · @message: (transfer full) (nullable): %NULL with
 * @failure (transfer full), which is then all that comes of it */
void reeve_peer_call_start_async (ReevePeer *self,
                                  ReevePeerCall *call,
                                  GBytes *message,
                                  GError *failure,
                                  int timeout_ms,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);
/* (transfer none) (nullable): the call that was answered. */
ReevePeerCall *
reeve_peer_call_wait_finish (GAsyncResult *result, GError **error);
/* (element-type GTask): every call has failed; the tasks are to be completed,
 * without the lock. */
GPtrArray *reeve_peer_fail_calls_locked (ReevePeer *self, const GError *reason)
    REEVE_REQUIRES (self->lock);
/* An answer came. @answer: (transfer full). FALSE: nobody ever asked for it.
 * Thread: the I/O thread. */
gboolean reeve_peer_take_answer (ReevePeer *self,
                                 uint64_t id,
                                 gboolean is_refusal,
                                 GBytes *answer);
/* The same, to the one call that was sent. */
gboolean reeve_peer_take_next_answer (ReevePeer *self, GBytes *answer);

G_END_DECLS
