/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/handle.h"

#include "resource/request-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

struct _ReeveResourceHandle {
  grefcount refs;             /* of the opener, and of each request */
  ReeveResourceNode *node;    /* immutable (owned) */
  int flags;                  /* immutable */
  ReeveResourceCaller caller; /* immutable; owns its groups and client */
  GQueue waiting;             /* (element-type ReeveResourceRequest) */
  gpointer data;              /* (owned) (nullable) */
  GDestroyNotify free_func;
};

struct _ReeveResourceRequest {
  ReeveResourceHandle *handle; /* immutable (owned) */
  uint64_t offset;             /* immutable, as what follows */
  char *bytes;                 /* (owned) (nullable) */
  size_t size;
  unsigned code;
  size_t max_size;
  gboolean nonblock;

  GList link;                   /* in the handle's list while it waits */
  ReeveResourceReplyFunc reply; /* NULL once it was answered */
  gpointer reply_data;
  ReeveResourceCancelFunc cancel; /* (nullable) */
  gpointer cancel_data;
  ReeveResourceErrand *errand; /* (owned) (nullable): on a pool's thread */
  gboolean is_running;         /* the node's function has it */
  gboolean is_dropped;         /* by that function */
};

/* -------------------------------------------------------------- handles --- */

int
reeve_resource_handle_open (ReeveResourceNode *node,
                            const ReeveResourceCaller *caller,
                            int flags,
                            ReeveResourceHandle **handle)
{
  static const int wants[] = {
    [O_RDONLY] = R_OK,
    [O_WRONLY] = W_OK,
    [O_RDWR] = R_OK | W_OK,
  };
  const ReeveResourceOps *ops = reeve_resource_node_get_ops (node);
  int mode = flags & O_ACCMODE;
  g_autoptr (ReeveResourceHandle) self = NULL;
  int result;

  if (mode > O_RDWR)
    return EINVAL;
  if (reeve_resource_node_get_target (node) != NULL)
    return ELOOP;
  if (mode != O_RDONLY && reeve_resource_node_is_directory (node))
    return EISDIR;
  result = reeve_resource_node_check_access (node, caller, wants[mode]);
  if (result != 0)
    return result;

  self = g_new0 (ReeveResourceHandle, 1);
  g_ref_count_init (&self->refs);
  self->flags = flags & (O_ACCMODE | O_NONBLOCK);
  self->caller = *caller;
  if (caller->client != NULL)
    reeve_server_client_ref (caller->client);
  self->caller.groups =
      g_memdup2 (caller->groups, caller->n_groups * sizeof *caller->groups);
  if (ops != NULL && ops->open != NULL) {
    self->node = node;
    result = ops->open (self, reeve_resource_node_get_data (node));
    self->node = NULL;
    if (result != 0)
      return result;
  }
  self->node = reeve_resource_node_ref (node);
  *handle = g_steal_pointer (&self);
  return 0;
}

static void
handle_unref (ReeveResourceHandle *self)
{
  if (!g_ref_count_dec (&self->refs))
    return;

  if (self->free_func != NULL)
    self->free_func (self->data);
  reeve_resource_node_unref (self->node);
  g_free ((gpointer) self->caller.groups);
  if (self->caller.client != NULL)
    reeve_server_client_unref (self->caller.client);
  g_free (self);
}

void
reeve_resource_handle_close (ReeveResourceHandle *self)
{
  const ReeveResourceOps *ops = NULL;
  ReeveResourceRequest *request = NULL;

  if (self == NULL)
    return;

  while ((request = g_queue_peek_head (&self->waiting)) != NULL)
    reeve_resource_request_cancel (request, EBADF);
  /* One whose open failed has no node. */
  if (self->node != NULL)
    ops = reeve_resource_node_get_ops (self->node);
  if (ops != NULL && ops->close != NULL)
    ops->close (self, reeve_resource_node_get_data (self->node));
  handle_unref (self);
}

unsigned
reeve_resource_handle_poll (ReeveResourceHandle *self)
{
  const ReeveResourceOps *ops = reeve_resource_node_get_ops (self->node);

  if (ops == NULL || ops->poll == NULL)
    return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  return ops->poll (self, reeve_resource_node_get_data (self->node));
}

ReeveResourceNode *
reeve_resource_handle_get_node (ReeveResourceHandle *self)
{
  return self->node;
}

const ReeveResourceCaller *
reeve_resource_handle_get_caller (const ReeveResourceHandle *self)
{
  return &self->caller;
}

int
reeve_resource_handle_get_flags (const ReeveResourceHandle *self)
{
  return self->flags;
}

gpointer
reeve_resource_handle_get_data (const ReeveResourceHandle *self)
{
  return self->data;
}

void
reeve_resource_handle_set_data (ReeveResourceHandle *self,
                                gpointer data,
                                GDestroyNotify free_func)
{
  if (self->free_func != NULL)
    self->free_func (self->data);
  self->data = data;
  self->free_func = free_func;
}

/* ------------------------------------------------------------- requests --- */

