/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/config.h"
#include "machine/machine-private.h"
#include "machine/qmp-parser.h"

#include <string.h>

/*
 * What QEMU tells, and what follows from it. Events usually come before the
 * reply of the command that caused them, so it is they that change the state;
 * an operation's reply only ends the operation. Their time stamps are a wall
 * clock's: the order is that of arrival.
 */

/* One reboot makes two to four RESET events: the firmware resets again. */
#define RESET_WINDOW_US G_USEC_PER_SEC

typedef void (*EventFunc) (ReeveMachine *self, JsonObject *details);

typedef struct {
  const char *name;
  EventFunc func;
} EventRow;

typedef struct {
  const char *word;
  int value;
} WordRow;

static const char *
get_string (JsonObject *details, const char *name)
{
  JsonNode *node =
      details == NULL ? NULL : json_object_get_member (details, name);

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node) ||
      json_node_get_string (node) == NULL)
    return "";
  return json_node_get_string (node);
}

static gboolean
get_boolean (JsonObject *details, const char *name)
{
  JsonNode *node =
      details == NULL ? NULL : json_object_get_member (details, name);

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
         json_node_get_value_type (node) == G_TYPE_BOOLEAN &&
         json_node_get_boolean (node);
}

static int64_t
get_int (JsonObject *details, const char *name)
{
  JsonNode *node =
      details == NULL ? NULL : json_object_get_member (details, name);

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node) ||
      json_node_get_value_type (node) != G_TYPE_INT64)
    return 0;
  return json_node_get_int (node);
}

static int
find_word (const WordRow *rows, size_t n_rows, const char *word, int fallback)
{
  for (size_t i = 0; i < n_rows; i++) {
    if (g_str_equal (rows[i].word, word))
      return rows[i].value;
  }
  return fallback;
}

/* What the definition wants to be done at such a moment. */
static ReeveAction
get_action (ReeveMachine *self, ReeveAction (*get) (ReeveConfig *config))
{
  g_autoptr (ReeveConfig) config = reeve_machine_dup_live_config (self);

  return config == NULL ? REEVE_ACTION_DESTROY : get (config);
}

static gboolean
is_restart (ReeveAction action)
{
  return action == REEVE_ACTION_RESTART ||
         action == REEVE_ACTION_RESTART_RENAME ||
         action == REEVE_ACTION_COREDUMP_RESTART;
}

static JsonObject *
make_reboot_action (const char *action)
{
  JsonObject *arguments = json_object_new ();

  json_object_set_string_member (arguments, "reboot", action);
  return arguments;
}

void
reeve_machine_send_reset (ReeveMachine *self,
                          gint64 deadline_us,
                          ReeveQmpReply reply,
                          gpointer data)
{
  gboolean is_wrapped =
      !is_restart (get_action (self, reeve_config_get_on_reboot));

  /* Where a guest's reset means power-off, so would ours. */
  if (is_wrapped)
    reeve_qmp_execute (self->qmp, "set-action", make_reboot_action ("reset"),
                       deadline_us, NULL, NULL);
  reeve_qmp_execute (self->qmp, "system_reset", NULL, deadline_us, reply, data);
  if (is_wrapped)
    reeve_qmp_execute (self->qmp, "set-action", make_reboot_action ("shutdown"),
                       deadline_us, NULL, NULL);
}

static void
on_restarted (JsonNode *result, const GError *error, gpointer data)
{
  g_autoptr (ReeveMachine) self = data;

  if (error == NULL || self->phase != REEVE_PHASE_UP)
    return;
  g_warning (_ ("Cannot restart the guest: %s"), error->message);
  reeve_machine_stop (self, REEVE_END_PANIC);
}

void
reeve_machine_restart_guest (ReeveMachine *self)
{
  if (self->qmp == NULL)
    return;

  self->is_rebooting = FALSE;
  self->is_shut_down = FALSE;
  self->is_restarting = TRUE;
  reeve_machine_send_reset (self, G_MAXINT64, NULL, NULL);
  reeve_qmp_execute (self->qmp, "cont", NULL, G_MAXINT64, on_restarted,
                     reeve_machine_ref (self));
}

