/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/thread.h"
#include "rpc/server.h"
#include "tests/rpc/wires.h"

#include <stdatomic.h>

/* A server with the program `wires`, its loop in a thread of its own, and a
 * client's end of a socket. */
typedef struct {
  ReeveLoop *loop;
  ReeveServer *server;
  pthread_t thread;
  int fd;
  GString *input; /* what was received and not looked at yet */

  ReeveMutex lock;
  GQueue waiting REEVE_GUARDED;   /* (element-type ReeveCall) (owned) */
  GString *callers REEVE_GUARDED; /* (owned): of NOTHING, the digit of each */
  atomic_uint n_events_refused;
} WiresFixture;

/* @limits, @options: (nullable) */
void wires_fixture_init (WiresFixture *self,
                         const ReeveServerLimits *limits,
                         const ReeveServiceOptions *options);
void wires_fixture_clear (WiresFixture *self);

/* Another connection: the client's end. */
int
wires_fixture_connect (WiresFixture *self, const ReeveServiceOptions *options);

/* Answers the oldest call of WAIT; waits until there is one. */
void wires_fixture_let_go (WiresFixture *self);

/* (transfer full): the last digits of the numbers of those who called NOTHING,
 * in their order. */
char *wires_fixture_dup_callers (WiresFixture *self);

void wires_fixture_send (WiresFixture *self, const char *text);
/* (transfer full): what comes up to, and with, @end; or (@end is NULL) until
 * the connection ends. */
char *wires_fixture_receive (WiresFixture *self, const char *end);
