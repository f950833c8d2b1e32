/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/successor.h"

#include "daemon/takeover-channel.h"
#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define GREETING_MS 10000
/* The other one waits for a minute until nothing runs. */
#define STATE_MS 90000
#define COMMIT_MS 1000

struct _ReeveSuccessor {
  int socket; /* (owned) */
};

static gint64
in_ms (gint64 ms)
{
  return g_get_monotonic_time () + ms * 1000;
}

static void
stop_after (const char *step)
{
  if (g_strcmp0 (g_getenv ("REEVE_TAKEOVER_STOP"), step) == 0)
    raise (SIGSTOP);
}

static gboolean
connect_to (int socket, const char *path, GError **error)
{
  struct sockaddr_un address;

  if (!reeve_takeover_fill_address (&address, path, error))
    return FALSE;
  if (connect (socket, (const struct sockaddr *) &address, sizeof address) == 0)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_CONNECT,
               _ ("there is no daemon to take over from at %1$s: %2$s"), path,
               g_strerror (errno));
  return FALSE;
}

/* Waits for a message of that kind. */
static gboolean
expect (ReeveSuccessor *self,
        takeover_kind kind,
        takeover_message *message,
        GArray *fds,
        gint64 deadline_us,
        GError **error)
{
  if (!reeve_takeover_receive (self->socket, message, fds, deadline_us, error))
    return FALSE;
  if (message->kind == kind)
    return TRUE;

  if (message->kind == TAKEOVER_REFUSED)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_DENIED,
                 _ ("the daemon that runs refuses: %s"), message->u.reason);
  else
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("the daemon that runs sent message %1$d in the place of "
                    "message %2$d"),
                 message->kind, kind);
  takeover_message_clear (message);
  return FALSE;
}

static gboolean
greet (ReeveSuccessor *self,
       const char *name,
       const char *version,
       GError **error)
{
  takeover_message hello = {
    .kind = TAKEOVER_HELLO,
    .u.hello = { .protocol = REEVE_TAKEOVER_PROTOCOL,
                 .daemon = (char *) name,
                 .release = (char *) version,
                 .pid = getpid () },
  };
  takeover_message welcome;
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (int));

  /* One that refuses does so before it hears anything: the answer counts. */
  reeve_takeover_send (self->socket, &hello, NULL, 0, in_ms (GREETING_MS),
                       NULL);
  if (!expect (self, TAKEOVER_WELCOME, &welcome, fds, in_ms (GREETING_MS),
               error))
    return FALSE;

  g_message (_ ("Taking over from %1$s %2$s, process %3$d"), name,
             welcome.u.welcome.release, welcome.u.welcome.pid);
  takeover_message_clear (&welcome);
  return TRUE;
}

ReeveSuccessor *
reeve_successor_new (const char *name,
                     const char *version,
                     const char *path,
                     GError **error)
{
  g_autoptr (ReeveSuccessor) self = g_new0 (ReeveSuccessor, 1);

  self->socket = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (self->socket < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot make a socket"));
    return NULL;
  }
  if (!connect_to (self->socket, path, error))
    return NULL;
  stop_after ("connected");
  if (!greet (self, name, version, error))
    return NULL;
  stop_after ("greeted");
  return g_steal_pointer (&self);
}

void
reeve_successor_free (ReeveSuccessor *self)
{
  if (self == NULL)
    return;

  reeve_fd_clear (&self->socket);
  g_free (self);
}

/* ----------------------------------------------------------------- state -- */

/* (transfer full) (nullable): what is in a file that nobody can change. */
static GBytes *
read_file (int fd, uint64_t size, GError **error)
{
  const int seals = F_SEAL_SHRINK | F_SEAL_WRITE;
  g_autofree uint8_t *data = NULL;
  struct stat info;
  uint64_t n_read = 0;

  if (fstat (fd, &info) < 0 || size > TAKEOVER_BYTES_MAX ||
      (uint64_t) info.st_size != size ||
      (fcntl (fd, F_GET_SEALS) & seals) != seals) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_RPC,
                         _ ("the state that was passed on is not a file of "
                            "the size that was told"));
    return NULL;
  }

  data = g_malloc (size);
  while (n_read < size) {
    ssize_t n = pread (fd, data + n_read, size - n_read, (off_t) n_read);

    if (n <= 0) {
      reeve_error_from_errno (error, n == 0 ? EIO : errno,
                              _ ("cannot read the state"));
      return NULL;
    }
    n_read += (uint64_t) n;
  }
  return g_bytes_new_take (g_steal_pointer (&data), size);
}

static gboolean
take_fds (ReeveSuccessor *self,
          GArray *fds,
          uint32_t n_fds,
          gint64 deadline_us,
          GError **error)
{
  takeover_message message;

  while (fds->len < n_fds) {
    guint n_before = fds->len;

    if (!expect (self, TAKEOVER_FDS, &message, fds, deadline_us, error))
      return FALSE;
    if (fds->len - n_before != message.u.n_fds || fds->len > n_fds ||
        message.u.n_fds == 0) {
      g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_RPC,
                           _ ("other file descriptors came than were told"));
      return FALSE;
    }
  }

  return TRUE;
}

/* (transfer full) (nullable): @fds gets what it speaks of. */
static GBytes *
receive_state (ReeveSuccessor *self, GArray *fds, GError **error)
{
  g_autoptr (GArray) file = g_array_new (FALSE, FALSE, sizeof (int));
  takeover_message message;
  GBytes *bytes = NULL;

  if (!expect (self, TAKEOVER_STATE, &message, file, in_ms (STATE_MS), error))
    return NULL;

  if (file->len == 1 && message.u.state.n_fds <= TAKEOVER_FDS_MAX)
    bytes = read_file (g_array_index (file, int, 0), message.u.state.n_bytes,
                       error);
  else
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_RPC,
                         _ ("the state came without its file"));
  reeve_takeover_drop_fds (file);
  if (bytes != NULL &&
      !take_fds (self, fds, message.u.state.n_fds, in_ms (GREETING_MS), error))
    g_clear_pointer (&bytes, g_bytes_unref);
  return bytes;
}

ReeveSavedState *
reeve_successor_take (ReeveSuccessor *self, GError **error)
{
  const takeover_message prepared = { .kind = TAKEOVER_PREPARED };
  GArray *fds = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GBytes) bytes = NULL;

  if (reeve_takeover_send (self->socket, &prepared, NULL, 0,
                           in_ms (GREETING_MS), error)) {
    stop_after ("prepared");
    bytes = receive_state (self, fds, error);
  }
  if (bytes == NULL) {
    reeve_takeover_drop_fds (fds);
    g_array_unref (fds);
    return NULL;
  }

  stop_after ("received");
  return reeve_saved_state_new_from_bytes (bytes, fds, error);
}

gboolean
reeve_successor_commit (ReeveSuccessor *self, GError **error)
{
  const takeover_message commit = { .kind = TAKEOVER_COMMIT };

  stop_after ("restored");
  if (!reeve_takeover_send (self->socket, &commit, NULL, 0, in_ms (COMMIT_MS),
                            error))
    return FALSE;

  stop_after ("committed");
  return TRUE;
}

void
reeve_successor_give_up (ReeveSuccessor *self, const GError *why)
{
  g_autofree char *reason = reeve_takeover_cut_words (why->message);
  const takeover_message message = { .kind = TAKEOVER_REFUSED,
                                     .u.reason = reason };

  reeve_takeover_send (self->socket, &message, NULL, 0, in_ms (COMMIT_MS),
                       NULL);
}
