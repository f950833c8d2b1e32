/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/io-thread.h"

#include "rpc/error.h"

#include <pthread.h>
#include <signal.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static ReeveLoop *loop; /* (owned): immutable once it is there */

static void *
run (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
start (void)
{
  sigset_t all, before;
  pthread_t thread;

  loop = reeve_loop_new (NULL);
  g_assert (loop != NULL);
  /* GLib makes what all errors share with the first one: before there is the
   * thread, so that ThreadSanitizer sees the order. */
  g_error_free (g_error_new_literal (REEVE_ERROR, REEVE_ERROR_INTERNAL, ""));

  /* Signals are the program's: its threads get them. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  if (pthread_create (&thread, NULL, run, loop) == 0) {
    pthread_setname_np (thread, "reeve-io");
    pthread_detach (thread);
  }
  pthread_sigmask (SIG_SETMASK, &before, NULL);
}

ReeveLoop *
reeve_io_thread_get_loop (void)
{
  pthread_once (&once, start);
  return loop;
}
