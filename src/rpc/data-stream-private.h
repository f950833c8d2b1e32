/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is inside a data stream: data-stream.c has its life and runs its
 * functions, data-stream-frame.c takes the client's frames and hands out ours.
 */

#include "protocol/takeover.h"
#include "rpc/server-client-private.h"

G_BEGIN_DECLS

/* What came from the client in one frame. */
typedef struct {
  uint8_t *buffer;  /* (owned) (nullable): around the data */
  gboolean is_long; /* the buffer has room for the longest frame */
  const uint8_t *data;
  size_t size;  /* 1 for a hole */
  int64_t hole; /* its length, or 0 */
  size_t cost;  /* what it counts in the window */
} ReeveDataStreamPiece;

struct _ReeveDataStream {
  ReeveJob job; /* of the pool, while it is scheduled */
  ReeveRefs refs;
  ReeveServerClient *client; /* (owned) */
  ReeveHeader header;        /* of its frames; immutable, as what follows */
  const ReeveDataStreamFuncs *funcs;
  gpointer user_data;       /* (owned) */
  GDestroyNotify free_func; /* (nullable) */
  uint8_t *room; /* (owned) (nullable): of the thread that runs the functions */

  /* Under the client's lock. */
  gboolean is_live;
  gboolean
      is_scheduled; /* a job of the pool runs, or will; it has a reference */
  unsigned n_wakes;
  gboolean may_send;     /* the function has not said that it waits, or ends */
  gboolean may_receive;  /* the function has not said that it waits */
  gboolean has_sent_end; /* of the data */
  gboolean is_finishing; /* the client said so */
  gboolean is_aborting;  /* the client said so */
  gboolean is_gone;      /* the client */
  GError *failure;       /* (owned) (nullable): to be told to the client */
  GQueue input;          /* (element-type ReeveDataStreamPiece) (owned) */
  size_t n_input_bytes;
  gboolean is_full;      /* so that nothing is read from the client */
  GQueue output;         /* (element-type GBytes) (owned): whole frames */
  size_t n_output_bytes; /* of the output and of the client's current frame */
};

/* ------------------------------------------------------ data-stream.c --- */

/* (transfer full): it is not counted yet, and not live. @header: of what opened
 * it. */
ReeveDataStream *reeve_data_stream_new (ReeveServerClient *client,
                                        const ReeveHeader *header,
                                        const ReeveDataStreamFuncs *funcs,
                                        gpointer user_data,
                                        GDestroyNotify free_func);

/* (transfer full) (nullable): frees one that never went live. */
void reeve_data_stream_discard (ReeveDataStream *self);

/* The call that opened it was answered. (transfer full) */
void reeve_data_stream_go_live_locked (ReeveServerClient *client,
                                       ReeveDataStream *self)
    REEVE_REQUIRES (client->lock);

/* A worker looks what there is to do, if there is something. */
void reeve_data_stream_schedule_locked (ReeveServerClient *client,
                                        ReeveDataStream *self)
    REEVE_REQUIRES (client->lock);

/* Ends it, soon, with an error. (transfer full) */
void reeve_data_stream_fail (ReeveDataStream *self, GError *failure);

/* ------------------------------------------------ data-stream-state.c --- */

/* (transfer full) (nullable): why the streams of a client cannot move, or not
 * now. */
char *reeve_data_stream_find_obstacle_locked (ReeveServerClient *client)
    REEVE_REQUIRES (client->lock);
char *reeve_data_stream_find_activity_locked (ReeveServerClient *client)
    REEVE_REQUIRES (client->lock);
gboolean reeve_data_stream_save_all (ReeveServerClient *client,
                                     ReeveSavedState *state,
                                     takeover_client *saved,
                                     GError **error);
/* What cannot go on ends, and the client is told. */
void reeve_data_stream_restore_all (ReeveServerClient *client,
                                    ReeveSavedState *state,
                                    const takeover_client *saved);

/* ------------------------------------------------ data-stream-frame.c --- */

typedef enum {
  REEVE_DATA_STREAM_TAKEN,
  REEVE_DATA_STREAM_FULL, /* taken; no more is to be read for now */
  REEVE_DATA_STREAM_BAD,  /* the connection is to be closed */
} ReeveDataStreamTaken;

/* How much may wait in each direction of a stream. */
size_t reeve_data_stream_get_window (ReeveServerClient *client);

/* Takes a frame, for a stream or for none that lives. @buffer: (nullable): what
 * the payload is in, if there is nothing else in it; stolen, or left.
 * Thread: loop. */
ReeveDataStreamTaken reeve_data_stream_take_frame (ReeveServerClient *client,
                                                   const ReeveHeader *header,
                                                   const uint8_t *payload,
                                                   size_t size,
                                                   uint8_t **buffer);

void reeve_data_stream_piece_free (ReeveDataStreamPiece *self);
/* As if they had come, or been queued, in this process; neither runs before it
 * is live. @buffer: (transfer full); @frame: (transfer full) */
void
reeve_data_stream_add_piece_locked (ReeveServerClient *client,
                                    ReeveDataStream *self,
                                    uint8_t *buffer,
                                    size_t size,
                                    int64_t hole) REEVE_REQUIRES (client->lock);
void reeve_data_stream_add_output_locked (ReeveServerClient *client,
                                          ReeveDataStream *self,
                                          GBytes *frame)
    REEVE_REQUIRES (client->lock);

/* (transfer full) (nullable): the oldest, which was received. */
ReeveDataStreamPiece *
reeve_data_stream_pop_piece_locked (ReeveServerClient *client,
                                    ReeveDataStream *self)
    REEVE_REQUIRES (client->lock);
void reeve_data_stream_drop_input_locked (ReeveServerClient *client,
                                          ReeveDataStream *self)
    REEVE_REQUIRES (client->lock);

/* Queues a frame, and writes what the socket takes. (transfer full) */
void
reeve_data_stream_queue_locked (ReeveServerClient *client,
                                ReeveDataStream *self,
                                GBytes *frame) REEVE_REQUIRES (client->lock);
void reeve_data_stream_drop_output_locked (ReeveServerClient *client,
                                           ReeveDataStream *self)
    REEVE_REQUIRES (client->lock);

/* (transfer full) (nullable): the next frame of the streams, which take turns.
 */
GBytes *reeve_data_stream_start_frame_locked (ReeveServerClient *client)
    REEVE_REQUIRES (client->lock);
/* A frame of @size bytes was written; whether it was one of a stream. */
gboolean
reeve_data_stream_end_frame_locked (ReeveServerClient *client, size_t size)
    REEVE_REQUIRES (client->lock);

/* What the client has of streams; made for its first one. */
ReeveClientStreams *reeve_data_stream_get_all_locked (ReeveServerClient *client)
    REEVE_REQUIRES (client->lock);
/* (element-type ReeveDataStream) (transfer none): those that are live. */
GList *reeve_data_stream_get_live_locked (ReeveServerClient *client)
    REEVE_REQUIRES (client->lock);

/* The connection has ended: so do all streams. */
void reeve_data_stream_lose_client_locked (ReeveServerClient *client)
    REEVE_REQUIRES (client->lock);

G_END_DECLS
