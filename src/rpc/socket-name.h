/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

/*
 * The names of streams, as Open vSwitch writes them, in one place.
 *
 *   to connect           to listen
 *   unix:PATH            punix:PATH
 *   tcp:HOST[:PORT]      ptcp:[HOST[:PORT]], ptcp:PORT[:HOST]
 *   tls:…, ssl:… the same   ptls:…, pssl:… the same
 *   fd:N                 pfd:N
 *   exec:COMMAND
 *
 * An IPv6 address stands in brackets, and may have a scope (`[fe80::1%eth0]`).
 * What is empty counts as left out: a port is then 16509, with TLS 16514, and
 * listeners without a host take every address. Port 0 is for listeners alone;
 * the kernel chooses. Of a listener's two parts the number is the port, so
 * that both our order and Open vSwitch's are understood; two numbers are
 * refused.
 *
 * `@NAME` in place of a path is a socket in the abstract namespace; a file with
 * such a name is `./@NAME`.
 */

typedef enum {
  REEVE_SOCKET_UNIX,
  REEVE_SOCKET_TCP,
  REEVE_SOCKET_TLS,
  REEVE_SOCKET_FD,
  REEVE_SOCKET_EXEC,
} ReeveSocketKind;

/**
 * ReeveSocketName:
 * @path: (owned) (nullable): of %REEVE_SOCKET_UNIX; an abstract one begins
 *   with `@`
 * @host: (owned) (nullable): without brackets; %NULL: every address
 * @port: of %REEVE_SOCKET_TCP and %REEVE_SOCKET_TLS
 * @fd: of %REEVE_SOCKET_FD; nobody has looked whether it is open
 * @command: (owned) (nullable): of %REEVE_SOCKET_EXEC
 */
typedef struct {
  ReeveSocketKind kind;
  gboolean is_passive;
  char *path;
  char *host;
  uint16_t port;
  int fd;
  char *command;
} ReeveSocketName;

/**
 * reeve_socket_name_parse:
 * @is_passive: whether it is to listen at
 *
 * Looks nothing up, neither hosts nor files.
 *
 * Errors: %REEVE_ERROR_INVALID_ARG, naming what is wrong.
 *
 * Returns: (transfer full)
 */
ReeveSocketName *
reeve_socket_name_parse (const char *text, gboolean is_passive, GError **error);
void reeve_socket_name_free (ReeveSocketName *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveSocketName, reeve_socket_name_free)

/* (transfer full) (nullable): to connect to, or to bind; NULL where there is no
 * address. A host that has a name is not looked up. */
GSocketConnectable *reeve_socket_name_get_address (const ReeveSocketName *self);

/* (transfer full): a text that is parsed to the same. */
char *reeve_socket_name_to_string (const ReeveSocketName *self);

gboolean reeve_socket_name_is_abstract (const ReeveSocketName *self);

/* By what is before the colon of @text alone. */
gboolean reeve_socket_name_is (const char *text,
                               gboolean is_passive,
                               ReeveSocketKind kind);

/* Whether @text begins as a name does, be it to connect to or to listen at. */
gboolean reeve_socket_name_is_known (const char *text);

/* (transfer full): @text, where a relative path of a listener is one of
 * @folder. */
char *reeve_socket_name_resolve (const char *text, const char *folder);

G_END_DECLS
