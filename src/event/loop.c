/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/loop-private.h"

#include "event/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* How often epoll_wait() is called again, without another turn through GLib,
 * while files are ready. */
#define MAX_BATCHES 4

/* Marks the loop's own files in the upper two bits of epoll's user data, of
 * which the upper half is otherwise a handle's generation. */
#define OWN_WAKE (UINT64_C (1) << 62)
#define OWN_TIMER (UINT64_C (2) << 62)
#define OWN_CONTEXT (UINT64_C (3) << 62)

typedef struct {
  ReeveLoopFunc func;
  gpointer data;
} Invocation;

typedef struct {
  GSource source;
  ReeveLoop *loop; /* not a reference */
  gpointer tag;
} LoopSource;

/* --------------------------------------------------------------- turns --- */

void
reeve_loop_wake_locked (ReeveLoop *self)
{
  static const uint64_t one = 1;

  if (self->is_woken)
    return;

  self->is_woken = TRUE;
  /* The counter cannot be full: it is read before it is written again. */
  if (write (self->wake_fd, &one, sizeof one) < 0)
    g_assert (errno == EAGAIN);
}

void
reeve_loop_invoke (ReeveLoop *self, ReeveLoopFunc func, gpointer data)
{
  Invocation *invocation = g_new (Invocation, 1);

  invocation->func = func;
  invocation->data = data;

  REEVE_LOCK_SCOPE (&self->lock);

  g_queue_push_tail (&self->invocations, invocation);
  reeve_loop_wake_locked (self);
}

static void
take_wake_up (ReeveLoop *self, GQueue *invocations)
{
  uint64_t count;

  REEVE_LOCK_SCOPE (&self->lock);

  if (read (self->wake_fd, &count, sizeof count) < 0)
    g_assert (errno == EAGAIN);
  self->is_woken = FALSE;
  *invocations = self->invocations;
  g_queue_init (&self->invocations);
}

static void
run_invocations (ReeveLoop *self, GQueue *invocations)
{
  Invocation *invocation;

  while ((invocation = g_queue_pop_head (invocations)) != NULL) {
    invocation->func (self, invocation->data);
    g_free (invocation);
  }
}

void
reeve_loop_catch_up (ReeveLoop *self)
{
  GQueue invocations;

  take_wake_up (self, &invocations);
  run_invocations (self, &invocations);
  reeve_loop_dispatch_pulses (self);
  /* Outside of a turn, nothing else wakes it for what was removed. */
  if (self->depth == 0)
    reeve_loop_free_removed (self);
}

/* The files that are ready: those that the turn found, or else those of now. */
static int
take_ready (ReeveLoop *self, struct epoll_event *events)
{
  int n_events = self->n_ready;

  if (n_events == 0)
    return epoll_wait (self->epoll_fd, events, REEVE_LOOP_BATCH, 0);

  memcpy (events, self->ready, (size_t) n_events * sizeof *events);
  self->n_ready = 0;
  return n_events;
}

static int
dispatch_batch (ReeveLoop *self)
{
  struct epoll_event events[REEVE_LOOP_BATCH];
  int n_events = take_ready (self, events);

  for (int i = 0; i < n_events; i++) {
    if (events[i].data.u64 == OWN_WAKE)
      reeve_loop_catch_up (self);
    else if (events[i].data.u64 == OWN_TIMER)
      reeve_loop_dispatch_timeouts (self);
    else if (events[i].data.u64 != OWN_CONTEXT)
      reeve_loop_dispatch_handle (self, &events[i]);
  }

  return n_events;
}

static gboolean
dispatch_source (GSource *source, GSourceFunc callback, gpointer data)
{
  ReeveLoop *self = reeve_loop_ref (((LoopSource *) source)->loop);

  self->depth++;
  /* A busy server finds more at once; a lone caller's next request does not
   * come that soon, and is not worth another system call. */
  for (int i = 0; i < MAX_BATCHES && dispatch_batch (self) > 1; i++)
    if (atomic_load (&self->is_quitting))
      break;
  self->depth--;

  reeve_loop_free_removed (self);
  reeve_loop_unref (self);
  return G_SOURCE_CONTINUE;
}

static gboolean
check_source (GSource *source)
{
  LoopSource *loop_source = (LoopSource *) source;

  return g_source_query_unix_fd (source, loop_source->tag) != 0;
}

static GSourceFuncs source_funcs = {
  .check = check_source,
  .dispatch = dispatch_source,
};

/* Whether all that GLib would poll stands in epoll. */
static gboolean
is_all_in_epoll (ReeveLoop *self, const GPollFD *fds, int n_fds)
{
  gboolean is_all = self->context_fd >= 0;

  for (int i = 0; i < n_fds; i++)
    is_all = is_all &&
             (fds[i].fd == self->epoll_fd || fds[i].fd == self->context_fd);
  return is_all && n_fds == 2;
}

/* What epoll_wait() returned, as poll() would have. */
static void
note_ready (ReeveLoop *self, GPollFD *fds, int n_fds)
{
  for (int i = 0; i < n_fds; i++)
    fds[i].revents = 0;
  for (int i = 0; i < self->n_ready; i++) {
    int fd = self->ready[i].data.u64 == OWN_CONTEXT ? self->context_fd
                                                    : self->epoll_fd;

    for (int j = 0; j < n_fds; j++)
      if (fds[j].fd == fd)
        fds[j].revents = G_IO_IN;
  }
}

/* Mostly, our files and the one that wakes GLib are all that there is: then one
 * epoll_wait() does for poll() and for itself. */
