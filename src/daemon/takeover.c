/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/takeover.h"

#include "daemon/takeover-channel.h"
#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* How long the other one may take: to say who it is, to get ready, to restore
 * what it got. */
#define HELLO_MS 10000
#define PREPARE_MS 120000
#define HAND_OVER_MS 5000
/* How long all that runs may take to end, with what it costs to try. */
#define PATIENCE_MS 60000
/* The first pause of clients, and by how much it grows, up to where, when it
 * was not enough; and how long they are served between two, in pauses. */
#define FIRST_DRAIN_MS 50
#define MAX_DRAIN_MS 3200
#define SERVED_SHARE 4
/* How often it is looked whether something has ended. */
#define LOOK_MS 1
#define OBSTACLE_MS 20

typedef enum {
  STEP_IDLE,
  STEP_ASKED,   /* it connected */
  STEP_WELCOME, /* it gets ready */
  STEP_SERVING, /* it is ready, and we are not */
  STEP_FROZEN,
} Step;

/* Everything belongs to the loop's thread. */
struct _ReeveTakeover {
  ReeveLoop *loop; /* (owned) */
  char *name;
  char *version;
  char *path; /* (owned) (nullable): to be removed */
  struct stat file;
  const ReeveTakeoverFuncs *funcs;
  gpointer data;
  int listener; /* (owned) */
  int listen_watch;

  Step step;
  int socket; /* (owned): of the one that asks, -1: nobody does */
  int watch;
  int timer;    /* of the step */
  int deadline; /* a timeout, for all that it may take until it is ready, and
                   then for us */
  gint64 frozen_us;
  gint64 drain_us;
  char *why; /* (owned) (nullable): what was in the way */
};

/* ---------------------------------------------------------------- ending -- */

/* Nobody asks any more. */
static void
forget (ReeveTakeover *self)
{
  if (self->socket >= 0)
    reeve_loop_remove (self->loop, self->watch);
  reeve_fd_clear (&self->socket);
  reeve_loop_update_timeout (self->loop, self->timer, -1);
  reeve_loop_update_timeout (self->loop, self->deadline, -1);
  g_clear_pointer (&self->why, g_free);
  self->step = STEP_IDLE;
}

/* We go on. */
static void
abandon (ReeveTakeover *self)
{
  if (self->step == STEP_FROZEN)
    self->funcs->thaw (self->data);
  forget (self);
}

static void
send_refusal (int socket, const char *reason)
{
  g_autofree char *words = reeve_takeover_cut_words (reason);
  const takeover_message message = { .kind = TAKEOVER_REFUSED,
                                     .u.reason = words };

  reeve_takeover_send (socket, &message, NULL, 0, 1, NULL);
}

static void
refuse (ReeveTakeover *self, const char *reason)
{
  g_message (_ ("No takeover: %s"), reason);
  send_refusal (self->socket, reason);
  abandon (self);
}

/* ------------------------------------------------------------- handing over */

