/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/inherited.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/socket-name.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* The first that is handed over. */
#define FIRST_FD 3

typedef struct {
  char *name; /* (owned) */
  int fd;     /* (owned) */
  gboolean owns_path;
} Entry;

struct _ReeveInherited {
  GArray *entries; /* (element-type Entry): in the order they came */
};

static void
entry_clear (gpointer data)
{
  Entry *self = data;

  reeve_fd_clear (&self->fd);
  g_free (self->name);
}

ReeveInherited *
reeve_inherited_new (void)
{
  ReeveInherited *self = g_new0 (ReeveInherited, 1);

  self->entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  g_array_set_clear_func (self->entries, entry_clear);
  return self;
}

void
reeve_inherited_free (ReeveInherited *self)
{
  if (self == NULL)
    return;

  g_array_unref (self->entries);
  g_free (self);
}

/* ---------------------------------------------------------------- names --- */

static gboolean
is_of_daemon (const char *name)
{
  return g_str_equal (name, "rw") || g_str_equal (name, "ro") ||
         g_str_equal (name, "admin");
}

static gboolean
is_of_unix (const char *name)
{
  return is_of_daemon (name) ||
         reeve_socket_name_is (name, TRUE, REEVE_SOCKET_UNIX);
}

/* Whether there may be several, each with an address of its own. */
static gboolean
is_of_network (const char *name)
{
  return g_str_equal (name, "tcp") || g_str_equal (name, "tls") ||
         reeve_socket_name_is (name, TRUE, REEVE_SOCKET_TCP) ||
         reeve_socket_name_is (name, TRUE, REEVE_SOCKET_TLS);
}

static gboolean
check_name (const char *name, GError **error)
{
  /* Any number may be of any family. */
  if (is_of_unix (name) || is_of_network (name) ||
      reeve_socket_name_is (name, TRUE, REEVE_SOCKET_FD))
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("a socket was handed over with the name “%s”, which is none "
                  "of rw, ro, admin, tcp and tls"),
               name);
  return FALSE;
}

char *
reeve_inherited_escape (const char *name)
{
  return g_uri_escape_string (name, "/[]@,+", FALSE);
}

/* -------------------------------------------------------------- sockets --- */

static gboolean
check_socket (const char *name, int fd, GError **error)
{
  int is_listening = 0, type = 0, family = 0;
  socklen_t size = sizeof (int);

  if (getsockopt (fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) < 0 ||
      getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
      getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0 ||
      !is_listening || type != SOCK_STREAM) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("what was handed over as “%s” is not a stream socket that "
                    "listens"),
                 name);
    return FALSE;
  }
  if (family == AF_UNIX ? is_of_network (name) : is_of_unix (name)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 family == AF_UNIX
                     ? _ ("what was handed over as “%s” is a unix socket")
                     : _ ("what was handed over as “%s” is not a unix socket"),
                 name);
    return FALSE;
  }

  fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK);
  fcntl (fd, F_SETFD, FD_CLOEXEC);
  return TRUE;
}

static gboolean
is_same (int a, int b)
{
  struct stat stat_a, stat_b;

  return fstat (a, &stat_a) == 0 && fstat (b, &stat_b) == 0 &&
         stat_a.st_dev == stat_b.st_dev && stat_a.st_ino == stat_b.st_ino;
}

static Entry *
find (ReeveInherited *self, const char *name, unsigned *index)
{
  for (unsigned i = 0; i < self->entries->len; i++) {
    Entry *entry = &g_array_index (self->entries, Entry, i);

    if (g_str_equal (entry->name, name)) {
      *index = i;
      return entry;
    }
  }

  return NULL;
}

static gboolean
has_socket (ReeveInherited *self, const char *name, int fd)
{
  for (unsigned i = 0; i < self->entries->len; i++) {
    const Entry *entry = &g_array_index (self->entries, Entry, i);

    if (g_str_equal (entry->name, name) && is_same (entry->fd, fd))
      return TRUE;
  }

  return FALSE;
}

