/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/remote-private.h"
#include "rpc/error.h"

/* What is known of one machine: answered at once, from memory. */

enum {
  XML_KNOWN = 0xf,
  XML_INACTIVE = 1 << 1,
  VCPU_GUEST = 1 << 3,
};

/* Takes the machine's snapshot. */
static gboolean
look (ReeveCall *call,
      const remote_domain *domain,
      ReeveMachineSnapshot *snapshot,
      GError **error)
{
  g_autoptr (ReeveMachine) machine = reeve_remote_find (call, domain, error);

  if (machine == NULL)
    return FALSE;
  reeve_machine_get_snapshot (machine, snapshot);
  return TRUE;
}

/* The definition that counts now. */
static ReeveConfig *
get_config (const ReeveMachineSnapshot *snapshot)
{
  return snapshot->live_config != NULL ? snapshot->live_config
                                       : snapshot->config;
}

static gboolean
domain_get_state (ReeveCall *call,
                  const remote_domain_get_state_args *args,
                  remote_domain_get_state_ret *ret,
                  GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  if (!reeve_remote_check_flags (call, args->flags, 0, error) ||
      !look (call, &args->dom, &snapshot, error))
    return FALSE;
  ret->state = snapshot.state;
  ret->reason = snapshot.reason;
  return TRUE;
}

static gboolean
domain_get_info (ReeveCall *call,
                 const remote_domain_get_info_args *args,
                 remote_domain_get_info_ret *ret,
                 GError **error)
{
  g_autoptr (ReeveMachine) machine =
      reeve_remote_find (call, &args->dom, error);
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };
  ReeveMachineUsage usage = { 0 };
  ReeveConfig *config;

  if (machine == NULL)
    return FALSE;
  reeve_machine_get_snapshot (machine, &snapshot);
  reeve_machine_get_usage (machine, &usage);
  config = get_config (&snapshot);
  ret->state = (uint8_t) snapshot.state;
  ret->max_mem = reeve_config_get_memory_kib (config);
  ret->memory = snapshot.current_memory_kib;
  ret->nr_virt_cpu = (uint16_t) reeve_config_get_vcpus (config);
  ret->cpu_time = usage.cpu_ns;
  return TRUE;
}

/* Borrows the text from what it has lent. */
static char *
lend_config (ReeveCall *call, ReeveConfig *config)
{
  reeve_call_lend_ret (call, config, (GDestroyNotify) reeve_config_unref);
  return (char *) reeve_config_get_xml (config);
}

static char *
lend_live_xml (ReeveCall *call, ReeveMachineXml *xml)
{
  reeve_call_lend_ret (call, xml, (GDestroyNotify) reeve_machine_xml_unref);
  return (char *) reeve_machine_xml_get_text (xml);
}

static gboolean
domain_get_xml_desc (ReeveCall *call,
                     const remote_domain_get_xml_desc_args *args,
                     remote_domain_get_xml_desc_ret *ret,
                     GError **error)
{
  g_autoptr (ReeveMachine) machine = reeve_remote_find_with_flags (
      call, &args->dom, args->flags, XML_KNOWN, error);
  ReeveMachineXml *live = NULL;
  ReeveConfig *config;

  if (machine == NULL)
    return FALSE;
  if (!reeve_machine_has_live_xml (machine) && reeve_call_move_to_pool (call))
    return TRUE;

  config = reeve_machine_dup_config (machine);
  if (config == NULL || (args->flags & XML_INACTIVE) == 0)
    live = reeve_machine_get_live_xml (machine);
  if (live != NULL) {
    g_clear_pointer (&config, reeve_config_unref);
    ret->xml = lend_live_xml (call, live);
  } else if (config != NULL) {
    ret->xml = lend_config (call, config);
  } else {
    reeve_machine_list_miss_uuid (reeve_machine_get_uuid (machine), error);
  }
  return ret->xml != NULL;
}

static gboolean
domain_is_active (ReeveCall *call,
                  const remote_domain_is_active_args *args,
                  remote_domain_is_active_ret *ret,
                  GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  if (!look (call, &args->dom, &snapshot, error))
    return FALSE;
  ret->active = snapshot.is_active;
  return TRUE;
}

static gboolean
domain_is_persistent (ReeveCall *call,
                      const remote_domain_is_persistent_args *args,
                      remote_domain_is_persistent_ret *ret,
                      GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  if (!look (call, &args->dom, &snapshot, error))
    return FALSE;
  ret->persistent = snapshot.is_persistent;
  return TRUE;
}

static gboolean
domain_is_updated (ReeveCall *call,
                   const remote_domain_is_updated_args *args,
                   remote_domain_is_updated_ret *ret,
                   GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  return look (call, &args->dom, &snapshot, error);
}

static gboolean
domain_get_autostart (ReeveCall *call,
                      const remote_domain_get_autostart_args *args,
                      remote_domain_get_autostart_ret *ret,
                      GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  if (!look (call, &args->dom, &snapshot, error))
    return FALSE;
  ret->autostart = snapshot.is_autostart;
  return TRUE;
}

static gboolean
domain_get_os_type (ReeveCall *call,
                    const remote_domain_get_os_type_args *args,
                    remote_domain_get_os_type_ret *ret,
                    GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  if (!look (call, &args->dom, &snapshot, error))
    return FALSE;
  ret->type = g_strdup (reeve_config_get_os_type (get_config (&snapshot)));
  return TRUE;
}

