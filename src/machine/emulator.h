/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/refs.h"
#include "machine/config.h"

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

/**
 * reeve_emulator_get:
 * @path: of the binary
 *
 * Asks the binary when it is first named, unless an earlier daemon has, and
 * again when the file, its modules or the use of KVM change; a failure is
 * remembered as long, by this process. Starts processes and waits for them:
 * call it from a worker.
 *
 * Errors: %REEVE_ERROR_CONFIG_UNSUPPORTED, with the path and the reason.
 *
 * Thread: any. Returns: (transfer full)
 */
ReeveEmulator *reeve_emulator_get (const char *path, GError **error);

/* The one that is used when a definition names none. */
#define REEVE_EMULATOR_DEFAULT "/usr/bin/qemu-system-x86_64"
ReeveEmulator *reeve_emulator_get_default (GError **error);

/**
 * reeve_emulator_get_kvm_refusal:
 *
 * Starts a guest when it is first asked, unless one ran since the host booted.
 * Thread: a worker's.
 *
 * Returns: (nullable): why KVM is not used; %NULL when it is
 */
const char *reeve_emulator_get_kvm_refusal (ReeveEmulator *self);

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
