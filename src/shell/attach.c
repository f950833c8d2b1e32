/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/attach.h"

#include "event/fd.h"
#include "event/intl.h"
#include "event/thread.h"
#include "rpc/error.h"
#include "shell/terminal.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

/*
 * Three threads, each of which may have to wait for somebody: one for the
 * server's bytes and whoever reads our output, one for the server to take what
 * was typed. The caller's own waits for keys and signals alone.
 */

#define MAX_TYPED ((guint) 1024 * 1024)
#define MAX_READ 4096
/* How long a server may take for the last keys, and to say goodbye. */
#define PATIENCE_US G_USEC_PER_SEC
/* Between attempts to get a thread out of a write. */
#define NUDGE_US (10 * G_TIME_SPAN_MILLISECOND)

typedef struct {
  /* immutable while there are threads */
  ReeveConnectionStream *stream;
  GCancellable *cancellable; /* (owned) */
  int woken;                 /* (owned): readable: look at what follows */

  ReeveMutex lock;
  ReeveCond changed;
  GByteArray *typed REEVE_GUARDED; /* (owned): what is not sent yet */
  gboolean is_typed REEVE_GUARDED; /* nothing more will come */
  gboolean is_sent REEVE_GUARDED;  /* one thread has ended */
  gboolean is_shown REEVE_GUARDED; /* the other one has */
  gboolean is_over REEVE_GUARDED;  /* how, see below */
  ReeveAttachEnd end REEVE_GUARDED;
  GError *failure REEVE_GUARDED; /* (owned) (nullable) */

  /* the caller's thread's */
  gboolean is_terminal; /* and open */
  ReeveTerminal terminal;
  char escape;
  gboolean has_input; /* the standard input has not ended */
  size_t n_lost;
} Attachment;

static void
wake (Attachment *self)
{
  const uint64_t one = 1;

  if (write (self->woken, &one, sizeof one) < 0)
    g_warn_if_reached ();
}

/* The first end counts. @failure: (transfer full) (nullable) */
static void
end_with (Attachment *self, ReeveAttachEnd end, GError *failure)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->is_over) {
    g_clear_error (&failure);
    return;
  }
  self->is_over = TRUE;
  self->end = end;
  self->failure = failure;
  wake (self);
}

static gboolean
is_over (Attachment *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->is_over;
}

/* ------------------------------------------------------ what comes in ---- */

static void
set_shown (Attachment *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_shown = TRUE;
  reeve_cond_broadcast (&self->changed);
}

/* A descriptor that others made non-blocking is waited for. */
static gboolean
can_write_again (void)
{
  struct pollfd fd = { .fd = STDOUT_FILENO, .events = POLLOUT };

  if (errno == EAGAIN)
    return poll (&fd, 1, -1) >= 0 || errno == EINTR;
  return errno == EINTR;
}

static gboolean
show (Attachment *self, GBytes *bytes)
{
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);

  while (size > 0 && !g_cancellable_is_cancelled (self->cancellable)) {
    ssize_t n_written = write (STDOUT_FILENO, data, size);

    if (n_written >= 0) {
      data += n_written;
      size -= (size_t) n_written;
    } else if (errno == EPIPE) {
      end_with (self, REEVE_ATTACH_UNREAD, NULL);
      return FALSE;
    } else if (!can_write_again ()) {
      GError *error = NULL;

      reeve_error_from_errno (&error, errno, _ ("Cannot write what came"));
      end_with (self, REEVE_ATTACH_FAILED, error);
      return FALSE;
    }
  }

  return size == 0;
}

/* Returns FALSE at the end. */
static gboolean
show_some (Attachment *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = reeve_connection_stream_read (
      self->stream, NULL, G_MAXINT, self->cancellable, &error);

  if (bytes == NULL) {
    /* A guest may say nothing for a month. */
    if (g_error_matches (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT))
      return TRUE;
    end_with (self, REEVE_ATTACH_FAILED, g_steal_pointer (&error));
    return FALSE;
  }
  if (g_bytes_get_size (bytes) == 0) {
    end_with (self, REEVE_ATTACH_ENDED, NULL);
    return FALSE;
  }
  return show (self, bytes);
}

static void *
run_show (void *data)
{
  Attachment *self = data;

  while (show_some (self))
    ;
  set_shown (self);
  return NULL;
}

/* ---------------------------------------------------- what is typed ------ */

