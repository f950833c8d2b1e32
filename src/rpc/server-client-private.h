/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the files of a client know of each other: server-client.c has its life
 * and its calls in flight, server-client-handshake.c what TLS does before the
 * first frame, server-client-input.c turns what is read into calls,
 * server-client-output.c writes replies and events.
 */

#include "rpc/fd-inbox.h"
#include "rpc/keepalive.h"
#include "rpc/server-loop.h"
#include "rpc/stream-layer.h"
#include "rpc/tls-context.h"

#include <stdbool.h>
#include <sys/socket.h>

G_BEGIN_DECLS

typedef struct {
  GQueue frames; /* (element-type GBytes) (owned) */
  size_t n_bytes;
} ReeveClientOutput;

/* What there is of streams once a client had one. */
typedef struct {
  GQueue live;  /* (element-type ReeveDataStream) (owned) */
  GQueue ready; /* (element-type ReeveDataStream) (owned): whose frames take
                   turns */
  ReeveDataStream *current; /* (owned) (nullable): whose frame is written */
  unsigned n_full;          /* that can take no more now */
} ReeveClientStreams;

typedef struct _ReeveClientAttached ReeveClientAttached;
typedef struct _ReeveClientHandshake ReeveClientHandshake;

/* Who sends so often nothing but plain calls may be read by a worker; */
#define REEVE_READER_PLAIN 3
/* and so often, after something else. */
#define REEVE_READER_PLAIN_AFTER_OTHERS 16

/* Who reads a client, and has what was read and not taken yet. */
typedef enum {
  REEVE_READER_LOOP,    /* its thread alone */
  REEVE_READER_OFFERED, /* the same; a worker may become the reader */
  REEVE_READER_WORKER,  /* whoever holds the client's lock: it is given to the
                           worker of its loop's ReeveCallReader */
} ReeveReader;

/* What goes behind a frame. */
typedef struct {
  GBytes *frame; /* (owned) */
  GArray *fds;   /* (element-type int) (owned) */
} ReeveClientFds;

/* What one read leads to. */
typedef struct {
  GQueue jobs;         /* of calls for the pool */
  GQueue calls;        /* (element-type ReeveCall): the same */
  GQueue inline_calls; /* by their jobs: run by the loop's thread */
  GByteArray *answers; /* (owned) (nullable): messages that end no call */
  size_t max_bytes;    /* of a message */
  unsigned room;       /* for calls in flight */
  unsigned n_left;     /* messages, or parts of one, before it is the others'
                          turn */
  gboolean is_seen;    /* by look_ahead(), what is taken now */
  gboolean is_bad;
  gboolean ends; /* the connection, when the answers are written */
} ReeveIntake;

/* There may be very many, so what is yes or no takes a byte, and what there is
 * only while something goes on is made when that begins. What a read looks at
 * comes first, and is together, in each of the parts. */
struct _ReeveServerClient {
  uint64_t id; /* immutable, as what follows; first, so that the key of the
                  server's table is the client, and is stored once */
  ReeveServer *server;   /* (owned) */
  ReeveServerLoop *home; /* the loop that it is of */
  ReeveJobGroup *jobs;   /* (owned): whose turn its calls take */
  ReeveTransport transport;
  atomic_bool is_read_only;
  atomic_bool is_authenticated;
  bool has_peer;
  bool has_wire; /* of the loop's thread */

  /* XDR until the loop's thread has seen the first byte, then immutable. */
  const ReeveWire *wire;
  gpointer wire_state; /* (owned): of the loop's thread */

  /* Of the loop's thread. */
  ReeveClientHandshake *handshake; /* (owned) (nullable): while it lasts, and
                                      until that thread sees that it is over */

  /* Of the reader: what was read and not taken yet. */
  uint8_t *input; /* (owned) (nullable) */
  size_t input_size;
  size_t input_capacity;
  size_t n_seen; /* bytes of it that look_ahead() has seen */
  ReeveFdInbox inbox;
  gint64 taken_us;        /* when the calls of now were */
  gint64 last_taken_us;   /* and those before */
  int keepalive_watch;    /* a timeout; 0 unless the client asked for it */
  bool has_had_turn;      /* the loop comes back to it */
  atomic_bool has_spoken; /* something came; any thread reads it */
  bool is_refused;        /* it is one too many; immutable once it is heard */
  bool is_swept;          /* the loop looks for overdue calls */
  bool has_layer;         /* its stream has one; of the loop's thread */
  bool is_gone;           /* it was closed; the same */
  uint8_t n_plain_due;    /* of the reader: so often plain calls, before a
                             worker may read it */

