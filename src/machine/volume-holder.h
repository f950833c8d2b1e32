/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/machine-list.h"

#include <sys/stat.h>

G_BEGIN_DECLS

/*
 * Whether a running machine needs a file: as a disk or as what a disk is based
 * on, by whatever path. It is asked of the kernel, which knows what QEMU has
 * open; of a machine that is about to start, its definition is.
 *
 * Thread: any that may wait for a disk.
 */
gboolean
reeve_machine_list_holds_file (ReeveMachineList *self, const struct stat *file);

G_END_DECLS