/* (transfer full) (nullable): what is to be sent; %NULL at the end. */
static GBytes *
take_typed (Attachment *self)
{
  GBytes *bytes;

  REEVE_LOCK_SCOPE (&self->lock);

  while (self->typed->len == 0 && !self->is_typed)
    reeve_cond_wait (&self->changed, &self->lock);
  if (self->typed->len == 0)
    return NULL;

  bytes = g_byte_array_free_to_bytes (self->typed);
  self->typed = g_byte_array_new ();
  wake (self);
  return bytes;
}

static void
set_sent (Attachment *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_sent = TRUE;
  reeve_cond_broadcast (&self->changed);
}

static gboolean
send_bytes (Attachment *self, GBytes *bytes)
{
  GError *error = NULL;
  gsize size;
  const uint8_t *data = g_bytes_get_data (bytes, &size);

  if (reeve_connection_stream_write (self->stream, data, size, G_MAXINT,
                                     self->cancellable, &error))
    return TRUE;
  end_with (self, REEVE_ATTACH_FAILED, error);
  return FALSE;
}

static void *
run_send (void *data)
{
  Attachment *self = data;
  gboolean is_sent = TRUE;
  GBytes *bytes;

  while (is_sent && (bytes = take_typed (self)) != NULL) {
    is_sent = send_bytes (self, bytes);
    g_bytes_unref (bytes);
  }
  set_sent (self);
  return NULL;
}

static void
add_typed (Attachment *self, const char *data, size_t size)
{
  size_t room;

  REEVE_LOCK_SCOPE (&self->lock);

  room = MIN (size, MAX_TYPED - self->typed->len);
  g_byte_array_append (self->typed, (const guint8 *) data, (guint) room);
  self->n_lost += size - room;
  reeve_cond_broadcast (&self->changed);
}

/* A terminal is read in any case: the escape key must come through. */
static gboolean
wants_input (Attachment *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->has_input &&
         (self->is_terminal || self->typed->len + MAX_READ <= MAX_TYPED);
}

static void
take_keys (Attachment *self, const char *data, size_t size)
{
  const char *escape =
      self->is_terminal ? memchr (data, self->escape, size) : NULL;

  add_typed (self, data, escape == NULL ? size : (size_t) (escape - data));
  if (escape != NULL)
    end_with (self, REEVE_ATTACH_DETACHED, NULL);
}

static void
read_input (Attachment *self)
{
  char buffer[MAX_READ];
  ssize_t size = read (STDIN_FILENO, buffer, sizeof buffer);
  GError *error = NULL;

  if (size > 0) {
    take_keys (self, buffer, (size_t) size);
    return;
  }
  if (size < 0 && (errno == EINTR || errno == EAGAIN))
    return;

  self->has_input = FALSE;
  if (size == 0 && !self->is_terminal)
    return;
  reeve_error_from_errno (&error, size < 0 ? errno : EIO,
                          _ ("Cannot read the standard input"));
  end_with (self, REEVE_ATTACH_FAILED, error);
}

/* --------------------------------------------------------- the caller ---- */

static void
take_signal (Attachment *self)
{
  int number = reeve_terminal_take_signal (&self->terminal);

  if (number == 0)
    return;

  self->is_terminal = FALSE;
  end_with (self, REEVE_ATTACH_FAILED,
            g_error_new (REEVE_ERROR, REEVE_ERROR_ABORTED,
                         _ ("Ended by a signal: %s"), g_strsignal (number)));
}

static void
wait_for_something (Attachment *self)
{
  struct pollfd fds[] = {
    { .fd = wants_input (self) ? STDIN_FILENO : -1, .events = POLLIN },
    { .fd = self->is_terminal ? reeve_terminal_get_signal_fd (&self->terminal)
                              : -1,
      .events = POLLIN },
    { .fd = self->woken, .events = POLLIN },
    { .fd = STDOUT_FILENO }, /* for its readers' end */
  };
  uint64_t n_times;

  if (poll (fds, G_N_ELEMENTS (fds), -1) < 0)
    return;

  if (fds[1].revents != 0)
    take_signal (self);
  if (fds[2].revents != 0 && read (self->woken, &n_times, sizeof n_times) < 0)
    g_warn_if_reached ();
  if (fds[3].revents != 0)
    end_with (self, REEVE_ATTACH_UNREAD, NULL);
  if (fds[0].revents != 0)
    read_input (self);
}