gboolean
reeve_inherited_add (ReeveInherited *self,
                     const char *name,
                     int fd,
                     gboolean owns_path,
                     GError **error)
{
  REEVE_AUTOFD int owned = fd;
  Entry entry = { .owns_path = owns_path };

  if (!check_name (name, error) || !check_socket (name, fd, error))
    return FALSE;
  if (has_socket (self, name, fd))
    return TRUE;
  if (!is_of_network (name) && reeve_inherited_has (self, name)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("two sockets were handed over with the name “%s”"), name);
    return FALSE;
  }
  if (self->entries->len == REEVE_INHERITED_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                 _ ("more than %d sockets were handed over"),
                 REEVE_INHERITED_MAX);
    return FALSE;
  }

  entry.name = g_strdup (name);
  entry.fd = g_steal_fd (&owned);
  g_array_append_val (self->entries, entry);
  return TRUE;
}

gboolean
reeve_inherited_has (ReeveInherited *self, const char *name)
{
  unsigned index;

  return find (self, name, &index) != NULL;
}

int
reeve_inherited_steal (ReeveInherited *self,
                       const char *name,
                       gboolean *owns_path)
{
  unsigned index;
  Entry *entry = find (self, name, &index);
  int fd;

  if (entry == NULL)
    return -1;

  fd = g_steal_fd (&entry->fd);
  *owns_path = entry->owns_path;
  g_array_remove_index (self->entries, index);
  return fd;
}

const char *
reeve_inherited_get_first (ReeveInherited *self)
{
  return self->entries->len == 0 ? NULL
                                 : g_array_index (self->entries, Entry, 0).name;
}

void
reeve_inherited_remove (ReeveInherited *self, const char *name)
{
  unsigned index;

  if (find (self, name, &index) != NULL)
    g_array_remove_index (self->entries, index);
}

void
reeve_inherited_clear (ReeveInherited *self)
{
  g_array_set_size (self->entries, 0);
}

/* ---------------------------------------------------------- environment --- */

/* Whether there are some, and for us; whoever started our parent may have left
 * the variables behind. */
static gboolean
is_for_us (const char *pid_text)
{
  guint64 pid;

  return pid_text != NULL &&
         g_ascii_string_to_unsigned (pid_text, 10, 1, G_MAXINT32, &pid, NULL) &&
         pid == (guint64) getpid ();
}

static gboolean
refuse_numbers (const char *count, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("$LISTEN_FDS is “%1$s”, not a number up to %2$d"), count,
               REEVE_INHERITED_MAX);
  return FALSE;
}

static gboolean
take (ReeveInherited *self, const char *count, const char *text, GError **error)
{
  g_auto (GStrv) names = g_strsplit (text, ":", -1);
  unsigned n_names = text[0] != '\0' ? g_strv_length (names) : 0;
  guint64 n_fds;

  if (!g_ascii_string_to_unsigned (count, 10, 0, REEVE_INHERITED_MAX, &n_fds,
                                   NULL))
    return refuse_numbers (count, error);
  if (n_names != n_fds) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("%1$u sockets are handed over, and $LISTEN_FDNAMES has "
                    "%2$u names for them"),
                 (unsigned) n_fds, n_names);
    return FALSE;
  }

  for (unsigned i = 0; i < n_names; i++) {
    g_autofree char *name = g_uri_unescape_string (names[i], NULL);

    if (!reeve_inherited_add (self, name != NULL ? name : names[i],
                              FIRST_FD + (int) i, FALSE, error))
      return FALSE;
  }

  return TRUE;
}

gboolean
reeve_inherited_take_environment (ReeveInherited *self, GError **error)
{
  g_autofree char *count = g_strdup (g_getenv ("LISTEN_FDS"));
  g_autofree char *names = g_strdup (g_getenv ("LISTEN_FDNAMES"));
  gboolean is_ours = is_for_us (g_getenv ("LISTEN_PID"));

  g_unsetenv ("LISTEN_PID");
  g_unsetenv ("LISTEN_FDS");
  g_unsetenv ("LISTEN_FDNAMES");
  return count == NULL || !is_ours ||
         take (self, count, names != NULL ? names : "", error);
}
