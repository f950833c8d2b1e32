/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* What /proc and /sys say of the host. Thread: any. */

typedef struct {
  unsigned n_cpus;
  unsigned n_sockets;
  unsigned n_cores;   /* in a socket */
  unsigned n_threads; /* in a core */
  unsigned mhz;
  char *model; /* (owned): e.g. "Intel Xeon" */
} ReeveHostCpu;

void reeve_host_read_cpu (ReeveHostCpu *cpu);
void reeve_host_cpu_clear (ReeveHostCpu *cpu);

/* Nanoseconds since the boot, of one CPU or (-1) all; FALSE for a CPU that is
 * not there. */
typedef struct {
  uint64_t kernel_ns;
  uint64_t user_ns;
  uint64_t idle_ns;
  uint64_t iowait_ns;
} ReeveHostTimes;

gboolean reeve_host_read_times (int cpu, ReeveHostTimes *times);

/* KiB. */
typedef struct {
  uint64_t total;
  uint64_t free;
  uint64_t buffers;
  uint64_t cached;
} ReeveHostMemory;

void reeve_host_read_memory (ReeveHostMemory *memory);

G_END_DECLS