/* The guest powered off; QEMU waits, for it runs with -no-shutdown. */
static void
guest_is_down (ReeveMachine *self)
{
  if (self->is_rebooting ||
      is_restart (get_action (self, reeve_config_get_on_poweroff)))
    reeve_machine_restart_guest (self);
  else if (get_action (self, reeve_config_get_on_poweroff) !=
           REEVE_ACTION_PRESERVE)
    reeve_machine_stop (self, REEVE_END_GUEST);
}

static void
guest_is_crashed (ReeveMachine *self)
{
  ReeveAction action = get_action (self, reeve_config_get_on_crash);

  if (is_restart (action))
    reeve_machine_restart_guest (self);
  else if (action != REEVE_ACTION_PRESERVE)
    reeve_machine_stop (self, REEVE_END_PANIC);
}

static void
take_shutdown (ReeveMachine *self, JsonObject *details)
{
  const char *reason = get_string (details, "reason");
  gboolean is_guest = get_boolean (details, "guest");
  gboolean is_panic = g_str_equal (reason, "guest-panic");

  /* The one that our quit causes, after the guest's own, is no news; nor is
   * what the guest still asked for while QEMU stopped it for a restart. */
  if (self->is_shut_down || (is_guest && self->is_restarting))
    return;
  self->is_shut_down = TRUE;
  if (self->end == REEVE_END_FAILED)
    return;

  if (!is_panic) {
    reeve_machine_set_state (self, REEVE_MACHINE_SHUTDOWN,
                             REEVE_MACHINE_SHUTDOWN_USER);
    reeve_machine_emit_lifecycle (self, REEVE_LIFECYCLE_SHUTDOWN,
                                  is_guest ? REEVE_SHUTDOWN_GUEST
                                           : REEVE_SHUTDOWN_HOST);
    reeve_machine_save_status (self);
  }

  if (is_panic)
    guest_is_crashed (self);
  else if (g_str_equal (reason, "guest-reset"))
    reeve_machine_stop (self, REEVE_END_GUEST);
  else if (is_guest)
    guest_is_down (self);
  else
    /* quit and signals end QEMU by themselves; this sees to it that they do */
    reeve_machine_stop (self, REEVE_END_HOST);
}

static void
take_reset (ReeveMachine *self, JsonObject *details)
{
  gint64 now_us = g_get_monotonic_time ();

  if (self->last_reset_us != 0 &&
      now_us - self->last_reset_us < RESET_WINDOW_US)
    return;

  self->last_reset_us = now_us;
  reeve_machine_emit (self,
                      reeve_machine_event_new (REEVE_MACHINE_EVENT_REBOOT));
}

static int
get_suspended_detail (int reason)
{
  switch (reason) {
  case REEVE_MACHINE_PAUSED_IOERROR:
    return REEVE_SUSPENDED_IOERROR;
  case REEVE_MACHINE_PAUSED_WATCHDOG:
    return REEVE_SUSPENDED_WATCHDOG;
  default:
    return REEVE_SUSPENDED_PAUSED;
  }
}

static void
become_paused (ReeveMachine *self, int reason)
{
  reeve_machine_set_state (self, REEVE_MACHINE_PAUSED, reason);
  reeve_machine_emit_lifecycle (self, REEVE_LIFECYCLE_SUSPENDED,
                                get_suspended_detail (reason));
  reeve_machine_save_status (self);
}

static void
take_stop (ReeveMachine *self, JsonObject *details)
{
  int reason = self->pause_reason;

  self->pause_reason = -1;
  /* A guest that is down or crashed stops too; its state says more. */
  if (reeve_machine_get_state (self, NULL) != REEVE_MACHINE_RUNNING)
    return;
  become_paused (self, reason >= 0 ? reason : REEVE_MACHINE_PAUSED_USER);
}

