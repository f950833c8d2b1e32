/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/emulator.h"
#include "machine/remote-private.h"
#include "rpc/access.h"
#include "rpc/error.h"

#include <string.h>

/* Definitions: made, changed, removed. What is answered is on the disk. */

enum {
  DEFINE_VALIDATE = 1 << 0,
  CREATE_VALIDATE = 1 << 4,
  CREATE_RESET_NVRAM = 1 << 5,
  UNDEFINE_KNOWN = 0x7f,
};

/* Of a machine that the caller may not see, not even its name is told. */
static gboolean
check_uuid (ReeveCall *call, ReeveConfig *config, GError **error)
{
  g_autoptr (ReeveMachine) machine = reeve_machine_list_lookup_uuid (
      reeve_remote_get_machines (call), reeve_config_get_uuid (config), NULL);
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  if (machine == NULL)
    return TRUE;
  reeve_machine_get_snapshot (machine, &snapshot);
  if (strcmp (snapshot.name, reeve_config_get_name (config)) == 0 ||
      reeve_server_client_may (reeve_call_get_client (call), "domain:getattr",
                               snapshot.name))
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
                       _ ("the uuid is that of another machine"));
  return FALSE;
}

/* With @is_strict what is not known is an error, not a warning. (transfer
 * full) */
static ReeveConfig *
parse (ReeveCall *call, const char *xml, gboolean is_strict, GError **error)
{
  g_autoptr (ReeveConfig) config = NULL;
  GPtrArray *warnings;

  if (!reeve_remote_check_open (call, error))
    return NULL;
  config = reeve_config_new_from_xml (xml, error);
  if (config == NULL ||
      !reeve_call_check_access (call, NULL, reeve_config_get_name (config),
                                error) ||
      !check_uuid (call, config, error))
    return NULL;

  warnings = reeve_config_get_warnings (config);
  for (unsigned i = 0; i < warnings->len; i++) {
    if (is_strict) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_XML, _ ("XML error: %s"),
                   (const char *) warnings->pdata[i]);
      return NULL;
    }
    g_message ("%s: %s", reeve_config_get_name (config),
               (const char *) warnings->pdata[i]);
  }

  return reeve_emulator_fit_config (config, error);
}

static gboolean
define (ReeveCall *call,
        const char *xml,
        gboolean is_strict,
        remote_domain *domain,
        GError **error)
{
  g_autoptr (ReeveConfig) config = parse (call, xml, is_strict, error);
  g_autoptr (ReeveMachine) machine = NULL;

  if (config == NULL)
    return FALSE;
  machine = reeve_machine_list_define (reeve_remote_get_machines (call), config,
                                       NULL, error);
  if (machine == NULL)
    return FALSE;
  reeve_remote_fill (domain, machine);
  return TRUE;
}

static gboolean
domain_define_xml (ReeveCall *call,
                   const remote_domain_define_xml_args *args,
                   remote_domain_define_xml_ret *ret,
                   GError **error)
{
  return define (call, args->xml, FALSE, &ret->dom, error);
}

static gboolean
domain_define_xml_flags (ReeveCall *call,
                         const remote_domain_define_xml_flags_args *args,
                         remote_domain_define_xml_flags_ret *ret,
                         GError **error)
{
  return reeve_remote_check_flags (call, args->flags, DEFINE_VALIDATE, error) &&
         define (call, args->xml, (args->flags & DEFINE_VALIDATE) != 0,
                 &ret->dom, error);
}

static gboolean
domain_create_xml (ReeveCall *call,
                   const remote_domain_create_xml_args *args,
                   remote_domain_create_xml_ret *ret,
                   GError **error)
{
  g_autoptr (ReeveConfig) config = NULL;
  g_autoptr (ReeveMachine) machine = NULL;
  uint32_t start_flags =
      REEVE_MACHINE_START_PAUSED | REEVE_MACHINE_START_AUTODESTROY;
  gconstpointer owner;
  ReeveCall *deferred;

  if (!reeve_remote_check_flags (
          call, args->flags, start_flags | CREATE_VALIDATE | CREATE_RESET_NVRAM,
          error))
    return FALSE;
  config =
      parse (call, args->xml_desc, (args->flags & CREATE_VALIDATE) != 0, error);
  if (config == NULL ||
      !reeve_session_find_owner (call, args->flags, &owner, error))
    return FALSE;

  deferred = reeve_call_defer (call);
  machine = reeve_machine_list_create (
      reeve_remote_get_machines (call), config,
      (ReeveMachineStartFlags) (args->flags & start_flags), owner,
      reeve_remote_get_deadline_us (call), reeve_remote_answer_handle, deferred,
      error);
  if (machine == NULL)
    reeve_call_fail (deferred, *error);
  return TRUE;
}

static gboolean
undefine (ReeveCall *call, const remote_domain *domain, GError **error)
{
  g_autoptr (ReeveMachine) machine = reeve_remote_find (call, domain, error);

  return machine != NULL &&
         reeve_machine_list_undefine (reeve_remote_get_machines (call), machine,
                                      error);
}