/* The last keys are on their way when this returns, if the server lets them. */
static void
wait_for_keys (Attachment *self)
{
  gint64 end_us = g_get_monotonic_time () + PATIENCE_US;

  REEVE_LOCK_SCOPE (&self->lock);

  self->is_typed = TRUE;
  reeve_cond_broadcast (&self->changed);
  while (self->end == REEVE_ATTACH_DETACHED && !self->is_sent)
    if (!reeve_cond_wait_until (&self->changed, &self->lock, end_us))
      return;
}

/* FALSE if it has not ended in a while. */
static gboolean
wait_for_shown (Attachment *self)
{
  gint64 end_us = g_get_monotonic_time () + NUDGE_US;

  REEVE_LOCK_SCOPE (&self->lock);

  while (!self->is_shown)
    if (!reeve_cond_wait_until (&self->changed, &self->lock, end_us))
      return FALSE;
  return TRUE;
}

static void
do_nothing (int number)
{
}

/* It may wait for somebody who does not read our output: a signal for it alone
 * ends that, unless it comes just before. */
static void
join_show (Attachment *self, pthread_t thread)
{
  const struct sigaction action = { .sa_handler = do_nothing };
  struct sigaction before;

  sigaction (SIGURG, &action, &before);
  while (!wait_for_shown (self))
    pthread_kill (thread, SIGURG);
  pthread_join (thread, NULL);
  sigaction (SIGURG, &before, NULL);
}

static gboolean
start_thread (pthread_t *thread,
              void *(*run) (void *data),
              Attachment *self,
              GError **error)
{
  int code = pthread_create (thread, NULL, run, self);

  return code == 0 ||
         reeve_error_from_errno (error, code, _ ("Cannot start a thread"));
}

/* Until it is over. */
static void
run_threads (Attachment *self)
{
  GError *error = NULL;
  pthread_t shower, sender;
  gboolean is_showing = start_thread (&shower, run_show, self, &error);
  gboolean is_sending =
      is_showing && start_thread (&sender, run_send, self, &error);

  if (error != NULL)
    end_with (self, REEVE_ATTACH_FAILED, error);
  while (!is_over (self))
    wait_for_something (self);

  if (self->is_terminal)
    reeve_terminal_close (&self->terminal);
  if (is_sending)
    wait_for_keys (self);
  g_cancellable_cancel (self->cancellable);
  if (is_sending)
    pthread_join (sender, NULL);
  if (is_showing)
    join_show (self, shower);
}

/* ---------------------------------------------------------------- whole -- */

static gboolean
attachment_init (Attachment *self, GError **error) REEVE_UNCHECKED
{
  self->woken = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (self->woken < 0)
    return reeve_error_from_errno (error, errno, _ ("Cannot wait for input"));
  if (self->is_terminal && !reeve_terminal_open (&self->terminal, error)) {
    reeve_fd_clear (&self->woken);
    return FALSE;
  }

  self->cancellable = g_cancellable_new ();
  reeve_mutex_init (&self->lock);
  reeve_cond_init (&self->changed);
  self->typed = g_byte_array_new ();
  return TRUE;
}

/* Returns how it ended. */
static ReeveAttachEnd
attachment_clear (Attachment *self,
                  size_t *n_lost,
                  GError **error) REEVE_UNCHECKED
{
  *n_lost = self->n_lost + self->typed->len;
  if (self->failure != NULL)
    g_propagate_error (error, self->failure);
  g_byte_array_unref (self->typed);
  reeve_cond_clear (&self->changed);
  reeve_mutex_clear (&self->lock);
  g_object_unref (self->cancellable);
  reeve_fd_clear (&self->woken);
  return self->end;
}

/* A server that is stuck is not waited for again when the shell ends. */
static void
finish (ReeveShell *shell, ReeveConnectionStream *stream)
{
  g_autoptr (GError) error = NULL;

  if (!reeve_connection_stream_finish (stream, PATIENCE_US / 1000, NULL,
                                       &error) &&
      g_error_matches (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT))
    reeve_connection_close (shell->connection);
}

ReeveAttachEnd
reeve_attach (ReeveShell *shell,
              ReeveConnectionStream *stream,
              char escape,
              size_t *n_lost,
              GError **error)
{
  Attachment self = {
    .stream = stream,
    .is_terminal = isatty (STDIN_FILENO),
    .escape = escape,
    .has_input = TRUE,
  };
  ReeveAttachEnd end;

  *n_lost = 0;
  if (!attachment_init (&self, error))
    return REEVE_ATTACH_FAILED;
  run_threads (&self);
  end = attachment_clear (&self, n_lost, error);
  if (end != REEVE_ATTACH_FAILED)
    finish (shell, stream);
  return end;
}
