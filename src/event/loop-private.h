/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the files of the loop know of each other. loop.c has the loop's life
 * and its turns, loop-watch.c what all watches have in common, and each other
 * file one kind of watch: adding it, changing it, and calling it when its time
 * has come.
 */

#include "event/loop.h"
#include "event/refs.h"
#include "event/thread.h"
#include "event/timeout-heap.h"

#include <stdatomic.h>
#include <sys/epoll.h>

G_BEGIN_DECLS

/* How many ready files one epoll_wait() takes. */
#define REEVE_LOOP_BATCH 64

typedef enum {
  REEVE_WATCH_HANDLE,
  REEVE_WATCH_TIMEOUT,
  REEVE_WATCH_PULSE,
  REEVE_WATCH_SIGNAL,
  REEVE_WATCH_CHILD,
} ReeveWatchKind;

typedef struct {
  int code;
  intptr_t value;
} ReevePulse;

/* One file in epoll, with the watches that stand on it. */
typedef struct _ReeveHandle ReeveHandle;
typedef struct _ReeveWatch ReeveWatch;

/* A callback of any kind; the kind of the watch says which. */
typedef void (*ReeveWatchFunc) (void);

/* What changes is guarded by the loop's lock, unless it says otherwise. A
 * server has one for each client, so it is small. */
struct _ReeveWatch {
  ReeveWatchFunc func; /* immutable */
  gpointer data;
  GDestroyNotify free_func;
  int id;                 /* immutable */
  ReeveWatchKind kind;    /* immutable */
  unsigned n_running;     /* of the loop's thread: calls on the stack */
  atomic_bool is_removed; /* may be read without it */

  /* By its kind. */
  union {
    struct {
      ReeveHandle *handle; /* NULL once it is stale */
      ReeveWatch *next;    /* of that file */
      ReeveEvents events;
      pid_t pid;  /* of a child, as what follows */
      int pid_fd; /* (owned) */
    } file;       /* a handle or a child */
    struct {
      ReeveTimeoutNode node;
      int interval_ms;
    } timeout;
    struct {
      GArray *sent; /* (element-type ReevePulse) (owned) */
      gboolean is_waiting;
    } pulse;
    struct {
      ReeveLoop *loop; /* not a reference */
      GSource *source; /* (owned) */
      int signum;
    } signal;
  };
};

struct _ReeveLoop {
  ReeveRefs refs;
  GMainContext *context; /* immutable */
  GSource *source;       /* immutable */
  int epoll_fd;          /* immutable */
  int wake_fd;           /* immutable */
  int timer_fd;          /* immutable */
  int context_fd;        /* immutable: wakes GLib; -1: is not known */
  atomic_bool is_quitting;

  /* Of the thread that runs the loop. */
  unsigned depth;                             /* dispatches on the stack */
  struct epoll_event ready[REEVE_LOOP_BATCH]; /* found, and not taken */
  int n_ready;

  ReeveMutex lock;
  int last_id REEVE_GUARDED;
  uint32_t last_generation REEVE_GUARDED;
  GHashTable *watches REEVE_GUARDED; /* id -> ReeveWatch (owned) */
  GPtrArray *handles REEVE_GUARDED;  /* by fd: ReeveHandle (owned), or NULL */
  ReeveTimeoutHeap timeouts REEVE_GUARDED;
  gint64 timer_due_us REEVE_GUARDED; /* what the timer is set to; 0: off */
  GQueue invocations REEVE_GUARDED;  /* (element-type Invocation) (owned) */
  GQueue pulsing REEVE_GUARDED;      /* (element-type ReeveWatch) */
  GPtrArray *removed REEVE_GUARDED;  /* (element-type ReeveWatch) (owned) */
  gboolean is_woken REEVE_GUARDED;
};

/* ------------------------------------------------------------- loop.c --- */

/* Makes the loop look at its invocations, pulses and removed watches. */
void reeve_loop_wake_locked (ReeveLoop *self) REEVE_REQUIRES (self->lock);

/* ------------------------------------------------------- loop-watch.c --- */

ReeveWatch *reeve_loop_add_watch_locked (ReeveLoop *self,
                                         ReeveWatchKind kind,
                                         ReeveWatchFunc func,
                                         gpointer data,
                                         GDestroyNotify free_func)
    REEVE_REQUIRES (self->lock);
/* (nullable): a watch of one kind that was not removed. */
ReeveWatch *
reeve_loop_find_watch_locked (ReeveLoop *self, int id, ReeveWatchKind kind)
    REEVE_REQUIRES (self->lock);
/* The id of some watch that is left, or -1. */
int reeve_loop_get_any_watch (ReeveLoop *self);

/* A callback runs between these two, so that its watch is not freed under it.
 * FALSE: it must not be called any more, and there is no call to end. */
gboolean reeve_loop_begin_call (ReeveLoop *self, ReeveWatch *watch);
void reeve_watch_end_call (ReeveWatch *self);
gboolean reeve_watch_is_removed (ReeveWatch *self);

/* Frees the removed watches whose callbacks are not on the stack. With no lock
 * held, in the loop's thread (or the last one that has it). */
void reeve_loop_free_removed (ReeveLoop *self);

/* ------------------------------------------------------ loop-handle.c --- */

/* (nullable): a watch, of a handle or a child, that stands on a file; NULL
 * with errno set. */
ReeveWatch *reeve_loop_add_file_watch_locked (ReeveLoop *self,
                                              ReeveWatchKind kind,
                                              int fd,
                                              ReeveEvents events,
                                              ReeveWatchFunc func,
                                              gpointer data,
                                              GDestroyNotify free_func)
    REEVE_REQUIRES (self->lock);
/* Takes such a watch away from its file, unless that is stale. */
void reeve_loop_close_handle_locked (ReeveLoop *self, ReeveWatch *watch)
    REEVE_REQUIRES (self->lock);
void
reeve_loop_dispatch_handle (ReeveLoop *self, const struct epoll_event *event);

/* ----------------------------------------------------- loop-timeout.c --- */

/* Sets the timer to the first timeout. */
void reeve_loop_arm_timer_locked (ReeveLoop *self) REEVE_REQUIRES (self->lock);
void reeve_loop_dispatch_timeouts (ReeveLoop *self);

/* ------------------------------------------------------- loop-pulse.c --- */

void reeve_loop_dispatch_pulses (ReeveLoop *self);

/* ------------------------------------------------------- loop-child.c --- */

/* Reaps, removes the watch and calls it, between begin and end. */
void reeve_loop_call_child (ReeveLoop *self, ReeveWatch *watch);

G_END_DECLS