static gboolean
domain_undefine (ReeveCall *call,
                 const remote_domain_undefine_args *args,
                 GError **error)
{
  return undefine (call, &args->dom, error);
}

static gboolean
domain_undefine_flags (ReeveCall *call,
                       const remote_domain_undefine_flags_args *args,
                       GError **error)
{
  return reeve_remote_check_flags (call, args->flags, UNDEFINE_KNOWN, error) &&
         undefine (call, &args->dom, error);
}

static gboolean
domain_rename (ReeveCall *call,
               const remote_domain_rename_args *args,
               remote_domain_rename_ret *ret,
               GError **error)
{
  g_autoptr (ReeveMachine) machine =
      reeve_remote_find_with_flags (call, &args->dom, args->flags, 0, error);

  if (machine == NULL)
    return FALSE;
  if (args->new_name == NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                         _ ("The new name is missing"));
    return FALSE;
  }
  if (!reeve_call_check_access (call, NULL, args->new_name, error))
    return FALSE;
  return reeve_machine_list_rename (reeve_remote_get_machines (call), machine,
                                    args->new_name, error);
}

/* -------------------------------------------------------------- memory --- */

static ReeveConfig *
change_memory (ReeveConfig *config, gconstpointer data, GError **error)
{
  return reeve_config_with_memory (config, *(const uint64_t *) data, error);
}

static ReeveConfig *
change_current_memory (ReeveConfig *config, gconstpointer data, GError **error)
{
  return reeve_config_with_current_memory (config, *(const uint64_t *) data,
                                           error);
}

static gboolean
store_memory (ReeveCall *call,
              ReeveMachine *machine,
              uint64_t memory_kib,
              gboolean is_maximum,
              GError **error)
{
  const ReeveMachineUpdate update = {
    .change = is_maximum ? change_memory : change_current_memory,
    .data = &memory_kib,
    .is_stored = TRUE,
  };

  return reeve_machine_list_update (reeve_remote_get_machines (call), machine,
                                    &update, NULL, error);
}

static gboolean
set_memory (ReeveCall *call,
            const remote_domain *domain,
            uint64_t memory_kib,
            uint32_t flags,
            GError **error)
{
  g_autoptr (ReeveMachine) machine = reeve_remote_find (call, domain, error);
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };
  gboolean is_maximum = (flags & REEVE_IMPACT_MAXIMUM) != 0;

  if (machine == NULL)
    return FALSE;
  reeve_machine_get_snapshot (machine, &snapshot);
  if (!reeve_remote_resolve_impact (&snapshot, &flags, error))
    return FALSE;
  if (is_maximum && (flags & REEVE_IMPACT_LIVE)) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
                         _ ("cannot resize the maximum memory on an active "
                            "domain"));
    return FALSE;
  }
  if ((flags & REEVE_IMPACT_LIVE) &&
      memory_kib > reeve_config_get_memory_kib (snapshot.live_config)) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                         _ ("cannot set memory higher than max memory"));
    return FALSE;
  }
  if ((flags & REEVE_IMPACT_CONFIG) &&
      !store_memory (call, machine, memory_kib, is_maximum, error))
    return FALSE;
  if (flags & REEVE_IMPACT_LIVE)
    reeve_machine_set_memory (machine, memory_kib,
                              reeve_remote_get_deadline_us (call),
                              reeve_remote_answer, reeve_call_defer (call));
  return TRUE;
}

static gboolean
domain_set_memory (ReeveCall *call,
                   const remote_domain_set_memory_args *args,
                   GError **error)
{
  return set_memory (call, &args->dom, args->memory, REEVE_IMPACT_LIVE, error);
}

static gboolean
domain_set_max_memory (ReeveCall *call,
                       const remote_domain_set_max_memory_args *args,
                       GError **error)
{
  return set_memory (call, &args->dom, args->memory, REEVE_IMPACT_MAXIMUM,
                     error);
}

static gboolean
domain_set_memory_flags (ReeveCall *call,
                         const remote_domain_set_memory_flags_args *args,
                         GError **error)
{
  return reeve_remote_check_flags (call, args->flags, 0x7, error) &&
         set_memory (call, &args->dom, args->memory, args->flags, error);
}

void
reeve_remote_add_define (remote_handlers *handlers)
{
  handlers->domain_define_xml = domain_define_xml;
  handlers->domain_define_xml_flags = domain_define_xml_flags;
  handlers->domain_create_xml = domain_create_xml;
  handlers->domain_undefine = domain_undefine;
  handlers->domain_undefine_flags = domain_undefine_flags;
  handlers->domain_rename = domain_rename;
  handlers->domain_set_memory = domain_set_memory;
  handlers->domain_set_max_memory = domain_set_max_memory;
  handlers->domain_set_memory_flags = domain_set_memory_flags;
}
