/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/socket-name.h"

#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/tls-context.h"

#include <gio/gunixsocketaddress.h>
#include <string.h>
#include <sys/un.h>

#define TCP_PORT 16509

/* With the NUL that ends it, or that begins an abstract one. */
#define PATH_SIZE sizeof (((struct sockaddr_un *) NULL)->sun_path)

/* The first of a kind is the one that we write. */
static const struct {
  const char *text;
  ReeveSocketKind kind;
} schemes[] = {
  { "unix", REEVE_SOCKET_UNIX }, { "tcp", REEVE_SOCKET_TCP },
  { "tls", REEVE_SOCKET_TLS },   { "ssl", REEVE_SOCKET_TLS },
  { "fd", REEVE_SOCKET_FD },     { "exec", REEVE_SOCKET_EXEC },
};

/* (nullable): what follows the scheme. */
static const char *
find_scheme (const char *text, gboolean is_passive, ReeveSocketKind *kind)
{
  const char *colon = strchr (text, ':');
  size_t length;

  if (colon == NULL || (is_passive && text[0] != 'p'))
    return NULL;

  text += is_passive;
  length = (size_t) (colon - text);
  for (size_t i = 0; i < G_N_ELEMENTS (schemes); i++) {
    if (is_passive && schemes[i].kind == REEVE_SOCKET_EXEC)
      continue;
    if (strlen (schemes[i].text) == length &&
        strncmp (text, schemes[i].text, length) == 0) {
      *kind = schemes[i].kind;
      return colon + 1;
    }
  }
  return NULL;
}

static gboolean
refuse (const char *text, const char *why, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG, "%s: %s", text,
               why);
  return FALSE;
}

/* ---------------------------------------------------------------- parts --- */

static gboolean
take_path (ReeveSocketName *self,
           const char *text,
           const char *path,
           GError **error)
{
  gboolean is_abstract = path[0] == '@';

  if (path[is_abstract] == '\0')
    return refuse (text, _ ("the path is missing"), error);
  if (strlen (path) >= PATH_SIZE + is_abstract) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("%1$s: the path has %2$zu bytes, and a socket's may have "
                    "%3$zu"),
                 text, strlen (path), PATH_SIZE - 1 + is_abstract);
    return FALSE;
  }

  self->path = g_strdup (path);
  return TRUE;
}

static gboolean
take_fd (ReeveSocketName *self,
         const char *text,
         const char *digits,
         GError **error)
{
  guint64 number;

  if (!g_ascii_string_to_unsigned (digits, 10, 0, G_MAXINT, &number, NULL))
    return refuse (text, _ ("a file descriptor is a number"), error);

  self->fd = (int) number;
  return TRUE;
}

static gboolean
take_command (ReeveSocketName *self,
              const char *text,
              const char *command,
              GError **error)
{
  if (command[strspn (command, " \t")] == '\0')
    return refuse (text, _ ("the command is missing"), error);

  self->command = g_strdup (command);
  return TRUE;
}

static gboolean
is_number (const char *text)
{
  return text[0] != '\0' && strspn (text, "0123456789") == strlen (text);
}

/* Divides at the first colon that stands in no bracket. @second: "" without
 * one */
static gboolean
split (const char *text,
       const char *address,
       char **first,
       const char **second,
       GError **error)
{
  const char *colon = NULL;
  gboolean is_inside = FALSE;

  for (const char *next = address; *next != '\0'; next++) {
    if (*next == ':' && !is_inside && colon == NULL)
      colon = next;
    if (*next != '[' && *next != ']')
      continue;
    if ((*next == '[') == is_inside)
      return refuse (text, _ ("the brackets of the address do not match"),
                     error);
    is_inside = !is_inside;
  }
  if (is_inside)
    return refuse (text, _ ("the bracket of the address is not closed"), error);

  *first = colon == NULL ? g_strdup (address)
                         : g_strndup (address, (size_t) (colon - address));
  *second = colon == NULL ? "" : colon + 1;
  return TRUE;
}