static void
take_resume (ReeveMachine *self, JsonObject *details)
{
  int old_reason;
  ReeveMachineState old = reeve_machine_get_state (self, &old_reason);
  gboolean is_boot =
      self->is_restarting || (old == REEVE_MACHINE_PAUSED &&
                              old_reason == REEVE_MACHINE_PAUSED_STARTING_UP);

  self->is_restarting = FALSE;
  if (old == REEVE_MACHINE_RUNNING)
    return;

  reeve_machine_set_state (self, REEVE_MACHINE_RUNNING,
                           is_boot ? REEVE_MACHINE_RUNNING_BOOTED
                                   : REEVE_MACHINE_RUNNING_UNPAUSED);
  reeve_machine_emit_lifecycle (self, REEVE_LIFECYCLE_RESUMED,
                                REEVE_RESUMED_UNPAUSED);
  reeve_machine_save_status (self);
}

static void
take_watchdog (ReeveMachine *self, JsonObject *details)
{
  static const WordRow actions[] = {
    { "none", 0 },     { "pause", 1 }, { "reset", 2 },      { "poweroff", 3 },
    { "shutdown", 4 }, { "debug", 5 }, { "inject-nmi", 6 },
  };
  ReeveMachineEvent *event =
      reeve_machine_event_new (REEVE_MACHINE_EVENT_WATCHDOG);

  event->value = find_word (actions, G_N_ELEMENTS (actions),
                            get_string (details, "action"), 0);
  if (event->value == 1)
    self->pause_reason = REEVE_MACHINE_PAUSED_WATCHDOG;
  reeve_machine_emit (self, event);
}

static void
take_io_error (ReeveMachine *self, JsonObject *details)
{
  static const WordRow actions[] = {
    { "ignore", 0 },
    { "stop", 1 },
    { "report", 2 },
  };
  ReeveMachineEvent *event =
      reeve_machine_event_new (REEVE_MACHINE_EVENT_IO_ERROR);
  g_autoptr (ReeveConfig) config = reeve_machine_dup_live_config (self);
  const ReeveConfigDisk *disk = NULL;

  event->value = find_word (actions, G_N_ELEMENTS (actions),
                            get_string (details, "action"), 2);
  event->reason = g_strdup (get_boolean (details, "nospace") ? "enospc" : "");
  if (config != NULL)
    disk = reeve_config_find_node (config, get_string (details, "node-name"));
  if (disk != NULL) {
    event->device = g_strdup (disk->alias);
    event->path = g_strdup (disk->path);
  }
  if (event->value == 1)
    self->pause_reason = REEVE_MACHINE_PAUSED_IOERROR;
  reeve_machine_emit (self, event);
}

static void
take_panic (ReeveMachine *self, JsonObject *details)
{
  if (self->end != REEVE_END_UNKNOWN)
    return;

  reeve_machine_set_state (self, REEVE_MACHINE_CRASHED,
                           REEVE_MACHINE_CRASHED_PANICKED);
  reeve_machine_emit_lifecycle (self, REEVE_LIFECYCLE_CRASHED,
                                REEVE_CRASHED_PANICKED);
  reeve_machine_save_status (self);
  /* With any action but pause, a SHUTDOWN follows by itself. */
  if (g_str_equal (get_string (details, "action"), "pause"))
    guest_is_crashed (self);
}

static void
take_crash_loaded (ReeveMachine *self, JsonObject *details)
{
  reeve_machine_emit_lifecycle (self, REEVE_LIFECYCLE_CRASHED,
                                REEVE_CRASHED_CRASHLOADED);
}

static void
take_suspend (ReeveMachine *self, JsonObject *details)
{
  reeve_machine_set_state (self, REEVE_MACHINE_PMSUSPENDED, 0);
  reeve_machine_emit_lifecycle (self, REEVE_LIFECYCLE_PMSUSPENDED, 0);
  reeve_machine_emit (self,
                      reeve_machine_event_new (REEVE_MACHINE_EVENT_PMSUSPEND));
  reeve_machine_save_status (self);
}

