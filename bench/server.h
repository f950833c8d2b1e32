/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "connection.h"

/* What a server is told. */
typedef struct {
  const char *path;       /* of its unix socket */
  const char *tls_folder; /* (nullable): of its certificate and key */
  unsigned io_threads;    /* loops besides its own; 0: none */
  int ready_fd;           /* where it says that it listens; see say_ready() */
} ServeOptions;

/* Serves until the process ends. */
typedef void (*ServeFunc) (const ServeOptions *options);

/* A server in a process of its own. */
typedef struct {
  char *path;        /* (owned) (nullable): of its unix socket */
  uint16_t ports[2]; /* 0: none; of TCP, of TLS */
  pid_t pid;         /* 0: there is none */
  gboolean is_ours;
  pid_t crowd; /* who holds idle connections to it; 0: nobody */
} Server;

/* By the server: it listens, on these ports besides (0: none). */
void say_ready (int ready_fd, uint16_t tcp_port, uint16_t tls_port);

/* @asked: (nullable): all but its path and ready_fd */
void server_start (Server *self,
                   const char *folder,
                   const char *name,
                   const ServeOptions *asked,
                   ServeFunc serve);
/* One that somebody else started and ends. */
void server_find (Server *self, const char *path);
/* Connects @n_idle clients, each of which makes one null call and then never
 * says anything. */
void server_add_crowd (Server *self, unsigned n_idle);
void server_stop (Server *self);

/* What its process has used, and has. */
typedef struct {
  double cpu_us;
  GHashTable *switches; /* (owned): of contexts, by thread */
  double private_bytes; /* memory that is its own */
} Usage;

Usage server_get_usage (const Server *self);
void usage_clear (Usage *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Usage, usage_clear)

/* How often contexts were switched in between; what a thread did that has ended
 * meanwhile is not known. */
double usage_count_switches (const Usage *before, const Usage *after);

/* What of the heap of one that serve_reeve() serves is in use, in bytes. */
double server_get_heap (const Server *self);
