/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/loop.h"

#include "event/fd.h"
#include "event/refs.h"
#include "event/thread.h"
#include "event/timeout-heap.h"

#include <glib-unix.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

/* How many ready files one epoll_wait() takes, and how often it is called
 * again, without another turn through GLib, while files are ready. */
#define BATCH_SIZE 64
#define MAX_BATCHES 4

/* Marks the loop's own files in the upper two bits of epoll's user data, of
 * which the upper half is otherwise a handle's generation. */
#define OWN_WAKE (UINT64_C (1) << 62)
#define OWN_TIMER (UINT64_C (2) << 62)

typedef enum {
  WATCH_HANDLE,
  WATCH_TIMEOUT,
  WATCH_PULSE,
  WATCH_SIGNAL,
  WATCH_CHILD,
} WatchKind;

typedef struct {
  int code;
  intptr_t value;
} Pulse;

typedef struct _Handle Handle;

/* A callback of any kind; the kind of the watch says which. */
typedef void (*Func) (void);

/* Everything that changes is guarded by the loop's lock. */
typedef struct {
  ReeveLoop *loop; /* not a reference */
  int id;          /* immutable */
  WatchKind kind;  /* immutable */
  Func func;       /* immutable */
  gpointer data;
  GDestroyNotify free_func;
  unsigned n_running; /* calls on the stack */
  gboolean is_removed;

  Handle *handle; /* WATCH_HANDLE, WATCH_CHILD; NULL once it is stale */
  ReeveEvents events;
  pid_t pid;
  int pid_fd; /* (owned) WATCH_CHILD */

  ReeveTimeoutNode timeout;
  int interval_ms;

  GArray *pulses; /* (element-type Pulse) (nullable) */
  gboolean is_pulsing;

  int signum;
  GSource *signal_source; /* (owned) */
} Watch;

/* One file in epoll, with the watches that stand on it. */
struct _Handle {
  int fd;
  uint32_t generation;
  uint32_t epoll_events; /* as epoll has them */
  GPtrArray *watches;    /* (element-type Watch) */
};

struct _ReeveLoop {
  ReeveRefs refs;
  GMainContext *context; /* immutable */
  GSource *source;       /* immutable */
  int epoll_fd;          /* immutable */
  int wake_fd;           /* immutable */
  int timer_fd;          /* immutable */
  atomic_bool is_quitting;

  /* Of the thread that runs the loop. */
  unsigned depth; /* dispatches on the stack */

  ReeveMutex lock;
  int last_id REEVE_GUARDED;
  uint32_t last_generation REEVE_GUARDED;
  GHashTable *watches REEVE_GUARDED; /* id -> Watch (owned) */
  GPtrArray *handles REEVE_GUARDED;  /* by fd: Handle (owned), or NULL */
  ReeveTimeoutHeap timeouts REEVE_GUARDED;
  gint64 timer_due_us REEVE_GUARDED; /* what the timer is set to; 0: off */
  GQueue invocations REEVE_GUARDED;  /* (element-type Invocation) (owned) */
  GQueue pulsing REEVE_GUARDED;      /* (element-type Watch) */
  GPtrArray *removed REEVE_GUARDED;  /* (element-type Watch) (owned) */
  gboolean is_woken REEVE_GUARDED;
};

typedef struct {
  ReeveLoopFunc func;
  gpointer data;
} Invocation;

typedef struct {
  GSource source;
  ReeveLoop *loop; /* not a reference */
  gpointer tag;
} LoopSource;

/* ------------------------------------------------------------ wake-ups --- */

static void
wake_locked (ReeveLoop *self) REEVE_REQUIRES (self->lock)
{
  static const uint64_t one = 1;

  if (self->is_woken)
    return;

  self->is_woken = TRUE;
  /* The counter cannot be full: it is read before it is written again. */
  if (write (self->wake_fd, &one, sizeof one) < 0)
    g_assert (errno == EAGAIN);
}

static void
arm_timer_locked (ReeveLoop *self) REEVE_REQUIRES (self->lock)
{
  ReeveTimeoutNode *first = reeve_timeout_heap_peek (&self->timeouts);
  gint64 due_us = first == NULL ? 0 : MAX (first->due_us, 1);
  struct itimerspec setting = {
    .it_value.tv_sec = due_us / G_USEC_PER_SEC,
    .it_value.tv_nsec = due_us % G_USEC_PER_SEC * 1000,
  };

  if (due_us == self->timer_due_us)
    return;

  self->timer_due_us = due_us;
  timerfd_settime (self->timer_fd, TFD_TIMER_ABSTIME, &setting, NULL);
}