static ReeveResourceRequest *
request_new (ReeveResourceHandle *handle,
             ReeveResourceReplyFunc reply,
             gpointer data)
{
  ReeveResourceRequest *self = g_new0 (ReeveResourceRequest, 1);

  g_ref_count_inc (&handle->refs);
  self->handle = handle;
  self->reply = reply;
  self->reply_data = data;
  self->link.data = self;
  g_queue_push_tail_link (&handle->waiting, &self->link);
  return self;
}

void
reeve_resource_request_drop (ReeveResourceRequest *self)
{
  g_return_if_fail (self->reply == NULL);

  self->is_dropped = TRUE;
  if (self->is_running)
    return;
  handle_unref (self->handle);
  g_free (self->bytes);
  g_free (self);
}

/* Tells the client, unless it was told before. */
static void
send_reply (ReeveResourceRequest *self, const ReeveResourceReply *reply)
{
  ReeveResourceReplyFunc func = g_steal_pointer (&self->reply);

  if (func == NULL)
    return;
  g_queue_unlink (&self->handle->waiting, &self->link);
  func (reply, self->reply_data);
}

void
reeve_resource_request_cancel (ReeveResourceRequest *self, int errnum)
{
  const ReeveResourceReply reply = { .errnum = errnum };
  ReeveResourceCancelFunc cancel = g_steal_pointer (&self->cancel);

  send_reply (self, &reply);
  if (self->errand != NULL) {
    if (reeve_resource_errand_cancel (self->errand))
      reeve_resource_request_drop (self);
  } else if (cancel != NULL) {
    cancel (self, self->cancel_data);
  }
}

gboolean
reeve_resource_request_is_answered (const ReeveResourceRequest *self)
{
  return self->reply == NULL;
}

void
reeve_resource_request_set_errand (ReeveResourceRequest *self,
                                   ReeveResourceErrand *errand)
{
  self->errand = errand;
}

ReeveResourceErrand *
reeve_resource_request_get_errand (const ReeveResourceRequest *self)
{
  return self->errand;
}

/* Hands @self to the node; NULL if that answered. */
static ReeveResourceRequest *
run (ReeveResourceRequest *self,
     void (*func) (ReeveResourceRequest *request, gpointer data))
{
  self->is_running = TRUE;
  func (self, reeve_resource_node_get_data (self->handle->node));
  self->is_running = FALSE;
  if (!self->is_dropped)
    return self;

  reeve_resource_request_drop (self);
  return NULL;
}

ReeveResourceRequest *
reeve_resource_handle_read (ReeveResourceHandle *self,
                            uint64_t offset,
                            size_t size,
                            gboolean nonblock,
                            ReeveResourceReplyFunc reply,
                            gpointer data)
{
  const ReeveResourceOps *ops = reeve_resource_node_get_ops (self->node);
  ReeveResourceRequest *request = request_new (self, reply, data);

  request->offset = offset;
  request->size = MIN (size, REEVE_RESOURCE_MAX_BYTES);
  request->nonblock = nonblock || (self->flags & O_NONBLOCK) != 0;

  if ((self->flags & O_ACCMODE) == O_WRONLY)
    reeve_resource_request_fail (request, EBADF);
  else if (reeve_resource_node_is_directory (self->node))
    reeve_resource_request_fail (request, EISDIR);
  else if (ops == NULL || ops->read == NULL)
    reeve_resource_request_give (request, NULL, 0);
  else
    return run (request, ops->read);
  return NULL;
}

ReeveResourceRequest *
reeve_resource_handle_write (ReeveResourceHandle *self,
                             uint64_t offset,
                             const void *bytes,
                             size_t size,
                             gboolean nonblock,
                             ReeveResourceReplyFunc reply,
                             gpointer data)
{
  const ReeveResourceOps *ops = reeve_resource_node_get_ops (self->node);
  ReeveResourceRequest *request = request_new (self, reply, data);

  request->offset = offset;
  request->size = size;
  request->nonblock = nonblock || (self->flags & O_NONBLOCK) != 0;

  if ((self->flags & O_ACCMODE) == O_RDONLY)
    reeve_resource_request_fail (request, EBADF);
  else if (size > REEVE_RESOURCE_MAX_BYTES)
    reeve_resource_request_fail (request, EMSGSIZE);
  else if (ops == NULL || ops->write == NULL)
    reeve_resource_request_take (request);
  else {
    request->bytes = g_memdup2 (bytes, size);
    return run (request, ops->write);
  }
  return NULL;
}

ReeveResourceRequest *
reeve_resource_handle_devctl (ReeveResourceHandle *self,
                              unsigned code,
                              const void *bytes,
                              size_t size,
                              size_t max_size,
                              ReeveResourceReplyFunc reply,
                              gpointer data)
{
  const ReeveResourceOps *ops = reeve_resource_node_get_ops (self->node);
  ReeveResourceRequest *request = request_new (self, reply, data);

  request->code = code;
  request->size = size;
  request->max_size = max_size;

  if (ops == NULL || ops->devctl == NULL)
    reeve_resource_request_fail (request, ENOTTY);
  else if (size > REEVE_RESOURCE_MAX_BYTES)
    reeve_resource_request_fail (request, EMSGSIZE);
  else {
    request->bytes = g_memdup2 (bytes, size);
    return run (request, ops->devctl);
  }
  return NULL;
}

