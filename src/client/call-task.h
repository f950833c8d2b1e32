/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Ends @call of @owner with the error that it is late, or was cancelled.
 * Returns (transfer full) its task; %NULL if it has ended before. */
typedef GTask *(*ReeveCallSettle) (gpointer owner,
                                   gpointer call,
                                   gboolean is_late);

/**
 * ReeveCallTask:
 *
 * What an asynchronous call has besides: its task, and what ends it from our
 * side, a time and a cancellable. To embed, as the first member of the call.
 */
typedef struct {
  GTask *task; /* (owned) (nullable): until the call has ended; under the lock
                  that hands the call over */
  ReeveCallSettle settle; /* immutable, as is what follows */
  int timeout_ms;
  int timeout; /* of the I/O thread, as is what follows */
  gulong cancel_handler;
} ReeveCallTask;

/* (transfer full): a task of @owner (transfer full). */
GTask *reeve_call_task_new (gpointer owner,
                            GDestroyNotify unref_owner,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);

/* The call, which @task owns from now on, is about to be sent. @free_call:
 * frees what @self is the first member of. */
void reeve_call_task_arm (ReeveCallTask *self,
                          GTask *task,
                          GDestroyNotify free_call,
                          ReeveCallSettle settle,
                          int timeout_ms);

/* The call has ended: tells whoever made it, from the I/O thread. @task:
 * (transfer full). Thread: any, without a lock. */
void reeve_call_task_complete (GTask *task);

G_END_DECLS
