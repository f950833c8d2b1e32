/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "machine/emulator.h"

#include <sys/stat.h>

G_BEGIN_DECLS

/**
 * ReeveEmulatorCache:
 *
 * What QEMU binaries said of themselves, in a directory, one file for each, so
 * that the next daemon need not ask. Nothing depends on it: a file that is
 * damaged, somebody else's or of another binary is as none, and one that cannot
 * be written is not. Immutable; reads and writes files: call it from a worker.
 */
typedef struct {
  char *dir;
} ReeveEmulatorCache;

void reeve_emulator_cache_init (ReeveEmulatorCache *self, const char *dir);
void reeve_emulator_cache_clear (ReeveEmulatorCache *self);

/* (transfer full): one line that is another one as soon as the binary, or
 * something else on which its answers depend, has changed. */
char *
reeve_emulator_cache_identify (const char *path, const struct stat *binary);

/**
 * reeve_emulator_cache_load:
 * @emulator: has its path alone; the rest is filled in
 * @is_kvm_proven: (out): whether a guest ran by KVM since the host booted
 *
 * Returns: whether it was there; else @emulator is as it was
 */
gboolean reeve_emulator_cache_load (const ReeveEmulatorCache *self,
                                    ReeveEmulator *emulator,
                                    const char *identity,
                                    gboolean *is_kvm_proven);

void reeve_emulator_cache_store (const ReeveEmulatorCache *self,
                                 const ReeveEmulator *emulator,
                                 const char *identity,
                                 gboolean is_kvm_proven);

/* Of a binary that is of no use any more. */
void
reeve_emulator_cache_remove (const ReeveEmulatorCache *self, const char *path);

G_END_DECLS