  /* A ReeveReader: the loop's thread offers, and takes an offer back; what
   * begins or ends a worker's reading happens under the lock. */
  atomic_int reader;

  ReeveRefs refs;
  atomic_uint n_waiting;      /* jobs in the pool that did not begin */
  atomic_uint n_data_streams; /* opened, and not ended */
  atomic_uint n_fds;          /* that are held, in calls and for replies */

  ReeveMutex lock;
  ReeveStream *stream REEVE_GUARDED; /* (owned); NULL once closed */
  int watch REEVE_GUARDED;
  ReeveEvents events REEVE_GUARDED; /* that are watched for */
  GQueue calls REEVE_GUARDED; /* (element-type ReeveCall): in flight, oldest
                                 first */
  size_t n_call_bytes REEVE_GUARDED; /* of their arguments */
  GByteArray *held REEVE_GUARDED;    /* (owned) (nullable): replies that go with
                                        the next */
  GBytes *current REEVE_GUARDED;     /* (owned) (nullable): partly written */
  ReeveClientStreams *streams REEVE_GUARDED; /* (owned) (nullable) */
  bool is_shaking REEVE_GUARDED;   /* a handshake; nothing else is sent */
  bool is_watched REEVE_GUARDED;   /* the loop writes what is held, soon */
  bool is_throttled REEVE_GUARDED; /* its calls wait for room */
  bool is_full REEVE_GUARDED;      /* and we do not read any more of them */
  bool is_resuming REEVE_GUARDED;  /* the loop was told to go on */
  bool closes_when_written REEVE_GUARDED;
  bool has_ended REEVE_GUARDED;    /* no more comes */
  bool is_all_taken REEVE_GUARDED; /* and all that came was taken: it is closed
                                      when that is answered */
  bool is_closing REEVE_GUARDED;   /* the loop was told to close it */
  ReeveClientOutput replies REEVE_GUARDED;
  ReeveClientOutput event_queue REEVE_GUARDED;
  size_t current_offset REEVE_GUARDED; /* carriers of fds included */
  GList *fds REEVE_GUARDED; /* (element-type ReeveClientFds) (owned): in the
                               order of their replies, the current one first */
  int reader_slot REEVE_GUARDED;         /* in the ReeveCallReader */
  ReeveReplyBatch *shared REEVE_GUARDED; /* (nullable): those of workers that
                                            the loop may take replies of */
  ReeveClientAttached *attached REEVE_GUARDED; /* (owned): the newest first */

  /* Immutable. */
  gint64 connect_time;
  struct ucred peer;
  ReeveWires wires; /* that it may choose from */
  ReeveAuth auth;
  unsigned n_groups;
  gid_t *groups;   /* (owned) (nullable): the main one first */
  char *address;   /* (owned) (nullable) */
  char *sasl_name; /* (owned) (nullable): before is_authenticated */
  char *x509_name; /* (owned) (nullable): before the first call */

  GList *unauth; /* (nullable): in the server's list, under its lock */

  /* Of the loop's thread. */
  ReeveKeepalive keepalive;
  int patience; /* a timeout until it has to be authenticated; 0: none */
};

/* -------------------------------------------------- server-client.c --- */

/* From now on it is in flight. */
void
reeve_server_client_begin_call_locked (ReeveServerClient *self, ReeveCall *call)
    REEVE_REQUIRES (self->lock);

/* Takes a call out of those in flight; FALSE if it was answered. */
gboolean
reeve_server_client_settle_locked (ReeveServerClient *self, ReeveCall *call)
    REEVE_REQUIRES (self->lock);

/* --------------------------------------------- server-client-auth.c --- */

/* Of a new client: it is authenticated if nothing is asked of it, and has only
 * so much time otherwise. Thread: loop. */
void reeve_server_client_init_auth (ReeveServerClient *self);
void reeve_server_client_stop_patience (ReeveServerClient *self);
/* ---------------------------------------- server-client-handshake.c --- */

/* Of a new client. If nothing of its socket is watched for, it has to begin. */
void reeve_server_client_init_handshake_locked (ReeveServerClient *self,
                                                ReeveTlsContext *context,
                                                unsigned timeout_ms)
    REEVE_REQUIRES (self->lock);
/* Something is ready during the handshake. Returns whether that is over, and
 * what is ready is for the calls. */
