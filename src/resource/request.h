/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/handle.h"

G_BEGIN_DECLS

/*
 * ReeveResourceRequest: what a node is asked to do for a handle. Its function
 * answers exactly once, before it returns or later, with one of the functions
 * that take the request (transfer full). An answer that comes after the client
 * gave up is dropped.
 */

ReeveResourceHandle *
reeve_resource_request_get_handle (const ReeveResourceRequest *self);
uint64_t reeve_resource_request_get_offset (const ReeveResourceRequest *self);
/** What was written or came with a devctl; how much may be read. */
const char *reeve_resource_request_get_bytes (const ReeveResourceRequest *self);
size_t reeve_resource_request_get_size (const ReeveResourceRequest *self);
/** Of a devctl: its code, and how much it may give back. */
unsigned reeve_resource_request_get_code (const ReeveResourceRequest *self);
size_t reeve_resource_request_get_max_size (const ReeveResourceRequest *self);
/** Whether to fail with `EAGAIN` rather than wait. */
gboolean reeve_resource_request_is_nonblock (const ReeveResourceRequest *self);

/**
 * reeve_resource_request_text:
 *
 * What was written, as a text without the end of its line.
 *
 * Returns: (transfer full) (nullable): %NULL unless it is UTF-8 without zeros
 */
char *reeve_resource_request_text (const ReeveResourceRequest *self);

/**
 * ReeveResourceCancelFunc:
 * @request: (transfer full): for reeve_resource_request_drop()
 */
typedef void (*ReeveResourceCancelFunc) (ReeveResourceRequest *request,
                                         gpointer data);

/**
 * reeve_resource_request_set_cancel:
 * @cancel: called when the client gives up, which has got its answer then
 *
 * For one that is answered later, and would wait for nothing. Without it, the
 * answer has to come all the same.
 */
void reeve_resource_request_set_cancel (ReeveResourceRequest *self,
                                        ReeveResourceCancelFunc cancel,
                                        gpointer data);
void reeve_resource_request_drop (ReeveResourceRequest *self);

/** A read: all of @bytes, at most as many as were asked for. */
void reeve_resource_request_give (ReeveResourceRequest *self,
                                  const void *bytes,
                                  size_t size);
/** A read: what of @bytes stands at its offset. */
void reeve_resource_request_give_at (ReeveResourceRequest *self, GBytes *bytes);
/** A write: all was taken. */
void reeve_resource_request_take (ReeveResourceRequest *self);
/** A write: so much of it was taken, at least a byte. */
void reeve_resource_request_take_some (ReeveResourceRequest *self, size_t size);
/** A devctl; @size is at most what it may give back. */
void reeve_resource_request_answer (ReeveResourceRequest *self,
                                    int value,
                                    const void *bytes,
                                    size_t size);
void reeve_resource_request_fail (ReeveResourceRequest *self, int errnum);

G_END_DECLS
