/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/* A null call in libvirt's framing, and its reply. */
#define FRAME_SIZE 28

typedef struct {
  unsigned n_clients;
  unsigned depth; /* calls that each has in flight */
} Load;

/* Clients that are connected to one server, in one thread. */
typedef struct _Clients Clients;

/* Ends the process where it cannot connect. */
Clients *clients_new (const char *path, unsigned n_active, unsigned n_idle);
void clients_free (Clients *self);

/* Calls a procedure as often as it goes for @duration_us; returns how many
 * microseconds a call took. A reply that is an error ends the process. */
double clients_run (Clients *self,
                    const Load *load,
                    int procedure,
                    gint64 duration_us);