static gboolean
take_port (ReeveSocketName *self,
           const char *text,
           const char *digits,
           GError **error)
{
  guint64 number;

  self->port = self->kind == REEVE_SOCKET_TLS ? REEVE_TLS_PORT : TCP_PORT;
  if (digits[0] == '\0')
    return TRUE;
  if (!g_ascii_string_to_unsigned (digits, 10, 0, UINT16_MAX, &number, NULL))
    return refuse (text, _ ("a port is a number from 0 to 65535"), error);
  if (number == 0 && !self->is_passive)
    return refuse (text, _ ("nobody can connect to port 0"), error);

  self->port = (uint16_t) number;
  return TRUE;
}

/* Its scope is looked at when it is used. */
static gboolean
is_v6 (const char *address)
{
  g_autofree char *plain = g_strndup (address, strcspn (address, "%"));
  g_autoptr (GInetAddress) parsed = g_inet_address_new_from_string (plain);

  return parsed != NULL &&
         g_inet_address_get_family (parsed) == G_SOCKET_FAMILY_IPV6;
}

static gboolean
take_host (ReeveSocketName *self,
           const char *text,
           const char *host,
           GError **error)
{
  if (host[0] == '\0')
    return self->is_passive || refuse (text, _ ("the host is missing"), error);

  if (host[0] == '[') {
    size_t length = strcspn (host, "]");

    self->host = g_strndup (host + 1, length - 1);
    return (host[length + 1] == '\0' && is_v6 (self->host)) ||
           refuse (text, _ ("in brackets stands an IPv6 address"), error);
  }
  if (strpbrk (host, "[]/ \t\n") != NULL)
    return refuse (text, _ ("that is not the name of a host"), error);
  if (strchr (host, ':') != NULL)
    return refuse (text, _ ("an IPv6 address stands in brackets"), error);

  self->host = g_strdup (host);
  return TRUE;
}

static gboolean
take_address (ReeveSocketName *self,
              const char *text,
              const char *address,
              GError **error)
{
  g_autofree char *first = NULL;
  const char *second, *host, *port;
  gboolean is_port_first;

  if (!split (text, address, &first, &second, error))
    return FALSE;
  if (self->is_passive && is_number (first) && is_number (second))
    return refuse (text, _ ("of two numbers, either could be the port"), error);

  is_port_first = is_number (first) && (self->is_passive || second[0] == '\0');
  host = is_port_first ? second : first;
  port = is_port_first ? first : second;
  if (strchr (port, ':') != NULL)
    return refuse (text, _ ("an IPv6 address stands in brackets"), error);

  return take_host (self, text, host, error) &&
         take_port (self, text, port, error);
}

ReeveSocketName *
reeve_socket_name_parse (const char *text, gboolean is_passive, GError **error)
{
  g_autoptr (ReeveSocketName) self = g_new0 (ReeveSocketName, 1);
  const char *rest = find_scheme (text, is_passive, &self->kind);
  gboolean is_good = FALSE;

  self->is_passive = is_passive;
  self->fd = -1;
  if (rest == NULL) {
    refuse (text,
            is_passive ? _ ("a listener is punix:PATH, ptcp:HOST:PORT, "
                            "ptls:HOST:PORT or pfd:N")
                       : _ ("a stream is unix:PATH, tcp:HOST:PORT, "
                            "tls:HOST:PORT, fd:N or exec:COMMAND"),
            error);
    return NULL;
  }

  switch (self->kind) {
  case REEVE_SOCKET_UNIX:
    is_good = take_path (self, text, rest, error);
    break;
  case REEVE_SOCKET_TCP:
  case REEVE_SOCKET_TLS:
    is_good = take_address (self, text, rest, error);
    break;
  case REEVE_SOCKET_FD:
    is_good = take_fd (self, text, rest, error);
    break;
  case REEVE_SOCKET_EXEC:
    is_good = take_command (self, text, rest, error);
    break;
  }
  return is_good ? g_steal_pointer (&self) : NULL;
}

