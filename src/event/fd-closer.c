/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd-closer.h"

#include "event/thread.h"

#include <unistd.h>

/* The process's one. Its thread starts with the first fd, and stays. */
typedef struct {
  ReeveMutex lock;
  ReeveCond cond;
  GArray *fds REEVE_GUARDED; /* (element-type int) (owned) (nullable) */
} FdCloser;

static FdCloser closer = {
  .lock = { PTHREAD_MUTEX_INITIALIZER },
  .cond = { PTHREAD_COND_INITIALIZER },
};

static int
wait_for_fd (FdCloser *self)
{
  int fd;

  REEVE_LOCK_SCOPE (&self->lock);

  while (self->fds->len == 0)
    reeve_cond_wait (&self->cond, &self->lock);
  fd = g_array_index (self->fds, int, self->fds->len - 1);
  g_array_set_size (self->fds, self->fds->len - 1);
  return fd;
}

static void *
run (void *data)
{
  while (TRUE)
    close (wait_for_fd (data));
  return NULL;
}

static gboolean
start_locked (FdCloser *self) REEVE_REQUIRES (self->lock)
{
  pthread_attr_t attributes;
  pthread_t thread;
  int failure;

  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  failure = pthread_create (&thread, &attributes, run, self);
  pthread_attr_destroy (&attributes);
  if (failure != 0)
    return FALSE;

  self->fds = g_array_new (FALSE, FALSE, sizeof (int));
  return TRUE;
}

static gboolean
push (FdCloser *self, int fd)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (self->fds == NULL && !start_locked (self))
    return FALSE;
  g_array_append_val (self->fds, fd);
  reeve_cond_signal (&self->cond);
  return TRUE;
}

void
reeve_fd_close_elsewhere (int fd)
{
  /* Without a thread, a wait is better than a leak. */
  if (!push (&closer, fd))
    close (fd);
}