/* ------------------------------------------------------------- watches --- */

static Watch *
add_watch_locked (ReeveLoop *self,
                  WatchKind kind,
                  Func func,
                  gpointer data,
                  GDestroyNotify free_func) REEVE_REQUIRES (self->lock)
{
  Watch *watch = g_new0 (Watch, 1);

  do
    self->last_id = self->last_id == G_MAXINT ? 1 : self->last_id + 1;
  while (
      g_hash_table_contains (self->watches, GINT_TO_POINTER (self->last_id)));

  watch->loop = self;
  watch->id = self->last_id;
  watch->kind = kind;
  watch->func = func;
  watch->data = data;
  watch->free_func = free_func;
  watch->pid_fd = -1;
  g_hash_table_insert (self->watches, GINT_TO_POINTER (watch->id), watch);
  return watch;
}

/* (nullable): a watch of one kind that was not removed. */
static Watch *
find_watch_locked (ReeveLoop *self, int id, WatchKind kind)
    REEVE_REQUIRES (self->lock)
{
  Watch *watch = g_hash_table_lookup (self->watches, GINT_TO_POINTER (id));

  return watch != NULL && watch->kind == kind ? watch : NULL;
}

/* With no lock held, in the loop's thread (or the last one that has it). */
static void
free_watch (Watch *watch)
{
  if (watch->signal_source != NULL) {
    g_source_destroy (watch->signal_source);
    g_source_unref (watch->signal_source);
  }
  if (watch->pulses != NULL)
    g_array_unref (watch->pulses);
  reeve_fd_clear (&watch->pid_fd);
  if (watch->free_func != NULL)
    watch->free_func (watch->data);
  g_free (watch);
}

/* Takes one removed watch whose callback is not on the stack. */
static Watch *
steal_removed (ReeveLoop *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < self->removed->len; i++) {
    Watch *watch = self->removed->pdata[i];

    if (watch->n_running == 0)
      return g_ptr_array_steal_index_fast (self->removed, i);
  }

  return NULL;
}

static void
free_removed (ReeveLoop *self)
{
  Watch *watch;

  while ((watch = steal_removed (self)) != NULL)
    free_watch (watch);
}

/* ------------------------------------------------------------- handles --- */

static uint32_t
to_epoll (ReeveEvents events)
{
  return (events & REEVE_EVENT_READABLE ? EPOLLIN | EPOLLRDHUP : 0) |
         (events & REEVE_EVENT_WRITABLE ? EPOLLOUT : 0);
}

static ReeveEvents
from_epoll (uint32_t events)
{
  return (events & (EPOLLIN | EPOLLRDHUP) ? REEVE_EVENT_READABLE : 0) |
         (events & EPOLLOUT ? REEVE_EVENT_WRITABLE : 0) |
         (events & EPOLLERR ? REEVE_EVENT_ERROR : 0) |
         (events & EPOLLHUP ? REEVE_EVENT_HANGUP : 0);
}

static Handle *
get_handle_locked (ReeveLoop *self, int fd) REEVE_REQUIRES (self->lock)
{
  return (unsigned) fd < self->handles->len ? self->handles->pdata[fd] : NULL;
}

static int
control_locked (ReeveLoop *self, int operation, Handle *handle, uint32_t events)
    REEVE_REQUIRES (self->lock)
{
  struct epoll_event event = {
    .events = events,
    .data.u64 = (uint64_t) handle->generation << 32 | (uint32_t) handle->fd,
  };

  if (epoll_ctl (self->epoll_fd, operation, handle->fd, &event) < 0)
    return -1;

  handle->epoll_events = events;
  return 0;
}

static uint32_t
get_wanted (const Handle *handle)
{
  uint32_t events = 0;

  for (unsigned i = 0; i < handle->watches->len; i++)
    events |= to_epoll (((Watch *) handle->watches->pdata[i])->events);

  return events;
}

