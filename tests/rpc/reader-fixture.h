/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/message.h"
#include "rpc/server-client-private.h"
#include "rpc/server-inside.h"
#include "tests/rpc/patience.h"

G_BEGIN_DECLS

/* A server that runs in a thread of its own, and clients that a worker may
 * read. */

/* What must happen, happens within this time. */
#define PATIENCE_US (60 * G_USEC_PER_SEC)
/* How often a case is tried: the worker may leave before its time. */
#define N_TRIES 20
#define N_MANY 12
/* Workers of the pool. */
#define N_WORKERS 6

typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  ReeveServerClient *client; /* (owned): that @fds[0] is */
  pthread_t thread;
  int fds[2]; /* of two clients */
  uint32_t serial;
  atomic_bool may_end; /* what is slow */
  atomic_int n_quick;  /* calls that are, before one is slow */
  uint64_t n_added;    /* clients */

  unsigned n_many; /* that these are */
  int many[N_MANY];
  ReeveServerClient *clients[N_MANY]; /* (owned) */

  ReeveMutex lock;
  pthread_t threads[N_WORKERS] REEVE_GUARDED; /* that ran calls */
  unsigned n_threads REEVE_GUARDED;
} Fixture;

/* How many threads ran calls since it was asked for the last time. */
unsigned reset_threads (Fixture *self);

void set_up (Fixture *self, gconstpointer data);
void set_up_many (Fixture *self, gconstpointer data);
void tear_down (Fixture *self, gconstpointer data);
void add_one_of_many (Fixture *self, unsigned i);

/* Calls @func in the daemon's loop, and waits for that. */
void in_loop (Fixture *self, void (*func) (Fixture *, gpointer), gpointer data);

/* (transfer full): of a procedure, or a ping. */
GBytes *make_frame (int32_t procedure, uint32_t serial);
void send_bytes (int fd, GBytes *bytes, size_t start, size_t end);
void send_frame (Fixture *self, int fd, int32_t procedure);
/* All in one piece. */
void send_frames (Fixture *self, int fd, int32_t procedure, unsigned n_frames);
void receive (int fd, ReeveHeader *header);
void assert_reply (int fd, uint32_t serial);
/* Returns a bit for each of @n_replies that come next: how far its call is from
 * that of @serial. */
uint64_t receive_several (int fd, unsigned n_replies, uint32_t serial);

G_END_DECLS