/* -------------------------------------------------------- what nodes see ---
 */

ReeveResourceHandle *
reeve_resource_request_get_handle (const ReeveResourceRequest *self)
{
  return self->handle;
}

uint64_t
reeve_resource_request_get_offset (const ReeveResourceRequest *self)
{
  return self->offset;
}

const char *
reeve_resource_request_get_bytes (const ReeveResourceRequest *self)
{
  return self->bytes;
}

size_t
reeve_resource_request_get_size (const ReeveResourceRequest *self)
{
  return self->size;
}

unsigned
reeve_resource_request_get_code (const ReeveResourceRequest *self)
{
  return self->code;
}

size_t
reeve_resource_request_get_max_size (const ReeveResourceRequest *self)
{
  return self->max_size;
}

gboolean
reeve_resource_request_is_nonblock (const ReeveResourceRequest *self)
{
  return self->nonblock;
}

char *
reeve_resource_request_text (const ReeveResourceRequest *self)
{
  size_t size = self->size;

  if (size > 0 && self->bytes[size - 1] == '\n')
    size--;
  if (size == 0)
    return g_strdup ("");
  /* A zero is none of the characters that GLib lets through with a length. */
  if (!g_utf8_validate_len (self->bytes, size, NULL))
    return NULL;
  return g_strndup (self->bytes, size);
}

void
reeve_resource_request_set_cancel (ReeveResourceRequest *self,
                                   ReeveResourceCancelFunc cancel,
                                   gpointer data)
{
  self->cancel = cancel;
  self->cancel_data = data;
}

static void
finish (ReeveResourceRequest *self, const ReeveResourceReply *reply)
{
  send_reply (self, reply);
  reeve_resource_request_drop (self);
}

/* -------------------------------------------------------------- answers --- */

/* Each that is given on a pool's thread is given once more, in the loop's. */

static void
give_home (ReeveResourceRequest *self, GBytes *bytes, int64_t number)
{
  size_t size;
  const void *data = g_bytes_get_data (bytes, &size);

  reeve_resource_request_give (self, data, size);
}

void
reeve_resource_request_give (ReeveResourceRequest *self,
                             const void *bytes,
                             size_t size)
{
  const ReeveResourceReply reply = {
    .bytes = bytes,
    .size = MIN (size, self->size),
  };

  if (self->errand != NULL) {
    reeve_resource_errand_go_home (self->errand, give_home,
                                   g_bytes_new (bytes, reply.size), 0);
    return;
  }
  if (self->reply != NULL)
    reeve_resource_node_note_read (self->handle->node, g_get_real_time ());
  finish (self, &reply);
}

void
reeve_resource_request_give_at (ReeveResourceRequest *self, GBytes *bytes)
{
  size_t size = 0;
  const char *start = g_bytes_get_data (bytes, &size);
  size_t skipped = (size_t) MIN (self->offset, size);

  reeve_resource_request_give (self, start == NULL ? NULL : start + skipped,
                               size - skipped);
}

void
reeve_resource_request_take (ReeveResourceRequest *self)
{
  reeve_resource_request_take_some (self, self->size);
}

static void
take_home (ReeveResourceRequest *self, GBytes *bytes, int64_t number)
{
  reeve_resource_request_take_some (self, (size_t) number);
}

void
reeve_resource_request_take_some (ReeveResourceRequest *self, size_t size)
{
  const ReeveResourceReply reply = { .size = size };

  if (self->errand != NULL) {
    reeve_resource_errand_go_home (self->errand, take_home, NULL,
                                   (int64_t) size);
    return;
  }
  if (self->reply != NULL)
    reeve_resource_node_note_change (self->handle->node, g_get_real_time ());
  finish (self, &reply);
}

static void
answer_home (ReeveResourceRequest *self, GBytes *bytes, int64_t number)
{
  size_t size;
  const void *data = g_bytes_get_data (bytes, &size);

  reeve_resource_request_answer (self, (int) number, data, size);
}

void
reeve_resource_request_answer (ReeveResourceRequest *self,
                               int value,
                               const void *bytes,
                               size_t size)
{
  const ReeveResourceReply reply = {
    .bytes = bytes,
    .size = MIN (size, self->max_size),
    .value = value,
  };

  if (self->errand != NULL)
    reeve_resource_errand_go_home (self->errand, answer_home,
                                   g_bytes_new (bytes, reply.size), value);
  else
    finish (self, &reply);
}

static void
fail_home (ReeveResourceRequest *self, GBytes *bytes, int64_t number)
{
  reeve_resource_request_fail (self, (int) number);
}

void
reeve_resource_request_fail (ReeveResourceRequest *self, int errnum)
{
  const ReeveResourceReply reply = { .errnum = errnum };

  if (self->errand != NULL)
    reeve_resource_errand_go_home (self->errand, fail_home, NULL, errnum);
  else
    finish (self, &reply);
}
