/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/remote-private.h"
#include "rpc/error.h"

/* Starts, stops and everything between: each defers its call until the
 * machine's operation ends. */

enum {
  START_KNOWN = REEVE_MACHINE_START_PAUSED | REEVE_MACHINE_START_AUTODESTROY |
                1 << 2 /* bypass cache */ | 1 << 3 /* force boot */,
  DESTROY_REMOVE_LOGS = 1 << 1,
  MODE_ACPI = 1 << 0,
  KEYS_LINUX = 0,
};

static gboolean
run (ReeveCall *call,
     const remote_domain *domain,
     ReeveMachineOperation operation,
     GError **error)
{
  g_autoptr (ReeveMachine) machine = reeve_remote_find (call, domain, error);

  if (machine == NULL)
    return FALSE;

  reeve_remote_run (call, machine, operation);
  return TRUE;
}

static gboolean
start (ReeveCall *call,
       const remote_domain *domain,
       uint32_t flags,
       ReeveMachineDone done,
       GError **error)
{
  g_autoptr (ReeveMachine) machine =
      reeve_remote_find_with_flags (call, domain, flags, START_KNOWN, error);
  gconstpointer owner;

  if (machine == NULL || !reeve_session_find_owner (call, flags, &owner, error))
    return FALSE;

  reeve_machine_start (
      machine,
      (ReeveMachineStartFlags) (flags & (REEVE_MACHINE_START_PAUSED |
                                         REEVE_MACHINE_START_AUTODESTROY)),
      owner, reeve_remote_get_deadline_us (call), done,
      reeve_call_defer (call));
  return TRUE;
}

static gboolean
domain_create (ReeveCall *call,
               const remote_domain_create_args *args,
               GError **error)
{
  return start (call, &args->dom, 0, reeve_remote_answer, error);
}

static gboolean
domain_create_with_flags (ReeveCall *call,
                          const remote_domain_create_with_flags_args *args,
                          remote_domain_create_with_flags_ret *ret,
                          GError **error)
{
  return start (call, &args->dom, args->flags, reeve_remote_answer_handle,
                error);
}

/* Only the power button can be pressed: there is no agent to ask yet. */
static gboolean
check_mode (ReeveCall *call, uint32_t flags, GError **error)
{
  if (!reeve_remote_check_flags (call, flags, 0x1f, error))
    return FALSE;
  if (flags == 0 || (flags & MODE_ACPI) != 0)
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_ARGUMENT_UNSUPPORTED,
                       _ ("Only the mode acpi is supported"));
  return FALSE;
}

static gboolean
domain_shutdown (ReeveCall *call,
                 const remote_domain_shutdown_args *args,
                 GError **error)
{
  return run (call, &args->dom, reeve_machine_shutdown, error);
}

static gboolean
domain_shutdown_flags (ReeveCall *call,
                       const remote_domain_shutdown_flags_args *args,
                       GError **error)
{
  return check_mode (call, args->flags, error) &&
         run (call, &args->dom, reeve_machine_shutdown, error);
}

static gboolean
domain_reboot (ReeveCall *call,
               const remote_domain_reboot_args *args,
               GError **error)
{
  return check_mode (call, args->flags, error) &&
         run (call, &args->dom, reeve_machine_reboot, error);
}

static gboolean
domain_reset (ReeveCall *call,
              const remote_domain_reset_args *args,
              GError **error)
{
  return reeve_remote_check_flags (call, args->flags, 0, error) &&
         run (call, &args->dom, reeve_machine_reset, error);
}

static gboolean
domain_suspend (ReeveCall *call,
                const remote_domain_suspend_args *args,
                GError **error)
{
  return run (call, &args->dom, reeve_machine_suspend, error);
}

static gboolean
domain_resume (ReeveCall *call,
               const remote_domain_resume_args *args,
               GError **error)
{
  return run (call, &args->dom, reeve_machine_resume, error);
}

static gboolean
destroy (ReeveCall *call,
         const remote_domain *domain,
         ReeveMachineDestroyFlags flags,
         GError **error)
{
  g_autoptr (ReeveMachine) machine = reeve_remote_find (call, domain, error);

  if (machine == NULL)
    return FALSE;

  reeve_machine_destroy (machine, flags, reeve_remote_get_deadline_us (call),
                         reeve_remote_answer, reeve_call_defer (call));
  return TRUE;
}

static gboolean
domain_destroy (ReeveCall *call,
                const remote_domain_destroy_args *args,
                GError **error)
{
  return destroy (call, &args->dom, REEVE_MACHINE_DESTROY_DEFAULT, error);
}

static gboolean
domain_destroy_flags (ReeveCall *call,
                      const remote_domain_destroy_flags_args *args,
                      GError **error)
{
  return reeve_remote_check_flags (
             call, args->flags,
             REEVE_MACHINE_DESTROY_GRACEFUL | DESTROY_REMOVE_LOGS, error) &&
         destroy (call, &args->dom,
                  (ReeveMachineDestroyFlags) (args->flags &
                                              REEVE_MACHINE_DESTROY_GRACEFUL),
                  error);
}

static gboolean
domain_send_key (ReeveCall *call,
                 const remote_domain_send_key_args *args,
                 GError **error)
{
  unsigned keys[REEVE_MACHINE_MAX_KEYS];
  g_autoptr (ReeveMachine) machine = NULL;

  if (args->codeset != KEYS_LINUX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_ARGUMENT_UNSUPPORTED,
                 _ ("The set %u of key codes is not supported; Linux' is"),
                 args->codeset);
    return FALSE;
  }
  for (uint32_t i = 0; i < args->keycodes.n_items; i++) {
    keys[i] = reeve_machine_key_from_linux (args->keycodes.items[i]);
    if (keys[i] == 0) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                   _ ("There is no key with the code %u"),
                   args->keycodes.items[i]);
      return FALSE;
    }
  }

  machine = reeve_remote_find (call, &args->dom, error);
  if (machine == NULL)
    return FALSE;
  reeve_machine_send_key (machine, keys, args->keycodes.n_items, args->holdtime,
                          reeve_remote_get_deadline_us (call),
                          reeve_remote_answer, reeve_call_defer (call));
  return TRUE;
}

static gboolean
domain_set_autostart (ReeveCall *call,
                      const remote_domain_set_autostart_args *args,
                      GError **error)
{
  g_autoptr (ReeveMachine) machine =
      reeve_remote_find (call, &args->dom, error);

  return machine != NULL && reeve_machine_list_set_autostart (
                                reeve_remote_get_machines (call), machine,
                                args->autostart != 0, error);
}

void
reeve_remote_add_life (remote_handlers *handlers)
{
  handlers->domain_create = domain_create;
  handlers->domain_create_with_flags = domain_create_with_flags;
  handlers->domain_shutdown = domain_shutdown;
  handlers->domain_shutdown_flags = domain_shutdown_flags;
  handlers->domain_reboot = domain_reboot;
  handlers->domain_reset = domain_reset;
  handlers->domain_suspend = domain_suspend;
  handlers->domain_resume = domain_resume;
  handlers->domain_destroy = domain_destroy;
  handlers->domain_destroy_flags = domain_destroy_flags;
  handlers->domain_send_key = domain_send_key;
  handlers->domain_set_autostart = domain_set_autostart;
}
