/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/connection-stream.h"
#include "client/connection.h"
#include "client/uri.h"
#include "event/loop.h"
#include "event/refs.h"
#include "event/thread.h"
#include "rpc/fd-inbox.h"
#include "rpc/keepalive.h"
#include "rpc/message.h"
#include "rpc/reconnect.h"
#include "rpc/stream-layer.h"

G_BEGIN_DECLS

/*
 * The inside of a connection, for connection*.c: its life (connection.c), its
 * opening (-open), what is called (-call), what is told (-event), its bytes
 * (-io), and how it comes back when it was lost (-restore): what it was told to
 * tell (-registration) and what it missed (-watch).
 */

/* A byte of the output that carries a file descriptor. */
typedef struct {
  size_t position;
  int fd; /* (owned) */
} ReeveOutputFd;

/* What was read: a frame, and what came behind it. */
typedef struct {
  ReeveHeader header;
  const uint8_t *payload;
  size_t size; /* of the payload */
  unsigned n_fds;
  int fds[REEVE_MESSAGE_MAX_FDS]; /* (owned); closed unless they are taken */
} ReeveInputFrame;

struct _ReeveConnection {
  ReeveRefs users; /* the last one says goodbye, and closes */
  ReeveRefs refs;  /* one of the users together, one of the stream, or of what
                      brings it back */
  char *uri;       /* immutable */
  ReeveLoop *loop;
  gboolean is_opened; /* connect_open was answered; of the opening thread */

  /* Of the I/O thread. */
  uint8_t *input; /* (owned) (nullable) */
  size_t input_size;
  size_t input_capacity;
  ReeveFdInbox inbox;
  ReeveKeepalive keepalive;
  ReeveReconnect reconnect;

  ReeveMutex lock;
  ReeveStream *stream REEVE_GUARDED; /* (owned) (nullable) */
  int watch REEVE_GUARDED;
  ReeveEvents events REEVE_GUARDED;  /* that are watched for */
  gboolean holds REEVE_GUARDED;      /* after the next reply nothing is read */
  gboolean is_held REEVE_GUARDED;    /* that reply came */
  ReeveCond went_on;                 /* it is not held any more */
  GError *closed REEVE_GUARDED;      /* (owned) (nullable): why */
  gboolean is_lasting REEVE_GUARDED; /* it comes back when it is lost */
  GError *lost REEVE_GUARDED;        /* (owned) (nullable): why, meanwhile */
  unsigned link REEVE_GUARDED;       /* +1 when it is lost */
  gboolean is_restoring REEVE_GUARDED;      /* it is back; no mark came yet */
  ReeveConnectionFlags flags REEVE_GUARDED; /* that it was opened with */
  int retry_timer REEVE_GUARDED;            /* 0 before it is needed */
  GCancellable *attempt REEVE_GUARDED;    /* (owned) (nullable): to come back */
  GPtrArray *registrations REEVE_GUARDED; /* (element-type
                                             ReeveRegistration) */
  int32_t last_callback REEVE_GUARDED;    /* of them, as the user knows it */
  size_t kept_size REEVE_GUARDED; /* of calls that are kept to be sent again */
  uint64_t epoch REEVE_GUARDED;   /* what was seen last; 0: nothing */
  uint64_t revision REEVE_GUARDED;
  uint32_t next_serial REEVE_GUARDED;
  GHashTable *pending REEVE_GUARDED;   /* serial -> Pending */
  GHashTable *abandoned REEVE_GUARDED; /* serials of calls nobody waits for */
  GByteArray *output REEVE_GUARDED;    /* what waits to be written */
  GArray *output_fds REEVE_GUARDED;    /* (element-type ReeveOutputFd) */
  GHashTable *streams REEVE_GUARDED;   /* serial -> ReeveConnectionStream */
  atomic_uint n_streams;               /* of them; changed under the lock */
  unsigned n_full_streams REEVE_GUARDED;
  ReeveCond drained; /* nothing waits to be written; or a stream ended */
  gboolean is_paused REEVE_GUARDED;       /* we do not read, as one is full */
  gboolean may_overrun REEVE_GUARDED;     /* we do all the same, for a call */
  int pause_timer REEVE_GUARDED;          /* 0 before it is needed */
  GPtrArray *subscriptions REEVE_GUARDED; /* (element-type Subscription) */
  unsigned last_subscription REEVE_GUARDED;
  ReeveCloseFunc close_func REEVE_GUARDED;
  gpointer close_data REEVE_GUARDED;
  GDestroyNotify close_free REEVE_GUARDED;
  int keepalive_watch REEVE_GUARDED;         /* a timeout; 0: never wanted */
  int keepalive_interval_s REEVE_GUARDED;    /* 0: off */
  unsigned keepalive_count REEVE_GUARDED;    /* unanswered pings */
  gboolean keepalive_rests REEVE_GUARDED;    /* as nobody waits */
  gboolean keepalive_is_fresh REEVE_GUARDED; /* silence counts from now on */
};