static void
take_suspend_disk (ReeveMachine *self, JsonObject *details)
{
  reeve_machine_emit (
      self, reeve_machine_event_new (REEVE_MACHINE_EVENT_PMSUSPEND_DISK));
}

static void
take_wakeup (ReeveMachine *self, JsonObject *details)
{
  if (reeve_machine_get_state (self, NULL) != REEVE_MACHINE_PMSUSPENDED)
    return;

  reeve_machine_set_state (self, REEVE_MACHINE_RUNNING,
                           REEVE_MACHINE_RUNNING_WAKEUP);
  reeve_machine_emit_lifecycle (self, REEVE_LIFECYCLE_STARTED,
                                REEVE_STARTED_WAKEUP);
  reeve_machine_emit (self,
                      reeve_machine_event_new (REEVE_MACHINE_EVENT_PMWAKEUP));
  reeve_machine_save_status (self);
}

static void
take_balloon (ReeveMachine *self, JsonObject *details)
{
  ReeveMachineEvent *event =
      reeve_machine_event_new (REEVE_MACHINE_EVENT_BALLOON_CHANGE);

  event->value = MAX (get_int (details, "actual"), 0) / 1024;
  reeve_machine_set_balloon (self, (uint64_t) event->value);
  reeve_machine_emit (self, event);
}

static void
take_rtc (ReeveMachine *self, JsonObject *details)
{
  ReeveMachineEvent *event =
      reeve_machine_event_new (REEVE_MACHINE_EVENT_RTC_CHANGE);

  /* nowhere to be asked for later: it has to be in the status */
  self->rtc_offset_s = get_int (details, "offset");
  event->value = self->rtc_offset_s;
  reeve_machine_emit (self, event);
  reeve_machine_save_status (self);
}

static void
emit_device (ReeveMachine *self,
             ReeveMachineEventType type,
             const char *device,
             int64_t value)
{
  ReeveMachineEvent *event = reeve_machine_event_new (type);

  event->device = g_strdup (device);
  event->value = value;
  reeve_machine_emit (self, event);
}

static void
take_device_deleted (ReeveMachine *self, JsonObject *details)
{
  const char *device = get_string (details, "device");

  /* It comes twice for a virtio device, the first time for its backend and
   * without a name. */
  if (device[0] != '\0')
    emit_device (self, REEVE_MACHINE_EVENT_DEVICE_REMOVED, device, 0);
}

static void
take_unplug_error (ReeveMachine *self, JsonObject *details)
{
  const char *device = get_string (details, "device");

  if (device[0] != '\0')
    emit_device (self, REEVE_MACHINE_EVENT_DEVICE_REMOVAL_FAILED, device, 0);
}

static void
take_tray (ReeveMachine *self, JsonObject *details)
{
  emit_device (self, REEVE_MACHINE_EVENT_TRAY_CHANGE,
               get_string (details, "id"),
               get_boolean (details, "tray-open") ? 0 : 1);
}

static const EventRow event_rows[] = {
  { "BALLOON_CHANGE", take_balloon },
  { "BLOCK_IO_ERROR", take_io_error },
  { "DEVICE_DELETED", take_device_deleted },
  { "DEVICE_TRAY_MOVED", take_tray },
  { "DEVICE_UNPLUG_GUEST_ERROR", take_unplug_error },
  { "GUEST_CRASHLOADED", take_crash_loaded },
  { "GUEST_PANICKED", take_panic },
  { "RESET", take_reset },
  { "RESUME", take_resume },
  { "RTC_CHANGE", take_rtc },
  { "SHUTDOWN", take_shutdown },
  { "STOP", take_stop },
  { "SUSPEND", take_suspend },
  { "SUSPEND_DISK", take_suspend_disk },
  { "WAKEUP", take_wakeup },
  { "WATCHDOG", take_watchdog },
};

