/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/loop-private.h"

#include <errno.h>
#include <sys/epoll.h>

struct _ReeveHandle {
  int fd;
  uint32_t generation;
  uint32_t epoll_events; /* as epoll has them */
  ReeveWatch *first;     /* of its watches, in the order they came */
};

static uint32_t
to_epoll (ReeveEvents events)
{
  /* Such a file has no peer that could shut down its side. */
  if (events & REEVE_EVENT_EXCLUSIVE)
    return EPOLLEXCLUSIVE | (events & REEVE_EVENT_READABLE ? EPOLLIN : 0) |
           (events & REEVE_EVENT_WRITABLE ? EPOLLOUT : 0);
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

static ReeveHandle *
get_handle_locked (ReeveLoop *self, int fd) REEVE_REQUIRES (self->lock)
{
  return (unsigned) fd < self->handles->len ? self->handles->pdata[fd] : NULL;
}

static int
control_locked (ReeveLoop *self,
                int operation,
                ReeveHandle *handle,
                uint32_t events) REEVE_REQUIRES (self->lock)
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
get_wanted (const ReeveHandle *handle)
{
  uint32_t events = 0;

  for (ReeveWatch *watch = handle->first; watch != NULL;
       watch = watch->file.next)
    events |= to_epoll (watch->file.events);

  return events;
}

static void
free_handle_locked (ReeveLoop *self, ReeveHandle *handle)
    REEVE_REQUIRES (self->lock)
{
  self->handles->pdata[handle->fd] = NULL;
  g_free (handle);
}

/* The file was closed and its number given to another one: what stood on it
 * is never called again. */
static void
forget_handle_locked (ReeveLoop *self, ReeveHandle *handle)
    REEVE_REQUIRES (self->lock)
{
  for (ReeveWatch *watch = handle->first; watch != NULL;
       watch = watch->file.next)
    watch->file.handle = NULL;
  free_handle_locked (self, handle);
}

static ReeveHandle *
new_handle_locked (ReeveLoop *self, int fd, uint32_t events)
    REEVE_REQUIRES (self->lock)
{
  ReeveHandle *handle = g_new0 (ReeveHandle, 1);

  /* The upper two bits mark the loop's own files. */
  self->last_generation = self->last_generation % (UINT32_MAX >> 2) + 1;
  handle->fd = fd;
  handle->generation = self->last_generation;
  if (control_locked (self, EPOLL_CTL_ADD, handle, events) < 0) {
    g_free (handle);
    return NULL;
  }

  if ((unsigned) fd >= self->handles->len)
    g_ptr_array_set_size (self->handles, fd + 1);
  self->handles->pdata[fd] = handle;
  return handle;
}

static ReeveHandle *
open_handle_locked (ReeveLoop *self, int fd, ReeveEvents events)
    REEVE_REQUIRES (self->lock)
{
  ReeveHandle *handle;

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

/* Where the handle points to @watch, or, for NULL, to the end. */
static ReeveWatch **
find_place (ReeveHandle *handle, const ReeveWatch *watch)
{
  ReeveWatch **place = &handle->first;

  while (*place != watch)
    place = &(*place)->file.next;
  return place;
}

void
reeve_loop_close_handle_locked (ReeveLoop *self, ReeveWatch *watch)
{
  ReeveHandle *handle = watch->file.handle;

  if (handle == NULL)
    return;

  watch->file.handle = NULL;
  *find_place (handle, watch) = watch->file.next;
  /* Both fail harmlessly when the file is closed already. */
  if (handle->first != NULL) {
    control_locked (self, EPOLL_CTL_MOD, handle, get_wanted (handle));
  } else {
    control_locked (self, EPOLL_CTL_DEL, handle, 0);
    free_handle_locked (self, handle);
  }
}

ReeveWatch *
reeve_loop_add_file_watch_locked (ReeveLoop *self,
                                  ReeveWatchKind kind,
                                  int fd,
                                  ReeveEvents events,
                                  ReeveWatchFunc func,
                                  gpointer data,
                                  GDestroyNotify free_func)
{
  ReeveHandle *handle = open_handle_locked (self, fd, events);
  ReeveWatch *watch;

  if (handle == NULL)
    return NULL;

  watch = reeve_loop_add_watch_locked (self, kind, func, data, free_func);
  watch->file.events = events;
  watch->file.pid_fd = -1;
  watch->file.handle = handle;
  *find_place (handle, NULL) = watch;
  return watch;
}

int
reeve_loop_add_handle (ReeveLoop *self,
                       int fd,
                       ReeveEvents events,
                       ReeveHandleFunc func,
                       gpointer data,
                       GDestroyNotify free_func)
{
  ReeveWatch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch =
      reeve_loop_add_file_watch_locked (self, REEVE_WATCH_HANDLE, fd, events,
                                        (ReeveWatchFunc) func, data, free_func);
  return watch == NULL ? -1 : watch->id;
}

void
reeve_loop_update_handle (ReeveLoop *self, int id, ReeveEvents events)
{
  ReeveWatch *watch;

  REEVE_LOCK_SCOPE (&self->lock);

  watch = reeve_loop_find_watch_locked (self, id, REEVE_WATCH_HANDLE);
  if (watch == NULL || watch->file.events == events)
    return;

  watch->file.events = events;
  if (watch->file.handle != NULL)
    control_locked (self, EPOLL_CTL_MOD, watch->file.handle,
                    get_wanted (watch->file.handle));
}

/* What one watch of a file has to be called for; holds it until
 * reeve_watch_end_call(). */
static ReeveEvents
begin_handle_locked (ReeveWatch *watch, ReeveEvents events)
{
  ReeveEvents wanted =
      watch->file.events | REEVE_EVENT_ERROR | REEVE_EVENT_HANGUP;

  if ((events & wanted) != 0)
    watch->n_running++;
  return events & wanted;
}

typedef struct {
  ReeveWatch *watch;
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
  ReeveHandle *handle;

  REEVE_LOCK_SCOPE (&self->lock);

  handle = get_handle_locked (self, (int) (uint32_t) event->data.u64);
  if (handle == NULL || handle->generation != event->data.u64 >> 32)
    return 0;

  for (ReeveWatch *watch = handle->first; watch != NULL;
       watch = watch->file.next) {
    const Ready ready = { watch, begin_handle_locked (watch, events) };

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

static void
call_ready (ReeveLoop *self, const Ready *ready, int fd)
{
  ReeveWatch *watch = ready->watch;

  if (!reeve_watch_is_removed (watch)) {
    if (watch->kind == REEVE_WATCH_CHILD)
      reeve_loop_call_child (self, watch);
    else
      ((ReeveHandleFunc) watch->func) (self, watch->id, fd, ready->events,
                                       watch->data);
  }
  reeve_watch_end_call (watch);
}

void
reeve_loop_dispatch_handle (ReeveLoop *self, const struct epoll_event *event)
{
  int fd = (int) (uint32_t) event->data.u64;
  g_autoptr (GArray) others = NULL;
  Ready first = { 0 };

  if (collect (self, event, &first, &others) == 0)
    return;

  call_ready (self, &first, fd);
  for (unsigned i = 0; others != NULL && i < others->len; i++)
    call_ready (self, &g_array_index (others, Ready, i), fd);
}
