/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd.h"
#include "event/intl.h"
#include "machine/machine-private.h"

#include <string.h>

/* A monitor that was lost, or is taken by somebody, is tried again: at once, as
 * QEMU is there, and more and more seldom while nothing comes of it. */
#define MIN_RETRY_MS 100
#define MAX_RETRY_MS 8000

typedef struct {
  ReeveMachine *machine; /* (owned) */
  int fd;                /* (owned), -1: none */
} Connect;

static void set_lost (ReeveMachine *self, gboolean is_lost);
static void retry_later (ReeveMachine *self);

static gint64
get_now_ms (void)
{
  return g_get_monotonic_time () / 1000;
}

void
reeve_machine_init_monitor (ReeveMachine *self)
{
  reeve_reconnect_init (&self->reconnect, get_now_ms ());
  reeve_reconnect_set_backoff (&self->reconnect, MIN_RETRY_MS, MAX_RETRY_MS);
  /* A QEMU that is silent, or stopped, is not gone. */
  reeve_reconnect_set_probe_interval (&self->reconnect, 0);
}

static void
on_event (ReeveQmp *qmp,
          const char *name,
          JsonObject *details,
          int64_t seconds,
          unsigned microseconds,
          gpointer data)
{
  g_autoptr (ReeveMachine) self = reeve_machine_ref (data);

  reeve_reconnect_activity (&self->reconnect, get_now_ms ());
  reeve_machine_take_event (self, name, details, seconds, microseconds);
}

static void
on_closed (ReeveQmp *qmp, const GError *reason, gpointer data)
{
  g_autoptr (ReeveMachine) self = reeve_machine_ref (data);
  g_autoptr (ReeveProcess) process = reeve_machine_dup_process (self);

  g_clear_pointer (&self->qmp, reeve_qmp_unref);
  /* The end of the process is told by its pidfd, a moment from now. */
  if (self->phase == REEVE_PHASE_ENDED || self->end != REEVE_END_UNKNOWN ||
      process == NULL || !reeve_process_is_alive (process))
    return;
  /* A start ends by itself, with its process or its deadline. */
  if (self->phase == REEVE_PHASE_BOOTING && self->current != NULL)
    return;

  set_lost (self, TRUE);
  reeve_reconnect_disconnected (&self->reconnect, get_now_ms ());
  retry_later (self);
}

static const ReeveQmpFuncs qmp_funcs = {
  .event = on_event,
  .closed = on_closed,
};

static void
set_lost (ReeveMachine *self, gboolean is_lost)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->is_monitor_lost = is_lost;
}

static void
set_oldest (ReeveMachine *self, gint64 oldest_us)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->monitor_oldest_us = oldest_us;
}

void
reeve_machine_note_monitor (ReeveMachine *self)
{
  set_oldest (self,
              self->qmp == NULL ? 0 : reeve_qmp_get_oldest_us (self->qmp));
}

void
reeve_machine_attach_monitor (ReeveMachine *self, int fd, gint64 deadline_us)
{
  reeve_machine_detach_monitor (self);
  self->qmp =
      reeve_qmp_new (self->list->loop, fd, &qmp_funcs, self, deadline_us);
  reeve_reconnect_connected (&self->reconnect, get_now_ms ());
  set_lost (self, FALSE);
}

void
reeve_machine_restore_monitor (ReeveMachine *self, const ReeveQmpState *state)
{
  self->qmp = reeve_qmp_restore (self->list->loop, state, &qmp_funcs, self);
  reeve_reconnect_enable (&self->reconnect, get_now_ms ());
  reeve_reconnect_connecting (&self->reconnect, get_now_ms ());
  reeve_reconnect_connected (&self->reconnect, get_now_ms ());
}

void
reeve_machine_note_process_end (ReeveMachine *self)
{
  /* What QEMU said last is why it ended. */
  if (self->qmp != NULL)
    reeve_qmp_drain (self->qmp);
  reeve_machine_process_ended (self);
}

void
reeve_machine_detach_monitor (ReeveMachine *self)
{
  g_autoptr (ReeveQmp) qmp = g_steal_pointer (&self->qmp);

  reeve_reconnect_disable (&self->reconnect, get_now_ms ());
  if (qmp != NULL)
    reeve_qmp_close (qmp);
}

static void
on_process_ended (ReeveLoop *loop,
                  int watch,
                  pid_t pid,
                  int status,
                  gpointer data)
{
  g_autoptr (ReeveMachine) self = reeve_machine_ref (data);

  self->process_watch = -1;
  reeve_machine_unref (self);
  reeve_machine_note_process_end (self);
}

/* The watch holds the machine until it was called, or is removed. */
gboolean
reeve_machine_watch_process (ReeveMachine *self)
{
  g_autoptr (ReeveProcess) process = reeve_machine_dup_process (self);

  self->process_watch =
      reeve_process_watch (process, self->list->loop, on_process_ended, self);
  if (self->process_watch >= 0)
    reeve_machine_ref (self);
  return self->process_watch >= 0;
}

