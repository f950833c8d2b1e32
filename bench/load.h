/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "connection.h"
#include "request.h"

typedef struct {
  unsigned n_clients;
  unsigned depth; /* calls that each has in flight */
} Load;

/* Clients that are connected to one server, in one thread. What fails ends the
 * process. */
typedef struct _Clients Clients;

/* @opening: (nullable): a call that each makes first */
Clients *clients_new (const Address *address,
                      const Request *opening,
                      unsigned n_clients);
void clients_free (Clients *self);

/* Calls as often as it goes; returns how many microseconds a call took. */
double clients_run (Clients *self,
                    const Load *load,
                    const Request *request,
                    gint64 duration_us);

/* How long replies took, in microseconds. */
typedef struct {
  double p50;
  double p99;
  double p999;
} Latency;

/* Makes a call each @interval_us, by whichever client has none in flight. A
 * reply's time counts from when the call was due, whether or not it could be
 * made then. */
Latency clients_run_paced (Clients *self,
                           const Request *request,
                           double interval_us,
                           gint64 duration_us);

/* Connects, makes @n_requests calls one after the other, and closes; @n_at_once
 * connections at a time. Returns how many microseconds each took. */
double connections_run (const Address *address,
                        const Request *requests,
                        unsigned n_requests,
                        unsigned n_at_once,
                        gint64 duration_us);
