/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveCallBatch:
 *
 * Calls that came in one message of JSON, whose replies leave in one. Its lock
 * is taken inside a client's lock, and nothing inside it.
 */
typedef struct _ReeveCallBatch ReeveCallBatch;

ReeveCallBatch *reeve_call_batch_new (void);
ReeveCallBatch *reeve_call_batch_ref (ReeveCallBatch *self);
void reeve_call_batch_unref (ReeveCallBatch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveCallBatch, reeve_call_batch_unref)

/* One more reply is to come. Thread: loop, as of the next one. */
void reeve_call_batch_expect (ReeveCallBatch *self);

/* (transfer full) (nullable): no more calls come; what is to be sent, if no
 * reply is to come either. */
GBytes *reeve_call_batch_end (ReeveCallBatch *self);

/* (transfer full) (nullable): a reply came, which is empty if there is none to
 * send; what is to be sent, if it was the last. Thread: any. */
GBytes *
reeve_call_batch_add (ReeveCallBatch *self, const void *reply, size_t size);

/* Of the replies that are kept. Thread: any. */
size_t reeve_call_batch_get_size (ReeveCallBatch *self);

G_END_DECLS
