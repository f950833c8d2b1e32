/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/remote-private.h"

#include <string.h>

/* An event of a machine in the forms that clients know. Nothing here is owned:
 * the bodies borrow from the event. */

static remote_domain
get_domain (const ReeveMachineEvent *event)
{
  remote_domain domain = { .name = event->name, .id = event->id };

  memcpy (domain.uuid, event->uuid, sizeof domain.uuid);
  return domain;
}

static void
send_one (ReeveServerClient *client,
          const ReeveMachineEvent *event,
          int32_t callback_id,
          int32_t number,
          gconstpointer body)
{
  reeve_event_frames_send (event->frames, client, callback_id, &remote_program,
                           reeve_program_find (&remote_program, number), body);
}

/* Sends the inner body in the old form, or inside the new one. Most events
 * have both. */
#define SEND(NAME, name, inner)                                                \
  if (kind == REEVE_SUBSCRIPTION_LEGACY) {                                     \
    send_one (client, event, 0, REMOTE_PROC_DOMAIN_EVENT_##NAME, &(inner));    \
  } else {                                                                     \
    const remote_domain_event_callback_##name##_msg outer = {                  \
      .callback_id = callback_id,                                              \
      .msg = inner,                                                            \
    };                                                                         \
                                                                               \
    send_one (client, event, callback_id,                                      \
              REMOTE_PROC_DOMAIN_EVENT_CALLBACK_##NAME, &outer);               \
  }

#define DEFINE_SENDER(NAME, name, ...)                                         \
  static void send_##name (ReeveServerClient *client,                          \
                           ReeveSubscriptionKind kind, int32_t callback_id,    \
                           const ReeveMachineEvent *event)                     \
  {                                                                            \
    const remote_domain_event_##name##_msg inner = { .dom =                    \
                                                         get_domain (event),   \
                                                     __VA_ARGS__ };            \
                                                                               \
    SEND (NAME, name, inner)                                                   \
  }

/* NULL is no string on the wire. */
static char *
get_string (char *text)
{
  static char empty[] = "";

  return text != NULL ? text : empty;
}

DEFINE_SENDER (LIFECYCLE,
               lifecycle,
               .event = event->event,
               .detail = event->detail)
DEFINE_SENDER (REBOOT, reboot)
DEFINE_SENDER (RTC_CHANGE, rtc_change, .offset = event->value)
DEFINE_SENDER (WATCHDOG, watchdog, .action = (int32_t) event->value)
DEFINE_SENDER (IO_ERROR,
               io_error,
               .src_path = get_string (event->path),
               .dev_alias = get_string (event->device),
               .action = (int32_t) event->value)
DEFINE_SENDER (IO_ERROR_REASON,
               io_error_reason,
               .src_path = get_string (event->path),
               .dev_alias = get_string (event->device),
               .action = (int32_t) event->value,
               .reason = get_string (event->reason))
DEFINE_SENDER (TRAY_CHANGE,
               tray_change,
               .dev_alias = get_string (event->device),
               .reason = (int32_t) event->value)
DEFINE_SENDER (PMWAKEUP, pmwakeup)
DEFINE_SENDER (PMSUSPEND, pmsuspend)
DEFINE_SENDER (PMSUSPEND_DISK, pmsuspend_disk)
DEFINE_SENDER (BALLOON_CHANGE,
               balloon_change,
               .actual = (uint64_t) event->value)
DEFINE_SENDER (DEVICE_REMOVED,
               device_removed,
               .dev_alias = get_string (event->device))

static void
send_agent_lifecycle (ReeveServerClient *client,
                      ReeveSubscriptionKind kind,
                      int32_t callback_id,
                      const ReeveMachineEvent *event)
{
  const remote_domain_event_callback_agent_lifecycle_msg body = {
    .callback_id = callback_id,
    .dom = get_domain (event),
    .state = (int32_t) event->value,
  };

  send_one (client, event, callback_id,
            REMOTE_PROC_DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE, &body);
}

static void
send_device_removal_failed (ReeveServerClient *client,
                            ReeveSubscriptionKind kind,
                            int32_t callback_id,
                            const ReeveMachineEvent *event)
{
  const remote_domain_event_callback_device_removal_failed_msg body = {
    .callback_id = callback_id,
    .dom = get_domain (event),
    .dev_alias = get_string (event->device),
  };

  send_one (client, event, callback_id,
            REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED, &body);
}

static void
send_metadata_change (ReeveServerClient *client,
                      ReeveSubscriptionKind kind,
                      int32_t callback_id,
                      const ReeveMachineEvent *event)
{
  const remote_domain_event_callback_metadata_change_msg body = {
    .callback_id = callback_id,
    .dom = get_domain (event),
    .type = (int32_t) event->value,
    .nsuri = event->reason,
  };

  send_one (client, event, callback_id,
            REMOTE_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE, &body);
}

static void
send_monitor (ReeveServerClient *client,
              int32_t callback_id,
              const ReeveMachineEvent *event)
{
  qemu_domain_monitor_event_msg body = {
    .callback_id = callback_id,
    .dom = { .name = event->name, .id = event->id },
    .event = get_string (event->reason),
    .seconds = event->seconds,
    .micros = event->microseconds,
    .details = event->details,
  };

  memcpy (body.dom.uuid, event->uuid, sizeof body.dom.uuid);
  reeve_event_frames_send (
      event->frames, client, callback_id, &qemu_program,
      reeve_program_find (&qemu_program, QEMU_PROC_DOMAIN_MONITOR_EVENT),
      &body);
}

void
reeve_event_send (ReeveServerClient *client,
                  ReeveSubscriptionKind kind,
                  int32_t event_id,
                  int32_t callback_id,
                  const ReeveMachineEvent *event)
{
  static const struct {
    int32_t event_id;
    void (*send) (ReeveServerClient *client,
                  ReeveSubscriptionKind kind,
                  int32_t callback_id,
                  const ReeveMachineEvent *event);
  } senders[] = {
    { 0, send_lifecycle },        { 1, send_reboot },
    { 2, send_rtc_change },       { 3, send_watchdog },
    { 4, send_io_error },         { 6, send_io_error_reason },
    { 10, send_tray_change },     { 11, send_pmwakeup },
    { 12, send_pmsuspend },       { 13, send_balloon_change },
    { 14, send_pmsuspend_disk },  { 15, send_device_removed },
    { 18, send_agent_lifecycle }, { 22, send_device_removal_failed },
    { 23, send_metadata_change },
  };

  if (kind == REEVE_SUBSCRIPTION_MONITOR) {
    send_monitor (client, callback_id, event);
    return;
  }
  for (size_t i = 0; i < G_N_ELEMENTS (senders); i++)
    if (senders[i].event_id == event_id)
      senders[i].send (client, kind, callback_id, event);
}
