/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/socket-name.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/tls-context.h"

#include <gio/gunixsocketaddress.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

/* With the NUL that ends it. */
#define PATH_SIZE sizeof (((struct sockaddr_un *) NULL)->sun_path)

const char *
reeve_socket_name_skip (const char *name, const char *scheme)
{
  size_t length = strlen (scheme);

  if (!g_str_has_prefix (name, scheme) || name[length] != ':')
    return NULL;

  return name + length + 1;
}

const char *
reeve_socket_name_get_port (const char *text)
{
  const char *colon = strrchr (text, ':');
  const char *digits = colon == NULL ? text : colon + 1;

  return digits[0] != '\0' && strspn (digits, "0123456789") == strlen (digits)
             ? digits
             : NULL;
}

static gboolean
refuse (const char *name, const char *why, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG, "%s: %s", name,
               why);
  return FALSE;
}

static GSocketConnectable *
parse_path (const char *name, const char *path, GError **error)
{
  if (path[0] == '\0') {
    refuse (name, _ ("the path is missing"), error);
    return NULL;
  }
  if (strlen (path) >= PATH_SIZE) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("%1$s: the path has %2$zu bytes, and a socket's may have "
                    "%3$zu"),
                 name, strlen (path), PATH_SIZE - 1);
    return NULL;
  }

  return G_SOCKET_CONNECTABLE (g_unix_socket_address_new (path));
}

/* Splits HOST:PORT at its last colon. @port is changed if it is there; what is
 * no port is a host if the port has a default. */
static gboolean
split_host (const char *name,
            const char *text,
            char **host,
            uint16_t *port,
            GError **error)
{
  const char *colon = strrchr (text, ':');
  const char *digits = colon == NULL ? text : colon + 1;
  guint64 number;

  if (*port != 0 && reeve_socket_name_get_port (text) == NULL) {
    *host = g_strdup (text);
  } else if (!g_ascii_string_to_unsigned (digits, 10, 0, UINT16_MAX, &number,
                                          NULL)) {
    return refuse (name, _ ("a port is a number from 0 to 65535"), error);
  } else {
    *port = (uint16_t) number;
    *host = colon == NULL ? g_strdup ("") : g_strndup (text, colon - text);
  }

  if ((*host)[0] == '[') {
    size_t length = strlen (*host);

    if ((*host)[length - 1] != ']')
      return refuse (name, _ ("the bracket of the address is not closed"),
                     error);
    memmove (*host, *host + 1, length);
    (*host)[length - 2] = '\0';
  } else if (strchr (*host, ':') != NULL) {
    return refuse (name, _ ("an IPv6 address stands in brackets"), error);
  }
  return TRUE;
}

/* The address to bind: any, a numeric one, or what a name stands for. */
static GSocketConnectable *
get_address (const char *host, uint16_t port)
{
  g_autoptr (GInetAddress) address = NULL;

  if (host[0] == '\0')
    address = g_inet_address_new_any (G_SOCKET_FAMILY_IPV6);
  else
    address = g_inet_address_new_from_string (host);
  if (address == NULL)
    return g_network_address_new (host, port);

  return G_SOCKET_CONNECTABLE (g_inet_socket_address_new (address, port));
}

GSocketConnectable *
reeve_socket_name_parse (const char *name, gboolean is_passive, GError **error)
{
  g_autofree char *host = NULL;
  const char *rest;
  uint16_t port;

  rest = reeve_socket_name_skip (name, is_passive ? "punix" : "unix");
  if (rest != NULL)
    return parse_path (name, rest, error);

  rest = reeve_socket_name_skip (name, is_passive ? "ptls" : "tls");
  port = rest == NULL ? 0 : REEVE_TLS_PORT;
  if (rest == NULL)
    rest = reeve_socket_name_skip (name, is_passive ? "ptcp" : "tcp");
  if (rest == NULL) {
    refuse (name,
            is_passive ? _ ("a listener is punix:PATH, ptcp:HOST:PORT, "
                            "ptls:HOST:PORT or pfd:N")
                       : _ ("a stream is unix:PATH, tcp:HOST:PORT, "
                            "tls:HOST:PORT, fd:N or exec:COMMAND"),
            error);
    return NULL;
  }

  if (!split_host (name, rest, &host, &port, error))
    return NULL;
  if (is_passive)
    return get_address (host, port);
  if (host[0] == '\0' || port == 0) {
    refuse (name, _ ("the host or the port is missing"), error);
    return NULL;
  }
  return g_network_address_new (host, port);
}
