/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/io-thread.h"
#include "event/thread.h"

/* For a target whose input the client's I/O thread takes. */
typedef struct {
  ReeveMutex lock;
  ReeveCond done;
  gboolean is_done REEVE_GUARDED;
} FuzzIoEnd;

static inline void
fuzz_io_end_init (FuzzIoEnd *self)
{
  reeve_mutex_init (&self->lock);
  reeve_cond_init (&self->done);
}

static inline void
fuzz_io_end_say (ReeveLoop *loop, gpointer data)
{
  FuzzIoEnd *self = data;

  REEVE_LOCK_SCOPE (&self->lock);

  self->is_done = TRUE;
  reeve_cond_signal (&self->done);
}

/* Until the I/O thread has nothing of a connection any more. */
static inline void
fuzz_io_end_wait (FuzzIoEnd *self)
{
  reeve_loop_invoke (reeve_io_thread_get_loop (), fuzz_io_end_say, self);

  REEVE_LOCK_SCOPE (&self->lock);

  while (!self->is_done)
    reeve_cond_wait (&self->done, &self->lock);
  self->is_done = FALSE;
}
