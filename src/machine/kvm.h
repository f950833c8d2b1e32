/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveKvmProbe:
 * @emulator: path of a QEMU binary
 * @is_final: (out): of a refusal: whether it is one as long as the host runs
 *
 * Returns: (transfer full) (nullable): why KVM is not used; %NULL when it is
 */
typedef char *(*ReeveKvmProbe) (const char *emulator, gboolean *is_final);

/**
 * reeve_kvm_probe:
 *
 * Whether KVM can be trusted with a guest: the processor has the extensions
 * that a guest's kernel is run by, /dev/kvm can be opened, and a guest of a
 * few instructions really runs. (There are hosts whose /dev/kvm runs such a
 * guest in an emulator, and no real kernel: hence the first, which alone is
 * final.) Waits for the guest, up to some seconds. A #ReeveKvmProbe.
 */
char *reeve_kvm_probe (const char *emulator, gboolean *is_final);

G_END_DECLS
