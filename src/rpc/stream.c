/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/stream-layer.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "rpc/socket-name.h"
#include "rpc/tls-client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

typedef struct {
  const ReeveStreamLayer *class;
  gpointer data; /* (owned) */
} Layer;

struct _ReeveStream {
  int fd;           /* (owned) */
  gboolean is_unix; /* may carry file descriptors */
  Layer *layer;     /* (owned) (nullable): most have none */
  gint64 n_sent;    /* bytes */
};

ReeveStream *
reeve_stream_new_accepted (int fd, gboolean is_unix)
{
  ReeveStream *self = g_new0 (ReeveStream, 1);

  self->fd = fd;
  self->is_unix = is_unix;
  return self;
}

ReeveStream *
reeve_stream_new_for_fd (int fd)
{
  ReeveStream *self = g_new0 (ReeveStream, 1);
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  int one = 1;

  self->fd = fd;
  fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK);
  fcntl (fd, F_SETFD, FD_CLOEXEC);
  if (getsockname (fd, (struct sockaddr *) &address, &size) == 0) {
    self->is_unix = address.ss_family == AF_UNIX;
    if (!self->is_unix)
      setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  return self;
}

void
reeve_stream_free (ReeveStream *self)
{
  if (self == NULL)
    return;

  if (self->layer != NULL)
    self->layer->class->free (self->layer->data);
  g_free (self->layer);
  reeve_fd_clear (&self->fd);
  g_free (self);
}

int
reeve_stream_get_fd (ReeveStream *self)
{
  return self->fd;
}

/* ------------------------------------------------------------- connect --- */

typedef struct {
  GCancellable *outer; /* (nullable) */
  GCancellable *inner; /* (owned) */
  gint64 deadline_us;
  GMainContext *context; /* (owned) */
  GSource *timer;        /* (owned) */
  gulong handler;
  gboolean is_late;
} Patience;

static gboolean
run_out (gpointer data)
{
  Patience *self = data;

  self->is_late = TRUE;
  g_cancellable_cancel (self->inner);
  return G_SOURCE_REMOVE;
}

static void
take_connection (GObject *source, GAsyncResult *result, gpointer data)
{
  *(GAsyncResult **) data = g_object_ref (result);
}

static void
cancel_inner (GCancellable *outer, gpointer data)
{
  g_cancellable_cancel (data);
}

/* Runs GIO's asynchronous connect in a context of its own, so that one
 * deadline covers resolving and every address. */
static GSocketConnection *
connect_in_time (GSocketConnectable *where, Patience *patience, GError **error)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GAsyncResult) result = NULL;

  g_socket_client_set_enable_proxy (client, FALSE);
  g_socket_client_connect_async (client, where, patience->inner,
                                 take_connection, &result);
  while (result == NULL)
    g_main_context_iteration (patience->context, TRUE);
  return g_socket_client_connect_finish (client, result, error);
}

static void
start_patience (Patience *self)
{
  gint64 left_us = self->deadline_us - g_get_monotonic_time ();

  self->inner = g_cancellable_new ();
  self->context = g_main_context_new ();
  g_main_context_push_thread_default (self->context);
  self->timer =
      g_timeout_source_new ((guint) CLAMP (left_us / 1000, 0, G_MAXINT));
  g_source_set_callback (self->timer, run_out, self, NULL);
  g_source_attach (self->timer, self->context);
  if (self->outer != NULL)
    self->handler = g_cancellable_connect (
        self->outer, G_CALLBACK (cancel_inner), self->inner, NULL);
}

static void
end_patience (Patience *self)
{
  g_cancellable_disconnect (self->outer, self->handler);
  g_source_destroy (self->timer);
  g_source_unref (self->timer);
  /* What GIO still has to say of the attempts it gave up. */
  while (g_main_context_iteration (self->context, FALSE))
    ;
  g_main_context_pop_thread_default (self->context);
  g_main_context_unref (self->context);
  g_object_unref (self->inner);
}

