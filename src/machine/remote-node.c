/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/host.h"
#include "machine/remote-private.h"
#include "rpc/error.h"

#include <string.h>

/* The host. */

#define N_CPU_STATS 4
#define N_MEMORY_STATS 4

static gboolean
node_get_info (ReeveCall *call, remote_node_get_info_ret *ret, GError **error)
{
  ReeveHostMemory memory;
  ReeveHostCpu cpu;

  reeve_host_read_memory (&memory);
  reeve_host_read_cpu (&cpu);
  /* libvirt's clients expect the architecture here. */
  memcpy (ret->model, "x86_64", strlen ("x86_64"));
  ret->memory = memory.total;
  ret->cpus = (int32_t) cpu.n_cpus;
  ret->mhz = (int32_t) cpu.mhz;
  ret->nodes = 1;
  ret->sockets = (int32_t) cpu.n_sockets;
  ret->cores = (int32_t) cpu.n_cores;
  ret->threads = (int32_t) cpu.n_threads;
  reeve_host_cpu_clear (&cpu);
  return TRUE;
}

static gboolean
node_get_free_memory (ReeveCall *call,
                      remote_node_get_free_memory_ret *ret,
                      GError **error)
{
  ReeveHostMemory memory;

  reeve_host_read_memory (&memory);
  ret->free_mem = memory.free * 1024;
  return TRUE;
}

static gboolean
node_get_cells_free_memory (ReeveCall *call,
                            const remote_node_get_cells_free_memory_args *args,
                            remote_node_get_cells_free_memory_ret *ret,
                            GError **error)
{
  ReeveHostMemory memory;

  if (args->start_cell != 0 || args->maxcells < 1) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                         _ ("The host is shown as one cell, number 0"));
    return FALSE;
  }

  reeve_host_read_memory (&memory);
  ret->cells.n_items = 1;
  ret->cells.items = g_new (uint64_t, 1);
  ret->cells.items[0] = memory.free * 1024;
  return TRUE;
}

static gboolean
node_get_cpu_stats (ReeveCall *call,
                    const remote_node_get_cpu_stats_args *args,
                    remote_node_get_cpu_stats_ret *ret,
                    GError **error)
{
  static const char *const fields[N_CPU_STATS] = { "kernel", "user", "idle",
                                                   "iowait" };
  ReeveHostTimes times;
  uint64_t values[N_CPU_STATS];

  ret->nparams = N_CPU_STATS;
  if (args->nparams == 0)
    return TRUE;
  if (!reeve_host_read_times (args->cpu_num, &times)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("The host has no CPU %d"), args->cpu_num);
    return FALSE;
  }

  values[0] = times.kernel_ns;
  values[1] = times.user_ns;
  values[2] = times.idle_ns;
  values[3] = times.iowait_ns;
  ret->nparams = 0;
  ret->params.n_items = MIN (N_CPU_STATS, (uint32_t) MAX (args->nparams, 0));
  ret->params.items = g_new0 (remote_node_get_cpu_stats_ret_param,
                              MAX (ret->params.n_items, 1));
  for (uint32_t i = 0; i < ret->params.n_items; i++) {
    ret->params.items[i].field = g_strdup (fields[i]);
    ret->params.items[i].value = values[i];
  }
  return TRUE;
}

static gboolean
node_get_memory_stats (ReeveCall *call,
                       const remote_node_get_memory_stats_args *args,
                       remote_node_get_memory_stats_ret *ret,
                       GError **error)
{
  static const char *const fields[N_MEMORY_STATS] = { "total", "free",
                                                      "buffers", "cached" };
  ReeveHostMemory memory;
  uint64_t values[N_MEMORY_STATS];

  ret->nparams = N_MEMORY_STATS;
  if (args->nparams == 0)
    return TRUE;

  reeve_host_read_memory (&memory);
  values[0] = memory.total;
  values[1] = memory.free;
  values[2] = memory.buffers;
  values[3] = memory.cached;
  ret->nparams = 0;
  ret->params.n_items = MIN (N_MEMORY_STATS, (uint32_t) MAX (args->nparams, 0));
  ret->params.items = g_new0 (remote_node_get_memory_stats_ret_param,
                              MAX (ret->params.n_items, 1));
  for (uint32_t i = 0; i < ret->params.n_items; i++) {
    ret->params.items[i].field = g_strdup (fields[i]);
    ret->params.items[i].value = values[i];
  }
  return TRUE;
}

static gboolean
node_get_cpu_map (ReeveCall *call,
                  const remote_node_get_cpu_map_args *args,
                  remote_node_get_cpu_map_ret *ret,
                  GError **error)
{
  ReeveHostCpu cpu;
  uint32_t size;

  reeve_host_read_cpu (&cpu);
  size = (cpu.n_cpus + 7) / 8;
  ret->online = args->need_online ? cpu.n_cpus : 0;
  ret->ret = (int32_t) cpu.n_cpus;
  if (args->need_map) {
    ret->cpumap.size = size;
    ret->cpumap.data = g_malloc0 (size);
    for (unsigned i = 0; i < cpu.n_cpus; i++)
      ret->cpumap.data[i / 8] |= (uint8_t) (1u << i % 8);
  }
  reeve_host_cpu_clear (&cpu);
  return TRUE;
}

void
reeve_remote_add_node (remote_handlers *handlers)
{
  handlers->node_get_info = node_get_info;
  handlers->node_get_free_memory = node_get_free_memory;
  handlers->node_get_cells_free_memory = node_get_cells_free_memory;
  handlers->node_get_cpu_stats = node_get_cpu_stats;
  handlers->node_get_memory_stats = node_get_memory_stats;
  handlers->node_get_cpu_map = node_get_cpu_map;
}