/* (nullable): a file that nobody can change any more, -1 with @error. */
static int
make_file (GBytes *bytes, GError **error)
{
  REEVE_AUTOFD int fd =
      memfd_create ("reeve-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);

  while (fd >= 0 && size > 0) {
    ssize_t n_written = write (fd, data, size);

    if (n_written < 0)
      break;
    data += n_written;
    size -= (gsize) n_written;
  }
  if (fd < 0 || size > 0 ||
      fcntl (fd, F_ADD_SEALS,
             F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
    reeve_error_from_errno (error, errno, _ ("cannot write down the state"));
    return -1;
  }

  return g_steal_fd (&fd);
}

static gboolean
send_fds (ReeveTakeover *self, GArray *fds, gint64 deadline_us, GError **error)
{
  for (guint i = 0; i < fds->len; i += REEVE_TAKEOVER_MAX_PACKET_FDS) {
    unsigned n = MIN (fds->len - i, REEVE_TAKEOVER_MAX_PACKET_FDS);
    const takeover_message message = { .kind = TAKEOVER_FDS, .u.n_fds = n };

    if (!reeve_takeover_send (self->socket, &message,
                              &g_array_index (fds, int, i), n, deadline_us,
                              error))
      return FALSE;
  }

  return TRUE;
}

static gboolean
send_state (ReeveTakeover *self,
            ReeveSavedState *state,
            gint64 deadline_us,
            GError **error)
{
  GArray *fds = reeve_saved_state_get_fds (state);
  g_autoptr (GBytes) bytes = reeve_saved_state_to_bytes (state, error);
  takeover_message message = { .kind = TAKEOVER_STATE };
  REEVE_AUTOFD int file = -1;

  if (bytes == NULL)
    return FALSE;
  file = make_file (bytes, error);
  if (file < 0)
    return FALSE;

  message.u.state.n_bytes = g_bytes_get_size (bytes);
  message.u.state.n_fds = fds->len;
  return reeve_takeover_send (self->socket, &message, &file, 1, deadline_us,
                              error) &&
         send_fds (self, fds, deadline_us, error);
}

/* Whether @message, which is cleared, is the commit. */
static gboolean
is_commit (takeover_message *message, GError **error)
{
  gboolean is_it = message->kind == TAKEOVER_COMMIT;

  if (message->kind == TAKEOVER_REFUSED)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_ABORTED, _ ("it gave up: %s"),
                 message->u.reason);
  else if (!is_it)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("it sent message %d, where it should commit"),
                 message->kind);
  takeover_message_clear (message);
  return is_it;
}

/* What was sent before the socket is shut was sent; what is sent later fails
 * over there. So both know the same. */
static gboolean
wait_for_commit (ReeveTakeover *self, gint64 deadline_us, GError **error)
{
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GError) why = NULL;
  takeover_message message;
  gboolean is_there =
      reeve_takeover_receive (self->socket, &message, fds, deadline_us, &why);

  if (!is_there && g_error_matches (why, REEVE_ERROR, REEVE_ERROR_TIMED_OUT)) {
    shutdown (self->socket, SHUT_RDWR);
    is_there = reeve_takeover_receive (self->socket, &message, fds, 0, NULL);
  }
  reeve_takeover_drop_fds (fds);
  if (!is_there)
    g_propagate_error (error, g_steal_pointer (&why));
  return is_there && is_commit (&message, error);
}

