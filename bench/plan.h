/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "load.h"

#define PEER_DEPTH 64

typedef enum {
  FLOOR,
  REEVE,
  REEVE_10000, /* with so many idle clients */
  REEVE_18000,
  REEVE_LOOPS, /* with several loops */
  GDBUS,
  SDBUS,
  GRPC,
  REEVED,
  LIBVIRTD,
  GNUTLS_SERV,
  N_SERVERS
} ServerId;

/* JSON is on the unix socket, with connections of its own. */
typedef enum { UNIX, JSON, TCP, TLS, N_TRANSPORTS } Transport;

typedef enum {
  CALLS,       /* as many as go */
  BESIDE,      /* the same, while another client's call keeps a worker */
  PACED,       /* half as many as the plan before */
  CONNECTIONS, /* that open, call, and close */
  HANDSHAKES,
} Mode;

typedef enum {
  ON_LOOP,
  NORMAL,
  PRIORITY,
  ROWS,
  ECHO_64,
  ECHO_1024,
  ECHO_12288,
  SLEEP,
  JSON_NULL,
  JSON_ROWS,
  JSON_ECHO,
  OPEN, /* what follows is of libvirt's program */
  VERSION,
  LIST,
  XML,
  N_REQUESTS
} RequestId;

/* What is measured. */
typedef struct {
  const char *name;
  ServerId server;
  Transport transport;
  Mode mode;
  RequestId request;
  Load load; /* of CALLS and BESIDE; no clients: as an option says */
} Plan;

extern const Plan plans[];
extern const unsigned n_plans;

/* What the requests are; that of XML only with @machine_args, which are in
 * hexadecimal. SLEEP lasts @sleep_ms. */
void requests_init (Request *self, const char *machine_args, unsigned sleep_ms);
void requests_clear (Request *self);