static void
free_handle_locked (ReeveLoop *self, Handle *handle) REEVE_REQUIRES (self->lock)
{
  self->handles->pdata[handle->fd] = NULL;
  g_ptr_array_unref (handle->watches);
  g_free (handle);
}

/* The file was closed and its number given to another one: what stood on it
 * is never called again. */
static void
forget_handle_locked (ReeveLoop *self, Handle *handle)
    REEVE_REQUIRES (self->lock)
{
  for (unsigned i = 0; i < handle->watches->len; i++)
    ((Watch *) handle->watches->pdata[i])->handle = NULL;
  free_handle_locked (self, handle);
}

static Handle *
new_handle_locked (ReeveLoop *self, int fd, uint32_t events)
    REEVE_REQUIRES (self->lock)
{
  Handle *handle = g_new0 (Handle, 1);

  /* The upper two bits mark the loop's own files. */
  self->last_generation = self->last_generation % (UINT32_MAX >> 2) + 1;
  handle->fd = fd;
  handle->generation = self->last_generation;
  if (control_locked (self, EPOLL_CTL_ADD, handle, events) < 0) {
    g_free (handle);
    return NULL;
  }

  handle->watches = g_ptr_array_new ();
  if ((unsigned) fd >= self->handles->len)
    g_ptr_array_set_size (self->handles, fd + 1);
  self->handles->pdata[fd] = handle;
  return handle;
}

static Handle *
open_handle_locked (ReeveLoop *self, int fd, ReeveEvents events)
    REEVE_REQUIRES (self->lock)
{
  Handle *handle;

  if (fd < 0) {
    errno = EBADF;
    return NULL;
  }

  handle = get_handle_locked (self, fd);
  if (handle != NULL) {
    if (control_locked (self, EPOLL_CTL_MOD, handle,
                        handle->epoll_events | to_epoll (events)) == 0)
      return handle;
    if (errno != ENOENT)
      return NULL;
    forget_handle_locked (self, handle);
  }

  return new_handle_locked (self, fd, to_epoll (events));
}

static void
close_handle_locked (ReeveLoop *self, Watch *watch) REEVE_REQUIRES (self->lock)
{
  Handle *handle = watch->handle;

  if (handle == NULL)
    return;

  watch->handle = NULL;
  g_ptr_array_remove_fast (handle->watches, watch);
  /* Both fail harmlessly when the file is closed already. */
  if (handle->watches->len > 0) {
    control_locked (self, EPOLL_CTL_MOD, handle, get_wanted (handle));
  } else {
    control_locked (self, EPOLL_CTL_DEL, handle, 0);
    free_handle_locked (self, handle);
  }
}

int
reeve_loop_add_handle (ReeveLoop *self,
                       int fd,
                       ReeveEvents events,
                       ReeveHandleFunc func,
                       gpointer data,
                       GDestroyNotify free_func)
{
  Handle *handle;
  Watch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  handle = open_handle_locked (self, fd, events);
  if (handle == NULL)
    return -1;

  watch = add_watch_locked (self, WATCH_HANDLE, (Func) func, data, free_func);
  watch->events = events;
  watch->handle = handle;
  g_ptr_array_add (handle->watches, watch);
  return watch->id;
}

void
reeve_loop_update_handle (ReeveLoop *self, int id, ReeveEvents events)
{
  Watch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = find_watch_locked (self, id, WATCH_HANDLE);
  if (watch == NULL || watch->events == events)
    return;

  watch->events = events;
  if (watch->handle != NULL)
    control_locked (self, EPOLL_CTL_MOD, watch->handle,
                    get_wanted (watch->handle));
}

/* ------------------------------------------------------------ timeouts --- */

static void
schedule_locked (ReeveLoop *self, Watch *watch, gint64 now_us)
    REEVE_REQUIRES (self->lock)
{
  reeve_timeout_heap_remove (&self->timeouts, &watch->timeout);
  if (watch->interval_ms < 0)
    return;

  watch->timeout.due_us = now_us + (gint64) watch->interval_ms * 1000;
  reeve_timeout_heap_insert (&self->timeouts, &watch->timeout);
}

int
reeve_loop_add_timeout (ReeveLoop *self,
                        int interval_ms,
                        ReeveTimeoutFunc func,
                        gpointer data,
                        GDestroyNotify free_func)
{
  Watch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = add_watch_locked (self, WATCH_TIMEOUT, (Func) func, data, free_func);
  watch->interval_ms = interval_ms;
  schedule_locked (self, watch, g_get_monotonic_time ());
  arm_timer_locked (self);
  return watch->id;
}

