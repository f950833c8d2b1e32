/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/request.h"
#include "tree/module.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* A machine's first console as a file: each open() is a viewer. */

#define MAX_READ 65536

/* Behind a handle; the console's own threads hold it, too, to wake it. */
typedef struct {
  gatomicrefcount refs;
  ReeveLoop *loop;            /* immutable (owned) */
  ReeveResourceNode *node;    /* (owned) (nullable): NULL once it was closed */
  ReeveConsoleViewer *viewer; /* (owned) (nullable), as above */
  GQueue reads;               /* (element-type ReeveResourceRequest) */
  GQueue writes;
  gboolean is_readable; /* something came since the last read found nothing */
} Viewer;

static void
viewer_unref (gpointer data)
{
  Viewer *self = data;

  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  reeve_loop_unref (self->loop);
  g_free (self);
}

/* --------------------------------------------------- reading and writing -- */

/* Returns: whether @request was answered. */
static gboolean
try_read (Viewer *self, ReeveResourceRequest *request)
{
  size_t size = MIN (reeve_resource_request_get_size (request), MAX_READ);
  g_autofree uint8_t *bytes = NULL;
  gssize n_read = -1;

  if (size > 0) {
    bytes = g_malloc (size);
    n_read = reeve_console_viewer_read (self->viewer, bytes, size);
  }
  self->is_readable = n_read != 0;
  if (n_read == 0)
    return FALSE;
  reeve_resource_request_give (request, bytes, (size_t) MAX (n_read, 0));
  return TRUE;
}

static gboolean
try_write (Viewer *self, ReeveResourceRequest *request)
{
  size_t size = reeve_resource_request_get_size (request);
  size_t n_taken = 0;

  if (size > 0) {
    n_taken = reeve_console_viewer_write (
        self->viewer,
        (const uint8_t *) reeve_resource_request_get_bytes (request), size);
    if (n_taken == 0)
      return FALSE;
  }
  reeve_resource_request_take_some (request, n_taken);
  return TRUE;
}

static void
forget (ReeveResourceRequest *request, gpointer data)
{
  g_queue_remove (data, request);
  reeve_resource_request_drop (request);
}

static void
wait_or_fail (ReeveResourceRequest *request, GQueue *queue)
{
  if (reeve_resource_request_is_nonblock (request)) {
    reeve_resource_request_fail (request, EAGAIN);
    return;
  }
  reeve_resource_request_set_cancel (request, forget, queue);
  g_queue_push_tail (queue, request);
}

static Viewer *
get_viewer (ReeveResourceRequest *request)
{
  return reeve_resource_handle_get_data (
      reeve_resource_request_get_handle (request));
}

static void
read_console (ReeveResourceRequest *request, gpointer data)
{
  Viewer *self = get_viewer (request);

  if (self->reads.length > 0 || !try_read (self, request))
    wait_or_fail (request, &self->reads);
}

static void
write_console (ReeveResourceRequest *request, gpointer data)
{
  Viewer *self = get_viewer (request);

  if (self->writes.length > 0 || !try_write (self, request))
    wait_or_fail (request, &self->writes);
}

static void
run_queue (Viewer *self,
           GQueue *queue,
           gboolean (*try) (Viewer *self, ReeveResourceRequest *request))
{
  while (self->viewer != NULL && queue->length > 0) {
    ReeveResourceRequest *request = g_queue_pop_head (queue);

    reeve_resource_request_set_cancel (request, NULL, NULL);
    if (try (self, request))
      continue;
    reeve_resource_request_set_cancel (request, forget, queue);
    g_queue_push_head (queue, request);
    return;
  }
}

/* ReeveLoopFunc */
static void
go_on (ReeveLoop *loop, gpointer data)
{
  Viewer *self = data;

  if (self->viewer != NULL) {
    self->is_readable = TRUE;
    run_queue (self, &self->reads, try_read);
    run_queue (self, &self->writes, try_write);
  }
  if (self->node != NULL)
    reeve_resource_node_notify (self->node);
  viewer_unref (self);
}

/* Any thread's. */
static void
wake (gpointer data)
{
  Viewer *self = data;

  g_atomic_ref_count_inc (&self->refs);
  reeve_loop_invoke (self->loop, go_on, self);
}

static unsigned
poll_console (ReeveResourceHandle *handle, gpointer data)
{
  const Viewer *self = reeve_resource_handle_get_data (handle);

  return (self->is_readable ? POLLIN | POLLRDNORM : 0) | POLLOUT | POLLWRNORM;
}

/* ---------------------------------------------------------- open, close --- */

static int
open_console (ReeveResourceHandle *handle, gpointer data)
{
  const ReeveTreeSource *source = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (ReeveConsole) console = reeve_machine_find_console (
      source->machine, REEVE_TERMINAL_CONSOLE, NULL, &error);
  ReeveConsoleViewer *viewer = NULL;
  Viewer *self = NULL;

  if (console != NULL)
    viewer = reeve_console_attach (console, FALSE, &error);
  if (viewer == NULL)
    return reeve_tree_get_errno (error);

  self = g_new0 (Viewer, 1);
  g_atomic_ref_count_init (&self->refs);
  self->loop = reeve_loop_ref (reeve_daemon_get_loop (source->base->daemon));
  self->node =
      reeve_resource_node_ref (reeve_resource_handle_get_node (handle));
  self->viewer = viewer;
  self->is_readable = TRUE;
  reeve_resource_handle_set_data (handle, self, viewer_unref);
  g_atomic_ref_count_inc (&self->refs);
  reeve_console_viewer_set_wake (viewer, wake, self, viewer_unref);
  return 0;
}

static void
close_console (ReeveResourceHandle *handle, gpointer data)
{
  Viewer *self = reeve_resource_handle_get_data (handle);

  g_clear_pointer (&self->viewer, reeve_console_viewer_detach);
  g_clear_pointer (&self->node, reeve_resource_node_unref);
}

ReeveResourceNode *
reeve_tree_console_new (ReeveMachine *machine, ReeveTreeBase *base)
{
  static const ReeveResourceOps ops = {
    .is_stream = TRUE,
    .open = open_console,
    .close = close_console,
    .read = read_console,
    .write = write_console,
    .poll = poll_console,
  };
  static const ReeveTreeAccess access = {
    .read_tag = "domain:open_device",
    .write_tag = "domain:open_device",
  };
  ReeveTreeSource *source =
      reeve_tree_source_new (sizeof *source, base, &access, "console", machine);
  ReeveResourceNode *node =
      reeve_resource_node_new (0600, &ops, source, reeve_tree_source_free);

  reeve_resource_node_set_guard (node, reeve_tree_guard, source);
  return node;
}
