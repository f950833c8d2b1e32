/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/stats.h"

#include "machine/remote-private.h"

static void
add_state (GArray *params, const ReeveMachineSnapshot *snapshot)
{
  reeve_params_add_int (params, "state.state", snapshot->state);
  reeve_params_add_int (params, "state.reason", snapshot->reason);
}

static void
add_cpu (GArray *params, ReeveMachine *machine)
{
  ReeveMachineUsage usage;

  if (!reeve_machine_get_usage (machine, &usage))
    return;
  reeve_params_add_ullong (params, "cpu.time", usage.cpu_ns);
  reeve_params_add_ullong (params, "cpu.user", usage.user_ns);
  reeve_params_add_ullong (params, "cpu.system", usage.system_ns);
}

static void
add_balloon (GArray *params,
             const ReeveMachineSnapshot *snapshot,
             ReeveConfig *config)
{
  reeve_params_add_ullong (params, "balloon.current",
                           snapshot->current_memory_kib);
  reeve_params_add_ullong (params, "balloon.maximum",
                           reeve_config_get_memory_kib (config));
}

static void
add_vcpus (GArray *params,
           const ReeveMachineSnapshot *snapshot,
           ReeveConfig *config)
{
  reeve_params_add_uint (params, "vcpu.current",
                         reeve_config_get_vcpus (config));
  reeve_params_add_uint (params, "vcpu.maximum",
                         reeve_config_get_max_vcpus (config));
  for (unsigned i = 0;
       snapshot->is_active && i < reeve_config_get_vcpus (config); i++) {
    g_autofree char *field = g_strdup_printf ("vcpu.%u.state", i);

    reeve_params_add_int (params, field, 1);
  }
}

static void
add_interfaces (GArray *params, ReeveConfig *config)
{
  GPtrArray *interfaces = reeve_config_get_interfaces (config);

  reeve_params_add_uint (params, "net.count", interfaces->len);
  for (unsigned i = 0; i < interfaces->len; i++) {
    const ReeveConfigInterface *interface = interfaces->pdata[i];
    g_autofree char *field = g_strdup_printf ("net.%u.name", i);

    reeve_params_add_string (params, field,
                             interface->target != NULL ? interface->target
                                                       : interface->alias);
  }
}

static void
add_blocks (GArray *params, ReeveConfig *config)
{
  GPtrArray *disks = reeve_config_get_disks (config);

  reeve_params_add_uint (params, "block.count", disks->len);
  for (unsigned i = 0; i < disks->len; i++) {
    const ReeveConfigDisk *disk = disks->pdata[i];
    g_autofree char *name = g_strdup_printf ("block.%u.name", i);
    g_autofree char *path = g_strdup_printf ("block.%u.path", i);

    reeve_params_add_string (params, name, disk->target);
    if (disk->path != NULL)
      reeve_params_add_string (params, path, disk->path);
  }
}

static void
add_groups (GArray *params,
            ReeveMachine *machine,
            const ReeveMachineSnapshot *snapshot,
            uint32_t groups)
{
  ReeveConfig *config =
      snapshot->live_config != NULL ? snapshot->live_config : snapshot->config;

  if (groups & REEVE_STATS_STATE)
    add_state (params, snapshot);
  if (groups & REEVE_STATS_CPU_TOTAL)
    add_cpu (params, machine);
  if (groups & REEVE_STATS_BALLOON)
    add_balloon (params, snapshot, config);
  if (groups & REEVE_STATS_VCPU)
    add_vcpus (params, snapshot, config);
  if (groups & REEVE_STATS_INTERFACE)
    add_interfaces (params, config);
  if (groups & REEVE_STATS_BLOCK)
    add_blocks (params, config);
}

GArray *
reeve_stats_new (ReeveMachine *machine, uint32_t groups)
{
  GArray *params = g_array_new (FALSE, FALSE, sizeof (remote_typed_param));
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  reeve_machine_get_snapshot (machine, &snapshot);
  add_groups (params, machine, &snapshot, groups);
  return params;
}

static void
add_known (GArray *params, const char *field, uint64_t value)
{
  if (value != UINT64_MAX)
    reeve_params_add_ullong (params, field, value);
}

void
reeve_stats_add_memory (GArray *params, const ReeveMachineMemoryStats *stats)
{
  add_known (params, "balloon.swap_in", stats->swap_in_kib);
  add_known (params, "balloon.swap_out", stats->swap_out_kib);
  add_known (params, "balloon.major_fault", stats->major_faults);
  add_known (params, "balloon.minor_fault", stats->minor_faults);
  add_known (params, "balloon.unused", stats->unused_kib);
  add_known (params, "balloon.available", stats->available_kib);
  add_known (params, "balloon.usable", stats->usable_kib);
  add_known (params, "balloon.disk_caches", stats->disk_caches_kib);
  add_known (params, "balloon.last-update", stats->last_update_s);
  add_known (params, "balloon.rss", stats->resident_kib);
}

void
reeve_stats_free (GArray *params)
{
  for (unsigned i = 0; i < params->len; i++)
    remote_typed_param_clear (&g_array_index (params, remote_typed_param, i));
  g_array_unref (params);
}
