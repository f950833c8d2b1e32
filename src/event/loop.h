/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * ReeveLoop:
 *
 * An event loop on a #GMainContext. All handle watches of a loop stand behind
 * one epoll instance, so that a turn costs the same with ten idle watches and
 * with ten thousand; timeouts stand in one heap. Everything of a loop is one
 * #GSource: other sources can be attached to the same context.
 *
 * Every function that takes a loop may be called from any thread unless it
 * says otherwise. Callbacks run in the thread that runs the loop, with no lock
 * held; a callback may add, update and remove any watch, its own included.
 *
 * A watch that was removed is not called any more once the removing call
 * returned to the loop's own thread. Removed from another thread, its callback
 * may be running at that moment, but does not start again. The free function
 * of a watch runs exactly once, in the loop's thread (or in the thread that
 * drops the last reference of the loop), with no lock held and never while the
 * callback of the watch it frees is running.
 *
 * Watch ids are positive, are shared by all kinds of watches of a loop, and
 * are not reused before 2^31 more watches were added.
 */
typedef struct _ReeveLoop ReeveLoop;

/**
 * ReeveEvents:
 * @REEVE_EVENT_READABLE: a read would not block (also: the peer shut down its
 *   writing side)
 * @REEVE_EVENT_WRITABLE: a write would not block
 * @REEVE_EVENT_ERROR: an error waits on the file; always reported
 * @REEVE_EVENT_HANGUP: the peer is gone; always reported
 * @REEVE_EVENT_EXCLUSIVE: to wait for, with one of the first two: of several
 *   loops that wait for one file so, not all are woken. Such a watch stands
 *   alone on its file in its loop, and is not updated
 */
typedef enum {
  REEVE_EVENT_NONE = 0,
  REEVE_EVENT_READABLE = 1 << 0,
  REEVE_EVENT_WRITABLE = 1 << 1,
  REEVE_EVENT_ERROR = 1 << 2,
  REEVE_EVENT_HANGUP = 1 << 3,
  REEVE_EVENT_EXCLUSIVE = 1 << 4,
} ReeveEvents;

typedef void (*ReeveHandleFunc) (ReeveLoop *loop,
                                 int watch,
                                 int fd,
                                 ReeveEvents events,
                                 gpointer data);
typedef void (*ReeveTimeoutFunc) (ReeveLoop *loop, int watch, gpointer data);
typedef void (*ReevePulseFunc) (ReeveLoop *loop,
                                int watch,
                                int code,
                                intptr_t value,
                                gpointer data);
typedef void (*ReeveSignalFunc) (ReeveLoop *loop,
                                 int watch,
                                 int signum,
                                 gpointer data);
/* @status is as from waitpid(), or -1 when the process is not our child. */
typedef void (*ReeveChildFunc) (ReeveLoop *loop,
                                int watch,
                                pid_t pid,
                                int status,
                                gpointer data);
typedef void (*ReeveLoopFunc) (ReeveLoop *loop, gpointer data);

/**
 * reeve_loop_new:
 * @context: (nullable) (transfer none): the context to live in; %NULL for a
 *   fresh one
 *
 * Returns: (transfer full) (nullable): a loop; %NULL with errno set when the
 * process is out of file descriptors
 */
ReeveLoop *reeve_loop_new (GMainContext *context);
ReeveLoop *reeve_loop_ref (ReeveLoop *self);
void reeve_loop_unref (ReeveLoop *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveLoop, reeve_loop_unref)

/* (transfer none): the context the loop lives in. */
GMainContext *reeve_loop_get_context (ReeveLoop *self);

/**
 * reeve_loop_run:
 *
 * Runs until reeve_loop_quit() is called, with the loop's context as thread
 * default context. The calling thread is the loop's thread from then on.
 */
void reeve_loop_run (ReeveLoop *self);

/* Ends reeve_loop_run() after the current turn; also before it was called. */
void reeve_loop_quit (ReeveLoop *self);

/* Whether the calling thread is the one that runs the loop just now. */
gboolean reeve_loop_is_current (ReeveLoop *self);