static pid_t
get_pid (int socket)
{
  struct ucred peer = { 0 };
  socklen_t size = sizeof peer;

  getsockopt (socket, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  return peer.pid;
}

/* Nothing of the state is held here when this returns. */
static gboolean
pass_on (ReeveTakeover *self, gint64 deadline_us, GError **error)
{
  g_autoptr (ReeveSavedState) state = reeve_saved_state_new ();

  return self->funcs->save (self->data, state, error) &&
         send_state (self, state, deadline_us, error) &&
         wait_for_commit (self, deadline_us, error);
}

/* In one go: nothing else happens in this thread before it is known who goes
 * on. */
static void
hand_over (ReeveTakeover *self)
{
  g_autoptr (GError) error = NULL;
  gint64 start_us = self->frozen_us;
  gint64 deadline_us = g_get_monotonic_time () + HAND_OVER_MS * 1000;
  pid_t pid = get_pid (self->socket);

  if (!pass_on (self, deadline_us, &error)) {
    refuse (self, error->message);
    return;
  }

  g_message (_ ("Process %1$d goes on, after a pause of %2$.1f ms"), (int) pid,
             (double) (g_get_monotonic_time () - start_us) / 1000);
  forget (self);
  self->funcs->handed_over (self->data, pid);
}

/* -------------------------------------------------------------- draining -- */

/* Serves for a while, and then tries again, longer. */
static void
thaw (ReeveTakeover *self)
{
  self->funcs->thaw (self->data);
  self->step = STEP_SERVING;
  reeve_loop_update_timeout (self->loop, self->timer,
                             (int) (self->drain_us * SERVED_SHARE / 1000));
  self->drain_us = MIN (2 * self->drain_us, MAX_DRAIN_MS * 1000);
}

/* Whether it is quiet; what runs at the loop's own cost has run. */
static gboolean
is_quiet (ReeveTakeover *self)
{
  g_clear_pointer (&self->why, g_free);
  reeve_loop_catch_up (self->loop);
  return self->step == STEP_FROZEN &&
         self->funcs->is_quiet (self->data, &self->why);
}

static void
drain (ReeveTakeover *self)
{
  if (is_quiet (self))
    hand_over (self);
  else if (self->step == STEP_FROZEN &&
           g_get_monotonic_time () - self->frozen_us >= self->drain_us)
    thaw (self);
}

static void
freeze (ReeveTakeover *self)
{
  g_clear_pointer (&self->why, g_free);
  if (!self->funcs->can_freeze (self->data, &self->why)) {
    reeve_loop_update_timeout (self->loop, self->timer, OBSTACLE_MS);
    return;
  }

  self->funcs->freeze (self->data);
  self->step = STEP_FROZEN;
  self->frozen_us = g_get_monotonic_time ();
  reeve_loop_update_timeout (self->loop, self->timer, LOOK_MS);
  drain (self);
}

static void
take_turn (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveTakeover *self = data;

  if (self->step == STEP_SERVING)
    freeze (self);
  else if (self->step == STEP_FROZEN)
    drain (self);
}

static void
run_out (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveTakeover *self = data;
  g_autofree char *reason = NULL;

  if (self->step == STEP_SERVING || self->step == STEP_FROZEN)
    reason = g_strdup_printf (_ ("something did not end within %1$d seconds: "
                                 "%2$s"),
                              PATIENCE_MS / 1000, self->why);
  else
    reason = g_strdup (_ ("it was not ready in time"));
  refuse (self, reason);
}

/* -------------------------------------------------------------- messages -- */

static void
take_hello (ReeveTakeover *self, const takeover_hello *hello)
{
  const takeover_message welcome = {
    .kind = TAKEOVER_WELCOME,
    .u.welcome = { .protocol = REEVE_TAKEOVER_PROTOCOL,
                   .daemon = self->name,
                   .release = self->version,
                   .pid = getpid () },
  };
  g_autofree char *reason = NULL;

  if (hello->protocol != REEVE_TAKEOVER_PROTOCOL)
    reason = g_strdup_printf (
        _ ("this is version %1$u of the protocol of takeovers, not %2$u"),
        REEVE_TAKEOVER_PROTOCOL, hello->protocol);
  else if (!g_str_equal (hello->daemon, self->name))
    reason = g_strdup_printf (_ ("this is %1$s, not %2$s"), self->name,
                              hello->daemon);
  if (reason != NULL) {
    refuse (self, reason);
    return;
  }

  g_message (_ ("%1$s %2$s, process %3$d, is about to take over"),
             hello->daemon, hello->release, (int) get_pid (self->socket));
  self->step = STEP_WELCOME;
  reeve_loop_update_timeout (self->loop, self->deadline, PREPARE_MS);
  if (!reeve_takeover_send (self->socket, &welcome, NULL, 0, 1, NULL))
    abandon (self);
}

static void
take_prepared (ReeveTakeover *self)
{
  self->step = STEP_SERVING;
  self->drain_us = FIRST_DRAIN_MS * 1000;
  reeve_loop_update_timeout (self->loop, self->deadline, PATIENCE_MS);
  freeze (self);
}

static void
take_message (ReeveTakeover *self, const takeover_message *message)
{
  if (self->step == STEP_ASKED && message->kind == TAKEOVER_HELLO)
    take_hello (self, &message->u.hello);
  else if (self->step == STEP_WELCOME && message->kind == TAKEOVER_PREPARED)
    take_prepared (self);
  else if (message->kind == TAKEOVER_REFUSED)
    refuse (self, message->u.reason);
  else
    refuse (self, _ ("this message has no place here"));
}

static void
on_message (ReeveLoop *loop,
            int watch,
            int fd,
            ReeveEvents events,
            gpointer data)
{
  ReeveTakeover *self = data;
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GError) error = NULL;
  takeover_message message;
  gboolean is_there =
      reeve_takeover_receive (self->socket, &message, fds, 0, &error);

  reeve_takeover_drop_fds (fds);
  if (is_there) {
    take_message (self, &message);
    takeover_message_clear (&message);
  } else if (!g_error_matches (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT)) {
    refuse (self, error->message);
  }
}

