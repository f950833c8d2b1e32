/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <sys/types.h>

/* Where a server listens. */
typedef struct {
  const char *path; /* (nullable): of a unix socket */
  uint16_t port;    /* of 127.0.0.1 */
  gboolean is_tls;
  gboolean greets; /* after a handshake, by a byte, as libvirt's servers do */
} Address;

/* A client's end. Whatever fails ends the process. */
typedef struct {
  int fd;
  gnutls_session_t tls; /* (owned) (nullable) */
} Connection;

/* With TLS, the handshake is over. */
void connection_open (Connection *self, const Address *address);
void connection_close (Connection *self);

/* All of it; it fits the socket's buffer. */
void connection_send (Connection *self, const void *data, size_t size);

/* What is there; 0: nothing. */
size_t connection_recv (Connection *self, void *data, size_t size);

/* The process at the other end of a unix socket. */
pid_t connection_get_peer (const Connection *self);
