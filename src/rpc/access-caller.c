/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/access-caller.h"

#include "event/intl.h"
#include "rpc/access-rules-private.h"
#include "rpc/error.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

/* Of one user or group that a look-up gives; more is refused. */
#define MAX_LOOKUP_SIZE (1024 * 1024)
#define MAX_GROUPS 65536

/* ------------------------------------------------------------ addresses -- */

static GInetAddress *
unmap (GInetAddress *address)
{
  static const uint8_t prefix[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
  const uint8_t *bytes = g_inet_address_to_bytes (address);
  GInetAddress *plain;

  if (g_inet_address_get_family (address) != G_SOCKET_FAMILY_IPV6 ||
      memcmp (bytes, prefix, sizeof prefix) != 0)
    return address;

  plain = g_inet_address_new_from_bytes (bytes + sizeof prefix,
                                         G_SOCKET_FAMILY_IPV4);
  g_object_unref (address);
  return plain;
}

GInetAddress *
reeve_access_parse_address (const char *text)
{
  const char *colon = strrchr (text, ':');
  g_autofree char *host = NULL;
  GInetAddress *address;

  if (text[0] == '[')
    host = g_strndup (text + 1, strcspn (text + 1, "]"));
  else if (colon != NULL && strchr (text, ':') == colon)
    host = g_strndup (text, (size_t) (colon - text));
  else
    host = g_strdup (text);
  /* The link that a local address is of says nothing of who it is. */
  host[strcspn (host, "%")] = '\0';

  address = g_inet_address_new_from_string (host);
  return address == NULL ? NULL : unmap (address);
}

/* --------------------------------------------------------------- names --- */

/* Whether to ask again with a larger buffer; otherwise *@errnum is 0 if the
 * answer is that there is none. */
static gboolean
is_too_small (size_t size, int *errnum)
{
  if (*errnum == ERANGE && size < MAX_LOOKUP_SIZE)
    return TRUE;

  if (*errnum == ENOENT || *errnum == ESRCH || *errnum == EBADF ||
      *errnum == EPERM)
    *errnum = 0;
  return FALSE;
}

gboolean
reeve_access_find_user (const char *name, uid_t *uid, gid_t *gid, int *errnum)
{
  for (size_t size = 4096;; size *= 4) {
    g_autofree char *buffer = g_malloc (size);
    struct passwd room, *found = NULL;

    *errnum = getpwnam_r (name, &room, buffer, size, &found);
    if (found != NULL) {
      *uid = found->pw_uid;
      *gid = found->pw_gid;
      return TRUE;
    }
    if (!is_too_small (size, errnum))
      return FALSE;
  }
}

/* (transfer full) (nullable): the name of a user, and its main group. */
static char *
find_user_name (uid_t uid, gid_t *gid)
{
  for (size_t size = 4096;; size *= 4) {
    g_autofree char *buffer = g_malloc (size);
    struct passwd room, *found = NULL;
    int errnum = getpwuid_r (uid, &room, buffer, size, &found);

    if (found != NULL) {
      *gid = found->pw_gid;
      return g_strdup (found->pw_name);
    }
    if (!is_too_small (size, &errnum))
      return NULL;
  }
}

gboolean
reeve_access_find_group (const char *name, gid_t *gid, int *errnum)
{
  for (size_t size = 4096;; size *= 4) {
    g_autofree char *buffer = g_malloc (size);
    struct group room, *found = NULL;

    *errnum = getgrnam_r (name, &room, buffer, size, &found);
    if (found != NULL) {
      *gid = found->gr_gid;
      return TRUE;
    }
    if (!is_too_small (size, errnum))
      return FALSE;
  }
}

/* ------------------------------------------------------------ who it is -- */

void
reeve_access_caller_init (ReeveAccessCaller *self, ReeveServerClient *client)
{
  const char *address = reeve_server_client_get_address (client);
  gid_t gid;
  pid_t pid;

  *self = (ReeveAccessCaller){
    .transport = reeve_server_client_get_transport (client),
    .sasl_name = reeve_server_client_get_sasl_name (client),
    .x509_name = reeve_server_client_get_x509_name (client),
  };
  self->has_peer =
      reeve_server_client_get_unix_peer (client, &self->uid, &gid, &pid);
  self->groups = reeve_server_client_get_unix_groups (client, &self->n_groups);
  if (address != NULL)
    self->address = reeve_access_parse_address (address);
}

void
reeve_access_caller_clear (ReeveAccessCaller *self)
{
  g_free ((gpointer) self->groups);
  g_free ((gpointer) self->sasl_name);
  g_free ((gpointer) self->x509_name);
  g_clear_object (&self->address);
  *self = (ReeveAccessCaller){ 0 };
}

gboolean
reeve_access_caller_is_owner (const ReeveAccessCaller *self, uid_t owner)
{
  return self->transport == REEVE_TRANSPORT_UNIX && self->has_peer &&
         (self->uid == 0 || self->uid == owner);
}

static gboolean
refuse_who (const char *who, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("“%s” is none of user:NAME, uid:N, group:NAME, gid:N, "
                  "dn:NAME, sasl:NAME and any"),
               who);
  return FALSE;
}