gboolean
reeve_server_client_shake (ReeveServerClient *self, ReeveEvents events);
/* It is over, or its client is closed. */
void reeve_server_client_stop_handshake (ReeveServerClient *self);
void reeve_client_handshake_free (ReeveClientHandshake *self);

/* -------------------------------------------- server-client-input.c --- */

/* The watch of its socket. */
void reeve_server_client_take_ready (ReeveLoop *loop,
                                     int watch,
                                     int fd,
                                     ReeveEvents events,
                                     gpointer data);

/* (nullable): for those that come with its bytes; where nobody
 * takes any, the kernel drops them, which costs less. */
GArray **reeve_server_client_get_fds_in (ReeveServerClient *self);

/* Takes the input that the socket does not tell of. */
void reeve_server_client_read_more (ReeveServerClient *self);

/* If there was no room and is again, the loop goes on: with what was read
 * already, then by reading. */
void reeve_server_client_resume_locked (ReeveServerClient *self)
    REEVE_REQUIRES (self->lock);

/* Whether it may have another call in flight, and its streams can take more;
 * once closed, it may not. */
gboolean reeve_server_client_has_room_locked (ReeveServerClient *self)
    REEVE_REQUIRES (self->lock);

/* Says why the client is closed. @reason: an errno of reading */
void reeve_server_client_note_bad_input (ReeveServerClient *self, int reason);

/* What a worker read, or what a layer has, is for the loop's thread. */
void reeve_server_client_keep_locked (ReeveServerClient *self,
                                      const uint8_t *data,
                                      size_t size) REEVE_REQUIRES (self->lock);

/* Thread: loop. */
void reeve_server_client_look_for_overdue (ReeveServerClient *self);

/* Once. */
void
reeve_server_client_set_wire (ReeveServerClient *self, const ReeveWire *wire);

/* ---------------------------------------- server-client-keepalive.c --- */

/* Thread: loop. */
void reeve_server_client_stop_keepalive (ReeveServerClient *self);
/* It was enabled in another process; @keepalive: how far that had come. */
void reeve_server_client_restore_keepalive (ReeveServerClient *self,
                                            const ReeveKeepalive *keepalive);

/* -------------------------------------------- server-client-reader.c --- */

/* The calls that are to be pushed may make their worker the reader. Thread:
 * loop. */
void reeve_server_client_offer (ReeveServerClient *self);
/* Before the loop's thread touches what is of the reader. */
void reeve_server_client_reclaim (ReeveServerClient *self);
/* No worker reads it from now on, and none will; what is watched for does not
 * change yet. */
void reeve_server_client_withdraw_locked (ReeveServerClient *self)
    REEVE_REQUIRES (self->lock);

/* ------------------------------------------- server-client-output.c --- */

/* Watches its socket for what there is to do. */
void reeve_server_client_update_events_locked (ReeveServerClient *self)
    REEVE_REQUIRES (self->lock);

/* How many bytes of replies go with the next one. */
static inline unsigned
reeve_server_client_count_held_locked (ReeveServerClient *self)
    REEVE_REQUIRES (self->lock)
{
  return self->held == NULL ? 0 : self->held->len;
}

/* Closes what was to be sent. */
void reeve_client_fds_free (gpointer data);

/* Writes what the socket takes. Thread: loop. */
void reeve_server_client_write (ReeveServerClient *self);

/* Writes what the socket takes of streams, behind all else. */
void reeve_server_client_write_streams_locked (ReeveServerClient *self)
    REEVE_REQUIRES (self->lock);

/* Writes @iov at once where nothing waits; else, and what is left, is copied
 * and queued. */
void reeve_server_client_write_replies_locked (ReeveServerClient *self,
                                               const struct iovec *iov,
                                               int n_iov)
    REEVE_REQUIRES (self->lock);

/* Gives whatever waits to be written to a layer that is about to begin. */
void
reeve_server_client_move_output_locked (ReeveServerClient *self,
                                        const ReeveStreamLayer *layer_class,
                                        gpointer layer)
    REEVE_REQUIRES (self->lock);

/* No more comes from it. Thread: loop. */
void reeve_server_client_end_input (ReeveServerClient *self);
/* If that is so, and all that came was taken, closes it when that was
 * answered. Thread: loop. */
void reeve_server_client_check_end (ReeveServerClient *self);

/* Closes it when all is written. */
void reeve_server_client_close_when_written (ReeveServerClient *self);

/* Sends what is no answer to a call in flight. (transfer full) */
void reeve_server_client_send_frame (ReeveServerClient *self, GBytes *frame);

G_END_DECLS
