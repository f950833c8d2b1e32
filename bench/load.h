/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "connection.h"
#include "request.h"
#include "run.h"

typedef struct {
  unsigned n_clients;
  unsigned depth; /* calls that each has in flight */
} Load;

/* Clients that are connected to one server. What fails ends the
 * process. */
typedef struct _Clients Clients;

/* @opening: (nullable): a call that each makes first */
Clients *clients_new (const Address *address,
                      const Request *opening,
                      unsigned n_clients);
void clients_free (Clients *self);

/* Makes one call on the first of them, and does not wait. */
void clients_start_call (Clients *self, const Request *request);
/* Waits for the reply. */
void clients_end_call (Clients *self);

/* Calls as often as it goes: a closed loop, in @n_threads that share the
 * clients. */
Run clients_run (Clients *self,
                 const Load *load,
                 unsigned n_threads,
                 const Request *request,
                 gint64 warm_up_us,
                 gint64 duration_us);

/* What paced calls took, in microseconds. */
typedef struct {
  Histogram from_due;  /* to the reply, since a call was due by the clock */
  Histogram from_sent; /* the same, less what is in @late */
  Histogram attended;  /* the same, of calls during which the caller did not
                          stand still, and that it did not make late by it */
  Histogram late;      /* since a call was due, where a client was free all the
                          time: that it was made late says nothing of a server */
} PacedTimes;

/* An open loop: makes a call each @interval_us, by whichever client has none in
 * flight, and adds to @times. What was due and could not be made, as none was
 * free, is made later and counts from when it was due: a server that stands
 * still is not forgiven for the calls that nobody could make meanwhile
 * ("coordinated omission"). */
void clients_run_paced (Clients *self,
                        const Request *request,
                        double interval_us,
                        gint64 duration_us,
                        PacedTimes *times);

/* Connects, makes @n_requests calls one after the other, and closes; @n_at_once
 * connections at a time. */
Run connections_run (const Address *address,
                     const Request *requests,
                     unsigned n_requests,
                     unsigned n_at_once,
                     gint64 duration_us);
