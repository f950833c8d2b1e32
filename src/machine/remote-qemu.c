/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/remote-private.h"
#include "rpc/error.h"

#include <string.h>

/* The program `qemu`. */

enum {
  MONITOR_HMP = 1 << 0,
  EVENT_REGEX = 1 << 0,
  EVENT_NOCASE = 1 << 1,
};

static void
take_reply (ReeveMachine *machine,
            const char *text,
            const GError *error,
            gpointer data)
{
  const qemu_domain_monitor_command_ret ret = { .result = (char *) text };

  if (error != NULL)
    reeve_call_fail (data, error);
  else
    reeve_call_reply (data, &ret);
}

static gboolean
send_command (ReeveCall *call,
              const qemu_domain_monitor_command_args *args,
              GError **error)
{
  g_autoptr (ReeveMachine) machine = NULL;

  if (!reeve_remote_check_flags (call, args->flags, MONITOR_HMP, error) ||
      !reeve_remote_check_open (call, error))
    return FALSE;
  machine = reeve_machine_list_lookup_uuid (reeve_remote_get_machines (call),
                                            args->dom.uuid, error);
  if (machine == NULL)
    return FALSE;

  reeve_machine_monitor_command (
      machine, args->cmd, (args->flags & MONITOR_HMP) != 0,
      reeve_call_steal_fd (call, 0), reeve_remote_get_deadline_us (call),
      take_reply, reeve_call_defer (call));
  return TRUE;
}

static gboolean
monitor_command (ReeveCall *call,
                 const qemu_domain_monitor_command_args *args,
                 qemu_domain_monitor_command_ret *ret,
                 GError **error)
{
  return send_command (call, args, error);
}

/* QEMU takes one with a command, and gives none back. */
static gboolean
monitor_command_with_files (
    ReeveCall *call,
    const qemu_domain_monitor_command_with_files_args *args,
    qemu_domain_monitor_command_with_files_ret *ret,
    GError **error)
{
  const qemu_domain_monitor_command_args command = {
    .dom = args->dom,
    .cmd = args->cmd,
    .flags = args->flags,
  };

  if (reeve_call_get_n_fds (call) > 1) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("a monitor command takes one file descriptor, not %u"),
                 reeve_call_get_n_fds (call));
    return FALSE;
  }
  return send_command (call, &command, error);
}

static gboolean
monitor_event_register (
    ReeveCall *call,
    const qemu_connect_domain_monitor_event_register_args *args,
    qemu_connect_domain_monitor_event_register_ret *ret,
    GError **error)
{
  return reeve_remote_check_open (call, error) &&
         reeve_remote_check_flags (call, args->flags,
                                   EVENT_REGEX | EVENT_NOCASE, error) &&
         reeve_session_subscribe (
             reeve_session_get (call), REEVE_SUBSCRIPTION_MONITOR,
             REEVE_MACHINE_EVENT_MONITOR,
             args->dom != NULL ? args->dom->uuid : NULL, args->event,
             (args->flags & EVENT_REGEX) != 0,
             (args->flags & EVENT_NOCASE) != 0, &ret->callback_id, error);
}

static gboolean
monitor_event_deregister (
    ReeveCall *call,
    const qemu_connect_domain_monitor_event_deregister_args *args,
    GError **error)
{
  return reeve_remote_check_open (call, error) &&
         reeve_session_unsubscribe (reeve_session_get (call),
                                    REEVE_SUBSCRIPTION_MONITOR,
                                    args->callback_id, error);
}

void
reeve_remote_add_qemu (qemu_handlers *handlers)
{
  handlers->domain_monitor_command = monitor_command;
  handlers->domain_monitor_command_with_files = monitor_command_with_files;
  handlers->connect_domain_monitor_event_register = monitor_event_register;
  handlers->connect_domain_monitor_event_deregister = monitor_event_deregister;
}