static gboolean
domain_get_max_memory (ReeveCall *call,
                       const remote_domain_get_max_memory_args *args,
                       remote_domain_get_max_memory_ret *ret,
                       GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  if (!look (call, &args->dom, &snapshot, error))
    return FALSE;
  ret->memory = reeve_config_get_memory_kib (get_config (&snapshot));
  return TRUE;
}

static gboolean
domain_get_max_vcpus (ReeveCall *call,
                      const remote_domain_get_max_vcpus_args *args,
                      remote_domain_get_max_vcpus_ret *ret,
                      GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  if (!look (call, &args->dom, &snapshot, error))
    return FALSE;
  ret->num = (int32_t) reeve_config_get_max_vcpus (get_config (&snapshot));
  return TRUE;
}

static gboolean
domain_get_vcpus_flags (ReeveCall *call,
                        const remote_domain_get_vcpus_flags_args *args,
                        remote_domain_get_vcpus_flags_ret *ret,
                        GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };
  uint32_t flags = args->flags;
  ReeveConfig *config;

  if (flags & VCPU_GUEST) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_AGENT_UNRESPONSIVE,
                         _ ("There is no agent in the guest to ask"));
    return FALSE;
  }
  if (!reeve_remote_check_flags (call, flags, 0x7, error) ||
      !look (call, &args->dom, &snapshot, error) ||
      !reeve_remote_resolve_impact (&snapshot, &flags, error))
    return FALSE;

  config = flags & REEVE_IMPACT_LIVE ? snapshot.live_config : snapshot.config;
  ret->num = (int32_t) (flags & REEVE_IMPACT_MAXIMUM
                            ? reeve_config_get_max_vcpus (config)
                            : reeve_config_get_vcpus (config));
  return TRUE;
}

static gboolean
domain_get_control_info (ReeveCall *call,
                         const remote_domain_get_control_info_args *args,
                         remote_domain_get_control_info_ret *ret,
                         GError **error)
{
  enum { CONTROL_OK = 0, CONTROL_OCCUPIED = 2, CONTROL_ERROR = 3 };
  g_autoptr (ReeveMachine) machine =
      reeve_remote_find (call, &args->dom, error);
  ReeveMachineMonitorState state;

  if (machine == NULL)
    return FALSE;
  reeve_machine_get_monitor_state (machine, &state);
  ret->state = state.is_error         ? CONTROL_ERROR
               : state.command_us > 0 ? CONTROL_OCCUPIED
                                      : CONTROL_OK;
  ret->state_time = (uint64_t) (state.command_us / 1000);
  return TRUE;
}

static gboolean
domain_has_managed_save_image (
    ReeveCall *call,
    const remote_domain_has_managed_save_image_args *args,
    remote_domain_has_managed_save_image_ret *ret,
    GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  return look (call, &args->dom, &snapshot, error);
}

static gboolean
domain_snapshot_num (ReeveCall *call,
                     const remote_domain_snapshot_num_args *args,
                     remote_domain_snapshot_num_ret *ret,
                     GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  return look (call, &args->dom, &snapshot, error);
}

static gboolean
domain_list_all_snapshots (ReeveCall *call,
                           const remote_domain_list_all_snapshots_args *args,
                           remote_domain_list_all_snapshots_ret *ret,
                           GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  return look (call, &args->dom, &snapshot, error);
}

static gboolean
domain_list_all_checkpoints (
    ReeveCall *call,
    const remote_domain_list_all_checkpoints_args *args,
    remote_domain_list_all_checkpoints_ret *ret,
    GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  return look (call, &args->dom, &snapshot, error);
}

static gboolean
domain_get_job_info (ReeveCall *call,
                     const remote_domain_get_job_info_args *args,
                     remote_domain_get_job_info_ret *ret,
                     GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  return look (call, &args->dom, &snapshot, error);
}

static gboolean
domain_get_messages (ReeveCall *call,
                     const remote_domain_get_messages_args *args,
                     remote_domain_get_messages_ret *ret,
                     GError **error)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };
  GPtrArray *warnings;

  if (!look (call, &args->dom, &snapshot, error))
    return FALSE;

  warnings = reeve_config_get_warnings (get_config (&snapshot));
  ret->msgs.n_items = MIN (warnings->len, 2048);
  ret->msgs.items = g_new0 (char *, ret->msgs.n_items);
  for (unsigned i = 0; i < ret->msgs.n_items; i++)
    ret->msgs.items[i] = g_strdup (warnings->pdata[i]);
  return TRUE;
}

void
reeve_remote_add_info (remote_handlers *handlers)
{
  handlers->domain_get_state = domain_get_state;
  handlers->domain_get_info = domain_get_info;
  handlers->domain_get_xml_desc = domain_get_xml_desc;
  handlers->domain_is_active = domain_is_active;
  handlers->domain_is_persistent = domain_is_persistent;
  handlers->domain_is_updated = domain_is_updated;
  handlers->domain_get_autostart = domain_get_autostart;
  handlers->domain_get_os_type = domain_get_os_type;
  handlers->domain_get_max_memory = domain_get_max_memory;
  handlers->domain_get_max_vcpus = domain_get_max_vcpus;
  handlers->domain_get_vcpus_flags = domain_get_vcpus_flags;
  handlers->domain_get_control_info = domain_get_control_info;
  handlers->domain_has_managed_save_image = domain_has_managed_save_image;
  handlers->domain_snapshot_num = domain_snapshot_num;
  handlers->domain_list_all_snapshots = domain_list_all_snapshots;
  handlers->domain_list_all_checkpoints = domain_list_all_checkpoints;
  handlers->domain_get_job_info = domain_get_job_info;
  handlers->domain_get_messages = domain_get_messages;
}
