/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/message.h"
#include "rpc/server-state.h"
#include "tests/rpc/flow.h"

#include <pthread.h>
#include <stdatomic.h>

/* A server that is to go on in another one, and a client's end of a socket. */
typedef struct {
  ReeveLoop *loop;
  pthread_t thread;
  ReeveServer *server; /* that serves now */
  atomic_bool may_end; /* what holds */
  atomic_uint n_held;  /* calls that did */
  atomic_uint n_streams;
  int fd; /* the client's end */
} Fixture;

/* For restore(). */
typedef struct {
  ReeveServer *server;
  ReeveSavedState *state;
  GError *error;
} Restore;

/* Of what is attached to a client. */
extern const char note_key;

void set_up (Fixture *self, gconstpointer data);
/* Runs it in the loop's thread, as most of what follows is to be run. */
void in_loop (Fixture *self,
              void (*func) (Fixture *fixture, gpointer data),
              gpointer data);
void stop_server (Fixture *self, gpointer data);
void tear_down (Fixture *self, gconstpointer data);
void freeze (Fixture *self, gpointer data);
void thaw (Fixture *self, gpointer data);
/* @data: where to tell why it is not. */
void look_whether_quiet (Fixture *self, gpointer data);
void save (Fixture *self, gpointer data);
/* As it comes out of another process. */
ReeveSavedState *pass_on (ReeveSavedState *state);
void restore (Fixture *self, gpointer data);
void replace (Fixture *self, gpointer data);
void wait_until_quiet (Fixture *self);
/* All of it. */
void move_to (Fixture *self, ReeveServer *server);
void move (Fixture *self);
ReeveServer *make_server (Fixture *self, gboolean knows_echo);
GBytes *make_call (int32_t procedure, uint32_t serial);
void send_part (Fixture *self, GBytes *frame, size_t from, size_t to);
void call (Fixture *self, int32_t procedure, uint32_t serial);
void wait_until_read (Fixture *self);
ReeveHeader receive (Fixture *self, char *payload);
void assert_reply (Fixture *self, uint32_t serial);
void assert_silence (Fixture *self);
ReeveServerClient *find_client (Fixture *self);