void
reeve_loop_update_timeout (ReeveLoop *self, int id, int interval_ms)
{
  Watch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = find_watch_locked (self, id, WATCH_TIMEOUT);
  if (watch == NULL)
    return;

  watch->interval_ms = interval_ms;
  schedule_locked (self, watch, g_get_monotonic_time ());
  arm_timer_locked (self);
}

/* -------------------------------------------------------------- pulses --- */

int
reeve_loop_add_pulse (ReeveLoop *self,
                      ReevePulseFunc func,
                      gpointer data,
                      GDestroyNotify free_func)
{
  Watch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = add_watch_locked (self, WATCH_PULSE, (Func) func, data, free_func);
  watch->pulses = g_array_new (FALSE, FALSE, sizeof (Pulse));
  return watch->id;
}

void
reeve_loop_send_pulse (ReeveLoop *self, int id, int code, intptr_t value)
{
  const Pulse pulse = { .code = code, .value = value };
  Watch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = find_watch_locked (self, id, WATCH_PULSE);
  if (watch == NULL)
    return;

  for (unsigned i = 0; i < watch->pulses->len; i++) {
    Pulse *waiting = &g_array_index (watch->pulses, Pulse, i);

    if (waiting->code == code) {
      waiting->value = value;
      return;
    }
  }

  g_array_append_val (watch->pulses, pulse);
  if (!watch->is_pulsing) {
    watch->is_pulsing = TRUE;
    g_queue_push_tail (&self->pulsing, watch);
  }
  wake_locked (self);
}

void
reeve_loop_invoke (ReeveLoop *self, ReeveLoopFunc func, gpointer data)
{
  Invocation *invocation = g_new (Invocation, 1);

  invocation->func = func;
  invocation->data = data;

  REEVE_LOCK_SCOPE (&self->lock);

  g_queue_push_tail (&self->invocations, invocation);
  wake_locked (self);
}

/* ------------------------------------------------- signals, children ----- */

static gboolean begin_call (ReeveLoop *self, Watch *watch);
static void end_call (ReeveLoop *self, Watch *watch);

static gboolean
dispatch_signal (gpointer data)
{
  Watch *watch = data;
  ReeveLoop *self = reeve_loop_ref (watch->loop);

  if (begin_call (self, watch)) {
    ((ReeveSignalFunc) watch->func) (self, watch->id, watch->signum,
                                     watch->data);
    end_call (self, watch);
  }
  if (self->depth == 0)
    free_removed (self);
  reeve_loop_unref (self);
  return G_SOURCE_CONTINUE;
}

int
reeve_loop_add_signal (ReeveLoop *self,
                       int signum,
                       ReeveSignalFunc func,
                       gpointer data,
                       GDestroyNotify free_func)
{
  static const int known[] = { SIGHUP,  SIGINT,  SIGTERM,
                               SIGUSR1, SIGUSR2, SIGWINCH };
  Watch *watch;
  size_t i = 0;

  while (i < G_N_ELEMENTS (known) && known[i] != signum)
    i++;
  if (i == G_N_ELEMENTS (known)) {
    errno = EINVAL;
    return -1;
  }

  REEVE_LOCK_SCOPE (&self->lock);

  watch = add_watch_locked (self, WATCH_SIGNAL, (Func) func, data, free_func);
  watch->signum = signum;
  watch->signal_source = g_unix_signal_source_new (signum);
  g_source_set_callback (watch->signal_source, dispatch_signal, watch, NULL);
  g_source_attach (watch->signal_source, self->context);
  return watch->id;
}

int
reeve_loop_add_child (ReeveLoop *self,
                      pid_t pid,
                      ReeveChildFunc func,
                      gpointer data,
                      GDestroyNotify free_func)
{
  REEVE_AUTOFD int fd = (int) syscall (SYS_pidfd_open, pid, 0);
  Handle *handle;
  Watch *watch;

  if (fd < 0)
    return -1;

  REEVE_LOCK_SCOPE (&self->lock);

  handle = open_handle_locked (self, fd, REEVE_EVENT_READABLE);
  if (handle == NULL)
    return -1;

  watch = add_watch_locked (self, WATCH_CHILD, (Func) func, data, free_func);
  watch->events = REEVE_EVENT_READABLE;
  watch->handle = handle;
  watch->pid = pid;
  watch->pid_fd = g_steal_fd (&fd);
  g_ptr_array_add (handle->watches, watch);
  return watch->id;
}

