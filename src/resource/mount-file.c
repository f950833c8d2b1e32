/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/mount-private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>

/* More than the kernel has for a process are not looked at. */
#define MAX_GROUPS 65536

/* An open file of the kernel: the `fh` of its requests. */
typedef struct {
  ReeveResourceMount *mount;
  ReeveResourceHandle *handle;  /* (owned) */
  ReeveResourceWatch *watch;    /* (owned) (nullable): once it was polled */
  struct fuse_pollhandle *poll; /* (owned) (nullable): who waits in poll() */
  GList link;
} ReeveMountFile;

typedef enum { CALL_READ, CALL_WRITE, CALL_IOCTL } CallKind;

/* A request of the kernel that a node has. */
typedef struct {
  ReeveResourceMount *mount;
  CallKind kind;
  fuse_req_t req;
  ReeveResourceRequest *request; /* (nullable): once it waits */
  gboolean is_interrupted;
  GList link;
} ReeveMountCall;

/* --------------------------------------------------------------- callers -- */

void
reeve_mount_caller_init (ReeveMountCaller *self, fuse_req_t req)
{
  const struct fuse_ctx *context = fuse_req_ctx (req);
  int n_groups = fuse_req_getgroups (req, 0, NULL);

  *self = (ReeveMountCaller){
    .caller = { .uid = context->uid, .gid = context->gid, .pid = context->pid },
  };
  /* It may be gone by now, and then has no groups. */
  if (n_groups <= 0 || n_groups > MAX_GROUPS)
    return;
  self->groups = g_new0 (gid_t, (size_t) n_groups);
  n_groups = MIN (n_groups, fuse_req_getgroups (req, n_groups, self->groups));
  self->caller.groups = self->groups;
  self->caller.n_groups = (size_t) MAX (n_groups, 0);
}

void
reeve_mount_caller_clear (ReeveMountCaller *self)
{
  g_clear_pointer (&self->groups, g_free);
}

/* ---------------------------------------------------------- open, close --- */

static ReeveMountFile *
get_file (const struct fuse_file_info *fi)
{
  return (ReeveMountFile *) (uintptr_t) fi->fh;
}

static void
clear_poll (ReeveMountFile *self)
{
  if (self->poll != NULL)
    fuse_pollhandle_destroy (self->poll);
  self->poll = NULL;
}

static void
file_free (ReeveMountFile *self)
{
  g_queue_unlink (&self->mount->files, &self->link);
  reeve_resource_watch_free (self->watch);
  clear_poll (self);
  reeve_resource_handle_close (self->handle);
  g_free (self);
}

static int
open_handle (fuse_req_t req,
             ReeveResourceNode *node,
             int flags,
             ReeveResourceHandle **handle)
{
  g_auto (ReeveMountCaller) caller = { 0 };
  int result;

  reeve_mount_caller_init (&caller, req);
  result = reeve_resource_handle_open (node, &caller.caller, flags, handle);
  if (result == 0 && (flags & O_TRUNC) != 0)
    result = reeve_resource_node_truncate (node, 0);
  if (result != 0)
    g_clear_pointer (handle, reeve_resource_handle_close);
  return result;
}

static void
op_open (fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
  ReeveResourceMount *mount = fuse_req_userdata (req);
  ReeveResourceNode *node = reeve_mount_get_inode (mount, number)->node;
  const ReeveResourceOps *ops = reeve_resource_node_get_ops (node);
  ReeveResourceHandle *handle = NULL;
  ReeveMountFile *self = NULL;
  int result = open_handle (req, node, fi->flags, &handle);

  if (result != 0) {
    fuse_reply_err (req, result);
    return;
  }

  self = g_new0 (ReeveMountFile, 1);
  self->mount = mount;
  self->handle = handle;
  self->link.data = self;
  g_queue_push_tail_link (&mount->files, &self->link);
  fi->fh = (uintptr_t) self;
  /* Without a size the kernel would find nothing in its cache; with one,
   * files can be mapped. */
  fi->direct_io = ops == NULL || ops->get_size == NULL;
  fi->nonseekable = ops != NULL && ops->is_stream;
  /* The open() was interrupted: nobody will close the file. */
  if (fuse_reply_open (req, fi) == -ENOENT)
    file_free (self);
}

static void
op_release (fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
  file_free (get_file (fi));
  fuse_reply_err (req, 0);
}

/* ----------------------------------------------------------------- calls -- */

static ReeveMountCall *
call_new (fuse_req_t req, CallKind kind)
{
  ReeveMountCall *self = g_new0 (ReeveMountCall, 1);

  self->mount = fuse_req_userdata (req);
  self->kind = kind;
  self->req = req;
  self->link.data = self;
  g_queue_push_tail_link (&self->mount->calls, &self->link);
  return self;
}

static void
answer_call (const ReeveResourceReply *reply, gpointer data)
{
  ReeveMountCall *self = data;

  if (reply->errnum != 0)
    fuse_reply_err (self->req, reply->errnum);
  else if (self->kind == CALL_READ)
    fuse_reply_buf (self->req, reply->bytes, reply->size);
  else if (self->kind == CALL_WRITE)
    fuse_reply_write (self->req, reply->size);
  else
    fuse_reply_ioctl (self->req, reply->value, reply->bytes, reply->size);
  g_queue_unlink (&self->mount->calls, &self->link);
  g_free (self);
}

