/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/peer.h"

#include <pthread.h>

/* A peer against a server that is played by the test: the other end of a
 * socket, in a thread. */

#define TIMEOUT_MS 20000
#define SHORT_MS 50

typedef void (*PlayFunc) (int fd);

typedef struct {
  char *stream; /* the name of the client's end */
  pthread_t thread;
  PlayFunc play;
  int fd; /* the server's end */
} PeerServer;

void peer_server_start (PeerServer *self, PlayFunc play);
/* When the client's end is closed, or the server's play is over. */
void peer_server_stop (PeerServer *self);

/* (nullable): the next message with what ends it; NULL at the end. */
char *peer_server_read (int fd, const char *end);
void peer_server_write (int fd, const char *text);