/* Whether it may do as our own user does. */
static gboolean
is_allowed (int socket)
{
  struct ucred peer;
  socklen_t size = sizeof peer;

  return getsockopt (socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid ());
}

static void
on_connection (ReeveLoop *loop,
               int watch,
               int fd,
               ReeveEvents events,
               gpointer data)
{
  ReeveTakeover *self = data;
  REEVE_AUTOFD int socket =
      accept4 (fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

  if (socket < 0)
    return;
  if (!is_allowed (socket)) {
    send_refusal (socket, _ ("only root and the daemon's own user may ask"));
    return;
  }
  if (self->step != STEP_IDLE) {
    send_refusal (socket, _ ("another takeover is under way"));
    return;
  }

  self->socket = g_steal_fd (&socket);
  self->step = STEP_ASKED;
  self->watch = reeve_loop_add_handle (loop, self->socket, REEVE_EVENT_READABLE,
                                       on_message, self, NULL);
  reeve_loop_update_timeout (loop, self->deadline, HELLO_MS);
}

/* ------------------------------------------------------------------ life -- */

ReeveTakeover *
reeve_takeover_new_for_fd (ReeveLoop *loop,
                           const char *name,
                           const char *version,
                           const char *path,
                           int fd,
                           const ReeveTakeoverFuncs *funcs,
                           gpointer data)
{
  ReeveTakeover *self = g_new0 (ReeveTakeover, 1);

  self->loop = reeve_loop_ref (loop);
  self->name = g_strdup (name);
  self->version = g_strdup (version);
  if (stat (path, &self->file) == 0)
    self->path = g_strdup (path);
  self->funcs = funcs;
  self->data = data;
  self->listener = fd;
  self->socket = -1;
  self->timer = reeve_loop_add_timeout (loop, -1, take_turn, self, NULL);
  self->deadline = reeve_loop_add_timeout (loop, -1, run_out, self, NULL);
  self->listen_watch = reeve_loop_add_handle (loop, fd, REEVE_EVENT_READABLE,
                                              on_connection, self, NULL);
  return self;
}

/* Whoever had it before is gone: the pid file says so. */
static int
listen_at (const char *path, GError **error)
{
  struct sockaddr_un address;
  REEVE_AUTOFD int fd = -1;

  if (!reeve_takeover_fill_address (&address, path, error))
    return -1;

  unlink (path);
  fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  /* Nobody can connect before listen(), so the mode is right in time. */
  if (fd < 0 ||
      bind (fd, (const struct sockaddr *) &address, sizeof address) < 0 ||
      chmod (path, 0600) < 0 || listen (fd, 4) < 0) {
    reeve_error_from_errno (error, errno, "%s", path);
    return -1;
  }
  return g_steal_fd (&fd);
}

ReeveTakeover *
reeve_takeover_new (ReeveLoop *loop,
                    const char *name,
                    const char *version,
                    const char *path,
                    const ReeveTakeoverFuncs *funcs,
                    gpointer data,
                    GError **error)
{
  int fd = listen_at (path, error);

  return fd < 0 ? NULL
                : reeve_takeover_new_for_fd (loop, name, version, path, fd,
                                             funcs, data);
}

void
reeve_takeover_disown (ReeveTakeover *self)
{
  g_clear_pointer (&self->path, g_free);
}

int
reeve_takeover_get_fd (ReeveTakeover *self)
{
  return self->listener;
}

void
reeve_takeover_free (ReeveTakeover *self)
{
  struct stat file;

  if (self == NULL)
    return;

  if (self->step != STEP_IDLE)
    refuse (self, _ ("the daemon ends"));
  if (self->path != NULL && stat (self->path, &file) == 0 &&
      file.st_dev == self->file.st_dev && file.st_ino == self->file.st_ino)
    unlink (self->path);
  reeve_loop_remove (self->loop, self->timer);
  reeve_loop_remove (self->loop, self->deadline);
  reeve_loop_remove (self->loop, self->listen_watch);
  reeve_loop_unref (self->loop);
  reeve_fd_clear (&self->listener);
  g_free (self->path);
  g_free (self->name);
  g_free (self->version);
  g_free (self);
}