/**
 * reeve_loop_invoke:
 * @func: called once, in the loop's thread
 * @data: for @func
 *
 * Queues @func. Calls made by one thread are carried out in their order. A
 * loop that is freed calls what is still queued.
 */
void reeve_loop_invoke (ReeveLoop *self, ReeveLoopFunc func, gpointer data);

/* Calls what is queued by reeve_loop_invoke(), and what pulses call, so that
 * whoever holds something until then lets it go. Thread: loop, or owner after
 * the loop. */
void reeve_loop_catch_up (ReeveLoop *self);

/**
 * reeve_loop_add_handle:
 * @fd: (transfer none): an open file that epoll supports (not a regular file)
 * @events: what to wait for; %REEVE_EVENT_NONE waits for errors alone
 * @func: called, level-triggered, while one of @events is true
 * @free_func: (nullable): frees @data
 *
 * Several watches may stand on one file. Remove a file's watches before you
 * close it; a watch whose file was closed all the same is never called for
 * another file that got the same number.
 *
 * Returns: a watch id, or -1 with errno set (EBADF, EPERM, ENOSPC, ENOMEM);
 * then @free_func was not called
 */
int reeve_loop_add_handle (ReeveLoop *self,
                           int fd,
                           ReeveEvents events,
                           ReeveHandleFunc func,
                           gpointer data,
                           GDestroyNotify free_func);

/* Changes what a handle watch waits for; an unknown id is ignored. */
void reeve_loop_update_handle (ReeveLoop *self, int watch, ReeveEvents events);

/**
 * reeve_loop_add_timeout:
 * @interval_ms: time between calls; 0 is "each turn", -1 is "disabled"
 *
 * The first call comes @interval_ms from now. A timeout repeats until it is
 * removed or updated; missed intervals are not made up for.
 *
 * Returns: a watch id
 */
int reeve_loop_add_timeout (ReeveLoop *self,
                            int interval_ms,
                            ReeveTimeoutFunc func,
                            gpointer data,
                            GDestroyNotify free_func);

/* Starts the interval anew from now; -1 disables. Unknown ids are ignored. */
void reeve_loop_update_timeout (ReeveLoop *self, int watch, int interval_ms);

/**
 * reeve_loop_add_pulse:
 *
 * A pulse is a wake-up that carries a code and a value, sent by
 * reeve_loop_send_pulse().
 *
 * Returns: a watch id
 */
int reeve_loop_add_pulse (ReeveLoop *self,
                          ReevePulseFunc func,
                          gpointer data,
                          GDestroyNotify free_func);

/**
 * reeve_loop_send_pulse:
 * @watch: a pulse watch
 * @code: what happened
 * @value: more about it
 *
 * Wakes the loop. Pulses of the same watch and code that were not delivered
 * yet become one, with the latest value; codes are delivered in the order of
 * their first send. Async-signal-safe: no. An unknown id is ignored.
 */
void
reeve_loop_send_pulse (ReeveLoop *self, int watch, int code, intptr_t value);

/**
 * reeve_loop_add_signal:
 * @signum: SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2 or SIGWINCH
 *
 * Returns: a watch id, or -1 with errno EINVAL for any other signal
 */
int reeve_loop_add_signal (ReeveLoop *self,
                           int signum,
                           ReeveSignalFunc func,
                           gpointer data,
                           GDestroyNotify free_func);

/**
 * reeve_loop_add_child:
 * @pid: a process, our child or not
 * @func: called once, when the process ended; then the watch removes itself
 *
 * Waits by a pidfd. A child is reaped. The watch holds the process's identity
 * from this call on, so a reused pid is never mistaken for it.
 *
 * Returns: a watch id, or -1 with errno set (ESRCH: there is no such process)
 */
int reeve_loop_add_child (ReeveLoop *self,
                          pid_t pid,
                          ReeveChildFunc func,
                          gpointer data,
                          GDestroyNotify free_func);

/* Removes a watch of any kind. Returns whether it was there. */
gboolean reeve_loop_remove (ReeveLoop *self, int watch);

G_END_DECLS