void
reeve_socket_name_free (ReeveSocketName *self)
{
  if (self == NULL)
    return;

  g_free (self->path);
  g_free (self->host);
  g_free (self->command);
  g_free (self);
}

/* ----------------------------------------------------------------- uses --- */

gboolean
reeve_socket_name_is_abstract (const ReeveSocketName *self)
{
  return self->kind == REEVE_SOCKET_UNIX && self->path[0] == '@';
}

/* To bind: any, a numeric one, or what a name stands for. */
static GSocketConnectable *
get_passive_address (const ReeveSocketName *self)
{
  GSocketAddress *address;

  if (self->host == NULL) {
    g_autoptr (GInetAddress) any =
        g_inet_address_new_any (G_SOCKET_FAMILY_IPV6);

    address = g_inet_socket_address_new (any, self->port);
  } else {
    address = g_inet_socket_address_new_from_string (self->host, self->port);
  }

  return address != NULL ? G_SOCKET_CONNECTABLE (address)
                         : g_network_address_new (self->host, self->port);
}

GSocketConnectable *
reeve_socket_name_get_address (const ReeveSocketName *self)
{
  switch (self->kind) {
  case REEVE_SOCKET_UNIX:
    if (!reeve_socket_name_is_abstract (self))
      return G_SOCKET_CONNECTABLE (g_unix_socket_address_new (self->path));
    return G_SOCKET_CONNECTABLE (g_unix_socket_address_new_with_type (
        self->path + 1, -1, G_UNIX_SOCKET_ADDRESS_ABSTRACT));
  case REEVE_SOCKET_TCP:
  case REEVE_SOCKET_TLS:
    return self->is_passive ? get_passive_address (self)
                            : g_network_address_new (self->host, self->port);
  default:
    return NULL;
  }
}

static const char *
get_scheme (ReeveSocketKind kind)
{
  size_t i = 0;

  while (schemes[i].kind != kind)
    i++;
  return schemes[i].text;
}

char *
reeve_socket_name_to_string (const ReeveSocketName *self)
{
  g_autoptr (GString) text = g_string_new (self->is_passive ? "p" : "");

  g_string_append_printf (text, "%s:", get_scheme (self->kind));
  if (self->kind == REEVE_SOCKET_FD)
    g_string_append_printf (text, "%d", self->fd);
  else if (self->kind == REEVE_SOCKET_UNIX)
    g_string_append (text, self->path);
  else if (self->kind == REEVE_SOCKET_EXEC)
    g_string_append (text, self->command);
  else if (self->host == NULL)
    g_string_append_printf (text, "%u", self->port);
  else
    g_string_append_printf (text,
                            strchr (self->host, ':') ? "[%s]:%u" : "%s:%u",
                            self->host, self->port);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

gboolean
reeve_socket_name_is (const char *text,
                      gboolean is_passive,
                      ReeveSocketKind kind)
{
  ReeveSocketKind found;

  return find_scheme (text, is_passive, &found) != NULL && found == kind;
}

gboolean
reeve_socket_name_is_known (const char *text)
{
  ReeveSocketKind kind;

  return find_scheme (text, FALSE, &kind) != NULL ||
         find_scheme (text, TRUE, &kind) != NULL;
}

char *
reeve_socket_name_resolve (const char *text, const char *folder)
{
  ReeveSocketKind kind;
  const char *path = find_scheme (text, TRUE, &kind);
  g_autofree char *absolute = NULL;

  if (path == NULL || kind != REEVE_SOCKET_UNIX || path[0] == '\0' ||
      path[0] == '@')
    return g_strdup (text);

  absolute = g_canonicalize_filename (path, folder);
  return g_strconcat ("punix:", absolute, NULL);
}
