/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "protocol/message.h"
#include "rpc/auth.h"
#include "rpc/data-stream.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "rpc/server.h"
#include "rpc/wire-xdr.h"
#include "tests/rpc/flow.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB (1024u * 1024)
/* What a stream may hold for a client that does not read or a function that
 * does not take: a window, a frame, and what the sockets hold. */
#define BOUND (4 * MIB)
/* Of a test that waits for something that is not there. */
#define PATIENCE_S 20

/* What a stream's functions do. */
typedef enum {
  DO_ALL = 0,
  DO_SPARSE = 1 << 0,       /* takes and gives holes */
  DO_FAIL_IN_DATA = 1 << 1, /* fails in the middle */
  DO_FAIL_AT_END = 1 << 2,  /* the client's finish fails */
  DO_FAIL_CALL = 1 << 3,    /* the call fails once the stream is open */
  DO_DEFER = 1 << 4,        /* the call is answered by another thread */
  DO_PARTS = 1 << 5,        /* takes a part of what comes at a time */
  DO_WAIT = 1 << 6,         /* takes and gives nothing before it is woken */
} How;

/* A server with its loop in a thread of its own, and a client's end of a
 * socket. */
typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  pthread_t thread;
  int fd;
  uint32_t last_serial;

  atomic_bool may_go; /* what waits */
  _Atomic (ReeveDataStream *)
      stream;           /* (owned) (nullable): the one that waits */
  atomic_llong n_bytes; /* that were given or taken, holes among them */
  atomic_llong n_holes;
  atomic_uint n_wrong; /* that were not the expected ones */
  atomic_uint n_finished;
  atomic_uint n_aborted;
  atomic_uint n_freed;
} Fixture;

/* One frame that came from the server. */
typedef struct {
  ReeveHeader header;
  uint8_t *payload; /* (owned) */
  size_t size;
} Frame;

/* The byte at an offset. */
uint8_t get_byte (int64_t offset);
void set_up (Fixture *self, gconstpointer data);
void hang_up (Fixture *self);
void tear_down (Fixture *self, gconstpointer data);
void wait_until (atomic_uint *counter, unsigned value);
/* How many bytes were given or taken, once that no longer changes. */
long long wait_for_rest (Fixture *self);
gboolean send_bytes (Fixture *self, const void *data, size_t size);
void send_message (Fixture *self,
                   int32_t procedure,
                   uint32_t serial,
                   uint32_t type,
                   uint32_t status,
                   const void *payload,
                   size_t size);
uint32_t
send_open (Fixture *self, int32_t procedure, int64_t size, unsigned how);
void send_stream (Fixture *self,
                  int32_t procedure,
                  uint32_t serial,
                  uint32_t status,
                  const void *data,
                  size_t size);
/* The expected bytes from @offset on, in one frame. */
void send_data (Fixture *self, uint32_t serial, int64_t offset, size_t size);
void send_hole (Fixture *self, uint32_t serial, int64_t length, unsigned flags);
void frame_clear (Frame *frame);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Frame, frame_clear)
/* FALSE at the end of the connection. */
gboolean receive_frame (Fixture *self, Frame *frame);
void
assert_frame (Fixture *self, uint32_t type, uint32_t status, uint32_t serial);
void
assert_error (Fixture *self, uint32_t type, uint32_t serial, const char *words);
/* Nothing else was sent before. */
void assert_ping (Fixture *self);
uint32_t
open_and_wait (Fixture *self, int32_t procedure, int64_t size, unsigned how);
/* Reads a stream up to the end of its data, or an error; returns the bytes. */
int64_t read_data (Fixture *self, uint32_t serial, Frame *last);
void finish_stream (Fixture *self, int32_t procedure, uint32_t serial);