void
reeve_machine_unwatch_process (ReeveMachine *self)
{
  if (self->process_watch < 0)
    return;

  reeve_loop_remove (self->list->loop, self->process_watch);
  self->process_watch = -1;
  reeve_machine_unref (self);
}

static void
on_synced (JsonNode *result, const GError *error, gpointer data)
{
  g_autoptr (ReeveMachine) self = data;
  const char *status;

  reeve_machine_note_monitor (self);
  if (error != NULL || !JSON_NODE_HOLDS_OBJECT (result) ||
      self->phase == REEVE_PHASE_ENDED)
    return;

  reeve_reconnect_activity (&self->reconnect, get_now_ms ());
  status = json_object_get_string_member_with_default (
      json_node_get_object (result), "status", "");
  reeve_machine_take_status (self, status);
}

static void
on_uuid (JsonNode *result, const GError *error, gpointer data)
{
  g_autoptr (ReeveMachine) self = data;
  uint8_t uuid[16];

  if (error != NULL)
    return;
  if (JSON_NODE_HOLDS_OBJECT (result) &&
      reeve_uuid_parse (json_object_get_string_member_with_default (
                            json_node_get_object (result), "UUID", ""),
                        uuid) &&
      memcmp (uuid, self->uuid, sizeof uuid) == 0)
    return;

  g_warning (_ ("%s: the monitor is that of another machine"),
             self->dir.monitor_path);
  reeve_machine_detach_monitor (self);
  set_lost (self, TRUE);
}

static void
on_balloon (JsonNode *result, const GError *error, gpointer data)
{
  g_autoptr (ReeveMachine) self = data;
  gint64 actual;

  if (error != NULL || !JSON_NODE_HOLDS_OBJECT (result))
    return;
  actual = json_object_get_int_member_with_default (
      json_node_get_object (result), "actual", 0);
  reeve_machine_set_balloon (self, (uint64_t) MAX (actual, 0) / 1024);
}

/* Events that came while nobody was connected are lost: ask instead. A QEMU
 * that does not answer for long is none that was lost: nothing here ends it. */
void
reeve_machine_resync_monitor (ReeveMachine *self, int fd)
{
  gint64 deadline_us = G_MAXINT64;

  reeve_machine_attach_monitor (self, fd, deadline_us);
  reeve_qmp_execute (self->qmp, "query-uuid", NULL, deadline_us, on_uuid,
                     reeve_machine_ref (self));
  reeve_qmp_execute (self->qmp, "query-balloon", NULL, deadline_us, on_balloon,
                     reeve_machine_ref (self));
  reeve_machine_ask_chosen (self, deadline_us);
  reeve_qmp_execute (self->qmp, "query-status", NULL, deadline_us, on_synced,
                     reeve_machine_ref (self));
  reeve_machine_note_monitor (self);
}

static void
run_connect (gpointer data)
{
  Connect *task = data;

  task->fd = reeve_run_dir_connect (&task->machine->dir, NULL);
}

static void
on_connected (gpointer data)
{
  Connect *task = data;
  ReeveMachine *self = task->machine;

  if (self->list->is_closed ||
      (self->phase != REEVE_PHASE_BOOTING && self->phase != REEVE_PHASE_UP))
    ;
  else if (task->fd >= 0)
    reeve_machine_resync_monitor (self, g_steal_fd (&task->fd));
  else {
    reeve_reconnect_connect_failed (&self->reconnect, get_now_ms ());
    retry_later (self);
  }

  reeve_fd_clear (&task->fd);
  reeve_machine_unref (self);
  g_free (task);
}

void
reeve_machine_connect_monitor (ReeveMachine *self)
{
  Connect *task = g_new0 (Connect, 1);

  reeve_reconnect_enable (&self->reconnect, get_now_ms ());
  reeve_reconnect_connecting (&self->reconnect, get_now_ms ());
  task->machine = reeve_machine_ref (self);
  task->fd = -1;
  reeve_worker_lane_push (&self->lane, run_connect, on_connected, task);
}

static void
on_retry (ReeveLoop *loop, int watch, gpointer data)
{
  ReeveMachine *self = data;

  self->retry_timer = -1;
  reeve_loop_remove (loop, watch);
  reeve_machine_connect_monitor (self);
}

static void
retry_later (ReeveMachine *self)
{
  int delay_ms = reeve_reconnect_get_timeout (&self->reconnect, get_now_ms ());

  if (self->retry_timer >= 0 || delay_ms < 0)
    return;
  self->retry_timer = reeve_loop_add_timeout (
      self->list->loop, delay_ms, on_retry, reeve_machine_ref (self),
      (GDestroyNotify) reeve_machine_unref);
}
