/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/machine.h"

G_BEGIN_DECLS

/* What a machine counts, in the fields that `virsh domstats` shows: arrays of
 * remote_typed_param. */

/* libvirt's DomainStatsTypes. */
enum {
  REEVE_STATS_STATE = 1 << 0,
  REEVE_STATS_CPU_TOTAL = 1 << 1,
  REEVE_STATS_BALLOON = 1 << 2,
  REEVE_STATS_VCPU = 1 << 3,
  REEVE_STATS_INTERFACE = 1 << 4,
  REEVE_STATS_BLOCK = 1 << 5,
  REEVE_STATS_ALL = REEVE_STATS_STATE | REEVE_STATS_CPU_TOTAL |
                    REEVE_STATS_BALLOON | REEVE_STATS_VCPU |
                    REEVE_STATS_INTERFACE | REEVE_STATS_BLOCK,
};

/**
 * reeve_stats_new:
 * @groups: of the numbers above
 *
 * What is known without asking QEMU; of the balloon's that is not all. Reads
 * /proc. Thread: any.
 *
 * Returns: (transfer full) (element-type remote_typed_param): what is in it is
 *   the caller's, too: for a reply, or for reeve_stats_free()
 */
GArray *reeve_stats_new (ReeveMachine *machine, uint32_t groups);

/* The fields of the balloon that @stats knows. */
void
reeve_stats_add_memory (GArray *params, const ReeveMachineMemoryStats *stats);

/* With what is in it. */
void reeve_stats_free (GArray *params);

G_END_DECLS