/* As waitpid() gives it; -1 for a process that is not ours to wait for. */
static int
reap (Watch *watch)
{
  siginfo_t info = { 0 };

  if (waitid ((idtype_t) P_PIDFD, (id_t) watch->pid_fd, &info,
              WEXITED | WNOHANG) < 0 ||
      info.si_pid == 0)
    return -1;

  switch (info.si_code) {
  case CLD_EXITED:
    return (info.si_status & 0xff) << 8;
  case CLD_DUMPED:
    return info.si_status | 0x80;
  default:
    return info.si_status;
  }
}

/* ------------------------------------------------------------ dispatch --- */

static gboolean
begin_call (ReeveLoop *self, Watch *watch)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (watch->is_removed)
    return FALSE;

  watch->n_running++;
  return TRUE;
}

static void
end_call (ReeveLoop *self, Watch *watch)
{
  REEVE_LOCK_SCOPE (&self->lock);

  watch->n_running--;
}

/* What one watch of a file has to be called for; holds it until end_call(). */
static ReeveEvents
begin_handle_locked (Watch *watch, ReeveEvents events)
{
  ReeveEvents wanted = watch->events | REEVE_EVENT_ERROR | REEVE_EVENT_HANGUP;

  if ((events & wanted) != 0)
    watch->n_running++;
  return events & wanted;
}

typedef struct {
  Watch *watch;
  ReeveEvents events;
} Ready;

/* The watches to call for one of epoll's events, each held. Most files have
 * one, so that one costs no memory. Returns the number. */
static unsigned
collect (ReeveLoop *self,
         const struct epoll_event *event,
         Ready *first,
         GArray **others)
{
  ReeveEvents events = from_epoll (event->events);
  unsigned n_ready = 0;
  Handle *handle;

  REEVE_LOCK_SCOPE (&self->lock);

  handle = get_handle_locked (self, (int) (uint32_t) event->data.u64);
  if (handle == NULL || handle->generation != event->data.u64 >> 32)
    return 0;

  for (unsigned i = 0; i < handle->watches->len; i++) {
    Ready ready = { .watch = handle->watches->pdata[i] };

    ready.events = begin_handle_locked (ready.watch, events);
    if (ready.events == 0)
      continue;
    if (n_ready++ == 0) {
      *first = ready;
      continue;
    }
    if (*others == NULL)
      *others = g_array_new (FALSE, FALSE, sizeof (Ready));
    g_array_append_val (*others, ready);
  }

  return n_ready;
}

static gboolean
is_removed (ReeveLoop *self, Watch *watch)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return watch->is_removed;
}

static void
call_ready (ReeveLoop *self, const Ready *ready, int fd)
{
  Watch *watch = ready->watch;

  if (!is_removed (self, watch)) {
    if (watch->kind == WATCH_CHILD) {
      int status = reap (watch);

      reeve_loop_remove (self, watch->id);
      ((ReeveChildFunc) watch->func) (self, watch->id, watch->pid, status,
                                      watch->data);
    } else {
      ((ReeveHandleFunc) watch->func) (self, watch->id, fd, ready->events,
                                       watch->data);
    }
  }
  end_call (self, watch);
}

static void
dispatch_handle (ReeveLoop *self, const struct epoll_event *event)
{
  int fd = (int) (uint32_t) event->data.u64;
  g_autoptr (GArray) others = NULL;
  Ready first;

  if (collect (self, event, &first, &others) == 0)
    return;

  call_ready (self, &first, fd);
  for (unsigned i = 0; others != NULL && i < others->len; i++)
    call_ready (self, &g_array_index (others, Ready, i), fd);
}

/* The next timeout that is due and was not called in this round, held. */
static Watch *
next_due (ReeveLoop *self, gint64 now_us)
{
  ReeveTimeoutNode *node;
  Watch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  node = reeve_timeout_heap_peek (&self->timeouts);
  if (node == NULL || node->due_us > now_us)
    return NULL;

  watch = (Watch *) ((char *) node - G_STRUCT_OFFSET (Watch, timeout));
  /* "Each turn" is due again at once: it is moved behind this round. */
  schedule_locked (self, watch, watch->interval_ms == 0 ? now_us + 1 : now_us);
  watch->n_running++;
  return watch;
}