static void
set_connect_error (const char *name,
                   const Patience *patience,
                   const GError *why,
                   GError **error)
{
  if (patience->is_late)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                 _ ("Cannot connect to %s in time"), name);
  else if (g_error_matches (why, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_ABORTED,
                 _ ("Connecting to %s was cancelled"), name);
  else
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_CONNECT,
                 _ ("Cannot connect to %1$s: %2$s"), name, why->message);
}

static ReeveStream *
open_socket (const char *name,
             GSocketConnectable *where,
             gint64 deadline_us,
             GCancellable *cancellable,
             GError **error)
{
  Patience patience = { .outer = cancellable, .deadline_us = deadline_us };
  g_autoptr (GSocketConnection) connection = NULL;
  g_autoptr (GError) why = NULL;
  int fd;

  start_patience (&patience);
  connection = connect_in_time (where, &patience, &why);
  end_patience (&patience);
  if (connection == NULL) {
    set_connect_error (name, &patience, why, error);
    return NULL;
  }

  fd = fcntl (g_socket_get_fd (g_socket_connection_get_socket (connection)),
              F_DUPFD_CLOEXEC, 3);
  if (fd < 0) {
    reeve_error_from_errno (error, errno, _ ("Cannot connect to %s"), name);
    return NULL;
  }
  return reeve_stream_new_for_fd (fd);
}

/* A shell command whose standard input and output are the peer. It ends when
 * it sees the end of its input. */
static ReeveStream *
open_command (const char *name, const char *command, GError **error)
{
  const char *const argv[] = { "/bin/sh", "-c", command, NULL };
  int ends[2];
  gboolean is_spawned;
  ReeveStream *self;

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
    reeve_error_from_errno (error, errno, _ ("Cannot connect to %s"), name);
    return NULL;
  }

  /* The child is not ours to wait for: GLib gives it to init. */
  is_spawned =
      g_spawn_async_with_fds (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL,
                              NULL, NULL, ends[1], ends[1], -1, error);
  close (ends[1]);
  if (!is_spawned) {
    close (ends[0]);
    return NULL;
  }

  self = reeve_stream_new_for_fd (ends[0]);
  /* What the command is the way to would not get them. */
  self->is_unix = FALSE;
  return self;
}

static ReeveStream *
open_fd (const char *name, int fd, GError **error)
{
  if (fcntl (fd, F_GETFD) < 0) {
    reeve_error_from_errno (error, errno, "%s", name);
    return NULL;
  }
  return reeve_stream_new_for_fd (fd);
}

ReeveStream *
reeve_stream_connect (const char *name,
                      gint64 deadline_us,
                      GCancellable *cancellable,
                      GError **error)
{
  g_autoptr (ReeveSocketName) parsed =
      reeve_socket_name_parse (name, FALSE, error);
  g_autoptr (GSocketConnectable) where = NULL;

  if (parsed == NULL)
    return NULL;
  if (parsed->kind == REEVE_SOCKET_EXEC)
    return open_command (name, parsed->command, error);
  if (parsed->kind == REEVE_SOCKET_FD)
    return open_fd (name, parsed->fd, error);

  where = reeve_socket_name_get_address (parsed);
  return open_socket (name, where, deadline_us, cancellable, error);
}

ReeveStream *
reeve_stream_open (const char *name,
                   gint64 deadline_us,
                   GCancellable *cancellable,
                   GError **error)
{
  if (reeve_socket_name_is (name, FALSE, REEVE_SOCKET_TLS))
    return reeve_tls_client_open (name, NULL, deadline_us, cancellable, error);

  return reeve_stream_connect (name, deadline_us, cancellable, error);
}

/* ---------------------------------------------------------------- data --- */

static void
append_fd (GArray **fds, int fd)
{
  if (*fds == NULL)
    *fds = g_array_new (FALSE, FALSE, sizeof (int));
  g_array_append_val (*fds, fd);
}

static void
take_fds (struct msghdr *message, GArray **fds)
{
  struct cmsghdr *control;

  for (control = CMSG_FIRSTHDR (message); control != NULL;
       control = CMSG_NXTHDR (message, control)) {
    size_t n_fds = (control->cmsg_len - CMSG_LEN (0)) / sizeof (int);

    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
      continue;
    for (size_t i = 0; i < n_fds; i++) {
      int fd;

      memcpy (&fd, CMSG_DATA (control) + i * sizeof fd, sizeof fd);
      if (fds != NULL)
        append_fd (fds, fd);
      else
        close (fd);
    }
  }
}

