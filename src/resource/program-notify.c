/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd-closer.h"
#include "event/fd.h"
#include "event/intl.h"
#include "resource/program-private.h"
#include "rpc/error.h"
#include "rpc/server-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* NOTIFY: a client hears once of what it waits for. */

/* ------------------------------------------------------------- eventfds -- */

/* The client may make the eventfd a blocking one at any time, and keep it full:
 * then one of the workers it may have waits for it. */
typedef struct {
  ReeveJob job;
  ReeveServerClient *client; /* (owned) */
  int fd;                    /* (owned) */
} Signal;

static void
send_signal (ReeveJob *job)
{
  Signal *self = (Signal *) job;
  const uint64_t one = 1;

  /* A full one has been seen by nobody so far, which is as good. */
  if (write (self->fd, &one, sizeof one) < 0 && errno != EAGAIN)
    g_debug ("eventfd: %s", g_strerror (errno));
  reeve_fd_close_elsewhere (self->fd);
  reeve_server_client_unref (self->client);
  g_free (self);
}

/* @fd: (transfer full) */
static void
signal_fd (ReeveServerClient *client, int fd)
{
  Signal *self = g_new0 (Signal, 1);
  GQueue jobs = G_QUEUE_INIT;

  self->client = reeve_server_client_ref (client);
  self->fd = fd;
  self->job.link.data = &self->job;
  self->job.group = reeve_server_client_get_jobs (client);
  self->job.run = send_signal;
  self->job.name = "resource event";
  g_queue_push_tail_link (&jobs, &self->job.link);
  reeve_job_pool_push (
      reeve_server_get_pool (reeve_server_client_get_server (client)), &jobs);
}

/* Whether @fd is one, and does not block. */
static gboolean
is_event_fd (int fd)
{
  char path[64];
  char target[64];
  ssize_t length;
  int flags = fcntl (fd, F_GETFL);

  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  length = readlink (path, target, sizeof target - 1);
  if (length < 0 || flags < 0)
    return FALSE;
  target[length] = '\0';
  return g_str_equal (target, "anon_inode:[eventfd]") &&
         (flags & O_NONBLOCK) != 0;
}

/* Returns: 0, with *@fd -1 if none is asked for, or an errno. */
static int
take_event_fd (ReeveCall *call, const ReeveResourceSession *session, int *fd)
{
  REEVE_AUTOFD int taken = -1;

  *fd = -1;
  if (reeve_call_get_procedure (call)->number != RESOURCE_PROC_NOTIFY_FD)
    return 0;
  if (reeve_call_get_n_fds (call) != 1)
    return EINVAL;
  if (session->n_event_fds == REEVE_RESOURCE_MAX_EVENT_FDS)
    return EMFILE;
  taken = reeve_call_steal_fd (call, 0);
  if (!is_event_fd (taken)) {
    reeve_fd_close_elsewhere (g_steal_fd (&taken));
    return EINVAL;
  }
  *fd = g_steal_fd (&taken);
  return 0;
}

/* ---------------------------------------------------------------- events -- */

void
reeve_resource_file_disarm (ReeveResourceFile *self)
{
  g_clear_pointer (&self->watch, reeve_resource_watch_free);
  if (self->event_fd < 0)
    return;
  reeve_fd_close_elsewhere (g_steal_fd (&self->event_fd));
  self->session->n_event_fds--;
}

void
reeve_resource_file_tell (ReeveResourceFile *self, unsigned ready)
{
  ReeveServerClient *client = self->session->client;
  const resource_notified_msg body = {
    .handle = self->number,
    .cookie = self->cookie,
    .ready = ready,
    .vers = reeve_resource_node_get_version (
        reeve_resource_handle_get_node (self->handle)),
  };

  if (self->watch == NULL || client == NULL)
    return;
  if (self->event_fd >= 0) {
    self->session->n_event_fds--;
    signal_fd (client, g_steal_fd (&self->event_fd));
  } else {
    reeve_server_client_send_event (
        client, &resource_program,
        reeve_program_find (&resource_program, RESOURCE_PROC_NOTIFIED), &body);
  }
  reeve_resource_file_disarm (self);
}

static void
take_change (ReeveResourceNode *node, gpointer data)
{
  ReeveResourceFile *self = data;
  unsigned ready = reeve_resource_handle_poll (self->handle) &
                   (self->events | POLLERR | POLLHUP);

  if (ready != 0 || self->is_next)
    reeve_resource_file_tell (self, ready);
}

gboolean
reeve_resource_notify (ReeveCall *call,
                       const resource_notify_args *args,
                       resource_notify_ret *ret,
                       GError **error)
{
  ReeveResourceSession *session = reeve_resource_session_get (call);
  ReeveResourceFile *file = reeve_resource_session_find (session, args->handle);
  int fd;
  int result;

  if (file == NULL)
    return reeve_resource_set_error (error, EBADF, NULL);
  reeve_resource_file_disarm (file);
  result = take_event_fd (call, session, &fd);
  if (result != 0)
    return reeve_resource_set_error (error, result, file->path);

  ret->ready = reeve_resource_handle_poll (file->handle) &
               (args->events | POLLERR | POLLHUP);
  ret->armed = args->action == RESOURCE_NOTIFY_NEXT ||
               (args->action == RESOURCE_NOTIFY_ARM && ret->ready == 0);
  if (!ret->armed) {
    if (fd >= 0)
      reeve_fd_close_elsewhere (fd);
    return TRUE;
  }

  file->events = args->events;
  file->is_next = args->action == RESOURCE_NOTIFY_NEXT;
  file->cookie = args->cookie;
  file->event_fd = fd;
  if (fd >= 0)
    session->n_event_fds++;
  file->watch = reeve_resource_watch_new (
      reeve_resource_handle_get_node (file->handle), take_change, file);
  return TRUE;
}
