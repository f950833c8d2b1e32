/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/remote-private.h"
#include "rpc/command.h"
#include "rpc/error.h"

/* Registrations for events. */

enum {
  EVENT_LIFECYCLE = 0,
  EVENT_LAST_LEGACY = 15,
  EVENT_LAST = 26,
};

static gboolean
check_event (int32_t event_id, int32_t last, GError **error)
{
  if (event_id >= 0 && event_id <= last)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INTERNAL,
               _ ("unsupported event ID %d"), event_id);
  return FALSE;
}

static gboolean
callback_register_any (
    ReeveCall *call,
    const remote_connect_domain_event_callback_register_any_args *args,
    remote_connect_domain_event_callback_register_any_ret *ret,
    GError **error)
{
  return reeve_remote_check_open (call, error) &&
         check_event (args->event_id, EVENT_LAST, error) &&
         reeve_session_subscribe (reeve_session_get (call),
                                  REEVE_SUBSCRIPTION_CALLBACK, args->event_id,
                                  args->dom != NULL ? args->dom->uuid : NULL,
                                  NULL, FALSE, FALSE, &ret->callback_id, error);
}

static gboolean
callback_deregister_any (
    ReeveCall *call,
    const remote_connect_domain_event_callback_deregister_any_args *args,
    GError **error)
{
  return reeve_remote_check_open (call, error) &&
         reeve_session_unsubscribe (reeve_session_get (call),
                                    REEVE_SUBSCRIPTION_CALLBACK,
                                    args->callback_id, error);
}

static gboolean
register_legacy (ReeveCall *call, int32_t event_id, GError **error)
{
  int32_t id;

  return reeve_remote_check_open (call, error) &&
         check_event (event_id, EVENT_LAST_LEGACY, error) &&
         reeve_session_subscribe (reeve_session_get (call),
                                  REEVE_SUBSCRIPTION_LEGACY, event_id, NULL,
                                  NULL, FALSE, FALSE, &id, error);
}

static gboolean
register_any (ReeveCall *call,
              const remote_connect_domain_event_register_any_args *args,
              GError **error)
{
  return register_legacy (call, args->event_id, error);
}

static gboolean
deregister_any (ReeveCall *call,
                const remote_connect_domain_event_deregister_any_args *args,
                GError **error)
{
  return reeve_remote_check_open (call, error) &&
         reeve_session_unsubscribe (reeve_session_get (call),
                                    REEVE_SUBSCRIPTION_LEGACY, args->event_id,
                                    error);
}

static gboolean
event_register (ReeveCall *call,
                remote_connect_domain_event_register_ret *ret,
                GError **error)
{
  ret->cb_registered = 1;
  return register_legacy (call, EVENT_LIFECYCLE, error);
}

static gboolean
event_deregister (ReeveCall *call,
                  remote_connect_domain_event_deregister_ret *ret,
                  GError **error)
{
  return reeve_remote_check_open (call, error) &&
         reeve_session_unsubscribe (reeve_session_get (call),
                                    REEVE_SUBSCRIPTION_LEGACY, EVENT_LIFECYCLE,
                                    error);
}

void
reeve_remote_add_subscriptions (ReeveServer *server)
{
#define ROW(name, number)                                                      \
  {                                                                            \
    "remote.domain_event_callback_" name,                                      \
        "remote.connect_domain_event_callback_register_any",                   \
        "{\"event_id\":" number "}"                                            \
  }
  static const ReeveSubscription rows[] = {
    ROW ("lifecycle", "0"),        ROW ("reboot", "1"),
    ROW ("rtc_change", "2"),       ROW ("watchdog", "3"),
    ROW ("io_error", "4"),         ROW ("io_error_reason", "6"),
    ROW ("tray_change", "10"),     ROW ("pmwakeup", "11"),
    ROW ("pmsuspend", "12"),       ROW ("balloon_change", "13"),
    ROW ("pmsuspend_disk", "14"),  ROW ("device_removed", "15"),
    ROW ("agent_lifecycle", "18"), ROW ("device_removal_failed", "22"),
    ROW ("metadata_change", "23"),
  };
#undef ROW

  reeve_server_add_subscriptions (server, rows, G_N_ELEMENTS (rows));
}

void
reeve_remote_add_event (remote_handlers *handlers)
{
  handlers->connect_domain_event_callback_register_any = callback_register_any;
  handlers->connect_domain_event_callback_deregister_any =
      callback_deregister_any;
  handlers->connect_domain_event_register_any = register_any;
  handlers->connect_domain_event_deregister_any = deregister_any;
  handlers->connect_domain_event_register = event_register;
  handlers->connect_domain_event_deregister = event_deregister;
}
