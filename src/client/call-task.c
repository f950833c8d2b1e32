/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/call-task.h"

#include "client/io-thread.h"
#include "event/loop.h"

GTask *
reeve_call_task_new (gpointer owner,
                     GDestroyNotify unref_owner,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     gpointer user_data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);

  g_task_set_source_tag (task, owner);
  g_task_set_check_cancellable (task, FALSE);
  g_object_set_data_full (G_OBJECT (task), "owner", owner, unref_owner);
  return task;
}

static void
give_up (GTask *task, gboolean is_late)
{
  ReeveCallTask *self = g_task_get_task_data (task);
  GTask *ended = self->settle (g_task_get_source_tag (task), self, is_late);

  if (ended != NULL)
    reeve_call_task_complete (ended);
}

static void
time_out (ReeveLoop *loop, int watch, gpointer data)
{
  give_up (data, TRUE);
}

static void
cancel_in_loop (ReeveLoop *loop, gpointer data)
{
  give_up (data, FALSE);
  g_object_unref (data);
}

/* The handler must not disconnect itself, so the I/O thread does it. */
static void
cancel (GCancellable *cancellable, gpointer data)
{
  reeve_loop_invoke (reeve_io_thread_get_loop (), cancel_in_loop,
                     g_object_ref (data));
}

/* Before anything can complete it, which the I/O thread does, too. */
static void
arm (ReeveLoop *loop, gpointer data)
{
  GTask *task = data;
  ReeveCallTask *self = g_task_get_task_data (task);
  GCancellable *cancellable = g_task_get_cancellable (task);

  self->timeout = reeve_loop_add_timeout (loop, self->timeout_ms, time_out,
                                          task, g_object_unref);
  if (cancellable != NULL)
    self->cancel_handler =
        g_cancellable_connect (cancellable, G_CALLBACK (cancel), task, NULL);
}

void
reeve_call_task_arm (ReeveCallTask *self,
                     GTask *task,
                     GDestroyNotify free_call,
                     ReeveCallSettle settle,
                     int timeout_ms)
{
  self->task = g_object_ref (task);
  self->settle = settle;
  self->timeout_ms = timeout_ms;
  g_task_set_task_data (task, self, free_call);
  reeve_loop_invoke (reeve_io_thread_get_loop (), arm, g_object_ref (task));
}

static void
complete (ReeveLoop *loop, gpointer data)
{
  GTask *task = data;
  ReeveCallTask *self = g_task_get_task_data (task);

  reeve_loop_remove (loop, self->timeout);
  g_cancellable_disconnect (g_task_get_cancellable (task),
                            self->cancel_handler);
  g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

void
reeve_call_task_complete (GTask *task)
{
  reeve_loop_invoke (reeve_io_thread_get_loop (), complete, task);
}