gssize
reeve_stream_recv (ReeveStream *self, void *data, size_t size, GArray *fds)
{
  return reeve_stream_recv_lazily (self, data, size, fds == NULL ? NULL : &fds);
}

gssize
reeve_stream_recv_lazily (ReeveStream *self,
                          void *data,
                          size_t size,
                          GArray **fds)
{
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE (sizeof (int) * REEVE_MESSAGE_MAX_FDS)];
  } control;
  struct iovec vector = { .iov_base = data, .iov_len = size };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
  gssize n_read;

  if (self->layer != NULL)
    return self->layer->class->recv (self->layer->data, self->fd, data, size);
  if (!self->is_unix || fds == NULL)
    return recv (self->fd, data, size, MSG_DONTWAIT);

  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  n_read = recvmsg (self->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n_read >= 0 && message.msg_controllen > 0)
    take_fds (&message, fds);
  if (n_read >= 0 && (message.msg_flags & MSG_CTRUNC)) {
    errno = EPROTO;
    return -1;
  }
  return n_read;
}

/* One piece goes without a list of pieces, which the kernel would copy and
 * check first. */
static gssize
send_pieces (int fd, const struct iovec *iov, int n_iov)
{
  struct msghdr message = {
    .msg_iov = (struct iovec *) iov,
    .msg_iovlen = (size_t) n_iov,
  };

  if (n_iov == 1)
    return send (fd, iov->iov_base, iov->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sendmsg (fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

gssize
reeve_stream_sendv (ReeveStream *self, const struct iovec *iov, int n_iov)
{
  gssize n_sent =
      self->layer != NULL
          ? self->layer->class->sendv (self->layer->data, self->fd, iov, n_iov)
          : send_pieces (self->fd, iov, n_iov);

  self->n_sent += MAX (n_sent, 0);
  return n_sent;
}

gboolean
reeve_stream_passes_fds (ReeveStream *self)
{
  return self->is_unix && self->layer == NULL;
}

gboolean
reeve_stream_send_fd (ReeveStream *self, int fd)
{
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE (sizeof (int))];
  } control = { 0 };
  uint8_t carrier = 0;
  struct iovec vector = { .iov_base = &carrier, .iov_len = sizeof carrier };
  struct msghdr message = {
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };

  if (!reeve_stream_passes_fds (self)) {
    errno = EOPNOTSUPP;
    return FALSE;
  }

  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN (sizeof fd);
  memcpy (CMSG_DATA (&control.header), &fd, sizeof fd);
  return sendmsg (self->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

/* -------------------------------------------------------------- layers --- */

void
reeve_stream_set_layer (ReeveStream *self,
                        const ReeveStreamLayer *layer_class,
                        gpointer layer)
{
  g_return_if_fail (self->layer == NULL);

  self->layer = g_new (Layer, 1);
  *self->layer = (Layer){ layer_class, layer };
}

gboolean
reeve_stream_has_layer (ReeveStream *self)
{
  return self->layer != NULL;
}

gboolean
reeve_stream_has_input (ReeveStream *self)
{
  return self->layer != NULL &&
         self->layer->class->has_input (self->layer->data);
}

gboolean
reeve_stream_has_output (ReeveStream *self)
{
  return self->layer != NULL &&
         self->layer->class->has_output (self->layer->data);
}

gboolean
reeve_stream_flush (ReeveStream *self)
{
  return self->layer == NULL ||
         self->layer->class->flush (self->layer->data, self->fd);
}

gint64
reeve_stream_count_taken (ReeveStream *self, gboolean *has_backlog)
{
  int n_waiting = 0;

  if (ioctl (self->fd, SIOCOUTQ, &n_waiting) < 0)
    n_waiting = 0;
  *has_backlog = n_waiting > 0 || reeve_stream_has_output (self);
  return self->n_sent - n_waiting;
}