static void
interrupt (fuse_req_t req, void *data)
{
  ReeveMountCall *self = data;

  self->is_interrupted = TRUE;
  if (self->request != NULL)
    reeve_resource_request_cancel (self->request, EINTR);
}

/* @request: (nullable): of @self, which is gone if there is none. */
static void
wait_for_answer (ReeveMountCall *self, ReeveResourceRequest *request)
{
  if (request == NULL)
    return;
  /* If the signal was there first, libfuse calls our function here and now, and
   * a request that was answered in it would be gone when it comes back: so the
   * function must not know the request yet. */
  fuse_req_interrupt_func (self->req, interrupt, self);
  self->request = request;
  if (self->is_interrupted)
    reeve_resource_request_cancel (request, EINTR);
}

static void
op_read (fuse_req_t req,
         fuse_ino_t number,
         size_t size,
         off_t offset,
         struct fuse_file_info *fi)
{
  ReeveMountCall *call = call_new (req, CALL_READ);

  wait_for_answer (call, reeve_resource_handle_read (
                             get_file (fi)->handle, (uint64_t) offset, size,
                             (fi->flags & O_NONBLOCK) != 0, answer_call, call));
}

static void
op_write (fuse_req_t req,
          fuse_ino_t number,
          const char *bytes,
          size_t size,
          off_t offset,
          struct fuse_file_info *fi)
{
  ReeveMountCall *call = call_new (req, CALL_WRITE);

  wait_for_answer (call,
                   reeve_resource_handle_write (
                       get_file (fi)->handle, (uint64_t) offset, bytes, size,
                       (fi->flags & O_NONBLOCK) != 0, answer_call, call));
}

static void
op_ioctl (fuse_req_t req,
          fuse_ino_t number,
          unsigned code,
          void *arg,
          struct fuse_file_info *fi,
          unsigned flags,
          const void *bytes,
          size_t size,
          size_t max_size)
{
  ReeveMountCall *call = NULL;

  /* Directories have none, and nobody the layout of another architecture. */
  if ((flags & (FUSE_IOCTL_COMPAT | FUSE_IOCTL_DIR)) != 0) {
    fuse_reply_err (req, ENOTTY);
    return;
  }
  call = call_new (req, CALL_IOCTL);
  wait_for_answer (
      call, reeve_resource_handle_devctl (get_file (fi)->handle, code, bytes,
                                          size, max_size, answer_call, call));
}

/* ------------------------------------------------------------------ poll -- */

/* The kernel asks again, and if it wants to wait longer gives us another handle
 * for it. */
static void
wake_poll (ReeveResourceNode *node, gpointer data)
{
  ReeveMountFile *self = data;
  unsigned ready = reeve_resource_handle_poll (self->handle);

  if (self->poll == NULL ||
      (ready & (POLLIN | POLLPRI | POLLHUP | POLLERR)) == 0)
    return;
  fuse_lowlevel_notify_poll (self->poll);
  clear_poll (self);
}

static void
op_poll (fuse_req_t req,
         fuse_ino_t number,
         struct fuse_file_info *fi,
         struct fuse_pollhandle *poll)
{
  ReeveMountFile *self = get_file (fi);

  if (poll != NULL) {
    clear_poll (self);
    self->poll = poll;
  }
  if (self->watch == NULL)
    self->watch = reeve_resource_watch_new (
        reeve_resource_handle_get_node (self->handle), wake_poll, self);
  fuse_reply_poll (req, reeve_resource_handle_poll (self->handle));
}

/* Each close() of a descriptor; what was written is with the node already. */
static void
op_flush (fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
  fuse_reply_err (req, 0);
}

static void
op_fsync (fuse_req_t req,
          fuse_ino_t number,
          int datasync,
          struct fuse_file_info *fi)
{
  fuse_reply_err (req, 0);
}

/* There is room for what is in memory; what reaches beyond the end is a new
 * size, and nothing has holes. */
static void
op_fallocate (fuse_req_t req,
              fuse_ino_t number,
              int mode,
              off_t offset,
              off_t length,
              struct fuse_file_info *fi)
{
  ReeveResourceNode *node =
      reeve_resource_handle_get_node (get_file (fi)->handle);
  uint64_t end = (uint64_t) offset + (uint64_t) length;
  int result = 0;

  if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0)
    result = EOPNOTSUPP;
  else if (mode == 0 && end > reeve_resource_node_get_size (node))
    result = reeve_resource_node_truncate (node, end);
  fuse_reply_err (req, result);
}

void
reeve_mount_add_file_ops (struct fuse_lowlevel_ops *ops)
{
  ops->open = op_open;
  ops->release = op_release;
  ops->read = op_read;
  ops->write = op_write;
  ops->ioctl = op_ioctl;
  ops->poll = op_poll;
  ops->flush = op_flush;
  ops->fsync = op_fsync;
  ops->fallocate = op_fallocate;
}

void
reeve_mount_close_files (ReeveResourceMount *self)
{
  ReeveMountCall *call = NULL;
  ReeveMountFile *file = NULL;

  while ((call = g_queue_peek_head (&self->calls)) != NULL)
    reeve_resource_request_cancel (call->request, ENODEV);
  while ((file = g_queue_peek_head (&self->files)) != NULL)
    file_free (file);
}

unsigned
reeve_resource_mount_count_open (const ReeveResourceMount *self)
{
  return self->files.length;
}

unsigned
reeve_resource_mount_count_waiting (const ReeveResourceMount *self)
{
  return self->calls.length;
}
