/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/node.h"

G_BEGIN_DECLS

/*
 * A stream of events: a node of which each read takes the next record, and
 * waits for it, or fails with `EAGAIN` if it must not. A reader gets what comes
 * after its open(). Some records are kept for readers that are slower; one that
 * is slower still finds the line "lost N" in the place of N records.
 */

#define REEVE_RESOURCE_STREAM_MAX_RECORDS 65536

/** @max_records: how many are kept, at least one */
ReeveResourceNode *
reeve_resource_stream_new (mode_t mode, unsigned max_records);

/** Appends @record, a line as a rule, and wakes who waits for it. */
void reeve_resource_stream_push (ReeveResourceNode *self, const char *record);

/** No record comes any more: readers find the end behind those that are left.
 */
void reeve_resource_stream_end (ReeveResourceNode *self);

/** Returns: whether @record is for @caller */
typedef gboolean (*ReeveResourceStreamFilter) (
    const char *record,
    const ReeveResourceCaller *caller,
    gpointer data);

/** @filter: (nullable): asked when somebody reads; what it does not let through
 * is not there for him */
void reeve_resource_stream_set_filter (ReeveResourceNode *node,
                                       ReeveResourceStreamFilter filter,
                                       gpointer data);

/*
 * A log: a node whose content grows at its end, and which has a size, so that
 * `tail -f` follows it. When it is full, its older half goes, at a line's end.
 */

/** @max_bytes: how large it may become, at least 2 */
ReeveResourceNode *reeve_resource_log_new (mode_t mode, size_t max_bytes);

/** Appends to a log; of what alone is larger than the log, the end. */
void reeve_resource_log_append (ReeveResourceNode *self,
                                const void *bytes,
                                size_t size);

G_END_DECLS