static gboolean
refuse_name (const char *who, int errnum, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("cannot look up “%1$s”: %2$s"), who,
               errnum == 0 ? _ ("it does not exist") : g_strerror (errnum));
  return FALSE;
}

static void
set_groups (ReeveAccessCaller *self, const char *user, gid_t gid)
{
  int n_groups = 64;
  gid_t *groups = g_new (gid_t, n_groups);

  while (getgrouplist (user, gid, groups, &n_groups) < 0 &&
         n_groups <= MAX_GROUPS)
    groups = g_renew (gid_t, groups, n_groups);
  self->groups = groups;
  self->n_groups = (size_t) MIN (n_groups, MAX_GROUPS);
}

static void
set_group (ReeveAccessCaller *self, gid_t gid)
{
  gid_t *groups = g_new (gid_t, 1);

  groups[0] = gid;
  self->groups = groups;
  self->n_groups = 1;
}

static gboolean
set_who (ReeveAccessCaller *self, const char *text, GError **error)
{
  ReeveWho who = { 0 };
  g_autofree char *name = NULL;
  gid_t gid = 0;
  int errnum;

  if (!reeve_who_parse (&who, text))
    return refuse_who (text, error);

  name = who.text;
  self->uid = (uid_t) -1;
  switch (who.kind) {
  case REEVE_WHO_USER:
    if (!reeve_access_find_user (name, &self->uid, &gid, &errnum))
      return refuse_name (text, errnum, error);
    set_groups (self, name, gid);
    break;
  case REEVE_WHO_UID:
    self->uid = who.id;
    name = find_user_name (who.id, &gid);
    if (name != NULL)
      set_groups (self, name, gid);
    break;
  case REEVE_WHO_GROUP:
    if (!reeve_access_find_group (name, &gid, &errnum))
      return refuse_name (text, errnum, error);
    set_group (self, gid);
    break;
  case REEVE_WHO_GID:
    set_group (self, who.id);
    break;
  case REEVE_WHO_DN:
    self->x509_name = g_steal_pointer (&name);
    break;
  case REEVE_WHO_SASL:
    self->sasl_name = g_steal_pointer (&name);
    break;
  case REEVE_WHO_ANY:
    break;
  }

  self->has_peer = self->uid != (uid_t) -1 || self->groups != NULL;
  self->transport = self->has_peer            ? REEVE_TRANSPORT_UNIX
                    : self->x509_name != NULL ? REEVE_TRANSPORT_TLS
                                              : REEVE_TRANSPORT_TCP;
  return TRUE;
}

static gboolean
set_from (ReeveAccessCaller *self, const char *from, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (from, ":", 2);
  unsigned bits = 0;

  if (parts[0] != NULL && reeve_transport_parse (parts[0], &bits)) {
    self->transport = (ReeveTransport) __builtin_ctz (bits);
    if (parts[1] == NULL)
      return TRUE;
    if (self->transport != REEVE_TRANSPORT_UNIX)
      self->address = reeve_access_parse_address (parts[1]);
  }
  if (self->address != NULL)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("“%s” is none of unix, tcp, tls, tcp:ADDRESS and "
                  "tls:ADDRESS"),
               from);
  return FALSE;
}

gboolean
reeve_access_caller_parse (ReeveAccessCaller *self,
                           const char *who,
                           const char *from,
                           GError **error)
{
  *self = (ReeveAccessCaller){ 0 };
  if (set_who (self, who, error) &&
      (from == NULL || set_from (self, from, error)))
    return TRUE;

  reeve_access_caller_clear (self);
  return FALSE;
}