static void
dispatch_timeouts (ReeveLoop *self)
{
  gint64 now_us = g_get_monotonic_time ();
  uint64_t n_expired;
  Watch *watch;

  if (read (self->timer_fd, &n_expired, sizeof n_expired) < 0)
    g_assert (errno == EAGAIN || errno == ECANCELED);

  while ((watch = next_due (self, now_us)) != NULL) {
    ((ReeveTimeoutFunc) watch->func) (self, watch->id, watch->data);
    end_call (self, watch);
  }

  REEVE_LOCK_SCOPE (&self->lock);

  self->timer_due_us = 0;
  arm_timer_locked (self);
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

/* Takes the pulses of one watch, which is held. */
static Watch *
next_pulsing (ReeveLoop *self, GArray **pulses)
{
  Watch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = g_queue_pop_head (&self->pulsing);
  if (watch == NULL)
    return NULL;

  watch->is_pulsing = FALSE;
  watch->n_running++;
  *pulses = watch->pulses;
  watch->pulses = g_array_new (FALSE, FALSE, sizeof (Pulse));
  return watch;
}

static void
dispatch_pulses (ReeveLoop *self)
{
  GArray *pulses;
  Watch *watch;

  while ((watch = next_pulsing (self, &pulses)) != NULL) {
    for (unsigned i = 0; i < pulses->len && !is_removed (self, watch); i++) {
      const Pulse *pulse = &g_array_index (pulses, Pulse, i);

      ((ReevePulseFunc) watch->func) (self, watch->id, pulse->code,
                                      pulse->value, watch->data);
    }
    g_array_unref (pulses);
    end_call (self, watch);
  }
}

static void
dispatch_wake_up (ReeveLoop *self)
{
  GQueue invocations;

  take_wake_up (self, &invocations);
  run_invocations (self, &invocations);
  dispatch_pulses (self);
}

static int
dispatch_batch (ReeveLoop *self)
{
  struct epoll_event events[BATCH_SIZE];
  int n_events = epoll_wait (self->epoll_fd, events, BATCH_SIZE, 0);

  for (int i = 0; i < n_events; i++) {
    if (events[i].data.u64 == OWN_WAKE)
      dispatch_wake_up (self);
    else if (events[i].data.u64 == OWN_TIMER)
      dispatch_timeouts (self);
    else
      dispatch_handle (self, &events[i]);
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

  free_removed (self);
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

/* -------------------------------------------------------------- the loop - */

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
  attach_source (self);
  return self;
}

ReeveLoop *
reeve_loop_ref (ReeveLoop *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

static int
get_any_watch (ReeveLoop *self)
{
  GHashTableIter iter;
  gpointer id;

  REEVE_LOCK_SCOPE (&self->lock);

  g_hash_table_iter_init (&iter, self->watches);
  return g_hash_table_iter_next (&iter, &id, NULL) ? GPOINTER_TO_INT (id) : -1;
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
  free_removed (self);
  while ((watch = get_any_watch (self)) > 0) {
    reeve_loop_remove (self, watch);
    free_removed (self);
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
  g_main_context_push_thread_default (self->context);
  while (!atomic_load (&self->is_quitting))
    g_main_context_iteration (self->context, TRUE);
  atomic_store (&self->is_quitting, FALSE);
  g_main_context_pop_thread_default (self->context);
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

gboolean
reeve_loop_remove (ReeveLoop *self, int id)
{
  Watch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = g_hash_table_lookup (self->watches, GINT_TO_POINTER (id));
  if (watch == NULL)
    return FALSE;

  g_hash_table_remove (self->watches, GINT_TO_POINTER (id));
  watch->is_removed = TRUE;
  close_handle_locked (self, watch);
  reeve_timeout_heap_remove (&self->timeouts, &watch->timeout);
  arm_timer_locked (self);
  if (watch->is_pulsing)
    g_queue_remove (&self->pulsing, watch);
  g_ptr_array_add (self->removed, watch);
  /* So that it is freed soon. */
  wake_locked (self);
  return TRUE;
}
