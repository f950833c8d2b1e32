/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/refs.h"
#include "machine/config.h"
#include "machine/kvm.h"

G_BEGIN_DECLS

/* A machine type, e.g. "pc-i440fx-7.2" with the alias "pc". */
typedef struct {
  char *name;
  char *alias; /* (nullable) */
} ReeveMachineType;

/**
 * ReeveEmulator:
 * @version: major * 1000000 + minor * 1000 + micro
 * @cpus: the names of its CPU models
 *
 * A QEMU binary, as it says of itself. Immutable once it is there.
 */
typedef struct {
  ReeveRefs refs;
  char *path;
  uint64_t version;
  GPtrArray *types; /* (element-type ReeveMachineType) */
  GPtrArray *cpus;  /* (element-type utf8) */
} ReeveEmulator;

void reeve_emulator_unref (ReeveEmulator *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveEmulator, reeve_emulator_unref)

/* While it is made. @alias: (nullable) */
void reeve_emulator_add_type (ReeveEmulator *self,
                              const char *name,
                              const char *alias);

/**
 * reeve_emulator_open_cache:
 * @dir: of the daemon's cache
 *
 * What is asked from now on is kept there, for daemons to come. Without it, and
 * where it cannot be written, each process asks once. Before there are workers.
 */
void reeve_emulator_open_cache (const char *dir);
/* Forgets also what this process knows. When there are no workers. */
void reeve_emulator_close_cache (void);

/* A binary that failed may do so for a reason outside of it: a library that is
 * not there yet, a host that is busy. It is asked again after this, so that one
 * that is broken does not cost each caller a process. */
#define REEVE_EMULATOR_FAILURE_KEPT_US (5 * G_USEC_PER_SEC)
/* So does a refusal of KVM; but where a guest does not get anywhere, each time
 * takes as long as it is given. */
#define REEVE_EMULATOR_REFUSAL_KEPT_US (300 * G_USEC_PER_SEC)

/**
 * reeve_emulator_get:
 * @path: of the binary
 *
 * Asks the binary when it is first named, unless an earlier daemon has, and
 * again when the file, its modules or the use of KVM change. A failure is told
 * to those who waited for it, and for some seconds more. Starts processes and
 * waits for them: call it from a worker.
 *
 * Errors: %REEVE_ERROR_CONFIG_UNSUPPORTED, with the path and the reason.
 *
 * Thread: any. Returns: (transfer full)
 */
ReeveEmulator *reeve_emulator_get (const char *path, GError **error);
/* As above, of somebody who asks at @now_us, of the monotonic clock. */
ReeveEmulator *
reeve_emulator_get_at (const char *path, gint64 now_us, GError **error);

/* The one that is used when a definition names none. */
#define REEVE_EMULATOR_DEFAULT "/usr/bin/qemu-system-x86_64"
ReeveEmulator *reeve_emulator_get_default (GError **error);

/**
 * reeve_emulator_dup_kvm_refusal:
 *
 * Starts a guest when it is first asked, unless one ran since the host booted.
 * A refusal that may pass is asked for again as a failure of
 * reeve_emulator_get() is. Thread: a worker's.
 *
 * Returns: (transfer full) (nullable): why KVM is not used; %NULL when it is
 */
char *reeve_emulator_dup_kvm_refusal (ReeveEmulator *self);
/* As above, by @probe, of somebody who asks at @now_us. */
char *reeve_emulator_dup_kvm_refusal_at (ReeveEmulator *self,
                                         ReeveKvmProbe probe,
                                         gint64 now_us);

/* The real name of a type: of an alias, of itself; (nullable) if the emulator
 * has none of that name. */
const char *
reeve_emulator_resolve_type (const ReeveEmulator *self, const char *name);

/**
 * reeve_emulator_fit_config:
 *
 * Checks that a definition's emulator can run it, and names the machine type
 * by its version: an upgrade of QEMU must not change the guest's hardware.
 *
 * Errors: %REEVE_ERROR_CONFIG_UNSUPPORTED
 *
 * Thread: a worker's. Returns: (transfer full)
 */
ReeveConfig *reeve_emulator_fit_config (ReeveConfig *config, GError **error);

G_END_DECLS
