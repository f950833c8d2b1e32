/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/file-lock.h"

#include "event/fd.h"
#include "event/intl.h"
#include "event/refs.h"
#include "rpc/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/file.h>

/* flock() waits for ever, so a thread of its own does that. It owns the file
 * until it has told of the lock, or for good if nobody wants it any more. */
typedef struct {
  ReeveRefs refs;
  int fd;   /* (owned): to lock */
  int told; /* (owned): an eventfd */
} Locking;

static void
locking_unref (Locking *self)
{
  if (!reeve_refs_dec (&self->refs))
    return;

  reeve_fd_clear (&self->fd);
  reeve_fd_clear (&self->told);
  g_free (self);
}

static void *
run (void *data)
{
  Locking *self = data;

  while (flock (self->fd, LOCK_EX) < 0 && errno == EINTR)
    ;
  eventfd_write (self->told, 1);
  locking_unref (self);
  return NULL;
}

static gboolean
wait_once (struct pollfd *all,
           unsigned n_all,
           gint64 deadline_us,
           GError **error)
{
  gint64 left_us = deadline_us - g_get_monotonic_time ();
  int n_ready;

  do
    n_ready = poll (all, n_all, (int) CLAMP (left_us / 1000 + 1, 0, G_MAXINT));
  while (n_ready < 0 && errno == EINTR);
  if (n_ready > 0)
    return TRUE;

  if (n_ready < 0)
    return reeve_error_from_errno (error, errno, _ ("Cannot wait"));
  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                       _ ("It took too long"));
  return FALSE;
}

gboolean
reeve_wait_readable (const int *fds,
                     unsigned n_fds,
                     gint64 deadline_us,
                     GCancellable *cancellable,
                     GError **error)
{
  GPollFD cancelled = { .fd = -1 };
  struct pollfd all[5];
  gboolean is_pollable = cancellable != NULL &&
                         g_cancellable_make_pollfd (cancellable, &cancelled);
  gboolean is_ready;

  g_assert (n_fds < G_N_ELEMENTS (all));
  for (unsigned i = 0; i < n_fds; i++)
    all[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
  all[n_fds] = (struct pollfd){ .fd = cancelled.fd, .events = POLLIN };
  is_ready = wait_once (all, n_fds + 1, deadline_us, error);
  if (is_pollable)
    g_cancellable_release_fd (cancellable);
  if (!is_ready || all[n_fds].revents == 0)
    return is_ready;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_ABORTED,
                       _ ("It was cancelled"));
  return FALSE;
}

/* The thread still waits for the lock: what it gets is unlocked at once. */
static int
wait_for_lock (Locking *self,
               gint64 deadline_us,
               GCancellable *cancellable,
               GError **error)
{
  if (!reeve_wait_readable (&self->told, 1, deadline_us, cancellable, error))
    return -1;

  return fcntl (self->fd, F_DUPFD_CLOEXEC, 3);
}

int
reeve_file_lock_take (const char *path,
                      gint64 deadline_us,
                      GCancellable *cancellable,
                      GError **error)
{
  Locking *self = g_new0 (Locking, 1);
  pthread_t thread;
  int fd = -1;

  reeve_refs_init (&self->refs);
  self->fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  self->told = eventfd (0, EFD_CLOEXEC);
  if (self->fd < 0 || self->told < 0) {
    reeve_error_from_errno (error, errno, _ ("Cannot open %s"), path);
  } else if (flock (self->fd, LOCK_EX | LOCK_NB) == 0) {
    fd = g_steal_fd (&self->fd);
  } else {
    reeve_refs_inc (&self->refs);
    if (pthread_create (&thread, NULL, run, self) == 0) {
      pthread_detach (thread);
      fd = wait_for_lock (self, deadline_us, cancellable, error);
    } else {
      reeve_error_from_errno (error, EAGAIN, _ ("Cannot lock %s"), path);
      locking_unref (self);
    }
  }

  locking_unref (self);
  return fd;
}