static void
wait_for_files (ReeveLoop *self, GPollFD *fds, int n_fds, int timeout_ms)
{
  if (is_all_in_epoll (self, fds, n_fds)) {
    int n_ready =
        epoll_wait (self->epoll_fd, self->ready, REEVE_LOOP_BATCH, timeout_ms);

    self->n_ready = MAX (n_ready, 0);
    note_ready (self, fds, n_fds);
  } else {
    g_main_context_get_poll_func (self->context) (fds, (guint) n_fds,
                                                  timeout_ms);
  }
}

/* As g_main_context_iteration(). */
static void
turn (ReeveLoop *self)
{
  GPollFD few[4];
  g_autofree GPollFD *many = NULL;
  GPollFD *fds = few;
  int n_fds, priority, timeout_ms;

  g_main_context_prepare (self->context, &priority);
  n_fds = g_main_context_query (self->context, priority, &timeout_ms, fds,
                                G_N_ELEMENTS (few));
  if (n_fds > (int) G_N_ELEMENTS (few)) {
    fds = many = g_new (GPollFD, n_fds);
    g_main_context_query (self->context, priority, &timeout_ms, fds, n_fds);
  }

  wait_for_files (self, fds, n_fds, timeout_ms);
  if (g_main_context_check (self->context, priority, fds, n_fds))
    g_main_context_dispatch (self->context);
}

/* ---------------------------------------------------------------- life --- */

static gboolean
add_own_file (ReeveLoop *self, int fd, uint64_t mark)
{
  struct epoll_event event = { .events = EPOLLIN, .data.u64 = mark };

  return fd >= 0 && epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static gboolean
open_files (ReeveLoop *self)
{
  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  self->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  self->timer_fd = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  return self->epoll_fd >= 0 && add_own_file (self, self->wake_fd, OWN_WAKE) &&
         add_own_file (self, self->timer_fd, OWN_TIMER);
}

static void
close_files (ReeveLoop *self)
{
  reeve_fd_clear (&self->epoll_fd);
  reeve_fd_clear (&self->wake_fd);
  reeve_fd_clear (&self->timer_fd);
}

/* Before anything else has a file in the context, there is but the one that
 * wakes GLib's poll(). It lives as long as the context. */
static void
find_context_file (ReeveLoop *self)
{
  GPollFD fds[2];
  int timeout_ms;

  self->context_fd = -1;
  if (!g_main_context_acquire (self->context))
    return;

  if (g_main_context_query (self->context, G_MAXINT, &timeout_ms, fds,
                            G_N_ELEMENTS (fds)) == 1 &&
      add_own_file (self, fds[0].fd, OWN_CONTEXT))
    self->context_fd = fds[0].fd;
  g_main_context_release (self->context);
}

static void
attach_source (ReeveLoop *self)
{
  self->source = g_source_new (&source_funcs, sizeof (LoopSource));
  ((LoopSource *) self->source)->loop = self;
  ((LoopSource *) self->source)->tag =
      g_source_add_unix_fd (self->source, self->epoll_fd, G_IO_IN);
  g_source_set_name (self->source, "reeve-loop");
  /* Else GLib blocks the source around each dispatch, with a wake-up. */
  g_source_set_can_recurse (self->source, TRUE);
  g_source_attach (self->source, self->context);
}

ReeveLoop *
reeve_loop_new (GMainContext *context) REEVE_UNCHECKED
{
  ReeveLoop *self = g_new0 (ReeveLoop, 1);

  if (!open_files (self)) {
    close_files (self);
    g_free (self);
    return NULL;
  }

  reeve_refs_init (&self->refs);
  reeve_mutex_init (&self->lock);
  self->context =
      context != NULL ? g_main_context_ref (context) : g_main_context_new ();
  self->watches = g_hash_table_new (NULL, NULL);
  self->handles = g_ptr_array_new ();
  self->removed = g_ptr_array_new ();
  reeve_timeout_heap_init (&self->timeouts);
  find_context_file (self);
  attach_source (self);
  return self;
}

ReeveLoop *
reeve_loop_ref (ReeveLoop *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_loop_unref (ReeveLoop *self) REEVE_UNCHECKED
{
  int watch;

  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  /* What still runs below may take and drop references. */
  reeve_refs_init (&self->refs);
  reeve_refs_inc (&self->refs);
  g_source_destroy (self->source);
  g_source_unref (self->source);
  run_invocations (self, &self->invocations);
  reeve_loop_free_removed (self);
  while ((watch = reeve_loop_get_any_watch (self)) > 0) {
    reeve_loop_remove (self, watch);
    reeve_loop_free_removed (self);
    run_invocations (self, &self->invocations);
  }

  reeve_timeout_heap_clear (&self->timeouts);
  g_queue_clear (&self->pulsing);
  g_ptr_array_unref (self->removed);
  g_ptr_array_unref (self->handles);
  g_hash_table_unref (self->watches);
  g_main_context_unref (self->context);
  close_files (self);
  reeve_mutex_clear (&self->lock);
  g_free (self);
}

GMainContext *
reeve_loop_get_context (ReeveLoop *self)
{
  return self->context;
}

void
reeve_loop_run (ReeveLoop *self)
{
  reeve_loop_ref (self);
  while (!g_main_context_acquire (self->context))
    g_main_context_iteration (self->context, TRUE);
  g_main_context_push_thread_default (self->context);
  while (!atomic_load (&self->is_quitting))
    turn (self);
  atomic_store (&self->is_quitting, FALSE);
  g_main_context_pop_thread_default (self->context);
  g_main_context_release (self->context);
  reeve_loop_unref (self);
}

void
reeve_loop_quit (ReeveLoop *self)
{
  atomic_store (&self->is_quitting, TRUE);
  g_main_context_wakeup (self->context);
}

gboolean
reeve_loop_is_current (ReeveLoop *self)
{
  return g_main_context_is_owner (self->context);
}