/* connection.c */
/* A connection on a stream (transfer full) that is connected. */
ReeveConnection *reeve_connection_new (const char *uri, ReeveStream *stream);
/* The server waits for connect_close. */
void reeve_connection_set_opened (ReeveConnection *self);
/* Ends the connection, with why (transfer full). Thread: any. */
void reeve_connection_end (ReeveConnection *self, GError *reason);
/* The same. */
void
reeve_connection_fail (ReeveConnection *self, int code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* One reference, not of a user, goes. */
void reeve_connection_release (ReeveConnection *self);

/* connection-io.c */
/* The watch's callback; @data is the connection. */
void reeve_connection_take_ready (ReeveLoop *loop,
                                  int watch,
                                  int fd,
                                  ReeveEvents events,
                                  gpointer data);
/* Writes at once where nothing waits; the rest is kept. FALSE: errno. */
gboolean
reeve_connection_write_locked (ReeveConnection *self,
                               const uint8_t *data,
                               size_t size) REEVE_REQUIRES (self->lock);
gboolean reeve_connection_writev_locked (ReeveConnection *self,
                                         const struct iovec *iov,
                                         int n_iov) REEVE_REQUIRES (self->lock);
/* A stream is full, or no longer. */
void reeve_connection_update_pause_locked (ReeveConnection *self)
    REEVE_REQUIRES (self->lock);
/* The same with a file descriptor (transfer full). */
gboolean reeve_connection_write_fd_locked (ReeveConnection *self, int fd)
    REEVE_REQUIRES (self->lock);
/* Takes what was read and not taken, and reads what is there. Thread: the I/O
 * thread. */
void reeve_connection_take_rest (ReeveConnection *self);
/* Closes what was not sent, and what was not taken. Thread: the I/O thread. */
void reeve_connection_clear_fds (ReeveConnection *self);

/* From the next reply on nothing is read or taken, as its caller may put a
 * layer in between. */
void reeve_connection_hold (ReeveConnection *self);
/* @layer: (nullable) (transfer full): all that follows goes through it. Waits
 * for the I/O thread, which does not wait itself. Thread: any but that. */
void reeve_connection_go_on (ReeveConnection *self,
                             const ReeveStreamLayer *layer_class,
                             gpointer layer);

/* connection-keepalive.c */
/* Somebody waits for something now. */
void reeve_connection_wake_keepalive_locked (ReeveConnection *self)
    REEVE_REQUIRES (self->lock);

/* connection-open.c */
/* A connection on its way to being usable. Of the thread that opens it. */
typedef struct {
  ReeveConnection *connection;
  const ReeveUri *uri;
  gint64 deadline_us;
  GCancellable *cancellable; /* (nullable) */
  ReeveAskFunc ask;          /* (nullable) */
  gpointer ask_data;
} ReeveOpening;

gboolean reeve_opening_call (ReeveOpening *self,
                             const ReeveProgram *program,
                             int32_t procedure,
                             gconstpointer args,
                             gpointer ret,
                             GError **error);

/* connection-auth.c */
gboolean reeve_opening_authenticate (ReeveOpening *self, GError **error);

/* connection-call.c */
/* Thread: the I/O thread. */
void
reeve_connection_take_reply (ReeveConnection *self, ReeveInputFrame *frame);
/* (element-type GTask): every call has failed; the tasks are to be completed,
 * without the lock. @keeps: but for those that can be sent again, or were not
 * sent. */
GPtrArray *
reeve_connection_fail_calls_locked (ReeveConnection *self,
                                    const GError *reason,
                                    gboolean keeps) REEVE_REQUIRES (self->lock);
/* There is a stream again: sends what was kept. */
void reeve_connection_resend_locked (ReeveConnection *self)
    REEVE_REQUIRES (self->lock);
/* As reeve_connection_call(), with arguments that are encoded, for a connection
 * that was not lost since its link was @link. */
gboolean reeve_connection_call_encoded (ReeveConnection *self,
                                        unsigned link,
                                        const ReeveProgram *program,
                                        const ReeveProcedure *procedure,
                                        const uint8_t *payload,
                                        size_t size,
                                        gpointer ret,
                                        int timeout_ms,
                                        GError **error);
/* As reeve_connection_call(), with a stream that is registered meanwhile. */
gboolean reeve_connection_call_for_stream (ReeveConnection *self,
                                           const ReeveProgram *program,
                                           const ReeveProcedure *procedure,
                                           gconstpointer args,
                                           gpointer ret,
                                           ReeveConnectionStream *stream,
                                           int timeout_ms,
                                           GCancellable *cancellable,
                                           GError **error);

/* connection-stream-frame.c */
void reeve_connection_register_stream_locked (ReeveConnection *self,
                                              ReeveConnectionStream *stream,
                                              const ReeveHeader *header)
    REEVE_REQUIRES (self->lock);
/* Tells the server, whose answer is dropped. */
void reeve_connection_abort_stream_locked (ReeveConnection *self,
                                           const ReeveHeader *header)
    REEVE_REQUIRES (self->lock);
/* The connection has ended, or was lost. */
void reeve_connection_fail_streams_locked (ReeveConnection *self,
                                           const GError *reason)
    REEVE_REQUIRES (self->lock);
/* @buffer: (nullable): what the payload is in, if there is nothing else in it;
 * stolen, or left. Thread: the I/O thread. */
void reeve_connection_take_stream (ReeveConnection *self,
                                   const ReeveInputFrame *frame,
                                   uint8_t **buffer);

/* connection-event.c */
/* Thread: the I/O thread. */
void reeve_connection_take_event (ReeveConnection *self,
                                  const ReeveHeader *header,
                                  const uint8_t *payload,
                                  size_t size);
/* To those who want to know it, as if the server had sent it. Thread: the I/O
 * thread. */
void reeve_connection_tell (ReeveConnection *self,
                            const ReeveProgram *program,
                            int32_t event,
                            gconstpointer body);
/* Thread: the I/O thread, for the last time. */
void reeve_connection_clear_subscriptions (ReeveConnection *self);

/* connection-watch.c */
/* Asks for a mark. Not each server has them. Thread: any but the I/O thread. */
gboolean reeve_connection_sync (ReeveConnection *self,
                                unsigned link,
                                int timeout_ms,
                                GError **error);
/* Returns whether an event is to be told of. Thread: the I/O thread. */
gboolean reeve_connection_watch_event (ReeveConnection *self,
                                       const ReeveHeader *header,
                                       const uint8_t *payload,
                                       size_t size);
/* Without a server's mark: anything may have happened. Thread: the I/O thread.
 */
void reeve_connection_mark_all (ReeveConnection *self);

/* connection-registration.c: calls that make the server tell something, and
 * that are made again when the connection is back. */
typedef struct _ReeveRegistrationKind ReeveRegistrationKind;

/* (nullable) */
const ReeveRegistrationKind *
reeve_registration_kind_find (const ReeveProgram *program,
                              const ReeveProcedure *procedure,
                              gboolean *is_end);

/* The server has taken one. Its number in the reply becomes the user's. */
void
reeve_registration_add_locked (ReeveConnection *self,
                               const ReeveRegistrationKind *kind,
                               const uint8_t *args,
                               size_t args_size,
                               uint8_t *reply,
                               size_t reply_size) REEVE_REQUIRES (self->lock);
/* One is ended: it is not made again. The number in @args becomes the
 * server's; FALSE if the server does not have it any more. */
gboolean
reeve_registration_remove_locked (ReeveConnection *self,
                                  const ReeveRegistrationKind *kind,
                                  uint8_t *args,
                                  size_t args_size) REEVE_REQUIRES (self->lock);
/* The server's number in an event becomes the user's. */
void reeve_registration_translate (ReeveConnection *self,
                                   const ReeveProgram *program,
                                   const ReeveProcedure *event,
                                   gpointer body);
/* The server has forgotten all of them. */
void reeve_registrations_forget_locked (ReeveConnection *self)
    REEVE_REQUIRES (self->lock);
/* Makes them again; one that is refused is dropped. Thread: any but the I/O
 * thread. */
void reeve_registrations_restore (ReeveConnection *self,
                                  unsigned link,
                                  int timeout_ms);
void reeve_registrations_clear (ReeveConnection *self);

/* connection-restore.c */
/* From now on it comes back when it is lost. */
void reeve_connection_make_lasting (ReeveConnection *self,
                                    ReeveConnectionFlags flags);
/* The stream is lost, with why: ends the connection, or brings it back. Thread:
 * the I/O thread. */
void reeve_connection_lose (ReeveConnection *self, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

G_END_DECLS
