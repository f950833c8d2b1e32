/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/node.h"

G_BEGIN_DECLS

/* The most that one write or devctl may bring, and one read take. */
#define REEVE_RESOURCE_MAX_BYTES (1024 * 1024)

/*
 * ReeveResourceHandle: one open() of a node, until its close(). It knows who
 * opened it and for what, and keeps what the node wants to know of it: the
 * content as it was when a reader began, a place in a stream, a reply that
 * waits. Whatever the node is taken away from meanwhile, the handle goes on.
 *
 * These functions are for who serves clients (a mount, a program); those of
 * request.h are for the nodes.
 */

/**
 * reeve_resource_handle_open:
 * @flags: of open(): the access mode and `O_NONBLOCK`, others have no meaning
 * @handle: (out) (transfer full): for reeve_resource_handle_close()
 *
 * Returns: 0; `EACCES`; `EISDIR` for a directory that is to be written;
 * `ELOOP` for a link; or what the node says
 */
int reeve_resource_handle_open (ReeveResourceNode *node,
                                const ReeveResourceCaller *caller,
                                int flags,
                                ReeveResourceHandle **handle);

/** (transfer full): What still waits fails with `EBADF`. */
void reeve_resource_handle_close (ReeveResourceHandle *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveResourceHandle, reeve_resource_handle_close)

/**
 * ReeveResourceReply:
 * @errnum: 0, or why there is no answer
 * @bytes: (nullable): what was read, or what a devctl gives back
 * @size: of them; of a write, how much of it was taken
 * @value: what a devctl returns, >= 0
 */
typedef struct {
  int errnum;
  const void *bytes;
  size_t size;
  int value;
} ReeveResourceReply;

typedef void (*ReeveResourceReplyFunc) (const ReeveResourceReply *reply,
                                        gpointer data);

/**
 * reeve_resource_handle_read:
 * @size: at most %REEVE_RESOURCE_MAX_BYTES
 * @nonblock: fails with `EAGAIN` rather than wait
 * @reply: called once: before this returns, or later
 *
 * `EBADF` if it was not opened for that. A write of more than
 * %REEVE_RESOURCE_MAX_BYTES fails with `EMSGSIZE`, as it could not be told from
 * several of them.
 *
 * Returns: (transfer none) (nullable): what may be cancelled until @reply is
 * called; %NULL if that was the case already
 */
ReeveResourceRequest *reeve_resource_handle_read (ReeveResourceHandle *self,
                                                  uint64_t offset,
                                                  size_t size,
                                                  gboolean nonblock,
                                                  ReeveResourceReplyFunc reply,
                                                  gpointer data);
ReeveResourceRequest *reeve_resource_handle_write (ReeveResourceHandle *self,
                                                   uint64_t offset,
                                                   const void *bytes,
                                                   size_t size,
                                                   gboolean nonblock,
                                                   ReeveResourceReplyFunc reply,
                                                   gpointer data);

/**
 * reeve_resource_handle_devctl:
 * @code: as of ioctl()
 * @bytes: (array length=size) (nullable): what goes with it
 * @max_size: the most that it may give back
 *
 * `ENOTTY` for a code that the node does not know.
 */
ReeveResourceRequest *
reeve_resource_handle_devctl (ReeveResourceHandle *self,
                              unsigned code,
                              const void *bytes,
                              size_t size,
                              size_t max_size,
                              ReeveResourceReplyFunc reply,
                              gpointer data);

/** Answers with @errnum now (`EINTR`, …), if it was not answered before. */
void reeve_resource_request_cancel (ReeveResourceRequest *self, int errnum);

/** Bits of poll() that are true now. */
unsigned reeve_resource_handle_poll (ReeveResourceHandle *self);

ReeveResourceNode *reeve_resource_handle_get_node (ReeveResourceHandle *self);
/** Who opened it; valid as long as the handle. */
const ReeveResourceCaller *
reeve_resource_handle_get_caller (const ReeveResourceHandle *self);
int reeve_resource_handle_get_flags (const ReeveResourceHandle *self);
/** What a node keeps of the handle, freed with it. */
gpointer reeve_resource_handle_get_data (const ReeveResourceHandle *self);
void reeve_resource_handle_set_data (ReeveResourceHandle *self,
                                     gpointer data,
                                     GDestroyNotify free_func);

G_END_DECLS