static void
emit_raw (ReeveMachine *self,
          const char *name,
          JsonObject *details,
          int64_t seconds,
          unsigned microseconds)
{
  ReeveMachineEvent *event =
      reeve_machine_event_new (REEVE_MACHINE_EVENT_MONITOR);

  event->reason = g_strdup (name);
  event->seconds = seconds;
  event->microseconds = microseconds;
  if (details != NULL)
    event->details = reeve_qmp_object_to_text (details);
  reeve_machine_emit (self, event);
}

void
reeve_machine_take_event (ReeveMachine *self,
                          const char *name,
                          JsonObject *details,
                          int64_t seconds,
                          unsigned microseconds)
{
  emit_raw (self, name, details, seconds, microseconds);
  for (size_t i = 0; i < G_N_ELEMENTS (event_rows); i++) {
    if (g_str_equal (event_rows[i].name, name)) {
      event_rows[i].func (self, details);
      return;
    }
  }
}

/* The start that an earlier daemon did not see the end of. */
static void
finish_taken_start (ReeveMachine *self, gboolean is_running)
{
  self->phase = REEVE_PHASE_UP;
  reeve_machine_emit_lifecycle (self, REEVE_LIFECYCLE_STARTED,
                                REEVE_STARTED_BOOTED);
  if (!is_running && !self->is_start_paused)
    reeve_qmp_execute (self->qmp, "cont", NULL, G_MAXINT64, on_restarted,
                       reeve_machine_ref (self));
  else if (!is_running)
    reeve_machine_set_state (self, REEVE_MACHINE_PAUSED,
                             REEVE_MACHINE_PAUSED_USER);
  reeve_machine_save_status (self);
}

static void
take_running (ReeveMachine *self)
{
  if (reeve_machine_get_state (self, NULL) != REEVE_MACHINE_RUNNING)
    take_resume (self, NULL);
}

static void
take_paused (ReeveMachine *self, const char *status)
{
  static const WordRow reasons[] = {
    { "paused", REEVE_MACHINE_PAUSED_USER },
    { "prelaunch", REEVE_MACHINE_PAUSED_USER },
    { "io-error", REEVE_MACHINE_PAUSED_IOERROR },
    { "watchdog", REEVE_MACHINE_PAUSED_WATCHDOG },
  };
  int reason = find_word (reasons, G_N_ELEMENTS (reasons), status,
                          REEVE_MACHINE_PAUSED_UNKNOWN);
  int old_reason;

  if (reeve_machine_get_state (self, &old_reason) == REEVE_MACHINE_PAUSED &&
      old_reason != REEVE_MACHINE_PAUSED_STARTING_UP)
    return;
  become_paused (self, reason);
}

static void
take_down (ReeveMachine *self)
{
  self->is_shut_down = TRUE;
  reeve_machine_set_state (self, REEVE_MACHINE_SHUTDOWN,
                           REEVE_MACHINE_SHUTDOWN_USER);
  guest_is_down (self);
}

static void
take_panicked (ReeveMachine *self)
{
  if (reeve_machine_get_state (self, NULL) == REEVE_MACHINE_CRASHED)
    return;
  reeve_machine_set_state (self, REEVE_MACHINE_CRASHED,
                           REEVE_MACHINE_CRASHED_PANICKED);
  guest_is_crashed (self);
}

void
reeve_machine_take_status (ReeveMachine *self, const char *status)
{
  gboolean is_running = g_str_equal (status, "running");

  if (self->phase == REEVE_PHASE_BOOTING &&
      (is_running || g_str_equal (status, "prelaunch"))) {
    if (is_running)
      take_running (self);
    finish_taken_start (self, is_running);
    return;
  }

  self->phase = REEVE_PHASE_UP;
  if (is_running)
    take_running (self);
  else if (g_str_equal (status, "shutdown"))
    take_down (self);
  else if (g_str_equal (status, "guest-panicked"))
    take_panicked (self);
  else if (g_str_equal (status, "suspended"))
    reeve_machine_set_state (self, REEVE_MACHINE_PMSUSPENDED, 0);
  else
    take_paused (self, status);
}
